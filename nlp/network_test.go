package nlp_test

import (
	"slices"
	"testing"

	"wensheng/nlp"
)

func TestSpelled_AWordGoesWithItsPiecesAndPairs(t *testing.T) {
	t.Parallel()
	got := nlp.Spelled(segmenter(t), []nlp.Example{{Text: "pay my pay card", Label: "a"}, {Text: "other", Label: "b"}})
	if len(got) != 4 {
		t.Fatalf("%d words, want 4: %q", len(got), got)
	}
	for _, tc := range []struct {
		word  int
		gone  []string
		stays []string
	}{
		{0, []string{"w:pay", "l:^pa", "l:pay", "p:pay_my"}, []string{"w:my", "p:my_pay", "l:car"}},
		{1, []string{"w:my", "p:pay_my", "p:my_pay"}, []string{"w:pay", "w:card"}},
		{2, []string{"p:my_pay", "p:pay_card"}, []string{"w:pay", "l:pay"}}, // it still stands in front
		{3, []string{"w:card", "l:car", "l:ard$", "p:pay_card"}, []string{"w:pay"}},
	} {
		for _, f := range tc.gone {
			if !slices.Contains(got[tc.word], f) {
				t.Errorf("word %d: %s stays, want it gone", tc.word, f)
			}
		}
		for _, f := range tc.stays {
			if slices.Contains(got[tc.word], f) {
				t.Errorf("word %d: %s is gone, want it kept", tc.word, f)
			}
		}
	}
}

// Of few words in letters each is needed, and in Chinese to leave out words did harm.
func TestSpelled_LeavesShortAndChineseTextsWhole(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"repay early", "app怎么提前还款", "我想提前还清全部贷款"} {
		got := nlp.Spelled(segmenter(t), []nlp.Example{{Text: text, Label: "a"}, {Text: "other", Label: "b"}})
		if len(got) != 0 {
			t.Errorf("%q: %q, want nothing left out", text, got)
		}
	}
}
