package nlp_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wensheng/nlp"
)

// wordings are three labels that can be told apart and two that cannot: what is
// said of them is the same.
func wordings() []nlp.Example {
	var ex []nlp.Example
	verbs := []string{"how", "when", "where", "why", "who", "can", "must", "should", "will", "do"}
	for i, v := range verbs {
		ex = append(ex,
			nlp.Example{Text: v + " repay loan early", Label: "early"},
			nlp.Example{Text: v + " invoice paper received", Label: "invoice"},
			nlp.Example{Text: v + " password forgotten login", Label: "password"},
			nlp.Example{Text: fmt.Sprintf("%s card lost number %d", v, i), Label: []string{"card_one", "card_two"}[i%2]},
		)
	}
	return append(ex, nlp.Example{Text: "the only one", Label: "single"})
}

func TestCrossValidate_TellsWhatIsUnderstoodFromWhatIsNot(t *testing.T) {
	t.Parallel()
	var last, total int
	rep, err := nlp.CrossValidate(t.Context(), segmenter(t), wordings(), nlp.CrossOptions{
		Progress: func(done, all int) {
			if done < last {
				t.Errorf("progress went back from %d to %d", last, done)
			}
			last, total = done, all
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if rep.N != 40 || rep.Labels != 6 || rep.Single != 1 || rep.Folds != 5 {
		t.Errorf("n %d, labels %d, single %d, folds %d", rep.N, rep.Labels, rep.Single, rep.Folds)
	}
	if rep.Hit1 < 0.7 || rep.Hit1 > 1 || rep.Hit3 < rep.Hit1 || rep.MRR < rep.Hit1 || rep.MRR > rep.Hit3+0.1 {
		t.Errorf("hit1 %.2f, hit3 %.2f, mrr %.2f", rep.Hit1, rep.Hit3, rep.MRR)
	}
	n, right := 0, 0
	for i, b := range rep.Histogram {
		n, right = n+b.N, right+b.Right
		if b.Right > b.N || math.Abs(b.From-float64(i)/10) > 1e-9 {
			t.Errorf("bin %+v", b)
		}
	}
	if n != rep.N || math.Abs(float64(right)/40-rep.Hit1) > 1e-9 || len(rep.Histogram) != 10 {
		t.Errorf("the histogram counts %d, %d right", n, right)
	}
	if len(rep.Confusions) == 0 {
		t.Fatal("no confusions")
	}
	wrong := 0
	for _, c := range rep.Confusions {
		wrong += c.N
		if c.A == c.B || c.N == 0 || len(c.Texts) == 0 || len(c.Texts) > min(c.N, 5) {
			t.Errorf("confusion %+v", c)
		}
	}
	if math.Abs(float64(wrong)/40-(1-rep.Hit1)) > 1e-9 {
		t.Errorf("%d confusions, hit1 %.2f", wrong, rep.Hit1)
	}
	for _, w := range rep.Weakest {
		if w.Label != "card_one" && w.Label != "card_two" {
			t.Errorf("%+v is called weak", w)
		}
		if w.N != 5 || w.Hit1 >= 1 || w.ConfusedWith == "" {
			t.Errorf("%+v", w)
		}
	}
	if len(rep.Weakest) == 0 {
		t.Error("the two that cannot be told apart are not called weak")
	}
	if len(rep.Curve) != 4 || rep.Curve[0].Share != 0.25 || rep.Curve[3].Share != 1 || rep.Curve[0].Phrasings >= rep.Curve[3].Phrasings {
		t.Errorf("curve %+v", rep.Curve)
	}
	if last != total || total == 0 {
		t.Errorf("progress ended at %d of %d", last, total)
	}
}

func TestCrossValidate_IsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	seg := segmenter(t)
	o := nlp.CrossOptions{Folds: 2, Seed: 7, Curve: []float64{}}
	a, err := nlp.CrossValidate(t.Context(), seg, wordings(), o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := nlp.CrossValidate(t.Context(), seg, wordings(), o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	if len(a.Curve) != 0 {
		t.Errorf("a curve nobody wanted: %v", a.Curve)
	}
}

func TestCrossValidate_NeedsSomethingToAsk(t *testing.T) {
	t.Parallel()
	seg := segmenter(t)
	if _, err := nlp.CrossValidate(t.Context(), seg, []nlp.Example{{Text: "one", Label: "a"}, {Text: "two", Label: "b"}}, nlp.CrossOptions{}); !errors.Is(err, nlp.ErrNoTest) {
		t.Errorf("only single examples: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := nlp.CrossValidate(ctx, seg, wordings(), nlp.CrossOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
