package bot

import (
	"slices"
	"strconv"
	"strings"

	"wensheng/intents"
	"wensheng/internal/chat"
	"wensheng/nlp"
)

// maxQuote bounds a quotation in a summary, in characters.
const maxQuote = 60

// facts remembers what the message tells, masked.
func (t *turn) facts(raw string) {
	t.d.Entities = nlp.EntitiesOn(raw, t.in.Day)
	for _, e := range t.d.Entities {
		m := Masked{Kind: e.Kind, Value: nlp.MaskEntity(e)}
		if e.Kind == intents.SlotPhone && holds(t.norm, t.e.words.mine) {
			t.mem.Phone = m.Value
		}
		if !slices.Contains(t.mem.Entities, m) {
			t.mem.Entities = append(t.mem.Entities, m)
		}
	}
	if n := len(t.mem.Entities); n > maxRemembered {
		t.mem.Entities = t.mem.Entities[n-maxRemembered:]
	}
	if t.mem.First == "" {
		t.mem.First = quote(raw)
	}
}

// quote is a masked, short form of what somebody wrote, on one line.
func quote(raw string) string {
	s := []rune(strings.Join(strings.Fields(nlp.Mask(strings.ToValidUTF8(raw, ""))), " "))
	if len(s) > maxQuote {
		return string(s[:maxQuote]) + "…"
	}
	return string(s)
}

// done completes the Decision: masked evidence, the summary, the memory.
func (t *turn) done() Decision {
	d := &t.d
	ev := &d.Evidence
	ev.Norm = nlp.Mask(t.norm)
	if ev.Norm != t.norm {
		ev.Tokens = strings.Fields(strings.Join(ev.Tokens, " "))
		for i, w := range ev.Tokens {
			if !strings.Contains(ev.Norm, w) {
				ev.Tokens[i] = "***"
			}
		}
	}
	t.resume()
	t.patience()
	for _, h := range t.hits {
		h.Text = nlp.Mask(h.Text)
		h.Rule = strings.TrimPrefix(h.Rule, builtinLabel)
		ev.Rules = append(ev.Rules, h)
	}
	ev.Action, ev.Intent, ev.Topic = d.Action, d.Intent, d.Topic
	d.Lang = t.lang()
	d.fill()
	d.Form = t.report()
	if d.Action == Handoff {
		d.Summary = t.summary()
	}
	d.Memory = t.mem
	return *d
}

// fill makes every list a list in JSON, as the contract has it, never null.
func (d *Decision) fill() {
	if d.Candidates == nil {
		d.Candidates = []Candidate{}
	}
	if d.Signals == nil {
		d.Signals = []string{}
	}
	if d.Options == nil {
		d.Options = []chat.Option{}
	}
}

// summary is one paragraph, by rules, from the knowledge base's own sentences;
// agents read simplified Chinese.
func (t *turn) summary() string {
	var b strings.Builder
	add := func(id, key, value string) {
		if value == "" {
			return
		}
		if s, err := t.e.base.Say(id, "", map[string]string{key: value}); err == nil {
			b.WriteString(s)
		}
	}
	if t.in.Channel != "" {
		add("summary_from", "channel", t.phrase("channel_"+t.in.Channel))
	}
	add("summary_reason", "reason", t.reason())
	if !strings.HasPrefix(t.d.Reason, "signal:") { // that reason has named them
		add("summary_signals", "signals", t.signalTitles())
	}
	last := quote(t.in.Text)
	if t.mem.First != last {
		add("summary_first", "text", t.mem.First)
	}
	add("summary_last", "text", last)
	if tp, ok := t.e.base.Topic(t.d.Topic); ok {
		add("summary_topic", "topic", tp.Title)
	} else {
		var titles []string
		for _, c := range t.d.Candidates[:min(len(t.d.Candidates), offeredTopics)] {
			titles = append(titles, c.Title)
		}
		add("summary_candidates", "candidates", t.list(titles))
	}
	var answered []string
	for _, id := range t.mem.Answered {
		if tp, ok := t.e.base.Topic(id); ok && id != t.d.Topic && !slices.Contains(answered, tp.Title) {
			answered = append(answered, tp.Title)
		}
	}
	add("summary_answered", "topic", t.list(answered))
	if t.mem.Missed > 0 {
		add("summary_misses", "count", strconv.Itoa(t.mem.Missed))
	}
	var found []string
	for _, m := range t.mem.Entities {
		kind := t.phrase("entity_" + m.Kind)
		if kind == "" {
			kind = t.phrase("entity_other")
		}
		found = append(found, kind+" "+m.Value)
	}
	add("summary_entities", "entities", t.list(found))
	add("summary_turns", "count", strconv.Itoa(t.mem.Turns))
	if t.d.Form != nil {
		b.WriteString(t.d.Form.Note)
	}
	return b.String()
}

// phrase is a short name from the knowledge base; "" where it has none.
func (t *turn) phrase(id string) string {
	s, err := t.e.base.Say(id, "", t.e.facts)
	if err != nil {
		return ""
	}
	return s
}

func (t *turn) list(parts []string) string {
	sep := t.phrase("list_separator")
	if sep == "" {
		sep = ", "
	}
	return strings.Join(parts, sep)
}

func (t *turn) reason() string {
	vars := map[string]string{}
	id := "reason_" + t.d.Reason
	switch {
	case strings.HasPrefix(t.d.Reason, "signal:"):
		id, vars["signals"] = "reason_signal", t.signalTitles()
	case t.d.Reason == "miss":
		id = "reason_misses"
	case t.d.Reason == "insult":
		id, vars["signals"] = "reason_signal", t.e.builtins[insult].Title
	case strings.HasPrefix(t.d.Reason, FormReason):
		f, ok := t.e.base.Form(strings.TrimPrefix(t.d.Reason, FormReason))
		if !ok {
			return ""
		}
		return f.Reason
	case t.d.Reason == "topic":
		if tp, ok := t.e.base.Topic(t.d.Topic); ok {
			vars["topic"] = tp.Title
		}
	}
	s, err := t.e.base.Say(id, "", vars)
	if err != nil {
		return ""
	}
	return s
}

func (t *turn) signalTitles() string {
	var out []string
	for _, id := range t.mem.Signals {
		if s, ok := t.e.signals[id]; ok {
			out = append(out, s.Title)
		}
	}
	return t.list(out)
}
