package nlp_test

import (
	"bufio"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wensheng/nlp"
)

// evalDir holds measuring sets that are not part of the project.
const evalDir = "../../shared/eval"

func readTSV(t *testing.T, name string) []nlp.Example {
	t.Helper()
	f, err := os.Open(filepath.Join(evalDir, name))
	if err != nil {
		t.Skipf("MEASURING SET ABSENT, nothing measured: %v", err)
	}
	defer func() { _ = f.Close() }()
	var out []nlp.Example
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if q, l, ok := strings.Cut(sc.Text(), "\t"); ok {
			out = append(out, nlp.Example{Text: q, Label: l})
		}
	}
	return out
}

// TestEvaluate_MeasuringSets prints what the ranker reaches on a 90/10 split of
// each measuring set and fails when it falls clearly below what it reached when
// this was written.
//
//nolint:paralleltest // it measures time; nothing may run beside it
func TestEvaluate_MeasuringSets(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("nothing measured: it trains on 15,000 questions, too long with -short or the race detector; make test runs this without")
	}
	seg := segmenter(t)
	for _, tc := range []struct {
		file  string
		floor float64
	}{
		{"bank-faq.train.tsv", 0.94},
		{"banking77.train.tsv", 0.905},
	} {
		t.Run(tc.file, func(t *testing.T) {
			rows := readTSV(t, tc.file)
			rng := rand.New(rand.NewPCG(1, 2))
			rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			n := len(rows) / 10
			rep, err := nlp.Evaluate(t.Context(), seg, rows[n:], rows[:n])
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v", rep)
			if rep.Hit1 < tc.floor {
				t.Errorf("hit1 = %.4f, want at least %.2f", rep.Hit1, tc.floor)
			}
		})
	}
}

// The report's own arithmetic, on a set small enough to train on in a blink.
func TestEvaluate_Report(t *testing.T) {
	t.Parallel()
	train := sorted(small())
	known := []nlp.Example{
		{Text: "提前还贷款怎么弄", Label: "early"},
		{Text: "提前还要多少手续费", Label: "fee"},
		{Text: "逾期了上不上征信", Label: "credit"},
		{Text: "想提高额度", Label: "limit"},
		{Text: "验证码收不到", Label: "code"},
	}
	strange := []nlp.Example{{Text: "今天晚上吃什么", Label: "food"}, {Text: "给我讲个笑话", Label: "joke"}}

	rep, err := nlp.Evaluate(t.Context(), segmenter(t), train, append(strange, known...))
	if err != nil {
		t.Fatal(err)
	}
	if rep.N != 7 || rep.Known != 5 || rep.Hit1 != 5.0/7 {
		t.Errorf("n %d, known %d, hit1 %.3f: strangers are misses but not known", rep.N, rep.Known, rep.Hit1)
	}
	if rep.AUROC != 1 {
		t.Errorf("AUROC = %v, want 1: what is known comes before what is not", rep.AUROC)
	}
	n := 0
	last := 0.0
	for _, d := range rep.Reliability {
		n += d.N
		if d.N > 0 && d.Claimed < last {
			t.Errorf("tenths out of order: %+v", rep.Reliability)
		}
		if d.N > 0 {
			last = d.Claimed
		}
	}
	if n != rep.Known {
		t.Errorf("the tenths hold %d questions, want the %d known ones", n, rep.Known)
	}
	rep, err = nlp.Evaluate(t.Context(), segmenter(t), train, known)
	if err != nil {
		t.Fatal(err)
	}
	if rep.AUROC != 0 {
		t.Errorf("AUROC = %v with nothing unknown, want 0", rep.AUROC)
	}
	if _, err := nlp.Evaluate(t.Context(), segmenter(t), train, nil); !errors.Is(err, nlp.ErrNoTest) {
		t.Errorf("err = %v, want %v", err, nlp.ErrNoTest)
	}
}
