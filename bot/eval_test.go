package bot_test

import (
	"bufio"
	"os"
	"testing"

	"wensheng/bot"
)

// TestDecide_MeasuringSets prints what becomes of questions nobody here wrote.
// The sets are not part of the project; without them nothing is measured.
func TestDecide_MeasuringSets(t *testing.T) {
	t.Parallel()
	e := engine(t)
	for _, tc := range []struct {
		file string
		most float64 // share that may be answered by a Topic
	}{
		{"off-topic.txt", 0.02},
		{"borrower-questions.txt", 1},
	} {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open("../../shared/eval/" + tc.file)
			if err != nil {
				t.Skipf("MEASURING SET ABSENT, nothing measured: %v", err)
			}
			defer func() { _ = f.Close() }()
			count, n, answered := map[string]int{}, 0, 0
			for sc := bufio.NewScanner(f); sc.Scan(); n++ {
				d := e.Decide(bot.Memory{}, text(sc.Text()))
				key := string(d.Action)
				if d.Topic == "" && d.Action != bot.Clarify {
					key += ":" + d.Intent
				}
				count[key]++
				if d.Topic != "" {
					answered++
					if os.Getenv("SHOW") != "" && (n%20 == 0 || tc.most < 1) {
						t.Log(sc.Text(), d.Topic, d.Confidence)
					}
				} else if d.Action == bot.Handoff && os.Getenv("SHOW") != "" {
					t.Log("HANDOFF ", sc.Text(), d.Intent, d.Evidence.Rules)
				}
			}
			t.Logf("%d texts: %v; high %.2f", n, count, e.Decide(bot.Memory{}, text("abc")).Evidence.Thresholds)
			if share := float64(answered) / float64(n); share > tc.most {
				t.Errorf("%.3f of them were answered with a Topic, want at most %.2f", share, tc.most)
			}
		})
	}
}
