package bot_test

import (
	"slices"
	"testing"

	"wensheng/bot"
)

// What is read by its sound is said in the evidence, and the contact's own words
// stay what the agent sees.
func TestHear_SaysWhatWasReadAsWhat(t *testing.T) {
	t.Parallel()
	d := engine(t).Decide(bot.Memory{}, text("fapiao zenme kai"))
	if d.Action != bot.Handoff || len(d.Evidence.Heard) != 1 || d.Evidence.Heard[0].From != "fapiao zenme kai" || d.Evidence.Heard[0].To != d.Evidence.Norm {
		t.Errorf("%s, heard %v, compared %q", d.Action, d.Evidence.Heard, d.Evidence.Norm)
	}
	if d.Memory.First != "fapiao zenme kai" {
		t.Errorf("remembered is %q, want what was written", d.Memory.First)
	}
}

// A message with something to hide is compared as it was written, because what
// is hidden in it was found in that spelling.
func TestHear_LeavesWhatHoldsPersonalData(t *testing.T) {
	t.Parallel()
	e := engine(t)
	if d := e.Decide(bot.Memory{}, text("担饱费是什么")); len(d.Evidence.Heard) == 0 {
		t.Fatal("nothing was heard without personal data")
	}
	for _, s := range []string{"担饱费是什么 13812345678", "担饱费是什么，身份证110101199003077571"} {
		if d := e.Decide(bot.Memory{}, text(s)); len(d.Evidence.Heard) > 0 {
			t.Errorf("%s: heard %v", s, d.Evidence.Heard)
		}
	}
}

// Signals, requests for a person and complaints are found in what was written,
// never in what it sounds like.
func TestHear_ComesAfterTheRules(t *testing.T) {
	t.Parallel()
	e := engine(t)
	for _, tc := range []struct{ text, intent string }{
		{"wo yao zhuan rengong", "human"},
		{"wo yao tousu", "complaint"},
		{"wo bu xiang huo le", "self_harm"},
	} {
		d := e.Decide(bot.Memory{}, text(tc.text))
		found := d.Intent == tc.intent || slices.Contains(d.Signals, tc.intent)
		if d.Action != bot.Handoff || !found || d.Evidence.Heard != nil {
			t.Errorf("%s: %s %s, heard %v", tc.text, d.Action, d.Intent, d.Evidence.Heard)
		}
	}
}

// A question after an answer is read with the Topic before it, in pinyin too.
func TestHear_ReadsFollowUps(t *testing.T) {
	t.Parallel()
	e := engine(t)
	d := e.Decide(bot.Memory{}, text("zenme tiqian huankuan"))
	d = e.Decide(d.Memory, text("na shouxufei ne"))
	if d.Evidence.Context == "" || len(d.Evidence.Heard) == 0 {
		t.Errorf("%s %s, context %q, heard %v", d.Action, d.Topic, d.Evidence.Context, d.Evidence.Heard)
	}
}
