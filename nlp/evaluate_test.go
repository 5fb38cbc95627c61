package nlp_test

import (
	"bufio"
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
		t.Skip("nothing measured: it trains on 15,000 questions, too long with -short or the race detector")
	}
	seg := segmenter(t)
	for _, tc := range []struct {
		file  string
		floor float64
	}{
		{"bank-faq.train.tsv", 0.92},
		{"banking77.train.tsv", 0.89},
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
