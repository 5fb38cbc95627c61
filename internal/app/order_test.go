package app_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"wensheng/channels/channeltest"
)

func TestOrder_OfTheAgentsWordsIsTheContacts(t *testing.T) {
	t.Parallel()
	api := channeltest.NewWeChatAPI(t, wechatApp, "appsecret0123456789", time.Now)
	o := gatewayOptions{data: shortDir(t), wechatAPI: api.URL, accounts: strings.ReplaceAll(
		accountsYAML(api.URL), "mode: plain,", "mode: plain, window_messages: 100,")}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	c := g.wechat("mp")
	c.API = api
	if _, err := c.Post(t.Context(), c.Text("oOrder", "1", "转人工")); err != nil {
		t.Fatal(err)
	}
	var l lease
	eventually(t, "claimed", func() bool {
		return a.call("POST", "/queue/claim", map[string]string{}, &l) == http.StatusOK
	})
	const n = 30
	var want []string
	for i := range n {
		text := fmt.Sprintf("第%d句", i)
		want = append(want, text)
		if s := a.act(l.Conv, "messages", map[string]any{"lease": l.Lease, "cid": text, "text": text}); s != http.StatusCreated {
			t.Fatalf("message: status %d", s)
		}
	}
	var got []string
	eventually(t, "all arrived", func() bool {
		got = slices.DeleteFunc(api.Texts(), func(s string) bool { return !strings.HasPrefix(s, "第") })
		return len(got) == n
	})
	if !slices.Equal(got, want) {
		t.Errorf("the contact read %v", got)
	}
}
