package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"wensheng/channels/channeltest"
)

// lease is the part of a claim's answer that every action needs.
type lease struct {
	Conv  string `json:"conv"`
	Lease string `json:"lease"`
}

func TestStory_WebVisitorIsAnsweredThenServedByAnAgent(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	v := g.visit(t, frame{})

	v.say("1", "提前还款要手续费吗")
	if got := v.reply("bot"); !strings.Contains(got.Text, "提前") {
		t.Errorf("answer %q does not speak of early repayment", got.Text)
	}
	a := g.addAgent(t, configFile(t, o), "wang", "agent")
	if s := a.call("PUT", "/me/presence", map[string]any{"status": "online", "capacity": 5}, nil); s >= 300 {
		t.Fatalf("presence: status %d", s)
	}
	v.say("2", "转人工")
	v.wait("state waiting", func(f frame) bool { return f.T == "state" && f.State == "waiting" })

	var queue struct {
		Items []struct{ Conv, Group, Reason, Preview string }
	}
	eventually(t, "the conversation is in the queue", func() bool {
		a.call("GET", "/queue", nil, &queue)
		return len(queue.Items) == 1
	})
	if it := queue.Items[0]; it.Conv != v.welcome.Conv || it.Reason != "human" {
		t.Errorf("queue item %+v, want conversation %s for reason human", it, v.welcome.Conv)
	}
	var l lease
	if s := a.call("POST", "/queue/claim", map[string]string{}, &l); s != http.StatusOK {
		t.Fatalf("claim: status %d", s)
	}
	var view struct {
		Handoff  struct{ Reason, Summary string }
		Messages []frame
	}
	if s := a.call("GET", path("conversations", l.Conv), nil, &view); s != http.StatusOK {
		t.Fatalf("conversation: status %d", s)
	}
	if view.Handoff.Reason != "human" || view.Handoff.Summary == "" {
		t.Errorf("handoff %+v lacks reason or summary", view.Handoff)
	}
	if s := a.call("POST", path("conversations", l.Conv, "messages"), map[string]string{"cid": "a1", "text": "您好，我是客服，已看到您的问题。", "lease": l.Lease}, nil); s != http.StatusCreated {
		t.Fatalf("message: status %d", s)
	}
	if got := v.reply("agent"); !strings.Contains(got.Text, "我是客服") {
		t.Errorf("visitor read %q", got.Text)
	}
	if s := a.call("POST", path("conversations", l.Conv, "close"), map[string]string{"lease": l.Lease}, nil); s >= 300 {
		t.Fatalf("close: status %d", s)
	}
	v.wait("state closed", func(f frame) bool { return f.T == "state" && f.State == "closed" })
	v.send(frame{T: "rate", CID: "r1", Score: 5})
	v.wait("ack of the rating", func(f frame) bool { return f.T == "ack" && f.CID == "r1" })

	// Everything visible has gapless numbers, and a resume replays it in order.
	again := g.visit(t, frame{Session: v.welcome.Session, Epoch: v.welcome.Epoch})
	want := int64(1)
	for want <= again.welcome.Seq {
		f := again.wait("replayed message", func(f frame) bool { return f.T == "msg" })
		if f.Seq != want {
			t.Fatalf("replayed seq %d, want %d", f.Seq, want)
		}
		want++
	}
}

func TestStory_WeChatIsAnsweredInTheCallbackAndServedByTheAPI(t *testing.T) {
	t.Parallel()
	for _, account := range []string{"mp", "safe"} {
		t.Run(account, func(t *testing.T) {
			t.Parallel()
			api := channeltest.NewWeChatAPI(t, wechatApp, "appsecret0123456789", time.Now)
			o := gatewayOptions{data: shortDir(t), wechatAPI: api.URL}
			g := start(t, o)
			c := g.wechat(account)
			c.API = api
			body := c.Text("oBorrower1", c.NextID(), "提前还款要手续费吗")
			first, err := c.Post(t.Context(), body)
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.Reply(first)
			if err != nil || !strings.Contains(r.Content, "提前") {
				t.Fatalf("passive reply %q, %v", first.Body, err)
			}
			second, err := c.Post(t.Context(), body)
			if err != nil {
				t.Fatal(err)
			}
			again, err := c.Reply(second)
			if err != nil || again != r {
				t.Errorf("redelivery answered %+v (%v), want the same as %+v", again, err, r)
			}
			if account == "mp" && string(first.Body) != string(second.Body) {
				t.Error("a redelivery must get the same bytes")
			}
			a := g.addAgent(t, configFile(t, o), "li", "agent")
			if _, err := c.Post(t.Context(), c.Text("oBorrower1", c.NextID(), "轉人工")); err != nil {
				t.Fatal(err)
			}
			var l lease
			eventually(t, "claimed", func() bool {
				return a.call("POST", "/queue/claim", map[string]string{}, &l) == http.StatusOK
			})
			a.call("POST", path("conversations", l.Conv, "messages"), map[string]string{"cid": "a1", "text": "您好，请讲", "lease": l.Lease}, nil)
			eventually(t, "the agent's words reached WeChat", func() bool {
				return strings.Contains(strings.Join(api.Texts(), "\n"), "您好，请讲")
			})
		})
	}
}

func TestStory_SMSIsAcceptedOnceAndQueued(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	for range 3 {
		if s := g.sms(t, "id-1", "13800001111", "我要投诉"); s != http.StatusOK {
			t.Fatalf("status %d", s)
		}
	}
	a := g.addAgent(t, configFile(t, o), "zhao", "agent")
	var l lease
	eventually(t, "claimed", func() bool {
		return a.call("POST", "/queue/claim", map[string]string{}, &l) == http.StatusOK
	})
	var view struct{ Messages []frame }
	a.call("GET", path("conversations", l.Conv), nil, &view)
	n := 0
	for _, m := range view.Messages {
		if m.From != nil && m.From.Role == "contact" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d messages of the contact, want 1", n)
	}
	if s := a.call("POST", "/queue/claim", map[string]string{}, nil); s != http.StatusNoContent && s != http.StatusOK {
		t.Errorf("second claim: status %d", s)
	}
}
