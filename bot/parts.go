package bot

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"wensheng/intents"
	"wensheng/internal/chat"
	"wensheng/nlp"
)

const (
	// partRunes is how long a part of a message must be to ask something.
	partRunes = 4
	// maxParts bounds the parts looked at; a longer message tells a story.
	maxParts = 4
	// storyRunes is how long a message must be to tell a story: what it asks
	// stands in one of its sentences, and all of it is about too much.
	storyRunes = 60
	// maxSentences bounds the sentences looked at in a story.
	maxSentences = 24
	// shortAnswer is how long, in characters, each of two answers may be for
	// both to be given at once.
	shortAnswer = 120
)

// Part is one of several requests in a message.
type Part struct {
	// Text is masked.
	Text  string  `json:"text"`
	Topic string  `json:"topic"`
	Title string  `json:"title,omitempty"`
	P     float64 `json:"p"`
	// First says that this one was answered, or handed over, first.
	First bool `json:"first,omitempty"`
}

// request is a part of a message that has a Topic.
type request struct {
	text string
	tp   *intents.Topic
	p    float64
}

// split cuts a normalised message where a sentence ends or a word begins
// another request.
func (t *turn) split(norm string) []string {
	for _, w := range t.e.connectives {
		norm = strings.ReplaceAll(norm, w, "\n")
	}
	var out []string
	for _, p := range strings.FieldsFunc(norm, func(r rune) bool { return strings.ContainsRune(",.;!?:\n ，。；！？：…~", r) }) {
		if utf8.RuneCountInString(nlp.Squash(p)) >= partRunes {
			out = append(out, p)
		}
	}
	return out
}

// requests are the two different things that a message asks for; nil when it asks
// for one. Where the whole message is sure to ask for one, only what it ranks, or
// a part that is a Topic's very wording, counts beside it.
func (t *turn) requests(whole nlp.Ranking) []request {
	if whole.Exact || whole.Negated {
		return nil
	}
	parts := t.split(t.norm)
	if len(parts) < 2 || len(parts) > maxParts {
		return nil
	}
	one := len(whole.Candidates) > 0 && t.sure(whole)
	var out []request
	for _, p := range parts {
		r := t.e.index.Rank(p, rankDepth)
		if len(r.Candidates) == 0 || !t.knownPart(r, p) {
			continue
		}
		tp, ok := t.e.base.Topic(r.Candidates[0].Label)
		if !ok || slices.ContainsFunc(out, func(x request) bool { return x.tp == tp }) ||
			one && !r.Exact && !slices.ContainsFunc(whole.Candidates, func(c nlp.Candidate) bool { return c.Label == tp.ID }) {
			continue
		}
		out = append(out, request{text: p, tp: tp, p: r.Candidates[0].P})
	}
	if len(out) != 2 {
		return nil
	}
	// The graver first; else what is asked before what is only told.
	if g0, g1 := gravity(out[0].tp), gravity(out[1].tp); g1 > g0 || g0 == g1 && !t.asks(out[0].text) && t.asks(out[1].text) {
		out[0], out[1] = out[1], out[0]
	}
	return out
}

// asked are the first candidates of the sentences of a message, where they are
// known, and of those that ask something in a story, where they may be offered;
// the likeliest first. They are offered where all of the message is not sure.
func (t *turn) asked() []nlp.Candidate {
	parts := t.split(t.norm)
	story := t.story()
	if len(parts) < 2 || len(parts) > maxParts && !story {
		return nil
	}
	var out []nlp.Candidate
	for _, p := range parts[:min(len(parts), maxSentences)] {
		if story && !t.asks(p) {
			continue
		}
		r := t.e.index.Rank(p, rankDepth)
		if len(r.Candidates) == 0 {
			continue
		}
		if first := r.Candidates[0]; t.knownPart(r, p) ||
			story && first.P >= r.Thresholds.Low && r.Coverage >= offerCoverage && subject(r) >= minSubject {
			out = append(out, first)
		}
	}
	slices.SortStableFunc(out, func(a, b nlp.Candidate) int { return cmp.Compare(b.P, a.P) })
	return out
}

// story reports whether a message is too long to be about one thing.
func (t *turn) story() bool { return utf8.RuneCountInString(t.norm) >= storyRunes }

// knownPart reports whether a part of the message has a Topic: surely, or, where
// it asks something, likely.
func (t *turn) knownPart(r nlp.Ranking, part string) bool {
	norm := t.norm
	t.norm = part
	defer func() { t.norm = norm }()
	return t.sure(r) || t.asks(part) && t.likely(r) != nil
}

func gravity(tp *intents.Topic) int {
	return slices.Index([]string{intents.KindAnswer, intents.KindHandoff, intents.KindComplaint, intents.KindUrgent}, tp.Kind)
}

// asks reports whether a part wants an answer, or only tells what happened.
func (t *turn) asks(norm string) bool {
	return holds(norm, t.e.words.question) || holds(norm, t.e.words.request)
}

func holds(s string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
}

// both answers two requests in one message: the first, and the other with it
// where both are short, or as the first option under it.
func (t *turn) both(r []request) {
	for i, x := range r {
		t.d.Evidence.Parts = append(t.d.Evidence.Parts, Part{Text: nlp.Mask(x.text), Topic: x.tp.ID, Title: x.tp.Title, P: x.p, First: i == 0})
	}
	t.because("two_intents")
	second := r[1].tp
	t.topic(r[0].tp, r[0].p)
	if second.Kind != intents.KindAnswer || t.d.Action == Ask {
		return
	}
	other := t.e.base.Answer(second, t.in.Channel, t.lang(), t.e.facts)
	short := utf8.RuneCountInString(t.d.Reply) <= shortAnswer && utf8.RuneCountInString(other) <= shortAnswer
	switch {
	case t.d.Action == Handoff:
		if !t.d.Plain && t.in.Channel != intents.ChannelSMS {
			t.d.Reply += "\n\n" + other // nobody chooses from options while he waits
		}
	case short:
		t.d.Reply += "\n\n" + other
		t.offer(slices.DeleteFunc(slices.Clone(t.d.Options), func(o chat.Option) bool { return o.ID == topicOption+second.ID })...)
		t.mem.Answered = append(t.mem.Answered, second.ID)
	default:
		t.d.Reply += "\n\n" + t.e.Say("also_asked", t.lang(), map[string]string{"topic": t.topicOption(second).Label})
		options := []chat.Option{t.topicOption(second)}
		next := 0
		for _, o := range t.d.Options {
			if strings.HasPrefix(o.ID, topicOption) {
				if next++; o.ID == options[0].ID || next > 2 {
					continue
				}
			}
			options = append(options, o)
		}
		t.offer(options...)
	}
}
