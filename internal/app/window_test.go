package app_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wensheng/channels/channeltest"
)

// windowView is what a conversation's view says of files and the reply window.
type windowView struct {
	Window struct {
		Left  int
		Until time.Time
	} `json:"reply_window"`
	Messages []struct {
		Media struct{ Ref string }
	}
}

// ref is the reference of the conversation's file.
func (v windowView) ref() string {
	for _, m := range v.Messages {
		if m.Media.Ref != "" {
			return m.Media.Ref
		}
	}
	return ""
}

func TestReplyWindow_IsOfTheAccount(t *testing.T) {
	t.Parallel()
	api := channeltest.NewWeChatAPI(t, wechatApp, "appsecret0123456789", time.Now)
	account := func(id, more string) string {
		return fmt.Sprintf("  - {id: %s, kind: wechat, app_id: %s, app_secret: appsecret0123456789, token: %s, mode: plain, api_base: %q%s}\n",
			id, wechatApp, wechatToken, api.URL, more)
	}
	o := gatewayOptions{
		data:     shortDir(t),
		accounts: "accounts:\n" + account("mp", "") + account("small", ", window_messages: 2, window: 1h"),
	}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "li", "agent")
	for account, want := range map[string]struct {
		messages int
		open     time.Duration
	}{"mp": {5, 48 * time.Hour}, "small": {2, time.Hour}} {
		began := time.Now().Truncate(time.Second)
		c := g.wechat(account)
		if _, err := c.Post(t.Context(), c.Text("o"+account, c.NextID(), "转人工")); err != nil {
			t.Fatal(err)
		}
		var l lease
		eventually(t, "claimed", func() bool {
			return a.call("POST", "/queue/claim", map[string]string{}, &l) == http.StatusOK
		})
		look := func() (v windowView) {
			a.call("GET", path("conversations", l.Conv), nil, &v)
			return v
		}
		if until := look().Window.Until; until.Before(began.Add(want.open)) || until.After(time.Now().Add(want.open)) {
			t.Errorf("%s: open until %s, want %s from now", account, until, want.open)
		}
		a.call("POST", path("conversations", l.Conv, "messages"), map[string]string{"cid": "1", "text": "您好", "lease": l.Lease}, nil)
		eventually(t, account+": what was not sent yet is left", func() bool {
			sent := 0 // the agent's words, and the bot's where they came too late for the callback
			for _, m := range api.Sent() {
				if m.To == "o"+account {
					sent++
				}
			}
			return sent > 0 && look().Window.Left == max(want.messages-sent, 0)
		})
	}
}

func TestMedia_IsSealedAndSeenByItsAgentOnly(t *testing.T) {
	t.Parallel()
	const picture = "\x89PNG\r\n\x1a\n a picture of somebody"
	api := channeltest.NewWeChatAPI(t, wechatApp, "appsecret0123456789", time.Now)
	o := gatewayOptions{data: shortDir(t), wechatAPI: api.URL}
	g := start(t, o)
	cfg := configFile(t, o)
	a, b := g.addAgent(t, cfg, "li", "agent"), g.addAgent(t, cfg, "wang", "agent")
	c := g.wechat("mp")
	send := func(openID, media string) (conv, ref string) {
		t.Helper()
		for _, body := range [][]byte{
			c.Message(openID, "image", channeltest.WeChatField{Name: "MediaId", Value: media}, channeltest.WeChatField{Name: "MsgId", Value: c.NextID()}),
			c.Text(openID, c.NextID(), "转人工"),
		} {
			if _, err := c.Post(t.Context(), body); err != nil {
				t.Fatal(err)
			}
		}
		var l lease
		eventually(t, "claimed", func() bool {
			return a.call("POST", "/queue/claim", map[string]string{}, &l) == http.StatusOK
		})
		var v windowView
		eventually(t, "the picture is in the transcript", func() bool {
			a.call("GET", path("conversations", l.Conv), nil, &v)
			return v.ref() != ""
		})
		return l.Conv, v.ref()
	}
	get := func(who *agent, conv, ref string) answer {
		t.Helper()
		return g.fetch(t, "GET", "/api/v1"+path("conversations", conv, "media", ref), "", nil, "Authorization", "Bearer "+who.token)
	}
	api.AddMedia("M1", "image/png", []byte(picture))
	conv, ref := send("oBorrower1", "M1")
	eventually(t, "the picture is there", func() bool { return get(a, conv, ref).Status == http.StatusOK })
	r := get(a, conv, ref)
	if r.Body != picture || r.Header.Get("Content-Type") != "image/png" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("got %q with %v", r.Body, r.Header)
	}
	if s := get(b, conv, ref).Status; s != http.StatusForbidden {
		t.Errorf("another agent: %d, want 403", s)
	}
	files, err := filepath.Glob(filepath.Join(g.data, "media", "*", "*"))
	if err != nil || len(files) != 1 {
		t.Errorf("files %v, %v", files, err)
	}
	lostConv, lostRef := send("oBorrower2", "gone at the vendor")
	if r := get(a, lostConv, lostRef); r.Status != http.StatusNotFound || !strings.Contains(r.Body, "media_gone") {
		t.Errorf("a file that was not fetched: %d %s", r.Status, r.Body)
	}
	if r := get(a, lostConv, ref); r.Status != http.StatusNotFound {
		t.Errorf("a file of another conversation: %d, want 404", r.Status)
	}
}
