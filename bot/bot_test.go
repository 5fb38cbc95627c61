package bot_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"wensheng/bot"
	"wensheng/bot/bottest"
	"wensheng/intents"
	"wensheng/internal/chat"
)

var shared struct {
	once sync.Once
	e    *bot.Engine
	err  error
}

// models keeps what was trained, for the Engines that differ in other things.
var models string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "bot-models-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	models = dir
	if err := bottest.Seed(models); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// engine is one Engine over the embedded knowledge base for all tests: training
// is the slow part.
func engine(tb testing.TB) *bot.Engine {
	tb.Helper()
	shared.once.Do(func() {
		base, problems := intents.Load(intents.Embedded())
		if base == nil {
			for _, p := range problems {
				tb.Log(p)
			}
			return
		}
		shared.e, shared.err = bot.New(bot.Options{Base: base, Facts: map[string]string{"company": "测试消金", "hotline": "400-000-0000"}, Groups: []string{"kf", "fk", "fw", "xb"}, CacheDir: models})
	})
	if shared.err != nil || shared.e == nil {
		tb.Fatalf("no engine: %v", shared.err)
	}
	return shared.e
}

func text(s string) bot.Input { return bot.Input{Text: s, Kind: chat.KindText, Channel: "web"} }
