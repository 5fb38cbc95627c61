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
		t.Skip("nothing measured: 13,000 questions take too long with -short or the race detector; make test runs this without")
	}
	e := engine(t)
	for _, tc := range []struct {
		file string
		most float64 // share that may be answered by a Topic
		// asked and missed are the shares that may be asked back and fall back.
		asked, missed float64
	}{
		{"off-topic.txt", 0.01, 0.17, 1},
		{"borrower-questions.txt", 1, 1, 0.2},
	} {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open("../../shared/eval/" + tc.file)
			if err != nil {
				t.Skipf("MEASURING SET ABSENT, nothing measured: %v", err)
			}
			defer func() { _ = f.Close() }()
			count, by, n, answered := map[string]int{}, map[bot.Action]int{}, 0, 0
			for sc := bufio.NewScanner(f); sc.Scan(); n++ {
				d := e.Decide(bot.Memory{}, text(sc.Text()))
				key := string(d.Action)
				if d.Topic == "" && d.Action != bot.Clarify {
					key += ":" + d.Intent
				}
				count[key]++
				by[d.Action]++
				if d.Topic != "" {
					answered++
				}
			}
			t.Logf("%d texts: %v; high %.2f", n, count, e.Decide(bot.Memory{}, text("abc")).Evidence.Thresholds)
			if share := float64(answered) / float64(n); share > tc.most {
				t.Errorf("%.3f of them were answered with a Topic, want at most %.2f", share, tc.most)
			}
			if share := float64(by[bot.Clarify]) / float64(n); share > tc.asked {
				t.Errorf("%.3f of them were asked back, want at most %.2f", share, tc.asked)
			}
			if share := float64(by[bot.Fallback]) / float64(n); share > tc.missed {
				t.Errorf("%.3f of them fell back, want at most %.2f", share, tc.missed)
			}
		})
	}
}

// A few words in common with the knowledge base are no reason to ask which of
// its Topics is meant; few words about its subject are.
func TestDecide_AsksBackOnlyAboutItsSubject(t *testing.T) {
	t.Parallel()
	e := engine(t)
	for _, tc := range []struct {
		text string
		want bot.Action
	}{
		{"怎么修改游戏的名字", bot.Fallback},
		{"账单看不懂", bot.Clarify},
		{"征信", bot.Clarify},
		// The name of a product says that it is about us.
		{"微粒贷为什么变成别的样子了", bot.Clarify},
		{"为什么变成别的样子了", bot.Fallback},
	} {
		if d := e.Decide(bot.Memory{}, text(tc.text)); d.Action != tc.want {
			t.Errorf("%s: %s because of %s, want %s", tc.text, d.Action, d.Evidence.Because, tc.want)
		}
	}
}
