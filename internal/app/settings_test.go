package app_test

import (
	"testing"
	"time"

	"wensheng/internal/app"
	"wensheng/internal/intake"
)

func TestMergeWindow_IsHowLongAPieceWaits(t *testing.T) {
	t.Parallel()
	account := func(id, window string) string {
		return "  - {id: " + id + ", kind: sms, provider: aliyun, path_secret: " + id + "-0123456789abcdef, merge_window: " + window + "}\n"
	}
	for _, tt := range []struct {
		name, accounts, timeouts string
		want                     time.Duration
	}{
		{"the longest of all", account("a", "1s") + account("b", "2s"), "", 2 * time.Second},
		{"never too long for the turn", account("a", "30s"), "timeouts: {turn: 6s}\n", 2 * time.Second},
		{"none is not the default", account("a", "0s"), "", time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got time.Duration
			start(t, gatewayOptions{
				accounts: "accounts:\n" + tt.accounts, yaml: tt.timeouts,
				tune: func(o *app.Options) { o.Tune = func(p *intake.Options) { got = p.PartWait } },
			})
			if got != tt.want {
				t.Errorf("a piece waits %s, want %s", got, tt.want)
			}
		})
	}
}
