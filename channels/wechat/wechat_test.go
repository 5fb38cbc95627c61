package wechat_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"wensheng/channels/channeltest"
	"wensheng/channels/wechat"
	"wensheng/internal/chat"
)

const (
	appID  = "wxbad0b45542aa0b5e"
	secret = "the-app-secret"
	token  = "weixin"
	aesKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	openID = "oIDrpjpQ8j8mBuQ8nM26HWzNEZgg"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a channel with its vendor and its house.
type world struct {
	sink   *channeltest.Sink
	log    *channeltest.Log
	api    *channeltest.WeChatAPI
	line   *channeltest.Line
	client *channeltest.WeChatClient
	ch     *wechat.Channel
	clock  *clock
}

// newWorld serves one account "mp" in the given mode.
func newWorld(t *testing.T, mode wechat.Mode, change ...func(*wechat.Options)) *world {
	t.Helper()
	w := &world{sink: channeltest.NewSink(), line: channeltest.NewLine(), clock: newClock()}
	w.api = channeltest.NewWeChatAPI(t, appID, secret, w.clock.Now)
	logger, log := channeltest.NewLog()
	w.log = log
	o := wechat.Options{
		Accounts: []wechat.Account{{
			ID: "mp", AppID: appID, AppSecret: secret, Token: token, EncodingAESKey: aesKey, Mode: mode, APIBase: w.api.URL,
		}},
		Sink: w.sink, Transport: w.line.Transport(), Clock: w.clock.Now, Logger: logger,
	}
	for _, fn := range change {
		fn(&o)
	}
	ch, err := wechat.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.ch = ch
	server := httptest.NewServer(ch.Handler())
	t.Cleanup(server.Close)
	w.client = &channeltest.WeChatClient{
		URL: server.URL + "/channels/wechat/mp", AppID: appID, Token: token, AESKey: aesKey, Mode: string(mode),
		Clock: w.clock.Now, API: w.api,
	}
	return w
}

func (w *world) post(t *testing.T, plaintext []byte) channeltest.Answer {
	t.Helper()
	a, err := w.client.Post(t.Context(), plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func want(t *testing.T, a channeltest.Answer, status int, body string) {
	t.Helper()
	if a.Status != status || body != "" && string(a.Body) != body {
		t.Fatalf("answered %d %q, want %d %q", a.Status, a.Body, status, body)
	}
}

func says(text string, options ...chat.Option) func(chat.Inbound) []chat.Message {
	return func(in chat.Inbound) []chat.Message {
		return []chat.Message{{ID: "m1", Role: chat.RoleBot, Kind: chat.KindText, At: in.At, Text: text, Options: options}}
	}
}

func TestChannel_Conforms(t *testing.T) {
	t.Parallel()
	for _, mode := range []wechat.Mode{wechat.ModePlain, wechat.ModeCompatible, wechat.ModeSafe} {
		for _, format := range []string{"xml", "json"} {
			t.Run(string(mode)+"_"+format, func(t *testing.T) {
				t.Parallel()
				channeltest.Run(t, func(t *testing.T) channeltest.Harness {
					t.Helper()
					return harness(t, mode, format == "json")
				})
			})
		}
	}
}

func harness(t *testing.T, mode wechat.Mode, json bool) channeltest.Harness {
	t.Helper()
	w := newWorld(t, mode)
	w.client.JSON = json
	return channeltest.Harness{
		Channel: w.ch, Sink: w.sink, Log: w.log, Account: "mp",
		Deliver: func(ctx context.Context, d channeltest.Delivery) (channeltest.Answer, error) {
			if d.From == "" {
				d.From = openID
			}
			c := &channeltest.WeChatClient{
				URL: w.client.URL, AppID: appID, Token: token, AESKey: aesKey, Mode: string(mode), JSON: json, Clock: w.clock.Now,
			}
			if d.Account != "" {
				c.URL = strings.Replace(c.URL, "/mp", "/"+string(d.Account), 1)
			}
			return c.Post(ctx, c.Text(d.From, d.ID, d.Text))
		},
		Raw: w.client.PostRaw,
		Malformed: map[bool][]string{
			true:  {"", "null", "[]", "{", "{}x", "\x00\x01", `"a"`, `{"Encrypt":{}}`},
			false: {"", "null", "<xml>", "<a/><b/>", "<xml></xml>x", "<xml></xml><xml></xml>", "\x00\x01", `<!DOCTYPE x [<!ENTITY e "e">]><xml>&e;</xml>`},
		}[json],
		Acked:  func(a channeltest.Answer) bool { return a.Status == http.StatusOK && string(a.Body) == "success" },
		To:     chat.Address{Account: "mp", ID: openID},
		Vendor: vendor{w.api, w.line},
	}
}

// vendor lets the conformance suite trouble the fake.
type vendor struct {
	*channeltest.WeChatAPI

	line *channeltest.Line
}

func (v vendor) Trouble(t channeltest.Trouble) {
	switch t {
	case channeltest.Refuse:
		v.Codes(43004)
	case channeltest.Busy:
		v.Codes(-1)
	case channeltest.Lose:
		v.Lose(1)
	case channeltest.Down:
		v.line.Cut(1)
	}
}

func TestNew_NamesEveryProblemWithoutSecrets(t *testing.T) {
	t.Parallel()
	_, err := wechat.New(wechat.Options{Sink: channeltest.NewSink(), Accounts: []wechat.Account{
		{ID: "a", AppID: "wx1", Token: ""},
		{ID: "b", Token: "hidden-token", Mode: wechat.ModeSafe, EncodingAESKey: "hidden-key"},
		{ID: "c", AppID: "wx1", Token: "t", Mode: "raw", APIBase: "ftp://x"},
		{ID: "d", AppID: "wx1", Token: "t"},
		{ID: "d", AppID: "wx1", Token: "t"},
	}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{`"a": token`, `"b": app_id`, "encoding_aes_key", `mode "raw"`, "api_base", `"d": given twice`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %q", part, err)
		}
	}
	if strings.Contains(err.Error(), "hidden") {
		t.Errorf("a secret in %q", err)
	}
}

func TestChannel_RunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.ch.Run(ctx) }()
	if err := w.ch.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Run goes on")
	}
}
