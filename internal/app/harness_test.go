package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"wensheng/bot/bottest"
	"wensheng/channels/channeltest"
	"wensheng/internal/app"
	"wensheng/internal/chat"
	"wensheng/internal/config"
	"wensheng/internal/pii"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// masterKey seals every test gateway's data, so that tests can read it back.
var masterKey = bytes.Repeat([]byte{7}, 32)

// wechatAccount and smsAccount are in every test gateway.
const (
	wechatToken = "wensheng"
	wechatAES   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	wechatApp   = "wx5823bf96d3bd56c7"
	smsSecret   = "s3cretpath0123456789"
)

// gateway is one running app with all three channels.
type gateway struct {
	app  *app.App
	url  string
	data string
	log  *lockedBuffer
	stop func() error
}

type gatewayOptions struct {
	// redis is a URL; empty is the embedded server.
	redis string
	// data is the data directory; empty is a new one.
	data string
	// yaml is added to the config.
	yaml string
	// accounts replaces the default account lines.
	accounts string
	// wechatAPI is where the fake vendor listens.
	wechatAPI string
	// listen is host:port; empty is a free port.
	listen string
	// small says that the small knowledge base is published.
	small bool
	// everysec runs the embedded server as it is by default; tests flush always.
	everysec bool
	// key replaces the tests' master key, which becomes an older one.
	key string
	// clock is the gateway's; nil is time.Now.
	clock func() time.Time
	// tune changes the options before the start.
	tune func(*app.Options)
}

func accountsYAML(wechatAPI string) string {
	if wechatAPI == "" {
		wechatAPI = "http://127.0.0.1:1"
	}
	return fmt.Sprintf(`accounts:
  - {id: web, kind: web, identity_key: "0123456789abcdef0123456789abcdef"}
  - {id: mp, kind: wechat, app_id: %s, app_secret: appsecret0123456789, token: %s, mode: plain, api_base: %q}
  - {id: safe, kind: wechat, app_id: %s, app_secret: appsecret0123456789, token: %s, encoding_aes_key: %s, mode: safe, api_base: %q}
  - {id: sms, kind: sms, provider: generic, path_secret: %s, mapping: {format: json, fields: {id: id, from: from, text: text}, ack_body: ok}}
  - {id: ali, kind: sms, provider: aliyun, path_secret: ali%s}
`, wechatApp, wechatToken, wechatAPI, wechatApp, wechatToken, wechatAES, wechatAPI, smsSecret, smsSecret)
}

// configFile writes a config for a test gateway and returns its path.
func configFile(tb testing.TB, o gatewayOptions) string {
	tb.Helper()
	if o.data == "" {
		o.data = shortDir(tb)
	}
	if o.accounts == "" {
		o.accounts = accountsYAML(o.wechatAPI)
	}
	if o.listen == "" {
		o.listen = "127.0.0.1:0"
	}
	fsync := "always"
	if o.everysec {
		fsync = "everysec"
	}
	secrets := fmt.Sprintf("{key: %q}", base64.StdEncoding.EncodeToString(masterKey))
	if o.key != "" {
		secrets = fmt.Sprintf("{key: %q, older: [%q]}", o.key, base64.StdEncoding.EncodeToString(masterKey))
	}
	yaml := fmt.Sprintf("listen: %s\ndata: %s\nsecrets: %s\ncompany: {name: 测试消费金融, hotline: 400-000-0000}\nredis: {url: %q, appendfsync: %s}\n%s%s",
		o.listen, o.data, secrets, o.redis, fsync, o.accounts, o.yaml)
	path := filepath.Join(tb.TempDir(), "wensheng.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// shortDir is a temporary directory whose path leaves room for a socket's name.
func shortDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "ws") //nolint:usetesting // TempDir carries the name of the test: too long for a socket
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// trained is the embedded knowledge base's model, trained once for all test
// gateways: file name to content.
var trained = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "ws")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	if err := bottest.Seed(filepath.Join(dir, "model")); err != nil {
		return nil, err
	}
	return train("WENSHENG_DATA=" + dir)
})

// train makes the model of the knowledge base that environment names.
func train(environment ...string) (map[string][]byte, error) {
	cfg, err := config.Load("", environment)
	if err != nil {
		return nil, err
	}
	if _, err := app.NewAsker(context.Background(), cfg, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	list, err := filepath.Glob(filepath.Join(cfg.Data, "model", "*"))
	for _, name := range list {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files[filepath.Base(name)] = raw
	}
	return files, err
}

// copyModel spares a gateway on that data directory the training.
func copyModel(tb testing.TB, data string, models func() (map[string][]byte, error)) {
	tb.Helper()
	files, err := models()
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(data, "model"), 0o700); err != nil {
		tb.Fatal(err)
	}
	for name, raw := range files {
		if err := os.WriteFile(filepath.Join(data, "model", name), raw, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

// start runs a gateway in this process until the test ends, or stop is called.
func start(tb testing.TB, o gatewayOptions) *gateway {
	tb.Helper()
	cfg, err := config.Load(configFile(tb, o), nil)
	if err != nil {
		tb.Fatal(err)
	}
	if o.small {
		copyModel(tb, cfg.Data, smallModel)
	} else {
		copyModel(tb, cfg.Data, trained)
	}
	log := &lockedBuffer{}
	ao := app.Options{Config: cfg, Logger: app.NewLogger(cfg, log), Clock: o.clock}
	if o.tune != nil {
		o.tune(&ao)
	}
	a, err := app.New(tb.Context(), ao)
	if err != nil {
		tb.Fatalf("start: %v\n%s", err, log)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	g := &gateway{app: a, url: "http://" + a.Addr(), data: cfg.Data, log: log}
	var once sync.Once
	var stopErr error
	g.stop = func() error {
		once.Do(func() {
			cancel()
			stopErr = <-done
		})
		return stopErr
	}
	tb.Cleanup(func() {
		if err := g.stop(); err != nil {
			tb.Errorf("gateway: %v", err)
		}
		if tb.Failed() {
			tb.Logf("gateway log:\n%s", log)
		}
	})
	return g
}

// sealer opens what test gateways have sealed.
func sealer(tb testing.TB) *pii.Sealer {
	tb.Helper()
	s, err := pii.NewSealer(masterKey)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func (g *gateway) wechat(account string) *channeltest.WeChatClient {
	c := &channeltest.WeChatClient{URL: g.url + "/channels/wechat/" + account, AppID: wechatApp, Token: wechatToken, Mode: "plain"}
	if account == "safe" {
		c.Mode, c.AESKey = "safe", wechatAES
	}
	return c
}

// sms pushes one message through the generic provider and returns the status.
func (g *gateway) sms(tb testing.TB, id, from, text string) int {
	tb.Helper()
	body, err := json.Marshal(map[string]string{"id": id, "from": from, "text": text})
	if err != nil {
		tb.Fatal(err)
	}
	res, err := httpClient.Post(g.url+"/channels/sms/sms/"+smsSecret, "application/json", bytes.NewReader(body))
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

var httpClient = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// frame is any frame of the web protocol, both ways.
type frame struct {
	T        string        `json:"t"`
	CID      string        `json:"cid,omitempty"`
	Text     string        `json:"text,omitempty"`
	ID       string        `json:"id,omitempty"`
	Session  string        `json:"session,omitempty"`
	Conv     string        `json:"conv,omitempty"`
	Epoch    string        `json:"epoch,omitempty"`
	Seq      int64         `json:"seq,omitempty"`
	State    string        `json:"state,omitempty"`
	Position int           `json:"position,omitempty"`
	From     *speaker      `json:"from,omitempty"`
	Options  []chat.Option `json:"options,omitempty"`
	Code     string        `json:"code,omitempty"`
	Message  string        `json:"message,omitempty"`
	Score    int           `json:"score,omitempty"`
	Identity string        `json:"identity,omitempty"`
	Locale   string        `json:"locale,omitempty"`
}

type speaker struct {
	Role string `json:"role"`
	Name string `json:"name"`
}

// visitor is one web socket after its hello.
type visitor struct {
	t       testing.TB
	ws      *websocket.Conn
	welcome frame
	frames  chan frame
}

// visit connects a visitor; session, epoch and seq of hello resume.
func (g *gateway) visit(tb testing.TB, hello frame) *visitor {
	tb.Helper()
	v, err := g.tryVisit(tb, hello)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func (g *gateway) tryVisit(tb testing.TB, hello frame) (*visitor, error) {
	tb.Helper()
	d := websocket.Dialer{Subprotocols: []string{"wensheng.v1"}, HandshakeTimeout: 5 * time.Second}
	ws, res, err := d.Dial("ws"+strings.TrimPrefix(g.url, "http")+"/channels/web/web/ws", http.Header{"Origin": {g.url}})
	if res != nil && res.Body != nil {
		_ = res.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	v := &visitor{t: tb, ws: ws, frames: make(chan frame, 1024)}
	hello.T = "hello"
	if err := ws.WriteJSON(hello); err != nil {
		_ = ws.Close()
		return nil, err
	}
	_ = ws.SetReadDeadline(time.Now().Add(10 * time.Second))
	if err := ws.ReadJSON(&v.welcome); err != nil || v.welcome.T != "welcome" {
		_ = ws.Close()
		return nil, fmt.Errorf("no welcome but %+v, %w", v.welcome, err)
	}
	_ = ws.SetReadDeadline(time.Time{})
	go func() {
		defer close(v.frames)
		for {
			var f frame
			if ws.ReadJSON(&f) != nil {
				return
			}
			v.frames <- f
		}
	}()
	tb.Cleanup(func() { v.close() })
	return v, nil
}

func (v *visitor) close() {
	_ = v.ws.Close()
	for range v.frames {
	}
}

func (v *visitor) send(f frame) {
	v.t.Helper()
	if err := v.ws.WriteJSON(f); err != nil {
		v.t.Fatal(err)
	}
}

// say sends a text and waits for its ack.
func (v *visitor) say(cid, text string) frame {
	v.t.Helper()
	v.send(frame{T: "msg", CID: cid, Text: text})
	return v.wait("ack of "+cid, func(f frame) bool { return f.T == "ack" && f.CID == cid })
}

// wait returns the next frame that fits, skipping others.
func (v *visitor) wait(what string, fits func(frame) bool) frame {
	v.t.Helper()
	deadline := time.NewTimer(15 * time.Second)
	defer deadline.Stop()
	for {
		select {
		case f, ok := <-v.frames:
			if !ok {
				v.t.Fatalf("waiting for %s: the socket closed", what)
			}
			if fits(f) {
				return f
			}
		case <-deadline.C:
			v.t.Fatalf("waiting for %s: nothing came", what)
		}
	}
}

// reply waits for the next message of a role.
func (v *visitor) reply(role string) frame {
	v.t.Helper()
	return v.wait("a message of the "+role, func(f frame) bool { return f.T == "msg" && f.From != nil && f.From.Role == role })
}

// agent is a logged-in user of the agent API.
type agent struct {
	t     testing.TB
	url   string
	token string
}

// addAgent adds a user through the command's own path and logs him in.
func (g *gateway) addAgent(tb testing.TB, cfgPath, login string, roles ...string) *agent {
	tb.Helper()
	cfg, err := config.Load(cfgPath, nil)
	if err != nil {
		tb.Fatal(err)
	}
	cfg.Data = g.data
	user := app.NewUser{Login: login, Name: "小" + login, Roles: roles, Groups: []string{cfg.Groups[0].ID}, Capacity: 5, Password: "correct horse"}
	if err := app.AddUser(tb.Context(), cfg, slog.New(slog.DiscardHandler), user); err != nil {
		tb.Fatal(err)
	}
	return g.login(tb, login, "correct horse")
}

func (g *gateway) login(tb testing.TB, login, password string) *agent {
	tb.Helper()
	a := &agent{t: tb, url: g.url + "/api/v1"}
	var out struct {
		Token string `json:"token"`
	}
	if status := a.call("POST", "/login", map[string]string{"login": login, "password": password}, &out); status != http.StatusOK {
		tb.Fatalf("login: status %d", status)
	}
	a.token = out.Token
	return a
}

// call makes one request and decodes a JSON answer into out when it is not nil.
func (a *agent) call(method, path string, in, out any) int {
	a.t.Helper()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			a.t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, a.url+path, body)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	res, err := httpClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read whole
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if out != nil && res.StatusCode < 300 && len(raw) > 0 {
		if err := json.Unmarshal(raw, out); err != nil {
			a.t.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
	return res.StatusCode
}

func path(parts ...string) string {
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/" + strings.Join(parts, "/")
}

// eventually polls until fn is true.
func eventually(tb testing.TB, what string, fn func() bool) {
	tb.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(25 * time.Millisecond); ; <-tick.C {
		if fn() {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			tick.Stop()
			tb.Fatalf("not within 30 s: %s", what)
		}
	}
}

// lockedBuffer is a log that goroutines write and the test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// fakeClock is the time of day, moved by the test.
type fakeClock struct{ ahead atomic.Int64 }

func (c *fakeClock) now() time.Time      { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *fakeClock) add(d time.Duration) { c.ahead.Add(int64(d)) }
