package intents

import (
	"fmt"
	"regexp"
	"strings"

	"wensheng/nlp"
)

// Facts are the placeholders that say something about the company. Config
// supplies them; for a missing one phrases.yaml holds an honest wording
// ("the service number printed in your contract").
func Facts() []string {
	return []string{"company", "hotline", "app", "site", "hours", "email", "address"}
}

// texts is one sentence in the languages it is written in.
type texts struct{ hans, hant, en string }

func (t texts) in(lang string) string {
	switch lang {
	case LangEn:
		if t.en != "" {
			return t.en
		}
	case LangHant:
		if t.hant != "" {
			return t.hant
		}
		return nlp.Traditional(t.hans)
	}
	return t.hans
}

type phrase struct {
	texts
	vars []string // what it needs beside facts
	at   position
	own  bool // the directory's own, not one that it replaces
}

var placeholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// Lang maps a locale ("zh-TW", "en_US", "") to one of the Lang constants.
func Lang(locale string) string {
	l := strings.ToLower(strings.ReplaceAll(locale, "_", "-"))
	switch {
	case strings.HasPrefix(l, "zh-hant"), strings.HasPrefix(l, "zh-tw"), strings.HasPrefix(l, "zh-hk"), strings.HasPrefix(l, "zh-mo"):
		return LangHant
	case l == "en", strings.HasPrefix(l, "en-"):
		return LangEn
	}
	return LangHans
}

// Say returns the fixed, reviewed sentence with the id, in lang (any locale;
// Simplified Chinese unless it is Traditional or English). vars fills the
// placeholders: facts and the sentence's own. A fact that is missing gets its
// neutral wording; an unknown id or a missing value of the sentence's own is
// an error.
func (b *Base) Say(id, lang string, vars map[string]string) (string, error) {
	p, ok := b.phrases[id]
	if !ok {
		return "", fmt.Errorf("phrase %q is not in the knowledge base", id)
	}
	lang = Lang(lang)
	for _, v := range p.vars {
		if vars[v] == "" {
			return "", fmt.Errorf("phrase %q needs a value for %q", id, v)
		}
	}
	return b.fill(p.in(lang), lang, vars), nil
}

// Answer returns the Topic's wording for the channel (ChannelWeb and so on),
// in Traditional script where lang asks for it, with the facts filled in.
func (b *Base) Answer(t *Topic, channel, lang string, facts map[string]string) string {
	text := t.Answers[channel]
	if text == "" {
		text = t.Answer
	}
	lang = Lang(lang)
	if lang == LangHant {
		text = nlp.Traditional(text)
	} else {
		lang = LangHans // answers are approved in Chinese only
	}
	return b.fill(text, lang, facts)
}

// fill replaces placeholders after the script was chosen, so that a name is
// never converted.
func (b *Base) fill(text, lang string, vars map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(m string) string {
		name := placeholder.FindStringSubmatch(m)[1]
		if v := vars[name]; v != "" {
			return v
		}
		return b.facts[name].in(lang)
	})
}

// CheckFacts warns about every fact that an answer or a phrase uses and facts
// does not give; the neutral wording is said instead.
func (b *Base) CheckFacts(facts map[string]string) []Problem {
	var out []Problem
	for _, name := range Facts() {
		if at := b.uses[name]; len(at) > 0 && facts[name] == "" {
			out = append(out, Problem{File: at[0].file, Line: at[0].line, Rule: RuleConfig, Warning: true, Msg: fmt.Sprintf("{{%s}} is used %d times but config does not give it: %q is said instead", name, len(at), b.facts[name].hans)})
		}
	}
	return out
}

// CheckGroups warns about every group that a Topic or a Signal names and
// groups lacks; it falls to the first group.
func (b *Base) CheckGroups(groups []string) []Problem {
	known := make(map[string]bool, len(groups))
	for _, g := range groups {
		known[g] = true
	}
	var out []Problem
	warn := func(file string, line int, what, group string) {
		if group == "" || known[group] {
			return
		}
		out = append(out, Problem{File: file, Line: line, Rule: RuleConfig, Warning: true, Msg: fmt.Sprintf("%s names group %q, which config lacks: it falls to the first group", what, group)})
		known[group] = true // say it once a group
	}
	for i := range b.Topics {
		t := &b.Topics[i]
		warn(t.File, t.Line, "topic "+t.ID, t.Group)
	}
	for _, f := range b.forms {
		warn(f.File, f.Line, "form "+f.ID, f.Group)
	}
	for _, s := range b.signals {
		warn(signalsFile, 0, "signal "+s.ID, s.Group)
	}
	return out
}
