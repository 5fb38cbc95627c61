package bot_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/mozillazg/go-pinyin"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/nlp"
)

// spellings are the ways around a filter that every phrase of every rule must
// be found through.
func spellings(p string) map[string]string {
	runes := strings.Split(p, "")
	out := map[string]string{
		"as written":  p,
		"traditional": nlp.Traditional(p),
		"spaced":      strings.Join(runes, " "),
		"dotted":      strings.Join(runes, "."),
		"starred":     strings.Join(runes, "*"),
		"zero width":  strings.Join(runes, "\u200b"),
		"shouted":     p + "！！！",
		"in a text":   "你好，" + p + "，听到没有",
	}
	han := 0
	for _, r := range p {
		if unicode.Is(unicode.Han, r) {
			han++
		}
	}
	if han >= 2 && han == len([]rune(p)) {
		args := pinyin.NewArgs()
		out["pinyin"] = strings.Join(pinyin.LazyPinyin(p, args), "")
		out["pinyin, spaced"] = strings.Join(pinyin.LazyPinyin(p, args), " ")
	}
	return out
}

// Whatever a rule's phrase is, no spelling of it may slip past: for signals, the
// request for a person and complaints (RULES §8.3).
func TestRules_FindEveryPhraseInEverySpelling(t *testing.T) {
	t.Parallel()
	e := engine(t)
	base, _ := intents.Load(intents.Embedded())
	for _, s := range base.Signals() {
		t.Run(s.ID, func(t *testing.T) {
			t.Parallel()
			for _, p := range s.Rule.Phrases {
				if !found(e, s.ID, p) {
					t.Errorf("%q is taken for one of the signal's own false friends", p)
					continue
				}
				for name, text := range spellings(p) {
					if !found(e, s.ID, text) {
						t.Errorf("%q, %s: %q is not found", p, name, text)
					}
				}
			}
		})
	}
	for _, id := range []string{"human", "complaint"} {
		b, _ := base.Builtin(id)
		for _, p := range b.Rule.Phrases {
			for name, s := range spellings(p) {
				if d := e.Decide(bot.Memory{}, text(s)); d.Action != bot.Handoff {
					t.Errorf("%s: %q, %s: %q: %s %s", id, p, name, s, d.Action, d.Intent)
				}
			}
		}
	}
}

func found(e *bot.Engine, id, text string) bool {
	return slices.ContainsFunc(e.Signals(text), func(s bot.Signal) bool { return s.ID == id })
}

// A false friend said alone raises nothing of its own signal, in any script.
func TestRules_LeaveEveryFalseFriendAlone(t *testing.T) {
	t.Parallel()
	e := engine(t)
	base, _ := intents.Load(intents.Embedded())
	for _, s := range base.Signals() {
		for _, x := range s.Rule.Except {
			if strings.HasPrefix(x, "re:") {
				continue
			}
			for _, text := range []string{x, nlp.Traditional(x), strings.Join(strings.Split(x, ""), " ")} {
				if found(e, s.ID, text) {
					t.Errorf("%s: the false friend %q raises it as %q", s.ID, x, text)
				}
			}
		}
	}
}
