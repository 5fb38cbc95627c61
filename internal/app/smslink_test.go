package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"wensheng/channels/channeltest"
	"wensheng/internal/redisx/redistest"
)

const linkPhone = "13812345678"

// texting is a gateway whose SMS account may send only templates.
func texting(t *testing.T, o gatewayOptions, webAccount string) (*gateway, gatewayOptions, *channeltest.SMSVendor, *channeltest.SMSClient) {
	t.Helper()
	vendor := channeltest.NewSMSVendor(t, "aliyun")
	o.data = shortDir(t)
	o.accounts = fmt.Sprintf(`accounts:
  - %s
  - {id: ali, kind: sms, provider: aliyun, path_secret: ali%s, api_base: %q, access_key_id: %s, access_key_secret: %s, sign_name: s, template_code: SMS_1}
`, webAccount, smsSecret, vendor.URL, vendor.KeyID, vendor.KeySecret)
	g := start(t, o)
	return g, o, vendor, &channeltest.SMSClient{Base: g.url, Provider: "aliyun", Account: "ali", PathSecret: "ali" + smsSecret}
}

func text(t *testing.T, c *channeltest.SMSClient, id, words string) {
	t.Helper()
	answer, err := c.Deliver(t.Context(), channeltest.Delivery{ID: id, From: "+86" + linkPhone, Text: words})
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("sms: %+v, %v", answer, err)
	}
}

// linkIn is the one-time link of a template that was sent.
func linkIn(t *testing.T, param string) string {
	t.Helper()
	var v struct{ URL string }
	if err := json.Unmarshal([]byte(param), &v); err != nil || !strings.Contains(v.URL, "/l/") {
		t.Fatalf("the template got %q, want a link", param)
	}
	return v.URL
}

// deliveries is what the agent sees of each message that was sent to the contact.
func (a *agent) deliveries(conv string) []string {
	a.t.Helper()
	var view struct {
		Messages []struct {
			From     speaker
			Delivery string
		}
	}
	if s := a.call("GET", path("conversations", conv), nil, &view); s != http.StatusOK {
		a.t.Fatalf("conversation: status %d", s)
	}
	var list []string
	for _, m := range view.Messages {
		if m.From.Role == "bot" || m.From.Role == "agent" {
			list = append(list, m.From.Role+":"+m.Delivery)
		}
	}
	return list
}

func TestSMSLink_ContinuesTheConversationInWebChat(t *testing.T) {
	t.Parallel()
	db := redistest.Start(t)
	g, o, vendor, phone := texting(t, gatewayOptions{redis: db.URL(), yaml: "log: {level: debug}\n"},
		`{id: web, kind: web, allowed_origins: ["https://www.example.com"]}`)
	text(t, phone, "1", "提前还款要手续费吗")
	eventually(t, "a template with a link is sent", func() bool { return len(vendor.Sent()) == 1 })
	link := linkIn(t, vendor.Texts()[0])
	if !strings.HasPrefix(link, g.url+"/l/") {
		t.Fatalf("the link is %s", link)
	}
	at := strings.TrimPrefix(link, g.url)

	// Looking, as messengers do for a preview, uses nothing up.
	for range 2 {
		if r := g.fetch(t, "GET", at, "", nil); r.Status != http.StatusOK || !strings.Contains(r.Body, `<form method="post">`) {
			t.Fatalf("the page: %d %s", r.Status, r.Body)
		}
	}
	r := g.fetch(t, "POST", at, "application/x-www-form-urlencoded", nil)
	session := regexp.MustCompile(`data-session="([^"]+)"`).FindStringSubmatch(r.Body)
	if r.Status != http.StatusOK || session == nil {
		t.Fatalf("the chat: %d %s", r.Status, r.Body)
	}
	if gone := g.fetch(t, "POST", at, "application/x-www-form-urlencoded", nil); gone.Status != http.StatusGone || !strings.Contains(gone.Body, "400-000-0000") {
		t.Errorf("used twice: %d %s", gone.Status, gone.Body)
	}
	if kept := g.fetch(t, "GET", at, "", nil, "Cookie", strings.Split(r.Header.Get("Set-Cookie"), ";")[0]); kept.Status != http.StatusOK || !strings.Contains(kept.Body, session[1]) {
		t.Errorf("opened again by the same browser: %d", kept.Status)
	}
	if strings.Contains(r.Body+r.Header.Get("Set-Cookie"), linkPhone[2:]) {
		t.Error("the page holds the number")
	}

	// Ten minutes are over: the next reply would be a text message again.
	fresh, err := db.Client().Keys(t.Context(), "x:linked:*").Result()
	if err != nil || len(fresh) != 1 || db.Client().Del(t.Context(), fresh...).Err() != nil {
		t.Fatalf("links remembered: %q, %v", fresh, err)
	}
	// The socket, from the gateway's own page, has the history.
	v := g.visit(t, frame{Session: session[1]})
	if v.welcome.Seq != 2 {
		t.Fatalf("welcome %+v, want the two messages there are", v.welcome)
	}
	if f := v.reply("contact"); f.Text != "提前还款要手续费吗" || f.Seq != 1 {
		t.Errorf("history begins with %+v", f)
	}
	if f := v.reply("bot"); !strings.Contains(f.Text, "提前") {
		t.Errorf("the answer by web is %q", f.Text)
	}

	// What he writes there lands in the same conversation, and the agent sees
	// one transcript.
	if f := v.say("w1", "转人工"); f.Seq != 3 {
		t.Errorf("ack %+v", f)
	}
	v.wait("state waiting", func(f frame) bool { return f.T == "state" && f.State == "waiting" })
	a := g.addAgent(t, configFile(t, o), "wang", "agent")
	a.call("PUT", "/me/presence", map[string]any{"status": "online", "capacity": 5}, nil)
	var l lease
	eventually(t, "claimed", func() bool {
		return a.call("POST", "/queue/claim", map[string]string{}, &l) == http.StatusOK
	})
	if l.Conv != v.welcome.Conv {
		t.Fatalf("claimed %s, the socket is in %s", l.Conv, v.welcome.Conv)
	}
	say := func(cid, words string) {
		t.Helper()
		if s := a.call("POST", path("conversations", l.Conv, "messages"), map[string]string{"cid": cid, "text": words, "lease": l.Lease}, nil); s != http.StatusCreated {
			t.Fatalf("message: status %d", s)
		}
		if f := v.reply("agent"); f.Text != words {
			t.Errorf("he read %q, want %q", f.Text, words)
		}
	}
	// As long as he is here no text message is spent on what he reads here.
	for n, words := range []string{"您好，我是客服", "已看到您的问题", "请稍等"} {
		say(fmt.Sprint("a", n), words)
	}
	eventually(t, "every reply is sent", func() bool {
		for _, d := range a.deliveries(l.Conv) {
			if !strings.HasSuffix(d, ":sent") {
				return false
			}
		}
		return true
	})
	// And his next text message is in it too.
	text(t, phone, "2", "我又发了一条短信")
	if f := v.wait("the text message", func(f frame) bool { return f.T == "msg" && f.From.Role == "contact" }); f.Text != "我又发了一条短信" {
		t.Errorf("the socket got %+v", f)
	}
	if n := len(vendor.Sent()); n != 1 {
		t.Errorf("%d text messages were spent, want 1", n)
	}
	log := g.log.String()
	code := strings.TrimPrefix(at, "/l/")
	keys, err := db.Client().Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{linkPhone, code, session[1]} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %s", secret)
		}
		if strings.Contains(strings.Join(keys, "\n"), secret) {
			t.Errorf("a key in Redis holds %s", secret)
		}
	}
}

// TestSMSLink_ThatTheVendorRefusedIsNoReply: the next try makes another one.
func TestSMSLink_ThatTheVendorRefusedIsNoReply(t *testing.T) {
	t.Parallel()
	_, _, vendor, phone := texting(t, gatewayOptions{}, `{id: web, kind: web}`)
	vendor.Trouble(channeltest.Busy)
	text(t, phone, "1", "你好")
	eventually(t, "a link is sent after all", func() bool { return len(vendor.Sent()) == 1 })
	linkIn(t, vendor.Texts()[0])
}
