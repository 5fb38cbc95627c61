package app_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wensheng/channels/channeltest"
	"wensheng/internal/redisx/redistest"
)

func TestReplicas_VisitorOnOneAgentOnTheOther(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	o := gatewayOptions{data: shortDir(t), redis: srv.URL()}
	one, two := start(t, o), start(t, o)
	a := two.addAgent(t, configFile(t, o), "anna", "agent")
	a.online(3)
	v := one.waiting(t)
	l := a.claim(v.welcome.Conv)
	v.wait("state serving", func(f frame) bool { return f.T == "state" && f.State == "serving" })
	a.act(l.Conv, "messages", map[string]any{"lease": l.Lease, "cid": "1", "text": "您好，请讲"})
	if r := v.reply("agent"); r.Text != "您好，请讲" {
		t.Errorf("read %q", r.Text)
	}
	a.act(l.Conv, "typing", map[string]any{"lease": l.Lease})
	v.wait("typing", func(f frame) bool { return f.T == "typing" })
	// The first gateway goes; the visitor comes back on the second one.
	last := v.say("bye", "还在吗")
	if err := one.stop(); err != nil {
		t.Fatal(err)
	}
	again := two.visit(t, frame{Session: v.welcome.Session, Epoch: v.welcome.Epoch, Seq: last.Seq})
	if again.welcome.Conv != v.welcome.Conv || again.welcome.State != "serving" || again.welcome.Seq != last.Seq {
		t.Errorf("welcomed to %+v", again.welcome)
	}
	a.act(l.Conv, "messages", map[string]any{"lease": l.Lease, "cid": "2", "text": "在的"})
	if r := again.reply("agent"); r.Text != "在的" || r.Seq != last.Seq+1 {
		t.Errorf("read %+v", r)
	}
}

func TestContact_MayLeaveAtAnyMoment(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")

	v := g.waiting(t)
	eventually(t, "it waits", func() bool { return len(a.queue()) == 1 })
	v.send(frame{T: "end", CID: "end"})
	v.wait("state closed", func(f frame) bool { return f.T == "state" && f.State == "closed" })
	eventually(t, "nothing waits", func() bool { return len(a.queue()) == 0 })
	if s := a.call("POST", "/queue/claim", map[string]string{}, nil); s != http.StatusNoContent {
		t.Errorf("claim: status %d, want 204", s)
	}
	// He writes again: the same conversation, with the bot.
	v.say("again", "提前还款要手续费吗")
	v.wait("state bot", func(f frame) bool { return f.T == "state" && f.State == "bot" })

	w := g.waiting(t)
	l := a.claim(w.welcome.Conv)
	w.send(frame{T: "end", CID: "end"})
	w.wait("state closed", func(f frame) bool { return f.T == "state" && f.State == "closed" })
	eventually(t, "the agent holds nothing", func() bool {
		var held struct{ Items []lease }
		a.call("GET", "/leases", nil, &held)
		return len(held.Items) == 0
	})
	if s := a.act(l.Conv, "messages", map[string]any{"lease": l.Lease, "cid": "1", "text": "您好"}); s != http.StatusConflict {
		t.Errorf("message after the contact left: status %d, want 409", s)
	}
}

func TestDelivery_IsShownHonestly(t *testing.T) {
	t.Parallel()
	api := channeltest.NewWeChatAPI(t, wechatApp, "appsecret0123456789", time.Now)
	o := gatewayOptions{data: shortDir(t), wechatAPI: api.URL}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	c := g.wechat("mp")
	c.API = api
	if _, err := c.Post(t.Context(), c.Text("oDeliver", "1", "转人工")); err != nil {
		t.Fatal(err)
	}
	var l lease
	eventually(t, "claimed", func() bool {
		return a.call("POST", "/queue/claim", map[string]string{}, &l) == http.StatusOK
	})
	delivery := func(text string) string {
		for _, m := range a.view(l.Conv).Messages {
			if m.Text == text {
				return m.Delivery
			}
		}
		return "not there"
	}
	eventually(t, "the greeting has left", func() bool { return len(api.Sent()) > 0 })
	for _, tt := range []struct {
		text, want string
		trouble    func()
	}{
		{"正常", "sent", func() {}},
		{"超出窗口", "failed", func() { api.Codes(45015) }},
		{"没有回音", "unknown", func() { api.Lose(1) }},
	} {
		tt.trouble()
		a.act(l.Conv, "messages", map[string]any{"lease": l.Lease, "cid": tt.text, "text": tt.text})
		eventually(t, tt.text+" ends as "+tt.want, func() bool { return delivery(tt.text) == tt.want })
	}
	if n := strings.Count(strings.Join(api.Texts(), "|"), "没有回音"); n != 1 {
		t.Errorf("a message whose answer was lost was sent %d times", n)
	}
}

func TestKeyRotation_LosesNobody(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	o := gatewayOptions{data: shortDir(t), redis: srv.URL()}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	v := g.waiting(t, "提前还款要手续费吗")
	if s := g.sms(t, "1", "13900000001", "提前还款要手续费吗"); s != 200 {
		t.Fatalf("sms: %d", s)
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	o.key = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, 32))
	g = start(t, o)
	a.url = g.url + "/api/v1"
	again := g.visit(t, frame{Session: v.welcome.Session, Epoch: v.welcome.Epoch})
	if again.welcome.Conv != v.welcome.Conv || again.welcome.State != "waiting" {
		t.Errorf("after the rotation the visitor was welcomed to %+v", again.welcome)
	}
	if f := again.wait("a replayed message", func(f frame) bool { return f.T == "msg" }); f.Text != "提前还款要手续费吗" {
		t.Errorf("replayed %+v", f)
	}
	if s := a.call("GET", "/me", nil, nil); s != http.StatusOK {
		a = g.login(t, "anna", "correct horse")
		t.Logf("agents have to log in again: status %d", s)
	}
	l := a.claim(v.welcome.Conv)
	if view := a.view(l.Conv); view.Handoff.Reason != "human" {
		t.Errorf("handoff %+v", view.Handoff)
	}
	if s := g.sms(t, "1", "13900000001", "提前还款要手续费吗"); s != 200 {
		t.Errorf("sms: %d", s)
	}
	sup := g.addAgent(t, configFile(t, o), "sup", "supervisor")
	g.checkTranscripts(t, sup, 1, 1)
}

func TestRedisChild_KilledComesBackWithEverything(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	v := g.visit(t, frame{})
	v.say("1", earlyFee)
	v.reply("bot")
	// SHUTDOWN NOSAVE is how one ends a server one has no pid of.
	run, err := os.ReadFile(filepath.Join(g.data, "redis", "run"))
	if err != nil {
		t.Fatal(err)
	}
	c := redistest.NewClient(t, "unix", filepath.Join(string(run), "redis.sock"))
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatalf("the embedded server is not where this test looks: %v", err)
	}
	_ = c.ShutdownNoSave(t.Context()).Err()
	eventually(t, "a message is taken again", func() bool {
		v.send(frame{T: "msg", CID: "2", Text: earlyFee})
		f := v.wait("ack or error", func(f frame) bool { return (f.T == "ack" || f.T == "error") && f.CID == "2" })
		return f.T == "ack"
	})
	again := g.visit(t, frame{Session: v.welcome.Session})
	if f := again.wait("the first message", func(f frame) bool { return f.T == "msg" }); f.Seq != 1 || f.Text != earlyFee {
		t.Errorf("after the restart: %+v", f)
	}
}
