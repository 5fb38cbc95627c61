package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"wensheng/channels/channeltest"
	"wensheng/internal/chat"
)

// answer is a whole HTTP response.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// fetch makes one request against the gateway.
func (g *gateway) fetch(tb testing.TB, method, path, contentType string, body []byte, headers ...string) answer {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, g.url+path, bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := *httpClient
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read whole
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(raw)}
}

// wantProblem fails unless the answer is a problem document of that status, and
// returns its code.
func wantProblem(tb testing.TB, a answer, status int) string {
	tb.Helper()
	if a.Status != status {
		tb.Errorf("status %d, want %d: %.200s", a.Status, status, a.Body)
	}
	if ct := a.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/problem+json") {
		tb.Errorf("content type %q, want a problem document: %.200s", ct, a.Body)
		return ""
	}
	var p struct {
		Type, Title, Detail, Code string
		Status                    int
	}
	if err := json.Unmarshal([]byte(a.Body), &p); err != nil || p.Code == "" || p.Type == "" || p.Title == "" || p.Status != status {
		tb.Errorf("problem document %s: %v", a.Body, err)
	}
	return p.Code
}

func TestHTTP_PagesAndProbes(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{data: shortDir(t)})

	if a := g.fetch(t, "GET", "/healthz", "", nil); a.Status != 200 && a.Status != 204 {
		t.Errorf("/healthz: status %d", a.Status)
	}
	var ready struct {
		Ready bool
		Redis struct {
			OK   bool
			Mode string
		}
		Database struct {
			OK   bool
			Mode string
		}
		Knowledge struct {
			OK      bool
			Version string
		}
	}
	a := g.fetch(t, "GET", "/readyz", "", nil)
	if err := json.Unmarshal([]byte(a.Body), &ready); err != nil || a.Status != 200 {
		t.Fatalf("/readyz: status %d, %v: %s", a.Status, err, a.Body)
	}
	if !ready.Ready || !ready.Redis.OK || ready.Redis.Mode != "embedded" || ready.Database.Mode != "sqlite" || ready.Knowledge.Version == "" {
		t.Errorf("/readyz: %s", a.Body)
	}
	if a := g.fetch(t, "GET", "/metrics", "", nil); a.Status != 200 || !strings.Contains(a.Body, "wensheng_") {
		t.Errorf("/metrics: status %d: %.200s", a.Status, a.Body)
	}
	for _, path := range []string{"/widget.js", "/demo", "/console/", "/api/v1/openapi.yaml"} {
		a := g.fetch(t, "GET", path, "", nil)
		// A binary made without the front ends says so instead of a blank page.
		if a.Status != 200 && a.Status != 503 {
			t.Errorf("%s: status %d: %.200s", path, a.Status, a.Body)
		}
	}
	for _, path := range []string{"/nothing", "/api/v1/nothing", "/channels/fax/a", "/channels/"} {
		wantProblem(t, g.fetch(t, "GET", path, "", nil), http.StatusNotFound)
	}
	// A person follows a link, so a person reads why it leads nowhere.
	if a := g.fetch(t, "GET", "/l/unknowncode0000000000", "", nil); a.Status != http.StatusNotFound {
		t.Errorf("an unknown link: status %d", a.Status)
	}
	wantProblem(t, g.fetch(t, "DELETE", "/api/v1/queue", "", nil), http.StatusMethodNotAllowed)
	wantProblem(t, g.fetch(t, "GET", "/api/v1/queue", "", nil), http.StatusUnauthorized)
	wantProblem(t, g.fetch(t, "POST", "/api/v1/login", "application/json", []byte("{")), http.StatusBadRequest)
	wantProblem(t, g.fetch(t, "POST", "/api/v1/login", "application/json", bytes.Repeat([]byte(" "), 70<<10)), http.StatusRequestEntityTooLarge)
}

func TestHTTP_WeChatRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{data: shortDir(t)})
	mp, safe := g.wechat("mp"), g.wechat("safe")
	good := func(c *channeltest.WeChatClient) []byte { return c.Text("oWrong", c.NextID(), "你好") }
	as := func(a channeltest.Answer) answer { return answer{a.Status, a.Header, string(a.Body)} }

	tests := []struct {
		name   string
		status int
		post   func() (channeltest.Answer, error)
	}{
		{"bad signature", 403, func() (channeltest.Answer, error) {
			c := g.wechat("mp")
			c.Token = "another"
			return c.Post(t.Context(), good(c))
		}},
		{"missing signature", 403, func() (channeltest.Answer, error) {
			c := g.wechat("mp")
			c.Tamper = func(r *http.Request) { r.URL.RawQuery = "" }
			return c.Post(t.Context(), good(c))
		}},
		{"stale timestamp", 403, func() (channeltest.Answer, error) {
			c := g.wechat("mp")
			c.Clock = func() time.Time { return time.Now().Add(-6 * time.Minute) }
			return c.Post(t.Context(), good(c))
		}},
		{"timestamp of tomorrow", 403, func() (channeltest.Answer, error) {
			c := g.wechat("mp")
			c.Clock = func() time.Time { return time.Now().Add(24 * time.Hour) }
			return c.Post(t.Context(), good(c))
		}},
		{"plaintext to a safe account", 403, func() (channeltest.Answer, error) { return safe.PostRaw(t.Context(), good(safe)) }},
		{"bad msg_signature", 403, func() (channeltest.Answer, error) {
			c := g.wechat("safe")
			c.Tamper = func(r *http.Request) {
				q := r.URL.Query()
				q.Set("msg_signature", strings.Repeat("0", 40))
				r.URL.RawQuery = q.Encode()
			}
			return c.Post(t.Context(), good(c))
		}},
		{"unknown account", 404, func() (channeltest.Answer, error) {
			c := g.wechat("nobody")
			return c.Post(t.Context(), good(c))
		}},
		{"malformed", 400, func() (channeltest.Answer, error) { return mp.PostRaw(t.Context(), []byte("<xml><oops")) }},
		{"empty", 400, func() (channeltest.Answer, error) { return mp.PostRaw(t.Context(), nil) }},
		{"JSON null", 400, func() (channeltest.Answer, error) { return mp.PostRaw(t.Context(), []byte("null")) }},
		{"over 64 KB", 413, func() (channeltest.Answer, error) {
			return mp.PostRaw(t.Context(), mp.Text("oWrong", mp.NextID(), strings.Repeat("长", 30<<10)))
		}},
	}
	for _, tt := range tests {
		a, err := tt.post()
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		t.Log(tt.name)
		wantProblem(t, as(a), tt.status)
	}

	echo, err := mp.Verify(t.Context(), "5927782489442352469")
	if err != nil || echo.Status != 200 || string(echo.Body) != "5927782489442352469" {
		t.Errorf("URL verification: %d %q %v", echo.Status, echo.Body, err)
	}
	mp.Token = "another"
	if echo, err = mp.Verify(t.Context(), "x"); err != nil || echo.Status != 403 {
		t.Errorf("URL verification with a bad signature: %d %v", echo.Status, err)
	}
}

func TestHTTP_WeChatTakesOddText(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	sup := g.addAgent(t, configFile(t, o), "sup", "supervisor")
	for i, text := range []string{
		"nul \x00提前还款\x00要手续费吗", "bad \xff\xfe utf8 提前还款要手续费吗", "]]>提前还款要手续费吗]]>",
		"😀👨‍👩‍👧 提前还款要手续费吗", strings.Repeat("还", 682),
	} {
		c := g.wechat([]string{"mp", "safe"}[i%2])
		body := c.Text(fmt.Sprintf("oOdd%d", i), c.NextID()+strconv.Itoa(i), text)
		a, err := c.Post(t.Context(), body)
		if err != nil || a.Status != 200 {
			t.Errorf("%q: status %d, %v: %.200s", text, a.Status, err, a.Body)
			continue
		}
		if _, err := c.Reply(a); err != nil {
			t.Errorf("%q: no passive reply: %v (%.200s)", text, err, a.Body)
		}
	}
	var list struct {
		Items []struct{ ID string }
	}
	eventually(t, "five conversations", func() bool {
		sup.call("GET", "/conversations?state=bot", nil, &list)
		return len(list.Items) == 5
	})
	for _, it := range list.Items {
		var view struct{ Messages []frame }
		sup.call("GET", path("conversations", it.ID), nil, &view)
		if len(view.Messages) == 0 || strings.ContainsAny(view.Messages[0].Text, "\x00\uFFFD") {
			t.Errorf("stored as %+v", view.Messages)
		}
	}
}

func TestHTTP_SMSAnswersInTheVendorsOwnWords(t *testing.T) {
	t.Parallel()
	const accounts = `accounts:
  - {id: aliyun, kind: sms, provider: aliyun, path_secret: ` + smsSecret + `}
  - {id: tencent, kind: sms, provider: tencent, path_secret: ` + smsSecret + `}
  - {id: huawei, kind: sms, provider: huawei, path_secret: ` + smsSecret + `}
  - {id: twilio, kind: sms, provider: twilio, path_secret: ` + smsSecret + `, auth_token: twiliotoken0123456789}
  - {id: generic, kind: sms, provider: generic, path_secret: ` + smsSecret + `, mapping: {format: json, fields: {id: data.id, from: data.from, text: data.text, time: data.time}, ack_body: '{"ok":1}', ack_type: application/json}}
`
	g := start(t, gatewayOptions{data: shortDir(t), accounts: accounts})
	success := map[string]string{
		"aliyun": `{"code":0,`, "tencent": `{"result":0,`, "huawei": "", "twilio": "<Response", "generic": `{"ok":1}`,
	}
	for provider, want := range success {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			c := &channeltest.SMSClient{Base: g.url, Provider: provider, Account: provider, PathSecret: smsSecret, AuthToken: "twiliotoken0123456789"}
			d := channeltest.Delivery{Account: chat.AccountID(provider), ID: "900000000001", Text: "提前还款要手续费吗"}
			for range 2 {
				began := time.Now()
				a, err := c.Deliver(t.Context(), d)
				if err != nil || a.Status != 200 || !strings.Contains(strings.ReplaceAll(string(a.Body), " ", ""), want) {
					t.Errorf("answered %d %q, %v; want %q in it", a.Status, a.Body, err, want)
				}
				t.Logf("answered in %s: %q", time.Since(began), a.Body)
			}
			as := func(a channeltest.Answer, err error) answer {
				if err != nil {
					t.Error(err)
				}
				return answer{a.Status, a.Header, string(a.Body)}
			}
			wantProblem(t, as(c.Raw(t.Context(), bytes.Repeat([]byte("x"), 65<<10))), 413)
			if provider != "huawei" && provider != "twilio" { // any bytes are a form
				wantProblem(t, as(c.Raw(t.Context(), []byte("{oops"))), 400)
			}
			wantProblem(t, as(c.Raw(t.Context(), nil)), 400)
			wrong := *c
			wrong.PathSecret = "wrongsecret0123456789"
			wantProblem(t, as(wrong.Deliver(t.Context(), d)), 404)
			d.Account = "nobody"
			wantProblem(t, as(c.Deliver(t.Context(), d)), 404)
			if provider == "twilio" {
				d.Account = "twilio"
				wrong.PathSecret, wrong.AuthToken = smsSecret, "another"
				wantProblem(t, as(wrong.Deliver(t.Context(), d)), 403)
			}
		})
	}
}
