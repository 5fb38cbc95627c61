package sms_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"wensheng/channels/channeltest"
	"wensheng/channels/sms"
	"wensheng/internal/chat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	pathSecret = "path-secret-0123456789abcdef"
	authToken  = "12345"
	signKey    = "sign-key"
	signSecret = "sign-secret"
)

// now is what the channel's clock says in tests with golden times.
var now = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

func account(provider string) sms.Account {
	a := sms.Account{ID: "sms", Provider: provider, PathSecrets: []string{pathSecret}}
	switch provider {
	case sms.Twilio:
		a.AuthToken = authToken
	case sms.Huawei:
		a.SignKey, a.SignSecret = signKey, signSecret
	case sms.Generic:
		a.Mapping = &sms.Mapping{
			List: "data", From: "from", Text: "text", ID: "id", Time: "time",
			Ack: `{"ok":true}`, AckType: "application/json",
		}
	}
	return a
}

// list is a Suppression in memory.
type list struct {
	mu  sync.Mutex
	out map[chat.Address]bool
	err error
}

func newList() *list { return &list{out: map[chat.Address]bool{}} }

func (l *list) Suppressed(_ context.Context, to chat.Address) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out[to], l.err
}

func (l *list) Suppress(_ context.Context, to chat.Address, on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.out[to] = on
	}
	return l.err
}

// gateway is a channel on a socket.
type gateway struct {
	*sms.Channel
	sink *channeltest.Sink
	log  *channeltest.Log
	list *list
	url  string
}

const link = "https://chat.example.com/l/0123456789"

func start(t *testing.T, change func(*sms.Options), accounts ...sms.Account) gateway {
	t.Helper()
	logger, log := channeltest.NewLog()
	g := gateway{sink: channeltest.NewSink(), log: log, list: newList()}
	o := sms.Options{
		Accounts: accounts, Sink: g.sink, Suppression: g.list, Logger: logger, AckWithin: 20 * time.Second,
		Clock: func() time.Time { return now },
		Link:  func(context.Context, chat.ConvID, chat.Address) (string, error) { return link, nil },
	}
	if change != nil {
		change(&o)
	}
	var err error
	if g.Channel, err = sms.New(o); err != nil {
		t.Fatalf("New: %v", err)
	}
	s := httptest.NewServer(g.Handler())
	t.Cleanup(s.Close)
	g.url = s.URL
	return g
}

func (g gateway) client(provider string) *channeltest.SMSClient {
	return &channeltest.SMSClient{
		Base: g.url, Provider: provider, Account: "sms", PathSecret: pathSecret,
		AuthToken: authToken, SignKey: signKey, SignSecret: signSecret, Clock: func() time.Time { return now },
	}
}

// acks are the vendors' own success bodies.
var acks = map[string]string{
	sms.Aliyun: `{"code":0,"msg":"接收成功"}`, sms.Tencent: `{"result":0,"errmsg":"OK"}`,
	sms.Huawei: `{"code":"000000"}`, sms.Twilio: "<Response></Response>", sms.Generic: `{"ok":true}`,
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for provider, ack := range acks {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			channeltest.Run(t, func(t *testing.T) channeltest.Harness {
				t.Helper()
				a := account(provider)
				var vendor channeltest.Vendor
				change := func(*sms.Options) {}
				if provider == sms.Twilio { // the others send templates: see TestSend
					v := channeltest.NewSMSVendor(t, provider)
					a.Sending = &sms.Sending{APIBase: v.URL, KeyID: v.KeyID, KeySecret: v.KeySecret, From: "+18005551212"}
					change = func(o *sms.Options) { o.Transport = v.Line.Transport() }
					vendor = v
				}
				g := start(t, change, a)
				c := g.client(provider)
				return channeltest.Harness{
					Channel: g.Channel, Sink: g.sink, Log: g.log, Account: "sms",
					Deliver: c.Deliver, Raw: c.Raw,
					Acked: func(an channeltest.Answer) bool {
						return an.Status == http.StatusOK && string(an.Body) == ack
					},
					To: chat.Address{Account: "sms", ID: channeltest.SMSPhone}, Vendor: vendor,
				}
			})
		})
	}
}

func TestHandler_RefusesStrangers(t *testing.T) {
	t.Parallel()
	a := account(sms.Aliyun)
	a.PathSecrets = append(a.PathSecrets, "the-next-secret")
	g := start(t, nil, a, func() sms.Account { b := account(sms.Twilio); b.ID = "tw"; return b }())
	body := `[{"phone_number":"13811110000","content":"hi","sequence_id":"1"}]`
	for _, tt := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"good", "POST", "/channels/sms/sms/" + pathSecret, body, 200},
		{"rotated secret", "POST", "/channels/sms/sms/the-next-secret", body, 200},
		{"wrong secret", "POST", "/channels/sms/sms/wrong", body, 404},
		{"secret of another account", "POST", "/channels/sms/tw/the-next-secret", body, 404},
		{"no secret", "POST", "/channels/sms/sms/", body, 404},
		{"no secret at all", "POST", "/channels/sms/sms", body, 404},
		{"something after the secret", "POST", "/channels/sms/sms/" + pathSecret + "/x", body, 404},
		{"unknown account", "POST", "/channels/sms/nobody/" + pathSecret, body, 404},
		{"nothing", "POST", "/channels/sms/", body, 404},
		{"get", "GET", "/channels/sms/sms/" + pathSecret, "", 405},
		{"get with a wrong secret", "GET", "/channels/sms/sms/wrong", "", 404},
		{"unsigned twilio", "POST", "/channels/sms/tw/" + pathSecret, "MessageSid=SM1&From=%2B1415&Body=x", 403},
		{"trailing rubbish", "POST", "/channels/sms/sms/" + pathSecret, body + "]", 400},
		{"no number", "POST", "/channels/sms/sms/" + pathSecret, `[{"phone_number":"","content":"hi","sequence_id":"1"}]`, 400},
		{"a list of lists", "POST", "/channels/sms/sms/" + pathSecret, `[[1]]`, 400},
		{"64 KB", "POST", "/channels/sms/sms/" + pathSecret, body + strings.Repeat(" ", 64<<10-len(body)), 200},
		{"64 KB and one", "POST", "/channels/sms/sms/" + pathSecret, body + strings.Repeat(" ", 64<<10-len(body)+1), 413},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), tt.method, g.url+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			rec := httptest.NewRecorder()
			g.Handler().ServeHTTP(rec, req)
			if rec.Code != tt.want {
				t.Errorf("status %d, want %d: %s", rec.Code, tt.want, rec.Body)
			}
			if rec.Code != 200 && rec.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("content type %q", rec.Header().Get("Content-Type"))
			}
		})
	}
}

func TestHandler_TwilioSignature(t *testing.T) {
	t.Parallel()
	// The vector of Twilio's documentation.
	golden := channeltest.TwilioSignature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2",
		[]byte("CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"))
	if golden != "RSOYDt4T1cUTdK1PDd93/VVr8B8=" {
		t.Fatalf("signature %s", golden)
	}
	g := start(t, func(o *sms.Options) { o.PublicURL = "https://chat.example.com" }, account(sms.Twilio))
	c := g.client(sms.Twilio)
	for _, tt := range []struct {
		name, public, token string
		want                int
	}{
		{"over the public address", "https://chat.example.com", authToken, 200},
		{"with the port", "https://chat.example.com:443", authToken, 200},
		{"over the address behind the proxy", "", authToken, 403},
		{"another host", "https://evil.example.com", authToken, 403},
		{"another token", "https://chat.example.com", "54321", 403},
	} {
		c := *c
		c.Public, c.AuthToken = tt.public, tt.token
		a, err := c.Deliver(t.Context(), channeltest.Delivery{ID: "1", Text: "hi"})
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, a.Status, tt.want)
		}
	}
}

func TestHandler_HuaweiSignature(t *testing.T) {
	t.Parallel()
	g := start(t, nil, account(sms.Huawei))
	for _, tt := range []struct {
		name        string
		secret, key string
		skew        time.Duration
		want        int
	}{
		{"good", signSecret, signKey, 0, 200},
		{"within a quarter of an hour", signSecret, signKey, -14 * time.Minute, 200},
		{"stale", signSecret, signKey, -16 * time.Minute, 403},
		{"from the future", signSecret, signKey, 16 * time.Minute, 403},
		{"wrong secret", "no", signKey, 0, 403},
		{"wrong key", signSecret, "no", 0, 403},
		{"unsigned", "", "", 0, 403},
	} {
		c := g.client(sms.Huawei)
		c.SignSecret, c.SignKey = tt.secret, tt.key
		c.Clock = func() time.Time { return now.Add(tt.skew) }
		a, err := c.Deliver(t.Context(), channeltest.Delivery{ID: "1", Text: "hi"})
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, a.Status, tt.want)
		}
	}
}

func TestHandler_AcceptsABatchWholeOrAsksAgain(t *testing.T) {
	t.Parallel()
	g := start(t, nil, account(sms.Aliyun))
	c := g.client(sms.Aliyun)
	batch := []byte(`[{"phone_number":"13811110000","content":"one","send_time":"2026-11-21 18:00:00","sequence_id":"1"},
		{"phone_number":"13811110000","content":"one","send_time":"2026-11-21 18:00:00","sequence_id":1},
		{"phone_number":"nobody","content":"broken","sequence_id":"9"},
		{"phone_number":"13811110001","content":"two","send_time":"2026-11-21 18:00:01","sequence_id":"2"}]`)
	g.sink.Fail(nil, nil, chat.ErrUnavailable) // nil is a failure of nothing
	if a, err := c.Raw(t.Context(), batch); err != nil || a.Status != http.StatusServiceUnavailable {
		t.Fatalf("got %d, %v, want 503", a.Status, err)
	}
	if a, err := c.Raw(t.Context(), batch); err != nil || string(a.Body) != acks[sms.Aliyun] {
		t.Fatalf("got %s, %v", a.Body, err)
	}
	if n := len(g.sink.Stored()); n != 2 {
		t.Errorf("%d stored, want 2", n)
	}
}

func TestHandler_GivesUpBeforeTheVendorDoes(t *testing.T) {
	t.Parallel()
	g := start(t, func(o *sms.Options) { o.AckWithin = 30 * time.Millisecond }, account(sms.Aliyun))
	defer g.sink.Hold()()
	a, err := g.client(sms.Aliyun).Deliver(t.Context(), channeltest.Delivery{ID: "1", Text: "hi"})
	if err != nil || a.Status != http.StatusServiceUnavailable {
		t.Errorf("got %d, %v, want 503", a.Status, err)
	}
}

func TestOptOut_IsSilentAndRemembered(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"R": sms.EventOptOut, "Ｒ": sms.EventOptOut, "t": sms.EventOptOut, " 退订 ": sms.EventOptOut, "TD": sms.EventOptOut,
		"ｔｄ": sms.EventOptOut, "N": sms.EventOptOut, "qx": sms.EventOptOut, "退訂": sms.EventOptOut, "取消": sms.EventOptOut,
		"拒收。": sms.EventOptOut, "Stop": sms.EventOptOut, "UNSUBSCRIBE": sms.EventOptOut, "\u200bTD\u200b": sms.EventOptOut,
		"T+1到账": "", "TD1": "", "我要退订": "", "取消自动扣款": "", "RR": "", "": "", "什么时候到账T": "", "N/A": "",
		"start": "", "开通": "",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			g := start(t, nil, account(sms.Aliyun))
			a, err := g.client(sms.Aliyun).Deliver(t.Context(), channeltest.Delivery{ID: "1", Text: text})
			if err != nil || string(a.Body) != acks[sms.Aliyun] {
				t.Fatalf("got %d %s, %v", a.Status, a.Body, err)
			}
			in := g.sink.Stored()
			if len(in) != 1 || in[0].Event != want || in[0].Silent != (want != "") || in[0].Text != strings.ReplaceAll(text, "\x00", "") {
				t.Errorf("stored %+v, want event %q", in, want)
			}
			to := chat.Address{Account: "sms", ID: channeltest.SMSPhone}
			if got := g.list.out[to]; got != (want == sms.EventOptOut) {
				t.Errorf("suppressed %t", got)
			}
		})
	}
}

func TestOptIn_TakesAnOptOutBack(t *testing.T) {
	t.Parallel()
	g := start(t, nil, account(sms.Aliyun))
	to := chat.Address{Account: "sms", ID: channeltest.SMSPhone}
	for i, text := range []string{"TD", "ｓｔａｒｔ", "start"} {
		if _, err := g.client(sms.Aliyun).Deliver(t.Context(), channeltest.Delivery{ID: string(rune('1' + i)), Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	in := g.sink.Stored()
	if len(in) != 3 || in[1].Event != sms.EventOptIn || !in[1].Silent || in[2].Event != "" || in[2].Silent || g.list.out[to] {
		t.Errorf("stored %+v, suppressed %t", in, g.list.out[to])
	}
}

func TestOptOut_NotRememberedIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	g := start(t, nil, account(sms.Aliyun))
	g.list.err = errors.New("down")
	a, err := g.client(sms.Aliyun).Deliver(t.Context(), channeltest.Delivery{ID: "1", Text: "TD"})
	if err != nil || a.Status != http.StatusServiceUnavailable {
		t.Errorf("got %d, %v, want 503", a.Status, err)
	}
}

func TestIsPart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want bool
	}{
		{strings.Repeat("贷", 67), true},
		{strings.Repeat("贷", 66) + "。", true}, // exactly a piece, whatever it ends with
		{strings.Repeat("贷", 70), true},
		{strings.Repeat("贷", 65), true},
		{strings.Repeat("贷", 64) + "。", false},
		{strings.Repeat("贷", 63), false},
		{strings.Repeat("贷", 71), false},
		{strings.Repeat("贷", 65) + "😀", true},
		{strings.Repeat("a", 153), true},
		{strings.Repeat("a", 67), false},
		{strings.Repeat("a", 200), false},
		{"", false},
	} {
		if got := sms.IsPart(tt.text); got != tt.want {
			t.Errorf("IsPart(%d characters of %.6q…): got %t", len([]rune(tt.text)), tt.text, got)
		}
	}
	g := start(t, nil, account(sms.Tencent))
	if _, err := g.client(sms.Tencent).Deliver(t.Context(), channeltest.Delivery{ID: "1", Text: strings.Repeat("贷", 67)}); err != nil {
		t.Fatal(err)
	}
	if in := g.sink.Stored(); len(in) != 1 || in[0].Event != sms.EventPart || in[0].Silent || in[0].Kind != chat.KindText {
		t.Errorf("stored %+v, want a text that is a part", in)
	}
}

func TestSegments(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 1, 1: 1, 70: 1, 71: 2, 134: 2, 135: 3, 201: 3, 202: 4} {
		if got := sms.Segments(strings.Repeat("a", n)); got != want {
			t.Errorf("%d characters: got %d segments, want %d", n, got, want)
		}
	}
}

func TestNew_RefusesAccountsThatCannotWork(t *testing.T) {
	t.Parallel()
	ok := account(sms.Aliyun)
	for name, change := range map[string]func(*sms.Account){
		"no id":                func(a *sms.Account) { a.ID = "" },
		"no secret":            func(a *sms.Account) { a.PathSecrets = []string{""} },
		"unknown provider":     func(a *sms.Account) { a.Provider = "pigeon" },
		"twilio without token": func(a *sms.Account) { a.Provider = sms.Twilio },
		"generic unmapped":     func(a *sms.Account) { a.Provider = sms.Generic },
		"generic bad charset":  func(a *sms.Account) { *a = account(sms.Generic); a.Mapping.Charset = "klingon" },
		"generic bad auth":     func(a *sms.Account) { *a = account(sms.Generic); a.Mapping.Auth = "hmac" },
		"generic that sends":   func(a *sms.Account) { *a = account(sms.Generic); a.Sending = &sms.Sending{} },
		"no template":          func(a *sms.Account) { a.Sending = &sms.Sending{KeyID: "k", KeySecret: "s"} },
		"no key":               func(a *sms.Account) { a.Sending = &sms.Sending{Template: "T"} },
		"bad api base": func(a *sms.Account) {
			a.Sending = &sms.Sending{KeyID: "k", KeySecret: "s", Template: "T", APIBase: "ftp://x"}
		},
	} {
		a := ok
		change(&a)
		_, err := sms.New(sms.Options{
			Accounts: []sms.Account{a}, Sink: channeltest.NewSink(),
			Link: func(context.Context, chat.ConvID, chat.Address) (string, error) { return "", nil },
		})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := sms.New(sms.Options{Accounts: []sms.Account{ok, ok}, Sink: channeltest.NewSink()}); err == nil {
		t.Error("two accounts of one id: no error")
	}
}
