package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"wensheng/internal/telemetry"
)

// The canaries that must never come out again.
const (
	canaryID    = "11010519491231002X"
	canaryCard  = "6222021234567890128"
	canaryPhone = "13812345678"
	canaryWord  = "canary-secret"
)

func noCanary(t *testing.T, where, text string) {
	t.Helper()
	for _, c := range []string{canaryID, canaryCard, canaryPhone, canaryWord, "1.3812345678e+10"} {
		if strings.Contains(text, c) {
			t.Errorf("%s holds %s:\n%s", where, c, text)
		}
	}
}

type valuer struct{}

func (valuer) LogValue() slog.Value {
	return slog.GroupValue(slog.String("inner", canaryPhone), slog.String("token", canaryWord))
}

func TestNewLogger_LetsNoPersonalDataOut(t *testing.T) {
	t.Parallel()
	type person struct{ Phone, Name string }
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log := telemetry.NewLogger(&out, slog.LevelDebug, format)
			ctx := t.Context()
			log.InfoContext(ctx, "from "+canaryPhone)
			log.InfoContext(ctx, "x", "note", "id "+canaryID, "card", canaryCard, "n", int64(13812345678), "u", uint64(6222021234567890128), "f", float64(13812345678))
			log.InfoContext(ctx, "x", "err", fmt.Errorf("send to %s: %w", canaryPhone, errors.New(canaryCard)))
			log.InfoContext(ctx, "x", "any", person{Phone: canaryPhone}, "ptr", &person{Phone: canaryPhone}, "list", []string{canaryID}, "raw", []byte(canaryWord), "map", map[string]string{canaryPhone: "x"})
			log.InfoContext(ctx, "x", "text", canaryWord, "Token", canaryWord, "app_secret", canaryWord, "openid", canaryWord, "Authorization", canaryWord)
			log.InfoContext(ctx, "x", slog.Group("password", "a", canaryWord), slog.Group("g", "body", canaryWord, "v", canaryPhone), "v", valuer{})
			log.With("who", canaryPhone, "secret", canaryWord).WithGroup("cookie").InfoContext(ctx, "x", "y", canaryWord)
			log.InfoContext(ctx, "x", "fullwidth", "１３８１２３４５６７８", "nothing", nil, "took", time.Second, "ok", true, "status", 200, "conv", "c00abcdefgh")
			log.InfoContext(ctx, "x", "err", errors.New("Get \"https://h/x?appid=1&access_token="+canaryWord+"&secret="+canaryWord+"\": dial"), "url", "redis://:"+canaryWord+"@h:6379/0")
			noCanary(t, "the log", out.String())
			if strings.Contains(out.String(), "１３８１２３") {
				t.Error("full-width digits came out")
			}
			for _, keep := range []string{"c00abcdefgh", "200", "138****5678", "***"} {
				if !strings.Contains(out.String(), keep) {
					t.Errorf("the log lost %q:\n%s", keep, out.String())
				}
			}
			if format == "json" {
				for line := range strings.Lines(out.String()) {
					if !json.Valid([]byte(line)) {
						t.Errorf("not JSON: %s", line)
					}
				}
			}
		})
	}
}

func TestNewLogger_KeepsTheLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, slog.LevelWarn, "json")
	log.InfoContext(t.Context(), "quiet")
	log.WarnContext(t.Context(), "loud")
	if strings.Contains(out.String(), "quiet") || !strings.Contains(out.String(), `"level":"WARN","msg":"loud"`) {
		t.Errorf("log = %s", out.String())
	}
}

func scrape(t *testing.T, h http.Handler, auth string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestMetrics_CountEverythingAndNobody(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics()
	m.Request("/api/v1/conversations/{id}", "GET", 200, 3*time.Millisecond)
	m.Accepted("wechat", true)
	m.Turn(time.Millisecond)
	m.Decision("answer")
	m.Handoff("kf", "P0", "signal:self_harm")
	m.Waiting("kf", 3)
	m.Sent("sms", "unknown")
	m.SocketOpened("web")
	m.SocketOpened("web")
	m.SocketClosed("web", 4000)
	m.FrameIn("web", "msg")
	m.EffectRetried("send")
	m.TakenOver()
	m.RedisUp(true)
	m.Knowledge("old")
	m.Knowledge("abc123")
	// What must never be a label's value.
	for _, bad := range []string{canaryPhone, canaryID, canaryWord + " x", "提前还款", strings.Repeat("x", 100), "a\nb"} {
		m.Request(bad, bad, 200, 0)
		m.Accepted(bad, false)
		m.Decision(bad)
		m.Handoff(bad, bad, bad)
		m.Waiting(bad, 1)
		m.Sent(bad, bad)
		m.FrameIn(bad, bad)
		m.EffectRetried(bad)
	}
	status, text := scrape(t, m.Handler(""), "")
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	noCanary(t, "/metrics", text)
	for _, want := range []string{
		`wensheng_http_requests_total{code="200",method="GET",route="/api/v1/conversations/{id}"} 1`,
		`wensheng_http_request_seconds_count{route="/api/v1/conversations/{id}"} 1`,
		`wensheng_accepted_total{channel="wechat",dup="true"} 1`, `wensheng_turn_seconds_count 1`,
		`wensheng_decisions_total{action="answer"} 1`, `wensheng_decisions_total{action="other"} 6`,
		`wensheng_handoffs_total{group="kf",priority="P0",reason="signal:self_harm"} 1`, `wensheng_queue_waiting{group="kf"} 3`,
		`wensheng_sends_total{channel="sms",outcome="unknown"} 1`, `wensheng_ws_connections{account="web"} 1`,
		`wensheng_ws_closed_total{account="web",code="4000"} 1`, `wensheng_ws_frames_total{account="web",kind="msg"} 1`,
		`wensheng_effects_retried_total{kind="send"} 1`, `wensheng_sweeper_takeovers_total 1`, `wensheng_redis_up 1`,
		`wensheng_knowledge_info{version="abc123"} 1`, `wensheng_build_info{`, `go_goroutines`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if regexp.MustCompile(`[\p{Han}]|version="old"`).MatchString(text) {
		t.Error("/metrics holds what it should not")
	}
}

func TestMetrics_AskForTheToken(t *testing.T) {
	t.Parallel()
	h := telemetry.NewMetrics().Handler("s3cret")
	for auth, want := range map[string]int{"": 401, "Bearer wrong": 401, "s3cret": 401, "Bearer s3cret": 200} {
		if got, _ := scrape(t, h, auth); got != want {
			t.Errorf("%q: %d, want %d", auth, got, want)
		}
	}
}

func TestBuild_KnowsTheToolchain(t *testing.T) {
	t.Parallel()
	b := telemetry.Build()
	if b.Version == "" || !strings.HasPrefix(b.Go, "go") {
		t.Errorf("Build = %+v", b)
	}
}

func TestLogger_PrintsTypesOfStringAsTheyAre(t *testing.T) {
	t.Parallel()
	type convID string
	var b strings.Builder
	telemetry.NewLogger(&b, slog.LevelInfo, "json").Info("x", "conv", convID("c01"))
	if !strings.Contains(b.String(), `"conv":"c01"`) {
		t.Errorf("logged %s", b.String())
	}
}
