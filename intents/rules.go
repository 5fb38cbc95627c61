package intents

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"wensheng/nlp"
)

// RequiredSignals are the ids no knowledge base may lack (RULES §8.3).
func RequiredSignals() []string {
	return []string{
		"self_harm", "harm_others", "violence_now", "fraud", "identity_theft", "minor", "vulnerable",
		"regulator", "media", "legal", "group", "data_leak", "emotion",
	}
}

// RequiredBuiltins are the ids no knowledge base may lack.
func RequiredBuiltins() []string {
	return []string{
		"human", "complaint", "greeting", "thanks", "goodbye", "insult", "empty",
		"optout", "third_party", "override", "secret",
	}
}

// RequiredPhrases are the ids the program says; a base that lacks one fails.
func RequiredPhrases() []string {
	return []string{
		"fallback", "fallback_second", "clarify", "refuse_secret", "refuse_third_party", "refuse_override",
		"handoff_queued", "handoff_closed_hours", "handoff_no_agent", "handoff_queue_long", "complaint_received",
		"p0_self_harm", "p0_violence", "p0_fraud", "signal_minor", "agent_joined", "agent_back", "agent_left", "back_to_queue",
		"on_hold", "closed_rate", "rated_thanks", "rated_sorry", "reopened", "ended_by_contact", "media_received",
		"media_failed", "unsupported_kind", "greeting", "thanks", "goodbye", "insult", "empty", "subscribe_welcome",
		"sms_link", "sms_optout", "option_human", "option_none", "disclosure_ai", "too_many", "waiting_reassure",
		"option_up", "option_down", "also_asked", "option_rephrase", "feedback_thanks", "feedback_sorry", "feedback_second",
		"option_skip", "option_yes", "option_no", "form_known", "form_corrected", "form_resume", "form_skipped",
		"form_given_up", "form_media", "form_cancelled", "form_cancelled_kept", "form_cancelled_waiting", "value_amount", "value_own_number",
	}
}

// rule reads phrases, except, questions and patterns into an nlp.Rule.
func (l *loader) rule(id string, f map[string]doc) (nlp.Rule, []string) {
	r := nlp.Rule{ID: id, Phrases: l.texts(f["phrases"].lines("phrases")), Except: l.texts(f["except"].lines("except"))}
	questions := l.texts(f["questions"].lines("questions"))
	r.Except = append(r.Except, questions...)
	for _, p := range f["patterns"].lines("patterns") {
		r.Patterns = append(r.Patterns, p.text)
	}
	for _, key := range []string{"phrases", "except", "questions", "patterns"} {
		have := map[string]bool{}
		for _, p := range f[key].lines(key) {
			if have[p.text] {
				l.errorf(p.at, "%s: %q is given twice", id, p.text)
			}
			have[p.text] = true
		}
	}
	if !matches(r) {
		l.blame(id, f)
	}
	return r, questions
}

func matches(r nlp.Rule) bool {
	_, err := nlp.NewMatcher([]nlp.Rule{r})
	return err == nil
}

// blame tries the entries of a rule the matcher refused one by one, so that
// each problem has its entry's line.
func (l *loader) blame(id string, f map[string]doc) {
	for key, rule := range map[string]func(s string) nlp.Rule{
		"phrases":   func(s string) nlp.Rule { return nlp.Rule{ID: id, Phrases: []string{s}} },
		"except":    func(s string) nlp.Rule { return nlp.Rule{ID: id, Except: []string{s}} },
		"questions": func(s string) nlp.Rule { return nlp.Rule{ID: id, Except: []string{s}} },
		"patterns":  func(s string) nlp.Rule { return nlp.Rule{ID: id, Patterns: []string{s}} },
	} {
		for _, p := range f[key].lines(key) {
			if _, err := nlp.NewMatcher([]nlp.Rule{rule(p.text)}); err != nil {
				l.errorf(p.at, "%s", err)
			}
		}
	}
}

func (l *loader) loadSignals() {
	text, ok := l.read(signalsFile)
	if !ok {
		return
	}
	root, ok := parse(&l.report, signalsFile, text)
	if !ok {
		return
	}
	var ids []string
	for _, d := range root.fields("signals")["signals"].items("signals") {
		f := d.fields("id", "title", "priority", "group", "reply", "phrases", "except", "questions", "patterns")
		if f == nil {
			continue
		}
		id := l.id(f["id"].or(d), "signal")
		if id == "" {
			continue
		}
		if slices.Contains(ids, id) {
			l.errorf(d.at, "signal %s: the id is taken", id)
			continue
		}
		ids = append(ids, id)
		s := Signal{
			ID: id, Title: f["title"].text("title"), Reply: f["reply"].text("reply"),
			Priority: l.oneOf(f["priority"].or(d), "priority", "P2", "P0", "P1", "P2"),
		}
		if g, ok := f["group"]; ok {
			s.Group = l.id(g, "group")
		}
		l.replyExists(s.Reply, d.at, "signal "+id)
		s.Rule, s.Questions = l.rule(id, f)
		if s.Title == "" {
			l.errorf(d.at, "signal %s: title is missing", id)
		}
		if len(s.Rule.Phrases)+len(s.Rule.Patterns) == 0 {
			l.errorf(d.at, "signal %s: it has neither phrases nor patterns", id)
		}
		l.base.signals = append(l.base.signals, s)
	}
	l.require(signalsFile, "signal", RequiredSignals(), ids)
}

// or returns d, or an empty text at the other's place.
func (d doc) or(place doc) doc {
	if d.node == nil {
		return doc{r: place.r, at: place.at}
	}
	return d
}

func (l *loader) require(file, what string, want, have []string) {
	for _, id := range want {
		if !slices.Contains(have, id) {
			l.errorf(position{file: file}, "%s %s is missing", what, id)
		}
	}
}

func (l *loader) replyExists(id string, at position, what string) {
	if id == "" {
		return
	}
	if p, ok := l.base.phrases[id]; !ok {
		l.errorf(at, "%s: reply %q is not in %s", what, id, phrasesFile)
	} else if len(p.vars) > 0 {
		l.errorf(at, "%s: reply %q needs values (%s) and cannot be said by a rule", what, id, strings.Join(p.vars, ", "))
	}
}

func (l *loader) loadBuiltins() {
	text, ok := l.read(builtinsFile)
	if !ok {
		return
	}
	root, ok := parse(&l.report, builtinsFile, text)
	if !ok {
		return
	}
	var ids []string
	for _, d := range root.fields("builtins")["builtins"].items("builtins") {
		f := d.fields("id", "title", "reply", "whole", "phrases", "except", "questions", "patterns", "phrasings")
		if f == nil {
			continue
		}
		id := l.id(f["id"].or(d), "builtin")
		if id == "" {
			continue
		}
		if slices.Contains(ids, id) {
			l.errorf(d.at, "builtin %s: the id is taken", id)
			continue
		}
		ids = append(ids, id)
		b := Builtin{ID: id, Title: f["title"].text("title"), Reply: f["reply"].text("reply")}
		l.replyExists(b.Reply, d.at, "builtin "+id)
		b.Rule, _ = l.rule(id, f)
		b.Whole = l.texts(f["whole"].lines("whole"))
		if p := wholePattern(b.Whole); p != "" {
			b.Rule.Patterns = append(b.Rule.Patterns, p)
		}
		b.Phrasings = l.texts(f["phrasings"].lines("phrasings"))
		if b.Title == "" {
			l.errorf(d.at, "builtin %s: title is missing", id)
		}
		if len(b.Rule.Phrases)+len(b.Rule.Patterns) == 0 {
			l.errorf(d.at, "builtin %s: it has neither whole messages, phrases nor patterns", id)
		}
		l.base.builtins = append(l.base.builtins, b)
	}
	l.require(builtinsFile, "builtin", RequiredBuiltins(), ids)
}

// wholePattern matches a normalised message that is one of words and nothing
// else but punctuation and symbols.
func wholePattern(words []string) string {
	if len(words) == 0 {
		return ""
	}
	quoted := make([]string, 0, len(words))
	for _, w := range words {
		if w = nlp.Normalize(w); w != "" {
			quoted = append(quoted, regexp.QuoteMeta(w))
		}
	}
	// The longest first, so that a prefix does not win over the whole.
	slices.SortStableFunc(quoted, func(a, b string) int { return len(b) - len(a) })
	return `^[\s\pP\pS]*(?:` + strings.Join(quoted, "|") + `)[\s\pP\pS]*$`
}

func (l *loader) loadPhrases() {
	// The embedded sentences first; a directory may replace any of them.
	l.phraseFile(Embedded(), false)
	if _, err := fs.Stat(l.fsys, phrasesFile); err == nil {
		l.phraseFile(l.fsys, true)
	}
	var have []string
	for id := range l.base.phrases {
		have = append(have, id)
	}
	l.require(phrasesFile, "phrase", RequiredPhrases(), have)
	for _, name := range Facts() {
		if l.base.facts[name].hans == "" {
			l.errorf(position{file: phrasesFile}, "the neutral wording for {{%s}} is missing", name)
		}
	}
}

func (l *loader) phraseFile(fsys fs.FS, replace bool) {
	text, ok := readFile(&l.report, fsys, phrasesFile)
	l.count(phrasesFile, text)
	if !ok {
		return
	}
	root, ok := parse(&l.report, phrasesFile, text)
	if !ok {
		return
	}
	top := root.fields("facts", "phrases")
	if d, ok := top["facts"]; ok {
		for name, v := range d.fields(Facts()...) {
			t := l.sentence(v.fields("zh", "hant", "en"), v.at, "fact "+name, nil)
			if strings.Contains(t.hans+t.hant+t.en, "{{") {
				l.errorf(v.at, "fact %s: a neutral wording cannot hold placeholders", name)
			}
			l.base.facts[name] = t
		}
	}
	here := map[string]bool{}
	for _, d := range top["phrases"].items("phrases") {
		f := d.fields("id", "vars", "zh", "hant", "en")
		if f == nil {
			continue
		}
		id := l.id(f["id"].or(d), "phrase")
		if id == "" {
			continue
		}
		if here[id] {
			l.errorf(d.at, "phrase %s: the id is taken", id)
			continue
		}
		here[id] = true
		p := phrase{at: d.at, own: replace}
		for _, v := range f["vars"].lines("vars") {
			p.vars = append(p.vars, v.text)
		}
		if old, ok := l.base.phrases[id]; replace && ok {
			// What the program gives is fixed; the sentence may use it or not.
			for _, v := range p.vars {
				if !slices.Contains(old.vars, v) {
					l.errorf(d.at, "phrase %s: the program gives no value for %q", id, v)
				}
			}
			p.vars, p.own = old.vars, false
		}
		p.texts = l.sentence(f, d.at, "phrase "+id, p.vars)
		l.base.phrases[id] = p
	}
}

func (l *loader) sentence(f map[string]doc, at position, what string, vars []string) texts {
	t := texts{hans: f["zh"].text("zh"), hant: f["hant"].text("hant"), en: f["en"].text("en")}
	if t.hans == "" {
		l.errorf(at, "%s: zh is missing", what)
	}
	for key, s := range map[string]string{"zh": t.hans, "hant": t.hant, "en": t.en} {
		if s != "" {
			l.placeholders(s, f[key].at, vars)
			l.private(s, f[key].at)
		}
	}
	return t
}
