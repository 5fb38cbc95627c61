package bot

import (
	"slices"
	"strings"
	"unicode/utf8"

	"wensheng/intents"
	"wensheng/internal/chat"
	"wensheng/nlp"
)

const (
	// rankDepth is how many labels the ranker is asked for.
	rankDepth = 12
	// explained is how many the evidence names.
	explained = 5
	// offeredTopics is how many a Clarify offers at most.
	offeredTopics = 3
	// minMargin is how far the first must be ahead to be answered.
	minMargin = 0.1
	// minCoverage is the share of the words about the subject that the Topic's
	// wordings must know for it to be answered.
	minCoverage = 0.5
	// offerCoverage is the same for it to be offered.
	offerCoverage = 0.2
	// minSubject is how much a text must sound like the knowledge base to be
	// asked back. Nearness to the Topic's wordings and its probability count
	// with these weights; see docs/understanding.md.
	minSubject                    = 21.4
	middleWeight, certaintyWeight = 20.0, 16.0
	// answerSubject is the same for it to be answered as sure.
	answerSubject = 25.0
	// deniedShare is what the probability counts of a text that denies what the
	// Topic's wordings say: it is heard as much in talk about anything else.
	deniedShare = 0.5
	// shortRunes is how short a message may be a mere keyword; with so many
	// Topics whose wordings hold it, it is asked back which is meant.
	shortRunes, shortTopics = 6, 3
	// What a likely answer needs: a Topic whose probability is below High, but
	// with the next one far behind and hardly a word about the subject that its
	// wordings lack. Cross-validated on the embedded base 84 % of those are
	// right; see docs/understanding.md.
	likelyP, likelyMargin, likelyCoverage = 0.75, 0.6, 0.7
	likelySubject                         = 30.0
	// otherTopics is how many others are offered under a likely answer.
	otherTopics = 2
	// minOffer is the least probability, beside Low, to be offered at all.
	minOffer = 0.04
	// followUpRunes is how short a message must be to be read with the Topic
	// before it; one with a follow-up word may be twice as long.
	followUpRunes = 10
	// contextShare weighs the reading with the Topic before against the one
	// without; contextNext is added for what that Topic names as next.
	contextShare = 0.6
	contextNext  = 0.15
)

// rank asks the ranker and answers, clarifies or misses.
func (t *turn) rank() {
	r := t.hear(t.e.index.Rank(t.in.Text, rankDepth))
	if t.follows(r) {
		r = t.inContext(r)
	}
	t.explain(r)
	if len(r.Candidates) == 0 {
		t.miss("nothing_known")
		return
	}
	first := r.Candidates[0]
	th := r.Thresholds
	if id, ok := strings.CutPrefix(first.Label, builtinLabel); ok && (id == human || id == complaint) && r.Negated && first.P >= th.Low {
		// "No need for a person": there is nothing to do and nothing missed.
		t.say(Answer, confirm, "negated")
		t.d.Reply, t.d.Intent, t.d.Confidence = t.say1("anything_else"), "not_"+id, first.P
		return
	}
	if two := t.requests(r); two != nil {
		t.both(two)
		return
	}
	if t.sure(r) {
		if id, ok := strings.CutPrefix(first.Label, builtinLabel); ok {
			t.builtin(id)
			t.d.Confidence = first.P
			t.because("ranker")
			return
		}
		if tp, ok := t.e.base.Topic(first.Label); ok {
			if r.Exact {
				t.because("exact")
			}
			t.because("ranker")
			t.topic(tp, first.P)
			return
		}
	}
	if tp := t.likely(r); tp != nil {
		t.likelyAnswer(tp, r)
		return
	}
	asked := t.asked()
	if t.offerable(r) || len(asked) > 0 {
		first := 0
		if t.offerable(r) && !t.story() {
			first = 1 // all of a short message says more than a part of it
		}
		r.Candidates = slices.Insert(slices.Clone(r.Candidates), first, asked...)
		if t.clarify(r) {
			return
		}
	}
	t.d.Confidence = first.P
	if t.offerNext(r) {
		return
	}
	t.miss("below_low")
}

// offerable reports whether it may be asked back what is meant. What is denied
// is known all the same.
func (t *turn) offerable(r nlp.Ranking) bool {
	return (r.Candidates[0].P >= r.Thresholds.Low || r.Negated) && r.Coverage >= offerCoverage && t.ours(r)
}

// ours reports whether a text speaks of what the knowledge base is about. One
// that only makes sense after what was said before does, and so does a mere word
// of many Topics, which is too short to be judged.
func (t *turn) ours(r nlp.Ranking) bool {
	if t.d.Evidence.Context != "" || len(t.mem.Offered) > 0 || t.keyword(r) {
		return true
	}
	return subject(r) >= minSubject
}

// subject is how much a text and its first candidate speak of what the knowledge
// base is about.
func subject(r nlp.Ranking) float64 {
	first := r.Candidates[0]
	certainty := first.P
	if r.Negated {
		certainty *= deniedShare
	}
	return r.Subject + middleWeight*first.Parts.Middle + certaintyWeight*certainty
}

// likely is the Topic that may be answered although nothing is sure, or nil.
// Only a text is given so: to call a person, to register a complaint or to begin
// a form, the bot asks first. What was read by its sound or with the Topic before
// is a guess already.
func (t *turn) likely(r nlp.Ranking) *intents.Topic {
	first := r.Candidates[0]
	coverage := likelyCoverage
	if first.P >= r.Thresholds.High {
		coverage = offerCoverage // figures, dates and names are words its wordings lack
	}
	if r.Negated || first.P < likelyP || r.Margin < likelyMargin || r.Coverage < coverage || subject(r) < likelySubject ||
		t.d.Evidence.Context != "" || len(t.d.Evidence.Heard) > 0 || t.keyword(r) {
		return nil
	}
	tp, ok := t.e.base.Topic(first.Label)
	if !ok || tp.Kind != intents.KindAnswer || tp.Form != "" {
		return nil
	}
	return tp
}

// likelyAnswer gives a likely Topic's text and offers the next ones, so that a
// wrong guess costs one tap. It settles nothing: a miss before it and one after
// it are in a row.
func (t *turn) likelyAnswer(tp *intents.Topic, r nlp.Ranking) {
	var others []chat.Option
	for _, c := range r.Candidates[1:] {
		if len(others) == otherTopics || c.P < minOffer {
			break
		}
		if o, ok := t.e.base.Topic(c.Label); ok {
			others = append(others, t.topicOption(o))
		}
	}
	t.because("likely")
	misses := t.mem.Misses
	t.topicAnswer(tp, r.Candidates[0].P)
	t.mem.Misses, t.aside = misses, true
	if len(others) > 0 {
		t.d.Reply += "\n\n" + t.say1("likely_other")
		t.offer(t.askJudgement(tp.ID, others)...)
	}
}

// sure reports whether the first candidate may be answered.
func (t *turn) sure(r nlp.Ranking) bool {
	if r.Exact {
		return true
	}
	first := r.Candidates[0]
	if !r.Sure() || r.Margin < minMargin || r.Coverage < minCoverage {
		return false
	}
	// Small talk is nobody's subject.
	if !strings.HasPrefix(first.Label, builtinLabel) && subject(r) < answerSubject {
		return false
	}
	return !t.keyword(r)
}

// keyword reports whether a message is no more than a word that many Topics are
// about.
func (t *turn) keyword(r nlp.Ranking) bool {
	said := nlp.Squash(t.norm)
	n := utf8.RuneCountInString(said)
	if n > shortRunes {
		return false
	}
	if n < 2 {
		return true
	}
	topics := 0
	for _, c := range r.Candidates {
		if strings.Contains(nlp.Squash(nlp.Normalize(c.Nearest)), said) {
			topics++
		}
	}
	return topics >= shortTopics
}

// clarify offers the likeliest Topics; false when there is none to offer.
func (t *turn) clarify(r nlp.Ranking) bool {
	var out []chat.Option
	for _, c := range r.Candidates {
		if len(out) == offeredTopics || c.P < minOffer {
			break
		}
		if tp, ok := t.e.base.Topic(c.Label); ok && !slices.ContainsFunc(out, func(o chat.Option) bool { return o.ID == topicOption+tp.ID }) {
			out = append(out, t.topicOption(tp))
		}
	}
	if len(out) == 0 {
		return false
	}
	t.askWhich(out)
	t.d.Confidence = r.Candidates[0].P
	if r.Negated {
		t.because("negated")
	}
	t.because("between")
	return true
}

// offerNext asks back about a question that only makes sense with the Topic
// before it and is sure of nothing: what that Topic names as next, the likelier
// first. It is false when nothing is left to offer.
func (t *turn) offerNext(r nlp.Ranking) bool {
	last, ok := t.e.base.Topic(t.d.Evidence.Context)
	if !ok || !holds(t.norm, t.e.words.question) {
		return false
	}
	next := slices.DeleteFunc(slices.Clone(last.FollowUps), func(id string) bool { return slices.Contains(t.mem.Answered, id) })
	place := func(id string) int {
		i := slices.IndexFunc(r.Candidates, func(c nlp.Candidate) bool { return c.Label == id })
		if i < 0 {
			return rankDepth
		}
		return i
	}
	slices.SortStableFunc(next, func(a, b string) int { return place(a) - place(b) })
	var out []chat.Option
	for _, id := range next {
		if tp, ok := t.e.base.Topic(id); ok && len(out) < offeredTopics {
			out = append(out, t.topicOption(tp))
		}
	}
	if len(out) == 0 {
		return false
	}
	t.askWhich(out)
	t.because("follow_up")
	return true
}

// askWhich ends the turn with the question which Topic is meant.
func (t *turn) askWhich(topics []chat.Option) {
	t.offer(append(topics,
		chat.Option{ID: OptionNone, Label: t.say1("option_none")},
		t.humanOption())...)
	t.d.Action, t.d.Intent = Clarify, "unclear"
	t.d.Reply = t.say1("clarify")
}

// follows reports whether a message only makes sense with the Topic before it.
func (t *turn) follows(r nlp.Ranking) bool {
	if t.mem.LastTopic == "" || r.Exact {
		return false
	}
	n := utf8.RuneCountInString(t.norm)
	if marked(t.norm, t.e.markers) {
		return n <= 2*followUpRunes
	}
	return n <= followUpRunes && !r.Sure()
}

func marked(norm string, markers []string) bool {
	return slices.ContainsFunc(markers, func(m string) bool { return strings.HasPrefix(norm, m) })
}

// inContext reads a follow-up together with the Topic before it.
func (t *turn) inContext(alone nlp.Ranking) nlp.Ranking {
	last, ok := t.e.base.Topic(t.mem.LastTopic)
	if !ok {
		return alone
	}
	both := t.e.index.Rank(last.Title+" "+t.norm, rankDepth)
	scores := map[string]float64{}
	parts := map[string]nlp.Candidate{}
	for _, c := range both.Candidates {
		// The Topic's own title pulls towards itself, which says nothing.
		if c.Label == last.ID {
			continue
		}
		parts[c.Label] = c
		scores[c.Label] += contextShare * c.P
	}
	for _, c := range alone.Candidates {
		parts[c.Label] = c
		scores[c.Label] += (1 - contextShare/2) * c.P
	}
	for _, id := range last.FollowUps {
		if s := scores[id]; s > minOffer {
			scores[id] += contextNext
		}
	}
	out := alone
	out.Candidates = make([]nlp.Candidate, 0, len(parts))
	for label, c := range parts {
		c.P = min(scores[label], 0.97)
		out.Candidates = append(out.Candidates, c)
	}
	slices.SortStableFunc(out.Candidates, func(a, b nlp.Candidate) int {
		switch {
		case a.P > b.P:
			return -1
		case a.P < b.P:
			return 1
		}
		return strings.Compare(a.Label, b.Label)
	})
	if len(out.Candidates) > rankDepth {
		out.Candidates = out.Candidates[:rankDepth]
	}
	if len(out.Candidates) > 1 {
		out.Margin = out.Candidates[0].P - out.Candidates[1].P
	}
	t.d.Evidence.Context = last.ID
	return out
}

func (t *turn) explain(r nlp.Ranking) {
	ev := &t.d.Evidence
	ev.Margin, ev.Coverage, ev.Negated, ev.Exact = r.Margin, r.Coverage, r.Negated, r.Exact
	th := r.Thresholds
	ev.Thresholds = &th
	ev.Tokens = r.Tokens
	for i, c := range r.Candidates {
		if i == 0 {
			ev.Features, ev.Nearest = c.Features, c.Nearest
		}
		tp, ok := t.e.base.Topic(c.Label)
		if i < explained {
			top := Scored{Topic: c.Label, P: c.P, Model: c.Model, Parts: c.Parts}
			if ok {
				top.Title = tp.Title
			}
			ev.Top = append(ev.Top, top)
		}
		if ok && len(t.d.Candidates) < explained {
			t.d.Candidates = append(t.d.Candidates, Candidate{Topic: tp.ID, Title: tp.Title, Confidence: c.P})
		}
	}
}
