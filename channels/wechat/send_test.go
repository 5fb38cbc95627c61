package wechat_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wensheng/channels"
	"wensheng/channels/channeltest"
	"wensheng/channels/wechat"
	"wensheng/internal/chat"
)

func outbound(text string, options ...chat.Option) channels.Outbound {
	return channels.Outbound{
		Conv: chat.NewConvID(0), To: chat.Address{Account: "mp", ID: openID}, Text: text, Options: options, Key: "k",
		Message: chat.Message{ID: chat.NewMessageID(), Role: chat.RoleAgent, Kind: chat.KindText, Text: text},
	}
}

func mustSend(t *testing.T, w *world, text string) {
	t.Helper()
	if err := w.ch.Send(t.Context(), outbound(text)); err != nil {
		t.Fatal(err)
	}
}

func TestSend_FetchesOneTokenForAll(t *testing.T) {
	t.Parallel()
	tokens := wechat.NewMemoryTokens(newClock().Now)
	w := newWorld(t, wechat.ModePlain, func(o *wechat.Options) { o.Tokens = tokens })
	replica := newWorld(t, wechat.ModePlain, func(o *wechat.Options) {
		o.Tokens = tokens
		o.Accounts[0].APIBase = w.api.URL
	})
	var all sync.WaitGroup
	for range 8 {
		for _, ch := range []*wechat.Channel{w.ch, replica.ch} {
			all.Go(func() {
				if err := ch.Send(t.Context(), outbound("hi")); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if n, _ := w.api.TokenFetches(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
	if n := len(w.api.Sent()); n != 16 {
		t.Errorf("%d sent", n)
	}
}

func TestSend_RenewsARefusedTokenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	mustSend(t, w, "a")
	w.api.InvalidateToken(false)
	mustSend(t, w, "b")
	if n, forced := w.api.TokenFetches(); n != 2 || forced != 0 {
		t.Errorf("%d fetches, %d forced", n, forced)
	}
	w.api.InvalidateToken(true) // stable_token goes on giving the bad one
	mustSend(t, w, "c")
	if n, forced := w.api.TokenFetches(); n != 4 || forced != 1 {
		t.Errorf("%d fetches, %d forced", n, forced)
	}
	w.api.Codes(40001, 40001)
	var se *chat.SendError
	if err := w.ch.Send(t.Context(), outbound("d")); !errors.As(err, &se) || se.Code != "unauthorized" || !se.Certain || se.Retry {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, w.api.Texts()); diff != "" {
		t.Error(diff)
	}
}

func TestSend_OutlivesShortTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	for _, life := range []int{7200, 301, 300, 10, 1} {
		w.api.ExpiresIn(life)
		for range 3 {
			mustSend(t, w, "x")
			w.clock.Advance(time.Duration(life) * time.Second * 2 / 3)
		}
		w.clock.Advance(3 * time.Hour)
	}
	if n := len(w.api.Sent()); n != 15 {
		t.Errorf("%d sent", n)
	}
}

// brokenTokens is a store that is down.
type brokenTokens struct{}

var errDown = errors.New("down")

func (brokenTokens) Get(context.Context, string) (string, error)              { return "", errDown }
func (brokenTokens) Set(context.Context, string, string, time.Duration) error { return errDown }
func (brokenTokens) Lock(context.Context, string, time.Duration) (func(), bool, error) {
	return nil, false, errDown
}

func TestSend_WorksWithoutTheTokenStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain, func(o *wechat.Options) { o.Tokens = brokenTokens{} })
	mustSend(t, w, "a")
}

func TestSend_SaysWhatARefusalMeans(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]chat.SendError{
		-1:    {Certain: true, Retry: true, Code: "vendor_error"},
		40003: {Certain: true, Code: "bad_address"},
		43004: {Certain: true, Code: "blocked"},
		43019: {Certain: true, Code: "blocked"},
		48002: {Certain: true, Code: "blocked"},
		48001: {Certain: true, Code: "unauthorized"},
		45002: {Certain: true, Code: "too_long"},
		45009: {Certain: true, Code: "rate_limited"},
		45011: {Certain: true, Retry: true, Code: "rate_limited"},
		45015: {Certain: true, Code: "window_closed"},
		45047: {Certain: true, Code: "quota_used"},
		99999: {Certain: true, Code: "vendor_error"},
	} {
		w := newWorld(t, wechat.ModePlain)
		w.api.Codes(code)
		err := w.ch.Send(t.Context(), outbound("x"))
		var se *chat.SendError
		if !errors.As(err, &se) || se.Certain != want.Certain || se.Retry != want.Retry || se.Code != want.Code {
			t.Errorf("%d: %v, want %+v", code, err, want)
		}
	}
}

func TestSend_FlappingVendorIsTriedAgainByTheRouter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	logger, _ := channeltest.NewLog()
	r, err := channels.NewRouter(channels.RouterOptions{
		Channels: []channels.Channel{w.ch}, Accounts: map[chat.AccountID]string{"mp": "wechat"}, Backoff: time.Microsecond, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	conv := chat.Conversation{ID: chat.NewConvID(0), Contact: chat.Address{Account: "mp", ID: openID}}
	w.api.Codes(-1, -1)
	if err := r.Send(t.Context(), conv, chat.Message{ID: "m1", Text: "a"}); err != nil {
		t.Error(err)
	}
	w.api.Lose(1)
	if err := r.Send(t.Context(), conv, chat.Message{ID: "m2", Text: "b"}); chat.Outcome(err) != chat.DeliveryUnknown {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, w.api.Texts()); diff != "" {
		t.Error(diff)
	}
}

func TestSend_CountsTheWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	w.api.Strict()
	code := func() string {
		t.Helper()
		var se *chat.SendError
		errors.As(w.ch.Send(t.Context(), outbound("x")), &se)
		if se == nil {
			return ""
		}
		return se.Code
	}
	left := func() int {
		t.Helper()
		n, _, err := w.ch.Left(t.Context(), chat.Address{Account: "mp", ID: openID})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if c := code(); c != "window_closed" {
		t.Errorf("before a word: %q", c)
	}
	for range 2 { // his next word opens a new window
		if _, _, err := w.client.Deliver(t.Context(), openID, w.client.Text(openID, w.client.NextID(), "hi")); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			waitFor(t, func() bool { return left() == 5-i })
			if c := code(); c != "" {
				t.Errorf("message %d: %q", i+1, c)
			}
		}
		if c := code(); c != "quota_used" || left() != 0 {
			t.Errorf("message 6: %q, %d left", c, left())
		}
	}
	if _, _, err := w.client.Deliver(t.Context(), openID, w.client.Text(openID, w.client.NextID(), "hi")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return left() == 5 })
	w.clock.Advance(48*time.Hour + time.Second)
	if n := left(); n != 0 {
		t.Errorf("%d left after two days", n)
	}
	if c := code(); c != "window_closed" {
		t.Errorf("after two days: %q", c)
	}
}

// waitFor polls what happens after an answer.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	deadline, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.Done():
			t.Fatal("it did not happen")
		}
	}
}

func TestLedger_SpendsTheWindowThatClosesFirst(t *testing.T) {
	t.Parallel()
	l := wechat.NewMemoryLedger(wechat.Quotas{wechat.WindowMessage: {Messages: 20, For: time.Hour}})
	to, at, ctx := chat.Address{Account: "mp", ID: openID}, time.Unix(1764000000, 0), t.Context()
	check := func(n int, at time.Time, wantLeft int, wantUntil time.Time) {
		t.Helper()
		left, until, err := l.Spend(ctx, to, n, at)
		if err != nil || left != wantLeft || !until.Equal(wantUntil) {
			t.Errorf("%d left until %v, %v; want %d until %v", left, until, err, wantLeft, wantUntil)
		}
	}
	check(1, at, 0, time.Time{})
	for _, w := range []wechat.Window{wechat.WindowMessage, wechat.WindowClick} {
		if err := l.Opened(ctx, to, w, at); err != nil {
			t.Fatal(err)
		}
	}
	hour := at.Add(time.Hour)
	check(0, at, 23, hour)
	check(2, at, 21, hour)                    // out of the click's three
	check(0, at.Add(time.Minute), 20, hour)   // the click's last one is gone with its minute
	check(5, at.Add(2*time.Minute), 15, hour) //
	check(wechat.SpendAll, at.Add(2*time.Minute), 0, hour)
	check(0, hour, 0, time.Time{})
}

func TestSend_HidesSecretsInEveryError(t *testing.T) {
	t.Parallel()
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is the client's leaving seen
		<-r.Context().Done()
	}))
	t.Cleanup(hang.Close)
	html := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	t.Cleanup(html.Close)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	t.Cleanup(gateway.Close)
	away := httptest.NewServer(http.RedirectHandler("https://example.com/", http.StatusFound))
	t.Cleanup(away.Close)
	for _, tt := range []struct {
		name, base     string
		certain, retry bool
		code           string
	}{
		{"nobody there", "http://127.0.0.1:1", true, true, "vendor_error"},
		{"no answer", hang.URL, false, false, "timeout"},
		{"not JSON", html.URL, false, false, "vendor_error"},
		{"a proxy's error", gateway.URL, false, false, "vendor_error"},
		{"a redirect", away.URL, true, false, "vendor_error"},
	} {
		for _, cached := range []bool{false, true} {
			t.Run(tt.name+map[bool]string{true: " on send", false: " on token"}[cached], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, wechat.ModePlain, func(o *wechat.Options) {
					o.Accounts[0].APIBase, o.Timeout, o.Tokens = tt.base, 100*time.Millisecond, wechat.NewMemoryTokens(o.Clock)
					if cached {
						if err := o.Tokens.Set(t.Context(), "wechat:"+appID, "hidden-token", time.Hour); err != nil {
							t.Fatal(err)
						}
					}
				})
				err := w.ch.Send(t.Context(), outbound(channeltest.Canary))
				var se *chat.SendError
				if !errors.As(err, &se) {
					t.Fatalf("got %v", err)
				}
				certain := tt.certain || !cached // without a token nothing has left
				retry := tt.retry || !cached && tt.name != "a redirect"
				if se.Certain != certain || se.Retry != retry || se.Code != tt.code {
					t.Errorf("got %+v, want certain %v, retry %v, %s", se, certain, retry, tt.code)
				}
				s := err.Error() + w.log.String()
				for _, hidden := range []string{"hidden-token", secret, openID, channeltest.Canary, "access_token="} {
					if strings.Contains(s, hidden) {
						t.Errorf("%q in %s", hidden, s)
					}
				}
			})
		}
	}
}

func TestSend_RefusesBadCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain, func(o *wechat.Options) { o.Accounts[0].AppSecret = "wrong" })
	var se *chat.SendError
	if err := w.ch.Send(t.Context(), outbound("x")); !errors.As(err, &se) || se.Code != "unauthorized" || !se.Certain || se.Retry {
		t.Errorf("got %v", err)
	}
}

func TestSend_WritesOptionsAsAMenu(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	if err := w.ch.Send(t.Context(), outbound("which <one> & \U0001F600?", chat.Option{ID: "t1", Label: "first"}, chat.Option{ID: "t2", Label: "second"})); err != nil {
		t.Fatal(err)
	}
	sent := w.api.Sent()
	if len(sent) != 1 || sent[0].Type != "msgmenu" || sent[0].Text != "which <one> & \U0001F600?" {
		t.Fatalf("sent %+v", sent)
	}
	want := []channeltest.WeChatField{{Name: "t1", Value: "first"}, {Name: "t2", Value: "second"}}
	if diff := cmp.Diff(want, sent[0].Options); diff != "" {
		t.Error(diff)
	}
	// A tap on it comes back as a pick.
	w.post(t, w.client.Message(openID, "text", channeltest.WeChatField{Name: "Content", Value: "first"},
		channeltest.WeChatField{Name: "MsgId", Value: "1"}, channeltest.WeChatField{Name: "bizmsgmenuid", Value: "t1"}))
	if in := w.sink.Stored()[0]; in.Kind != chat.KindPick || in.Pick != "t1" || in.Text != "first" {
		t.Errorf("stored %+v", in)
	}
	// A text that fills its message leaves the menu to a second one.
	if err := w.ch.Send(t.Context(), outbound(strings.Repeat("x", 2048), chat.Option{ID: "t1", Label: "first"})); err != nil {
		t.Fatal(err)
	}
	if sent := w.api.Sent()[1:]; len(sent) != 2 || sent[0].Type != "text" || sent[1].Type != "msgmenu" {
		t.Errorf("sent %+v", sent)
	}
}

func TestTyping_IsShownAndForgiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	to := chat.Address{Account: "mp", ID: openID}
	for _, code := range []int{0, 45080, 45081} {
		w.api.Codes(code)
		if err := w.ch.Typing(t.Context(), to); err != nil {
			t.Errorf("%d: %v", code, err)
		}
	}
	if diff := cmp.Diff([]string{openID}, w.api.Typing()); diff != "" {
		t.Error(diff)
	}
	w.api.Codes(48001)
	if err := w.ch.Typing(t.Context(), to); err == nil {
		t.Error("a refusal is silent")
	}
}
