package bot_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wensheng/bot"
	"wensheng/internal/chat"
	"wensheng/nlp"
)

// The behaviour suite: what the bot owes its visitors, one layer a file in
// testdata/behaviour, over the embedded knowledge base. README.md there says how
// a case is written.

const (
	behaviourDir = "testdata/behaviour"
	turnMark     = " ⏎ "
	minCases     = 400
	// ownWords is the layer that measures wordings nobody trained with.
	ownWords = "direct"
)

// layer is one file: cases of a kind and the share of them that must hold.
type layer struct {
	name  string
	floor int // percent
	least int // cases
	cases []suiteCase
}

// suiteCase is a talk and what its last message must lead to.
type suiteCase struct {
	line  int
	turns []string
	want  []expectation
}

// expectation is key=value|value.
type expectation struct {
	key    string
	values []string
}

func TestBehaviour_Suite(t *testing.T) {
	t.Parallel()
	layers := readLayers(t)
	total := 0
	for _, l := range layers {
		total += len(l.cases)
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			e := engine(t)
			var failed []string
			for _, c := range l.cases {
				if wrong := c.run(e, l.name == ownWords); len(wrong) > 0 {
					failed = append(failed, fmt.Sprintf("%s.tsv:%d: %s: %s", l.name, c.line, strings.Join(c.turns, turnMark), strings.Join(wrong, "; ")))
				}
			}
			passed := len(l.cases) - len(failed)
			t.Logf("%d of %d, %.1f %%, floor %d %%", passed, len(l.cases), 100*float64(passed)/float64(len(l.cases)), l.floor)
			for _, f := range failed {
				t.Log(f)
			}
			if passed*100 < l.floor*len(l.cases) {
				t.Errorf("%d of %d cases hold, below the floor of %d %%", passed, len(l.cases), l.floor)
			}
			if len(l.cases) < l.least {
				t.Errorf("%d cases, want at least %d", len(l.cases), l.least)
			}
		})
	}
	if total < minCases {
		t.Errorf("%d cases in all, want at least %d", total, minCases)
	}
}

// What protects a person may not be traded for anything.
func TestBehaviour_FloorsThatAreNotNegotiable(t *testing.T) {
	t.Parallel()
	floors := map[string]int{}
	for _, l := range readLayers(t) {
		floors[l.name] = l.floor
	}
	for _, name := range []string{"signals", "friends", "human", "complaint", "third-party", "secrets"} {
		if floors[name] != 100 {
			t.Errorf("%s: the floor is %d %%, want 100 %%", name, floors[name])
		}
	}
}

func readLayers(tb testing.TB) []layer {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(behaviourDir, "*.tsv"))
	if err != nil || len(names) == 0 {
		tb.Fatalf("no layers in %s: %v", behaviourDir, err)
	}
	seen := map[string]string{}
	var out []layer
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		l := layer{name: strings.TrimSuffix(filepath.Base(name), ".tsv"), floor: -1}
		for i, line := range strings.Split(string(raw), "\n") {
			at := fmt.Sprintf("%s:%d", filepath.Base(name), i+1)
			if head, ok := strings.CutPrefix(line, "#"); ok {
				l.head(tb, at, head)
				continue
			}
			if strings.TrimSpace(line) == "" {
				continue
			}
			said, want, ok := strings.Cut(line, "\t")
			if !ok {
				tb.Fatalf("%s: no tab", at)
			}
			if o, twice := seen[said]; twice {
				tb.Fatalf("%s: stands already at %s", at, o)
			}
			seen[said] = at
			c := suiteCase{line: i + 1}
			for s := range strings.SplitSeq(said, turnMark) {
				c.turns = append(c.turns, unescape(tb, at, s))
			}
			for f := range strings.FieldsSeq(want) {
				key, values, ok := strings.Cut(f, "=")
				if !ok || checks[key] == nil {
					tb.Fatalf("%s: %q is not one of %v with a value", at, f, slices.Sorted(maps.Keys(checks)))
				}
				c.want = append(c.want, expectation{key, strings.Split(values, "|")})
			}
			if len(c.want) == 0 {
				tb.Fatalf("%s: nothing is expected", at)
			}
			l.cases = append(l.cases, c)
		}
		if l.floor < 0 {
			tb.Fatalf("%s: the floor is missing", name)
		}
		out = append(out, l)
	}
	return out
}

// head reads the settings among a file's comments: "floor: 95" and "least: 20".
func (l *layer) head(tb testing.TB, at, line string) {
	tb.Helper()
	key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
	into := map[string]*int{"floor": &l.floor, "least": &l.least}[key]
	if into == nil {
		return
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		tb.Fatalf("%s: %s is no number", at, key)
	}
	*into = n
}

// unescape reads what cannot be seen in a file: \u200b and its like.
func unescape(tb testing.TB, at, s string) string {
	tb.Helper()
	if !strings.Contains(s, `\`) {
		return s
	}
	out, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		tb.Fatalf("%s: %v", at, err)
	}
	return out
}

// run has the talk and returns what the last message should have led to and did
// not. A turn like [human] or [topic:id] picks an option. own says that the last
// message may not be a wording that the bot was trained with.
func (c suiteCase) run(e *bot.Engine, own bool) []string {
	var d bot.Decision
	for _, s := range c.turns {
		in := text(s)
		if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") && isOption(s[1:len(s)-1]) {
			in = bot.Input{Kind: chat.KindPick, Pick: s[1 : len(s)-1], Channel: "web"}
		}
		// A form that asks somebody who waits for a person goes on in the queue.
		in.Day, in.Waiting = day, d.Memory.Form != nil && d.Memory.Form.Waiting
		d = e.Decide(d.Memory, in)
	}
	var wrong []string
	if own && d.Evidence.Exact {
		wrong = append(wrong, "it is a wording of a Topic")
	}
	if strings.TrimSpace(d.Reply) == "" || strings.Contains(d.Reply, "{{") || d.Evidence.Because == "" {
		wrong = append(wrong, fmt.Sprintf("not a whole decision: %q", d.Reply))
	}
	for _, x := range c.want {
		if got, ok := checks[x.key](d, x.values); !ok {
			wrong = append(wrong, fmt.Sprintf("%s is %s, want %s", x.key, got, strings.Join(x.values, " or ")))
		}
	}
	return wrong
}

func isOption(id string) bool {
	return id == bot.OptionHuman || id == bot.OptionNone || id == bot.OptionComplaint || strings.HasPrefix(id, "topic:")
}

// checks are what a case may ask of a Decision: each returns what is so, and
// whether it is among the values.
var checks = map[string]func(bot.Decision, []string) (string, bool){
	"do":       func(d bot.Decision, v []string) (string, bool) { return in(string(d.Action), v) },
	"not":      func(d bot.Decision, v []string) (string, bool) { got, ok := in(string(d.Action), v); return got, !ok },
	"intent":   func(d bot.Decision, v []string) (string, bool) { return in(d.Intent, v) },
	"reason":   func(d bot.Decision, v []string) (string, bool) { return in(d.Reason, v) },
	"group":    func(d bot.Decision, v []string) (string, bool) { return in(d.Group, v) },
	"priority": func(d bot.Decision, v []string) (string, bool) { return in(d.Priority, v) },
	"lang":     func(d bot.Decision, v []string) (string, bool) { return in(d.Lang, v) },
	// topic is the Topic answered or handed over; - is none.
	"topic": func(d bot.Decision, v []string) (string, bool) {
		got := d.Topic
		if got == "" {
			got = "-"
		}
		return in(got, v)
	},
	// never is a Topic that may not be answered.
	"never": func(d bot.Decision, v []string) (string, bool) { got, ok := in(d.Topic, v); return got, !ok },
	// fits is a Topic answered, or offered where it is asked back which is meant.
	"fits": func(d bot.Decision, v []string) (string, bool) {
		all := []string{d.Topic}
		if d.Action == bot.Clarify {
			for _, o := range d.Options {
				all = append(all, strings.TrimPrefix(o.ID, "topic:"))
			}
		}
		return strings.Join(all, ","), slices.ContainsFunc(v, func(s string) bool { return slices.Contains(all, s) })
	},
	// serves are Topics answered or offered, every one of them; a/b is either.
	"serves": func(d bot.Decision, v []string) (string, bool) {
		all := []string{d.Topic}
		for _, p := range d.Evidence.Parts {
			all = append(all, p.Topic)
		}
		for _, o := range d.Options {
			all = append(all, strings.TrimPrefix(o.ID, "topic:"))
		}
		return strings.Join(all, ","), !slices.ContainsFunc(v, func(s string) bool {
			return !slices.ContainsFunc(strings.Split(s, "/"), func(id string) bool { return slices.Contains(all, id) })
		})
	},
	// offers are options: topic:id, human, none. Every one of them must be there.
	"offers": func(d bot.Decision, v []string) (string, bool) {
		var all []string
		for _, o := range d.Options {
			all = append(all, o.ID)
		}
		return strings.Join(all, ","), !slices.ContainsFunc(v, func(s string) bool { return !slices.Contains(all, s) })
	},
	// heard is what something in the message was read as by its sound; - is nothing.
	"heard": func(d bot.Decision, v []string) (string, bool) {
		got := "-"
		for i, h := range d.Evidence.Heard {
			if i == 0 {
				got = ""
			}
			got += h.To
		}
		return in(got, v)
	},
	// signals are found, every one of them; - is none at all.
	"signals": func(d bot.Decision, v []string) (string, bool) {
		got := strings.Join(d.Signals, "|")
		if slices.Equal(v, []string{"-"}) {
			return got, len(d.Signals) == 0
		}
		return got, !slices.ContainsFunc(v, func(s string) bool { return !slices.Contains(d.Signals, s) })
	},
	// slot is id:value of a form, open the slot asked after the message, form id:state.
	"slot": func(d bot.Decision, v []string) (string, bool) {
		got := fmt.Sprint(slots(d))
		return got, slices.ContainsFunc(v, func(s string) bool {
			id, value, _ := strings.Cut(s, ":")
			return slots(d)[id] == value
		})
	},
	"open": func(d bot.Decision, v []string) (string, bool) {
		if d.Memory.Form == nil || d.Memory.Form.State != bot.FormAsking {
			return in("-", v)
		}
		return in(d.Memory.Form.Open, v)
	},
	"form": func(d bot.Decision, v []string) (string, bool) {
		if d.Memory.Form == nil {
			return in("-", v)
		}
		return in(d.Memory.Form.ID+":"+d.Memory.Form.State, v)
	},
	// entity is kind:value, one of them suffices.
	"entity": func(d bot.Decision, v []string) (string, bool) {
		var all []string
		for _, x := range d.Entities {
			all = append(all, x.Kind+":"+x.Value)
		}
		return strings.Join(all, ","), slices.ContainsFunc(v, func(s string) bool { return slices.Contains(all, s) })
	},
	// says stands in the reply; hides does not.
	"says": func(d bot.Decision, v []string) (string, bool) {
		return d.Reply, slices.ContainsFunc(v, func(s string) bool { return strings.Contains(nlp.Normalize(d.Reply), s) })
	},
	"hides": func(d bot.Decision, v []string) (string, bool) {
		all := fmt.Sprintf("%s %s %+v", d.Reply, d.Summary, d.Memory)
		return d.Reply, !slices.ContainsFunc(v, func(s string) bool { return strings.Contains(all, s) })
	},
}

func in(got string, values []string) (string, bool) { return got, slices.Contains(values, got) }
