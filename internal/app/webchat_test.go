package app_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// dial opens a raw socket, before any hello.
func (g *gateway) dial(tb testing.TB, origin string) (*websocket.Conn, *http.Response, error) {
	tb.Helper()
	d := websocket.Dialer{Subprotocols: []string{"wensheng.v1"}, HandshakeTimeout: 5 * time.Second}
	ws, res, err := d.DialContext(tb.Context(), "ws"+strings.TrimPrefix(g.url, "http")+"/channels/web/web/ws", http.Header{"Origin": {origin}})
	if ws != nil {
		tb.Cleanup(func() { _ = ws.Close() })
	}
	return ws, res, err
}

// closeCode reads until the server closes.
func closeCode(tb testing.TB, ws *websocket.Conn) int {
	tb.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			var ce *websocket.CloseError
			if !errors.As(err, &ce) {
				tb.Fatalf("the socket ended without a close code: %v", err)
			}
			return ce.Code
		}
	}
}

func TestWeb_RefusesWhatIsNotTheProtocol(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{data: shortDir(t)})

	_, res, err := g.dial(t, "https://evil.example")
	if err == nil || res == nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("foreign origin: %v, want 403", err)
	}
	if res != nil {
		_ = res.Body.Close()
	}
	for name, first := range map[string]string{
		"frame before hello": `{"t":"msg","cid":"1","text":"你好"}`,
		"not JSON":           `hello?`,
		"over 16 KB":         `{"t":"hello","session":"` + strings.Repeat("x", 17<<10) + `"}`,
		"silence for 10 s":   "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ws, res, err := g.dial(t, g.url)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if ws.Subprotocol() != "wensheng.v1" {
				t.Errorf("subprotocol %q", ws.Subprotocol())
			}
			if first != "" {
				_ = ws.WriteMessage(websocket.TextMessage, []byte(first))
			}
			if code := closeCode(t, ws); code < 4400 || code > 4499 {
				t.Errorf("closed with %d, want 4400 to 4499", code)
			}
		})
	}
	t.Run("after hello", func(t *testing.T) {
		t.Parallel()
		v := g.visit(t, frame{})
		for _, bad := range []struct{ raw, code, cid string }{
			{`{oops`, "bad_frame", ""},
			{`[]`, "bad_frame", ""},
			{`{"t":"dance"}`, "bad_frame", ""},
			{`{"t":"msg","text":"no cid"}`, "bad_frame", ""},
			{`{"t":"msg","cid":"` + strings.Repeat("c", 65) + `","text":"x"}`, "bad_frame", ""},
			{`{"t":"msg","cid":"long","text":"` + strings.Repeat("长", 2001) + `"}`, "too_long", "long"},
		} {
			if err := v.ws.WriteMessage(websocket.TextMessage, []byte(bad.raw)); err != nil {
				t.Fatal(err)
			}
			f := v.wait("an error frame", func(f frame) bool { return f.T == "error" })
			if f.Code != bad.code || f.CID != bad.cid || f.Message == "" {
				t.Errorf("%.40s: answered %+v, want %s", bad.raw, f, bad.code)
			}
		}
		v.say("fits", strings.Repeat("长", 2000))
		if err := v.ws.WriteMessage(websocket.TextMessage, []byte(`{"t":"msg","cid":"big","text":"`+strings.Repeat("x", 17<<10)+`"}`)); err != nil {
			t.Fatal(err)
		}
		for range v.frames {
		}
	})
}

func TestWeb_AcknowledgesOnceAndReplaysInOrder(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{data: shortDir(t)})
	v := g.visit(t, frame{})
	if v.welcome.T != "welcome" || v.welcome.Session == "" || v.welcome.Conv == "" || v.welcome.Epoch == "" || v.welcome.State != "bot" || v.welcome.Seq != 0 {
		t.Fatalf("welcome %+v", v.welcome)
	}
	first := v.say("c1", "提前还款要手续费吗")
	bot := v.reply("bot")
	again := v.say("c1", "提前还款要手续费吗")
	if first.ID != again.ID || first.Seq != again.Seq {
		t.Errorf("a repeated cid was acknowledged as %+v, first %+v", again, first)
	}
	if first.Seq != 1 || bot.Seq != 2 {
		t.Errorf("seq %d and %d, want 1 and 2", first.Seq, bot.Seq)
	}
	v.say("c2", "怎么修改绑定的手机号")
	answer := v.reply("bot")
	last := answer.Seq

	// From the middle: only what is later, own words with role contact.
	mid := g.visit(t, frame{Session: v.welcome.Session, Epoch: v.welcome.Epoch, Seq: 2})
	if mid.welcome.Conv != v.welcome.Conv || mid.welcome.Seq != last {
		t.Errorf("welcome on resume %+v, want conversation %s and seq %d", mid.welcome, v.welcome.Conv, last)
	}
	f := mid.wait("the first frame", func(f frame) bool { return f.T == "msg" || f.T == "resync" })
	if f.T != "msg" || f.Seq != 3 || f.From.Role != "contact" || f.Text != "怎么修改绑定的手机号" {
		t.Errorf("resumed with %+v, want the own message at seq 3", f)
	}
	// Another epoch: resync, then everything from 1.
	old := g.visit(t, frame{Session: v.welcome.Session, Epoch: "another", Seq: 2})
	old.wait("resync", func(f frame) bool { return f.T == "resync" })
	for want := int64(1); want <= last; want++ {
		if f := old.wait("a replayed message", func(f frame) bool { return f.T == "msg" }); f.Seq != want {
			t.Fatalf("replayed seq %d, want %d", f.Seq, want)
		}
	}
	// A forged session is a new visitor, not an error and not somebody else.
	forged := g.visit(t, frame{Session: v.welcome.Session + "x"})
	if forged.welcome.Conv == v.welcome.Conv || forged.welcome.Seq != 0 {
		t.Errorf("a forged session was welcomed to %+v", forged.welcome)
	}
}

func TestWeb_LimitsAndPicksAndEnds(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{data: shortDir(t), yaml: "limits: {visitor_burst: 3, visitor_per_s: 0.01}\n"})
	v := g.visit(t, frame{})
	for i := range 4 {
		v.send(frame{T: "msg", CID: strconv.Itoa(i), Text: "你好"})
	}
	f := v.wait("rate_limited", func(f frame) bool { return f.T == "error" })
	if f.Code != "rate_limited" || f.CID != "3" {
		t.Errorf("error %+v, want rate_limited for cid 3", f)
	}

	w := g.visit(t, frame{})
	w.say("1", "还款") // so short that the bot offers Topics
	offered := w.reply("bot")
	if len(offered.Options) == 0 {
		t.Fatalf("no options under %q", offered.Text)
	}
	w.send(frame{T: "pick", CID: "2", ID: offered.Options[0].ID})
	w.wait("ack of the pick", func(f frame) bool { return f.T == "ack" && f.CID == "2" })
	if got := w.reply("bot"); got.Text == offered.Text {
		t.Errorf("the pick was answered with the question again: %q", got.Text)
	}
	w.send(frame{T: "end", CID: "3"})
	w.wait("state closed", func(f frame) bool { return f.T == "state" && f.State == "closed" })
}

func TestWeb_ShutdownTellsToComeBack(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{data: shortDir(t)})
	ws, res, err := g.dial(t, g.url)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if err := ws.WriteJSON(frame{T: "hello"}); err != nil {
		t.Fatal(err)
	}
	var welcome frame
	if err := ws.ReadJSON(&welcome); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.stop() }()
	if code := closeCode(t, ws); code != 4000 {
		t.Errorf("closed with %d, want 4000", code)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
