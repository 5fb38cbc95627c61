package bot_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/internal/chat"
)

var shared struct {
	once sync.Once
	e    *bot.Engine
	err  error
}

// engine is one Engine over the embedded knowledge base for all tests: training
// is the slow part.
func engine(t *testing.T) *bot.Engine {
	t.Helper()
	shared.once.Do(func() {
		base, problems := intents.Load(intents.Embedded())
		if base == nil {
			for _, p := range problems {
				t.Log(p)
			}
			return
		}
		shared.e, shared.err = bot.New(bot.Options{Base: base, Facts: map[string]string{"company": "测试消金", "hotline": "400-000-0000"}, Groups: []string{"kf", "fk", "fw", "xb"}})
	})
	if shared.err != nil || shared.e == nil {
		t.Fatalf("no engine: %v", shared.err)
	}
	return shared.e
}

func text(s string) bot.Input { return bot.Input{Text: s, Kind: chat.KindText, Channel: "web"} }

func TestDump(t *testing.T) {
	e := engine(t)
	raw, err := os.ReadFile(os.Getenv("DUMP"))
	if err != nil {
		t.Skip()
	}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		d := e.Decide(bot.Memory{}, text(line))
		top := ""
		for _, c := range d.Evidence.Top[:min(3, len(d.Evidence.Top))] {
			top += " " + c.Topic + ":" + strings.TrimLeft(fmtP(c.P), "0")
		}
		t.Logf("%-8s %-22s %v %s | %s |%s neg=%v cov=%.2f", d.Action, d.Intent, d.Signals, d.Priority, line, top, d.Evidence.Negated, d.Evidence.Coverage)
	}
	t.Logf("%+v", e.Decide(bot.Memory{}, text("abc")).Evidence.Thresholds)
}

func fmtP(p float64) string { return strconv.FormatFloat(p, 'f', 2, 64) }
