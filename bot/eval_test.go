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
	if testing.Short() || raceDetector {
		t.Skip("nothing measured: 13,000 questions take too long with -short or the race detector")
	}
	e := engine(t)
	for _, tc := range []struct {
		file string
		most float64 // share that may be answered by a Topic
	}{
		{"off-topic.txt", 0.01},
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
				}
			}
			t.Logf("%d texts: %v; high %.2f", n, count, e.Decide(bot.Memory{}, text("abc")).Evidence.Thresholds)
			if share := float64(answered) / float64(n); share > tc.most {
				t.Errorf("%.3f of them were answered with a Topic, want at most %.2f", share, tc.most)
			}
		})
	}
}
