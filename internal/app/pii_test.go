package app_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wensheng/channels/channeltest"
	"wensheng/internal/archive"
	"wensheng/internal/chat"
	"wensheng/internal/redisx"
	"wensheng/internal/store"
)

// What must never be readable. The secrets must not even be stored.
const (
	canaryID     = "11010519491231002X"
	canaryCard   = "6222021234567890128"
	canaryPhone  = "13912345678"
	canaryOpenID = "oCanaryBorrower77"
	canarySecret = "Zx9qT7wL"
	canaryOTP    = "582913"
)

// canary is a message with everything in it, which the bot cannot answer.
const canary = "我身份证" + canaryID + "，卡号" + canaryCard + "，电话" + canaryPhone + "，登录密码是" + canarySecret + "，验证码" + canaryOTP

func TestPII_IsReadableNowhere(t *testing.T) {
	t.Parallel()
	api := channeltest.NewWeChatAPI(t, wechatApp, "appsecret0123456789", time.Now)
	o := gatewayOptions{data: shortDir(t), wechatAPI: api.URL, yaml: "log: {level: debug}\n"}
	g := start(t, o)
	cfg := configFile(t, o)
	a := g.addAgent(t, cfg, "anna", "agent")
	a.call("PUT", "/me/presence", map[string]any{"status": "online", "capacity": 50}, nil)
	c := g.wechat("safe")
	c.API = api

	var seen bytes.Buffer // every unprivileged answer
	get := func(p string) {
		r := g.fetch(t, "GET", "/api/v1"+p, "", nil, "Authorization", "Bearer "+a.token)
		seen.WriteString(r.Body)
	}
	// With the bot, while waiting, while served, as a rating, by the agent.
	v := g.visit(t, frame{})
	wechat := func(text string) {
		t.Helper()
		if r, err := c.Post(t.Context(), c.Text(canaryOpenID, c.NextID(), text)); err != nil || r.Status != http.StatusOK {
			t.Fatalf("wechat: %d %v", r.Status, err)
		}
	}
	sms := func(id, text string) {
		t.Helper()
		if s := g.sms(t, id, canaryPhone, text); s != http.StatusOK {
			t.Fatalf("sms: status %d", s)
		}
	}
	for i, words := range []string{canary, "转人工", canary} {
		cid := string(rune('a' + i))
		v.say("v"+cid, words)
		wechat(words)
		sms("s"+cid, words)
	}
	var convs []string
	eventually(t, "three wait", func() bool {
		var q struct{ Items []struct{ Conv string } }
		a.call("GET", "/queue", nil, &q)
		convs = nil
		for _, it := range q.Items {
			convs = append(convs, it.Conv)
		}
		return len(q.Items) == 3
	})
	get("/queue")
	for _, conv := range convs {
		l := a.claim(conv)
		get(path("conversations", conv))
		a.act(conv, "messages", map[string]any{"lease": l.Lease, "cid": "x", "text": "核对一下：" + canary})
		a.act(conv, "notes", map[string]any{"lease": l.Lease, "text": canary})
	}
	v.say("served", canary)
	wechat(canary)
	sms("served", canary)
	get("/leases")
	for _, conv := range convs {
		get(path("conversations", conv))
		a.act(conv, "transfer", map[string]any{"lease": a.claim(conv).Lease, "group": "kf", "note": canary})
		a.act(conv, "close", map[string]any{"lease": a.claim(conv).Lease, "reason": canaryPhone + " 密码" + canarySecret})
		get(path("conversations", conv))
	}
	v.send(frame{T: "rate", CID: "rate", Score: 1, Text: canary})
	v.wait("ack of the rating", func(f frame) bool { return f.T == "ack" && f.CID == "rate" })
	// Where nothing personal is expected at all.
	g.fetch(t, "GET", "/"+canaryPhone+"?id="+canaryID, "", nil)
	g.fetch(t, "GET", "/channels/sms/sms/"+canarySecret+canaryPhone, "", nil)
	g.fetch(t, "POST", "/api/v1/login", "application/json", []byte(`{"login":"`+canaryPhone+`","password":"`+canarySecret+`"}`))
	seen.WriteString(g.fetch(t, "GET", "/metrics", "", nil).Body)
	comp := g.addAgent(t, cfg, "comp", "compliance")
	r := g.fetch(t, "GET", "/api/v1/audit", "", nil, "Authorization", "Bearer "+comp.token)
	seen.WriteString(r.Body)

	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	all := []string{canaryID, canaryCard, canaryPhone, canarySecret, canaryOTP, canaryOpenID}
	search := func(where string, raw []byte, words []string) {
		t.Helper()
		for _, w := range words {
			if i := bytes.Index(raw, []byte(w)); i >= 0 {
				t.Errorf("%s holds %q: …%q…", where, w, raw[max(0, i-80):min(len(raw), i+80)])
			}
		}
	}
	search("the log", []byte(g.log.String()), all)
	search("an answer", seen.Bytes(), all)
	err := filepath.WalkDir(g.data, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(p, "/model/") {
			return err
		}
		raw, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		search(p, raw, append([]string{"我身份证", "转人工"}, all...))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	opened := g.everything(t, convs)
	for _, w := range []string{canaryID, canaryCard, canaryPhone} {
		if !strings.Contains(opened, w) {
			t.Errorf("%s is not in the opened transcripts: this test looks in the wrong place", w)
		}
	}
	search("an opened transcript", []byte(opened), []string{canarySecret, canaryOTP})
}

// everything opens the conversations with the key, live and archived, after the
// gateway has stopped.
func (g *gateway) everything(tb testing.TB, convs []string) string {
	tb.Helper()
	db, err := redisx.Connect(tb.Context(), redisx.Options{Dir: filepath.Join(g.data, "redis")})
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close(tb.Context()) //nolint:errcheck // the test is over
	st, err := store.New(store.Options{
		Redis: db.Client(), PubSub: db.PubSub(), Sealer: sealer(tb),
		Channel: func(chat.AccountID) string { return "" }, Pulls: func(chat.AccountID) bool { return true }, Clock: time.Now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	ar, err := archive.Open(tb.Context(), archive.Options{Dir: g.data, Sealer: sealer(tb), Clock: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	defer ar.Close() //nolint:errcheck // the test is over
	var b strings.Builder
	for _, id := range convs {
		conv, err := st.Load(tb.Context(), chat.ConvID(id))
		if err != nil {
			tb.Fatal(err)
		}
		live, err := st.Transcript(tb.Context(), conv.ID, 0, 0)
		if err != nil {
			tb.Fatal(err)
		}
		kept, old, err := ar.Conversation(tb.Context(), conv.ID)
		if err != nil {
			tb.Fatalf("the closed conversation is not in SQL: %v", err)
		}
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		for _, v := range []any{conv, live, kept, old} {
			if err := enc.Encode(v); err != nil {
				tb.Fatal(err)
			}
		}
		b.Write(conv.Memory)
		b.Write(conv.Handoff)
	}
	return b.String()
}
