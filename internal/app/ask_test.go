package app_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"wensheng/internal/app"
	"wensheng/internal/config"
	"wensheng/internal/kb/kbtest"
	"wensheng/internal/knowledge"
)

// A question is asked today, so that a date in it is the day it means and not how
// far off it is.
func TestAsk_IsAskedToday(t *testing.T) {
	t.Parallel()
	data := shortDir(t)
	publishTopics(t, "", data, kbtest.Small+`  - id: wrong
    title: 扣款不对
    form: wrong_deduction
    phrasings: |
      昨天的扣款不对
      扣款不对怎么办
      帮我查扣款
      有一笔扣款不对
    answer: 请先看一下账单。
    answers: {sms: 请先看一下账单。}
`)
	cfg, err := config.Load(configFile(t, gatewayOptions{data: data}), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.NewAsker(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	day := func() string { return time.Now().In(knowledge.China).AddDate(0, 0, -1).Format(time.DateOnly) }
	before := day()
	got := a.Ask("昨天的扣款不对")
	if !strings.Contains(got.Reply, before) && !strings.Contains(got.Reply, day()) {
		t.Errorf("yesterday was not %s: %s", before, got.Reply)
	}
}
