package wechat_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"wensheng/channels/channeltest"
	"wensheng/channels/wechat"
	"wensheng/internal/chat"
)

func TestHandler_VerifiesItsAddress(t *testing.T) {
	t.Parallel()
	for _, mode := range []wechat.Mode{wechat.ModePlain, wechat.ModeSafe} {
		w := newWorld(t, mode)
		a, err := w.client.Verify(t.Context(), "4375120948345356249<>&")
		if err != nil {
			t.Fatal(err)
		}
		want(t, a, 200, "4375120948345356249<>&")
		if ct := a.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/plain") {
			t.Errorf("content type %q", ct)
		}
	}
}

// tampered answers a delivery whose query was changed.
func tampered(t *testing.T, w *world, change func(q url.Values)) channeltest.Answer {
	t.Helper()
	w.client.Tamper = func(r *http.Request) {
		q := r.URL.Query()
		change(q)
		r.URL.RawQuery = q.Encode()
	}
	return w.post(t, w.client.Text(openID, w.client.NextID(), "hello"))
}

func TestHandler_RefusesForgeries(t *testing.T) {
	t.Parallel()
	shift := func(d time.Duration) func(url.Values, *world) {
		return func(q url.Values, w *world) {
			forged := &channeltest.WeChatClient{Token: token, Clock: func() time.Time { return w.clock.Now().Add(d) }}
			maps.Copy(q, forged.Query())
			q.Del("encrypt_type")
		}
	}
	for _, tt := range []struct {
		name   string
		mode   wechat.Mode
		change func(url.Values, *world)
		status int
		code   string
	}{
		{"no signature", wechat.ModePlain, func(q url.Values, _ *world) { q.Del("signature") }, 403, "bad_signature"},
		{"bad signature", wechat.ModePlain, func(q url.Values, _ *world) { q.Set("signature", strings.Repeat("0", 40)) }, 403, "bad_signature"},
		{"other nonce", wechat.ModePlain, func(q url.Values, _ *world) { q.Set("nonce", "1") }, 403, "bad_signature"},
		{"no timestamp", wechat.ModePlain, func(q url.Values, _ *world) { q.Del("timestamp") }, 403, "bad_signature"},
		{"stale", wechat.ModePlain, shift(-301 * time.Second), 403, "stale_timestamp"},
		{"from the future", wechat.ModePlain, shift(301 * time.Second), 403, "stale_timestamp"},
		{"five minutes old", wechat.ModePlain, shift(-300 * time.Second), 200, ""},
		{"no msg_signature", wechat.ModeSafe, func(q url.Values, _ *world) { q.Del("msg_signature") }, 403, "bad_signature"},
		{"bad msg_signature", wechat.ModeSafe, func(q url.Values, _ *world) { q.Set("msg_signature", strings.Repeat("0", 40)) }, 403, "bad_signature"},
		{"signature as msg_signature", wechat.ModeSafe, func(q url.Values, _ *world) { q.Set("msg_signature", q.Get("signature")) }, 403, "bad_signature"},
		{"bad signature beside a good msg_signature", wechat.ModeSafe, func(q url.Values, _ *world) { q.Set("signature", "0") }, 403, "bad_signature"},
		{"only msg_signature", wechat.ModeSafe, func(q url.Values, _ *world) { q.Del("signature") }, 200, ""},
		{"bad msg_signature, compatible", wechat.ModeCompatible, func(q url.Values, _ *world) { q.Set("msg_signature", "0") }, 403, "bad_signature"},
		{"encrypt_type taken away", wechat.ModeCompatible, func(q url.Values, _ *world) { q.Del("encrypt_type"); q.Del("msg_signature") }, 403, "bad_signature"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.mode)
			a := tampered(t, w, func(q url.Values) { tt.change(q, w) })
			want(t, a, tt.status, "")
			if tt.status == http.StatusOK {
				return
			}
			if n := len(w.sink.Calls()); n != 0 {
				t.Errorf("the sink was called %d times", n)
			}
			var doc struct {
				Type, Title, Detail, Code string
				Status                    int
			}
			if err := json.Unmarshal(a.Body, &doc); err != nil || doc.Code != tt.code || doc.Status != tt.status || doc.Title == "" || doc.Detail == "" {
				t.Errorf("problem %+v, %v; want code %s", doc, err, tt.code)
			}
			if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("content type %q", ct)
			}
		})
	}
}

func TestHandler_RefusesPlaintextInSafeMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModeSafe)
	a, err := w.client.PostRaw(t.Context(), w.client.Text(openID, "1", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, a, 403, "")
	// Nor with encrypt_type and the one msg_signature that needs no Encrypt.
	w.client.Tamper = func(r *http.Request) {
		q := r.URL.Query()
		q.Set("encrypt_type", "aes")
		q.Set("msg_signature", q.Get("signature"))
		r.URL.RawQuery = q.Encode()
	}
	a, err = w.client.PostRaw(t.Context(), w.client.Text(openID, "1", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, a, 403, "")
	if n := len(w.sink.Calls()); n != 0 {
		t.Errorf("the sink was called %d times", n)
	}
}

func TestHandler_TakesPlaintextInCompatibleMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModeCompatible)
	w.sink.Answer(says("hi"))
	a, err := w.client.PostRaw(t.Context(), w.client.Text(openID, "1", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	w.client.Mode = "plain" // a plain callback gets a plain answer
	if r, err := w.client.Reply(a); err != nil || r.Content != "hi" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestHandler_KnowsItsMethodsAndPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	w.client.Tamper = func(r *http.Request) { r.Method = http.MethodPut }
	a := w.post(t, w.client.Text(openID, "1", "hello"))
	want(t, a, 405, "")
	if a.Header.Get("Allow") != "GET, POST" {
		t.Errorf("Allow %q", a.Header.Get("Allow"))
	}
	for _, path := range []string{"/channels/wechat/", "/channels/wechat/other", "/channels/wechat/mp/x", "/channels/sms/mp", "/"} {
		w.client.Tamper = func(r *http.Request) { r.URL.Path = path }
		want(t, w.post(t, w.client.Text(openID, "1", "hello")), 404, "")
	}
}

func TestHandler_AnswersInTheCallback(t *testing.T) {
	t.Parallel()
	for _, mode := range []wechat.Mode{wechat.ModePlain, wechat.ModeCompatible, wechat.ModeSafe} {
		for _, asJSON := range []bool{false, true} {
			t.Run(string(mode)+strconv.FormatBool(asJSON), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, mode)
				w.client.JSON = asJSON
				w.sink.Answer(says("a]]>b <&> \U0001F600", chat.Option{ID: "t1", Label: "one"}))
				message := w.client.Text(openID, "42", "hello")
				first := w.post(t, message)
				r, err := w.client.Reply(first)
				if err != nil {
					t.Fatal(err)
				}
				wantText := "a]]>b <&> \U0001F600\n1. <a href=\"weixin://bizmsgmenu?msgmenucontent=one&msgmenuid=t1\">one</a>"
				if r.Content != wantText || r.MsgType != "text" || r.ToUserName != openID || r.FromUserName != channeltest.WeChatAccount || r.CreateTime != w.clock.Now().Unix() {
					t.Errorf("got %+v", r)
				}
				w.clock.Advance(5 * time.Second)
				again := w.post(t, message)
				r2, err := w.client.Reply(again)
				if err != nil || r2 != r {
					t.Errorf("a redelivery got %+v, %v", r2, err)
				}
				if same := string(first.Body) == string(again.Body); same != (mode == wechat.ModePlain) {
					t.Errorf("same bytes: %v", same)
				}
				for _, err := range w.sink.Written() {
					if err != nil {
						t.Errorf("reported %v", err)
					}
				}
				in := w.sink.Stored()[0]
				if d := in.InlineUntil.Sub(w.clock.Now()); d > 4500*time.Millisecond {
					t.Errorf("inline for %v", d)
				}
			})
		}
	}
}

func TestHandler_LeavesLongAnswersToTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	w.sink.Answer(says(strings.Repeat("x", 2049)))
	want(t, w.post(t, w.client.Text(openID, "1", "hello")), 200, "success")
	if written := w.sink.Written(); len(written) != 1 || !errors.Is(written[0], chat.ErrTooLong) {
		t.Errorf("reported %v", written)
	}
	w.sink.Answer(says(strings.Repeat("x", 2048)))
	if r, err := w.client.Reply(w.post(t, w.client.Text(openID, "2", "hello"))); err != nil || len(r.Content) != 2048 {
		t.Errorf("%d bytes, %v", len(r.Content), err)
	}
}

func TestHandler_AcknowledgesEventsAndAnswersThoseThatAsk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		event, key string
		name       string
		silent     bool
		wantKey    string
	}{
		{"subscribe", "", wechat.EventSubscribe, false, ""},
		{"subscribe", "qrscene_123", wechat.EventSubscribe, false, "123"},
		{"unsubscribe", "", wechat.EventUnsubscribe, true, ""},
		{"SCAN", "123", wechat.EventScan, true, "123"},
		{"CLICK", "HUMAN", wechat.EventClick, false, "HUMAN"},
		{"VIEW", "https://example.com/", wechat.EventView, true, "https://example.com/"},
	} {
		t.Run(tt.event+tt.key, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wechat.ModeSafe)
			w.sink.Answer(says("welcome"))
			a := w.post(t, w.client.Event(openID, tt.event, tt.key))
			if r, err := w.client.Reply(a); tt.silent != errors.Is(err, channeltest.ErrNoReply) || !tt.silent && r.Content != "welcome" {
				t.Errorf("reply %+v, %v", r, err)
			}
			in := w.sink.Stored()[0]
			if in.Kind != chat.KindEvent || in.Event != tt.name || in.EventKey != tt.wantKey || in.Silent != tt.silent || in.InlineUntil.IsZero() != tt.silent {
				t.Errorf("stored %+v", in)
			}
			if strings.Contains(in.ProviderID, openID) {
				t.Error("the id names the person")
			}
		})
	}
}

func TestHandler_TellsEventsOfOneSecondApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	for range 2 {
		w.post(t, w.client.Event(openID, "CLICK", "A"))
		w.post(t, w.client.Event(openID, "CLICK", "B"))
		w.post(t, w.client.Event("o2", "CLICK", "A"))
		w.post(t, w.client.Event(openID, "VIEW", "A"))
	}
	if n := len(w.sink.Stored()); n != 4 {
		t.Errorf("%d stored, want 4", n)
	}
}

func TestHandler_SamplesPositions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	report := func(from string) {
		t.Helper()
		a := w.post(t, w.client.Event(from, "LOCATION", "",
			channeltest.WeChatField{Name: "Latitude", Value: "23.137466"}, channeltest.WeChatField{Name: "Longitude", Value: "113.352425"}))
		want(t, a, 200, "success")
	}
	for range 5 {
		report(openID)
		w.clock.Advance(5 * time.Second)
	}
	report("o2")
	if n := len(w.sink.Calls()); n != 2 {
		t.Errorf("%d kept, want 2", n)
	}
	if in := w.sink.Calls()[0]; !in.Silent || in.Media == nil || in.Media.Lat != 23.137466 {
		t.Errorf("kept %+v", in)
	}
	w.clock.Advance(11 * time.Minute)
	w.sink.Fail(chat.ErrUnavailable)
	if a := w.post(t, w.client.Event(openID, "LOCATION", "")); a.Status != 503 {
		t.Errorf("status %d", a.Status)
	}
	report(openID) // what was not stored is not counted
	if n := len(w.sink.Stored()); n != 3 {
		t.Errorf("%d stored, want 3", n)
	}
}

func TestHandler_OnlyAcknowledgesReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	for _, event := range []string{"TEMPLATESENDJOBFINISH", "MASSSENDJOBFINISH", "whatever"} {
		want(t, w.post(t, w.client.Event(openID, event, "", channeltest.WeChatField{Name: "MsgID", Value: "1"})), 200, "success")
	}
	if n := len(w.sink.Calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestHandler_IsRetriedLikeTheVendorDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModeSafe)
	w.sink.Fail(chat.ErrUnavailable, errors.New("READONLY"), chat.ErrUnavailable)
	a, deliveries, err := w.client.Deliver(t.Context(), openID, w.client.Text(openID, "7", "hello"))
	if err != nil || deliveries != 4 {
		t.Fatalf("%d deliveries, %v", deliveries, err)
	}
	want(t, a, 200, "success")
	if n := len(w.sink.Stored()); n != 1 {
		t.Errorf("%d stored", n)
	}
}

func TestHandler_BoundsTheBodyExactly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	frame := len(w.client.Text(openID, "7", ""))
	for _, tt := range []struct{ size, status int }{{64 << 10, 200}, {64<<10 + 1, 413}} {
		want(t, w.post(t, w.client.Text(openID, "7", strings.Repeat("x", tt.size-frame))), tt.status, "")
	}
}

func TestHandler_ReportsThatTheVendorHungUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	w.sink.Answer(says("too late"))
	w.sink.Delay(func(ctx context.Context) { <-ctx.Done() })
	ctx, hangUp := context.WithCancel(t.Context())
	go func() {
		<-w.sink.Entered()
		hangUp()
	}()
	if a, err := w.client.Post(ctx, w.client.Text(openID, "1", "hello")); err == nil {
		t.Fatalf("answered %d %q", a.Status, a.Body)
	}
	waitFor(t, func() bool { return len(w.sink.Written()) == 1 })
	if err := w.sink.Written()[0]; err == nil {
		t.Error("reported as written")
	}
}
