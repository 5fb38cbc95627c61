package web_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"wensheng/channels/web"
	"wensheng/internal/chat"
)

func TestHandler_RefusesWithAProblem(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *web.Options) { o.Limits.SocketsPerIP = 1 })
	s.dial(t)
	upgrade := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Origin": {origin},
	}
	with := func(kv ...string) http.Header {
		h := upgrade.Clone()
		for i := 0; i < len(kv); i += 2 {
			h.Set(kv[i], kv[i+1])
		}
		return h
	}
	for _, tt := range []struct {
		name, method, path string
		header             http.Header
		status             int
		code               string
	}{
		{"unknown account", "GET", "/channels/web/nope/ws", upgrade, 404, "unknown_account"},
		{"other path", "GET", "/channels/web/web", upgrade, 404, "unknown_account"},
		{"foreign origin", "GET", "/channels/web/web/ws", with("Origin", "https://evil.example"), 403, "origin_refused"},
		{"origin with our name in it", "GET", "/channels/web/web/ws", with("Origin", origin+".evil.example"), 403, "origin_refused"},
		{"other scheme", "GET", "/channels/web/web/ws", with("Origin", "http://shop.example"), 403, "origin_refused"},
		{"null origin", "GET", "/channels/web/web/ws", with("Origin", "null"), 403, "origin_refused"},
		{"post", "POST", "/channels/web/web/ws", upgrade, 405, "method_not_allowed"},
		{"no upgrade", "GET", "/channels/web/web/ws", http.Header{"Origin": {origin}}, 426, "upgrade_required"},
		{"other protocol", "GET", "/channels/web/web/ws", with("Sec-WebSocket-Protocol", "mqtt"), 400, "subprotocol_unknown"},
		{"one socket too many", "GET", "/channels/web/web/ws", upgrade, 429, "too_many_sockets"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), tt.method, s.srv.URL+tt.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header = tt.header
			resp, err := s.srv.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			var doc struct {
				Status int
				Code   string
			}
			if err := json.Unmarshal(b, &doc); err != nil {
				t.Fatalf("%q: %v", b, err)
			}
			if resp.StatusCode != tt.status || doc.Status != tt.status || doc.Code != tt.code {
				t.Errorf("got %d %s, want %d %s", resp.StatusCode, b, tt.status, tt.code)
			}
			if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("content type %q", ct)
			}
		})
	}
}

func TestSockets_AreBoundedInAll(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *web.Options) {
		o.Limits.Sockets = 2
		o.ClientIP = func(r *http.Request) string { return r.Header.Get("From-Address") }
	})
	enter := func(from string) (*websocket.Conn, int) {
		d := websocket.Dialer{Subprotocols: []string{web.Subprotocol}}
		ws, resp, err := d.DialContext(t.Context(), s.url(), http.Header{"Origin": {origin}, "From-Address": {from}})
		if resp == nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if err == nil {
			t.Cleanup(func() { _ = ws.Close() })
		}
		return ws, resp.StatusCode
	}
	first, _ := enter("192.0.2.1")
	if _, got := enter("192.0.2.2"); got != http.StatusSwitchingProtocols {
		t.Fatalf("the second socket: %d", got)
	}
	if _, got := enter("192.0.2.3"); got != http.StatusServiceUnavailable {
		t.Fatalf("one too many: %d, want 503", got)
	}
	_ = first.Close()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if _, got := enter("192.0.2.3"); got == http.StatusSwitchingProtocols {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a place that is free again is not given")
		}
	}
}

func TestOrigin_IsTheGatewaysOwnWhenNoneIsListed(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *web.Options) { o.Accounts[0].AllowedOrigins = nil })
	for _, tt := range []struct {
		origin string
		ok     bool
	}{{s.srv.URL, true}, {origin, false}, {"", true}} {
		h := http.Header{}
		if tt.origin != "" {
			h.Set("Origin", tt.origin)
		}
		ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), s.url(), h)
		if (err == nil) != tt.ok {
			t.Errorf("origin %q: got %v, want accepted %v", tt.origin, err, tt.ok)
		}
		if resp != nil {
			_ = resp.Body.Close()
		}
		if ws != nil {
			_ = ws.Close()
		}
	}
}

func TestHello_ComesFirst(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *web.Options) { o.Timing.Hello = 300 * time.Millisecond })
	for _, tt := range []struct {
		name, first string
		kind, code  int
	}{
		{"message before", `{"t":"msg","cid":"1","text":"a"}`, websocket.TextMessage, web.CloseHelloFirst},
		{"rubbish before", `rubbish`, websocket.TextMessage, web.CloseHelloFirst},
		{"binary hello", `{"t":"hello"}`, websocket.BinaryMessage, web.CloseHelloFirst},
		{"malformed hello", `{"t":"hello","seq":"a"}`, websocket.TextMessage, web.CloseBadHello},
		{"too large hello", `{"t":"hello","session":"` + strings.Repeat("a", web.MaxFrame) + `"}`, websocket.TextMessage, web.CloseTooLarge},
		{"nothing", "", 0, web.CloseHelloLate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := s.dial(t)
			if tt.first != "" {
				if err := p.ws.WriteMessage(tt.kind, []byte(tt.first)); err != nil {
					t.Fatal(err)
				}
			}
			p.wantClose(tt.code)
		})
	}
}

func TestFrames_RefusedAreAnsweredAndTheSocketLives(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, w := s.enter(t, nil)
	if w.State != chat.StateBot || w.Seq != 0 || w.Session == "" || w.Conv == "" || w.Epoch == "" {
		t.Fatalf("welcome %+v", w)
	}
	for _, tt := range []struct{ frame, code, cid string }{
		{`{`, web.ErrorBadFrame, ""},
		{`{"t":"hello"}`, web.ErrorBadFrame, ""},
		{`{"t":"nonsense","cid":"x"}`, web.ErrorBadFrame, "x"},
		{`{"t":"msg","cid":"` + strings.Repeat("y", 65) + `","text":"a"}`, web.ErrorBadFrame, ""},
		{`{"t":"msg","cid":"z","text":"` + strings.Repeat("长", 2001) + `"}`, web.ErrorTooLong, "z"},
	} {
		if err := p.ws.WriteMessage(websocket.TextMessage, []byte(tt.frame)); err != nil {
			t.Fatal(err)
		}
		if f := p.want("error"); f.Code != tt.code || f.CID != tt.cid {
			t.Errorf("%.40s: got %+v, want %s %q", tt.frame, f, tt.code, tt.cid)
		}
	}
	p.send(map[string]any{"t": "ping"})
	p.want("pong")
	p.say("z", strings.Repeat("长", 2000))
	if f := p.want("ack"); f.CID != "z" || f.Seq != 1 {
		t.Errorf("ack %+v", f)
	}
	big, _ := json.Marshal(map[string]any{"t": "typing", "pad": strings.Repeat("a", web.MaxFrame)})
	if err := p.ws.WriteMessage(websocket.TextMessage, big); err != nil {
		t.Fatal(err)
	}
	p.wantClose(web.CloseTooLarge)
}

func TestFrames_LargestIsTakenAndALargerOneCloses(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, _ := s.enter(t, nil)
	head, tail := `{"t":"ping","pad":"`, `"}`
	fit := head + strings.Repeat("a", web.MaxFrame-len(head)-len(tail)) + tail
	if err := p.ws.WriteMessage(websocket.TextMessage, []byte(fit)); err != nil {
		t.Fatal(err)
	}
	p.want("pong")
	// A far larger one: the close must reach the peer although most of the
	// frame is never looked at.
	go func() { _ = p.ws.WriteMessage(websocket.TextMessage, make([]byte, 4<<20)) }()
	p.wantClose(web.CloseTooLarge)
}

func TestChat_TwoTabsSeeOneTranscript(t *testing.T) {
	t.Parallel()
	s := start(t)
	a, wa := s.enter(t, nil)
	b, wb := s.enter(t, back(wa, 0))
	if wa.Conv != wb.Conv || wa.Epoch != wb.Epoch {
		t.Fatalf("two conversations: %+v %+v", wa, wb)
	}
	a.say("1", "提前还款要手续费吗")
	ack := a.want("ack")
	if ack.Seq != 1 || ack.CID != "1" || ack.ID == "" {
		t.Fatalf("ack %+v", ack)
	}
	if m := b.want("msg"); m.Seq != 1 || m.From.Role != chat.RoleContact || m.ID != ack.ID || m.CID != "1" {
		t.Fatalf("other tab got %+v", m)
	}
	hidden := chat.Message{Role: chat.RoleSystem, Kind: chat.KindEvent, Hidden: true}
	answer := bot("答案")
	answer.Options = []chat.Option{{ID: "human", Label: "转人工"}}
	s.say(wa.Conv, "", hidden, answer, hidden)
	for _, p := range []*page{a, b} {
		if m := p.want("msg"); m.Seq != 2 || m.From.Role != chat.RoleBot || len(m.Options) != 1 {
			t.Fatalf("got %+v", m)
		}
	}
	b.send(map[string]any{"t": "pick", "cid": "2", "id": "human"})
	if f := b.want("ack"); f.Seq != 3 {
		t.Fatalf("ack %+v", f)
	}
	if m := a.want("msg"); m.Seq != 3 || m.Text != "human" {
		t.Fatalf("got %+v", m)
	}
	s.say(wa.Conv, chat.StateServing, hidden, bot("x"))
	for _, p := range []*page{a, b} {
		p.want("msg")
		if f := p.want("state"); f.State != chat.StateServing {
			t.Fatalf("state %+v", f)
		}
	}
	s.wake(chat.Wake{Conv: wa.Conv, Typing: chat.RoleAgent})
	if f := a.want("typing"); f.Role != chat.RoleAgent {
		t.Fatalf("typing %+v", f)
	}
}

func TestHello_ReplaysWhatWasMissed(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, w := s.enter(t, nil)
	p.say("1", "one")
	p.want("ack")
	var many []chat.Message
	for i := range 250 {
		many = append(many, bot(num(i)), chat.Message{Role: chat.RoleAgent, Kind: chat.KindNote, Hidden: true, Text: "a note"})
	}
	_ = p.ws.Close()
	s.say(w.Conv, "", many...)

	p, w2 := s.enter(t, back(w, 1))
	if w2.Seq != 251 || w2.Conv != w.Conv || w2.Epoch != w.Epoch {
		t.Fatalf("welcome %+v", w2)
	}
	for i := range 250 {
		if m := p.want("msg"); m.Seq != int64(i)+2 || m.Text != num(i) {
			t.Fatalf("message %d is %+v", i, m)
		}
	}
	for name, hello := range map[string]map[string]any{
		"another epoch":   {"session": w.Session, "epoch": "old", "seq": 5},
		"seq too high":    {"session": w.Session, "epoch": w.Epoch, "seq": 252},
		"only a session":  {"session": w2.Session, "epoch": "", "seq": 0},
		"seq, not epoch":  {"session": w2.Session, "epoch": "", "seq": 9},
		"absurd sequence": {"session": w2.Session, "epoch": w.Epoch, "seq": int64(1) << 62},
	} {
		q, w3 := s.enter(t, hello)
		q.want("resync")
		for i := range 251 {
			if m := q.want("msg"); m.Seq != int64(i)+1 {
				t.Fatalf("%s: message %d has seq %d", name, i+1, m.Seq)
			}
		}
		if w3.Seq != 251 || w3.Epoch == "" {
			t.Errorf("%s: welcome %+v", name, w3)
		}
		r, w4 := s.enter(t, back(w3, 250)) // by the epoch it was told
		if m := r.want("msg"); m.Seq != 251 || w4.Epoch != w3.Epoch {
			t.Errorf("%s: welcome %+v message %+v", name, w4, m)
		}
		_ = r.ws.Close()
		q.say(strings.ReplaceAll(name, " ", "-"), "and on")
		if f := q.want("ack"); f.Seq < 252 {
			t.Errorf("%s: ack %+v", name, f)
		}
		_ = q.ws.Close()
		s.mu.Lock() // back to 251 for the next case
		conv := s.convs[w.Conv]
		conv.msgs = conv.msgs[:501]
		conv.conv.Seq, conv.conv.VSeq = 501, 251
		s.mu.Unlock()
	}
}

func TestHello_StartsAnewWhenNothingIsLeft(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, w := s.enter(t, nil)
	p, w2 := s.enter(t, back(w, 12)) // what he saw is gone
	p.want("resync")
	if w2.Conv == w.Conv || w2.Seq != 0 {
		t.Errorf("an id that may have been used is offered again: %+v", w2)
	}
	p, w3 := s.enter(t, map[string]any{"session": "forged", "epoch": "x", "seq": 3})
	p.want("resync")
	if w3.Conv == w.Conv || w3.Seq != 0 {
		t.Errorf("welcome %+v", w3)
	}
}

func TestAck_IsTheSameForARepeatedCID(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, w := s.enter(t, nil)
	const tabs = 8
	var wg sync.WaitGroup
	acks := make([]frame, tabs)
	for i := range tabs {
		p, _ := s.enter(t, back(w, 0))
		wg.Go(func() {
			for range 4 {
				if p.ws.WriteJSON(map[string]any{"t": "msg", "cid": "same", "text": "一"}) != nil {
					return
				}
			}
			for n := 0; n < 4; {
				f, err := p.recv()
				if err != nil {
					return
				}
				if f.T == "ack" {
					acks[i] = f
					n++
				}
			}
		})
	}
	wg.Wait()
	for _, a := range acks {
		if a.ID == "" || a.ID != acks[0].ID || a.Seq != 1 {
			t.Errorf("acks differ: %+v", acks)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.in) != 1 || s.in[0].ProviderID != "cid:same" || s.in[0].Propose != w.Conv {
		t.Errorf("the house took %+v", s.in)
	}
}

func TestMsg_NotDurableIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, w := s.enter(t, nil)
	broken := func(b bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.broken = b
	}
	broken(true)
	p.say("1", "one")
	if f := p.want("error"); f.Code != web.ErrorUnavailable || f.CID != "1" {
		t.Fatalf("got %+v", f)
	}
	q := s.dial(t)
	hello := back(w, 0)
	hello["t"] = "hello"
	q.send(hello)
	if f := q.want("error"); f.Code != web.ErrorUnavailable {
		t.Fatalf("got %+v", f)
	}
	q.wantClose(web.CloseUnavailable)
	broken(false)
	p.say("1", "one")
	if f := p.want("ack"); f.CID != "1" || f.Seq != 1 {
		t.Fatalf("got %+v", f)
	}
}

func TestMsg_RateIsLimitedPerVisitor(t *testing.T) {
	t.Parallel()
	clock := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	s := start(t, func(o *web.Options) {
		o.Limits = web.Limits{VisitorBurst: 3, VisitorPerS: 1}
		o.Clock = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return clock
		}
	})
	p, w := s.enter(t, nil)
	for i := range 3 {
		p.say(num(i), "x")
		p.want("ack")
	}
	p.say("3", "x")
	if f := p.want("error"); f.Code != web.ErrorRateLimited || f.CID != "3" {
		t.Fatalf("got %+v", f)
	}
	other, _ := s.enter(t, nil)
	other.say("3", "x")
	other.want("ack")
	again, _ := s.enter(t, back(w, 3))
	again.say("3", "x")
	if f := again.want("error"); f.Code != web.ErrorRateLimited {
		t.Fatalf("a second socket has its own bucket: %+v", f)
	}
	mu.Lock()
	clock = clock.Add(time.Second)
	mu.Unlock()
	p.say("3", "x")
	if f := p.want("ack"); f.CID != "3" || f.Seq != 4 {
		t.Fatalf("got %+v", f)
	}
}

func TestRatingAndEnd_GoThroughTheSink(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, _ := s.enter(t, nil)
	p.say("1", "x")
	p.want("ack")
	p.send(map[string]any{"t": "end", "cid": "2"})
	p.want("ack")
	p.send(map[string]any{"t": "rate", "cid": "3", "score": 4, "comment": "好"})
	p.want("ack")
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.in[1]; in.Kind != chat.KindEvent || in.Event != "end" || in.ProviderID != "cid:2" {
		t.Errorf("end is %+v", in)
	}
	if in := s.in[2]; in.Kind != chat.KindRating || in.Score != 4 || in.Text != "好" {
		t.Errorf("rating is %+v", in)
	}
}

func TestState_TellsThePlaceInTheQueue(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	place := 3
	s := start(t, func(o *web.Options) {
		o.Timing.Poll = 30 * time.Millisecond
		o.Position = func(context.Context, chat.ConvID) (int, time.Duration, time.Duration, error) {
			mu.Lock()
			defer mu.Unlock()
			return place, 3 * time.Minute, 5 * time.Minute, nil
		}
	})
	p, w := s.enter(t, nil)
	p.say("1", "转人工")
	p.want("ack")
	s.say(w.Conv, chat.StateWaiting, bot("排队中"))
	p.want("msg")
	if f := p.want("state"); f.State != chat.StateWaiting || f.Pos != 3 || len(f.ETA) != 2 || f.ETA[1] != 300 {
		t.Fatalf("got %+v", f)
	}
	mu.Lock()
	place = 2
	mu.Unlock()
	if f := p.want("state"); f.Pos != 2 {
		t.Fatalf("got %+v", f)
	}
	q, w2 := s.enter(t, back(w, 2))
	if w2.State != chat.StateWaiting {
		t.Fatalf("welcome %+v", w2)
	}
	if f := q.want("state"); f.Pos != 2 {
		t.Fatalf("got %+v", f)
	}
}

func TestWake_LostCostsAPollNotAMessage(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *web.Options) { o.Timing.Poll = 30 * time.Millisecond })
	p, w := s.enter(t, nil)
	p.say("1", "x")
	p.want("ack")
	s.mu.Lock()
	s.deaf = true
	s.mu.Unlock()
	s.say(w.Conv, chat.StateServing, bot("here"))
	if m := p.want("msg"); m.Seq != 2 {
		t.Fatalf("got %+v", m)
	}
	p.want("state")
}

// What was woken before the subscription stood, or while Redis was away, is
// looked for at once, by visitors and not only when the next poll is due.
func TestWake_WithoutConversationMakesEverybodyLook(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *web.Options) { o.Timing.Poll = time.Hour })
	p, w := s.enter(t, nil)
	p.say("1", "x")
	p.want("ack")
	hear := func(deaf bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.deaf = deaf
	}
	hear(true)
	s.say(w.Conv, chat.StateServing, bot("here"))
	hear(false)
	s.wake(chat.Wake{})
	if m := p.want("msg"); m.Seq != 2 {
		t.Fatalf("got %+v", m)
	}
	p.want("state")
}

func TestNew_HearsBeforeRun(t *testing.T) {
	t.Parallel()
	h := newHouse()
	ch, err := web.New(web.Options{
		Accounts: []web.Account{{ID: "web"}}, Sink: h, Reader: h, Wakes: h, Key: []byte("0123456789abcdef0123456789abcdef"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.subs) != 1 {
		t.Errorf("%d subscriptions after New, want 1: a visitor's first answer may come before Run", len(h.subs))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ch.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if len(h.subs) != 0 {
		t.Errorf("%d subscriptions after Run, want none", len(h.subs))
	}
}

func TestConversation_NextOneIsFollowedByEveryTab(t *testing.T) {
	t.Parallel()
	s := start(t)
	a, w := s.enter(t, nil)
	a.say("1", "x")
	a.want("ack")
	b, _ := s.enter(t, back(w, 1))
	s.say(w.Conv, chat.StateClosed, bot("bye"))
	for _, p := range []*page{a, b} {
		p.want("msg")
		p.want("state")
	}
	s.forget(w.Conv)
	a.say("2", "again")
	a.want("resync")
	wa := a.want("welcome")
	if f := a.want("ack"); wa.Conv == w.Conv || f.Seq != 1 || wa.Epoch == w.Epoch {
		t.Fatalf("welcome %+v ack %+v", wa, f)
	}
	b.want("resync")
	if wb := b.want("welcome"); wb.Conv != wa.Conv {
		t.Fatalf("welcome %+v", wb)
	}
	if m := b.want("msg"); m.Seq != 1 || m.Text != "again" {
		t.Fatalf("got %+v", m)
	}
	s.say(wa.Conv, "", bot("hello again"))
	for _, p := range []*page{a, b} {
		if m := p.want("msg"); m.Seq != 2 {
			t.Fatalf("got %+v", m)
		}
	}
}

func TestReads_NeverGoBackNorBeyondWhatWasSent(t *testing.T) {
	t.Parallel()
	got := make(chan int64, 10)
	typed := make(chan chat.ConvID, 10)
	s := start(t, func(o *web.Options) {
		o.Reads = func(_ context.Context, _ chat.ConvID, vseq int64) error {
			got <- vseq
			return nil
		}
		o.Typing = func(_ context.Context, conv chat.ConvID) error {
			typed <- conv
			return nil
		}
	})
	p, w := s.enter(t, nil)
	p.send(map[string]any{"t": "typing"}) // nothing is open yet
	p.say("1", "x")
	p.want("ack")
	s.say(w.Conv, "", bot("y"))
	p.want("msg")
	for _, seq := range []int{1, 1, 99, 1} {
		p.send(map[string]any{"t": "read", "seq": seq})
	}
	for range 3 {
		p.send(map[string]any{"t": "typing"})
	}
	p.send(map[string]any{"t": "ping"})
	p.want("pong")
	if len(got) != 2 || <-got != 1 || <-got != 2 {
		t.Errorf("reads are wrong")
	}
	if len(typed) != 1 || <-typed != w.Conv {
		t.Errorf("typing is passed on %d times more", len(typed))
	}
}

func TestDrain_ClosesAllAndLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s := start(t)
	var pages []*page
	for range 5 {
		p, _ := s.enter(t, nil)
		pages = append(pages, p)
	}
	pages = append(pages, s.dial(t)) // one that has not said hello
	done := make(chan error, 1)
	go func() { done <- s.ch.Drain(t.Context()) }()
	for _, p := range pages {
		p.wantClose(web.CloseShutdown)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	_, resp, err := websocket.DefaultDialer.DialContext(t.Context(), s.url(), http.Header{"Origin": {origin}})
	if err == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a drained server lets in: %v", err)
	}
	_ = resp.Body.Close()
}

func TestSlowReader_IsToldToComeBack(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *web.Options) {
		o.Timing.Slow = 200 * time.Millisecond
		o.Timing.Write = 30 * time.Second
	})
	p, w := s.enter(t, nil)
	p.say("1", "x")
	p.want("ack")
	for range 20 { // more than the kernel buffers
		s.mu.Lock()
		conv := s.convs[w.Conv]
		for range 100 {
			conv.add(bot(strings.Repeat("长", 4000)))
		}
		s.mu.Unlock()
	}
	// The page reads nothing until the server has given it up; a page in the
	// same conversation is not held up by it.
	given := make(chan struct{})
	go func() {
		defer close(given)
		for !s.ch.GaveUp() {
			runtime.Gosched()
		}
	}()
	s.say(w.Conv, "", bot("last"))
	<-given
	p.wantClose(web.CloseSlow)
}

func TestPeerThatAnswersNoPing_IsClosed(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *web.Options) { o.Timing.Ping = 60 * time.Millisecond })
	p, _ := s.enter(t, nil)
	p.ws.SetPingHandler(func(string) error { return nil })
	p.wantClose(web.CloseSilent)
	q, _ := s.enter(t, nil) // this one answers
	pings := 0
	answer := q.ws.PingHandler()
	q.ws.SetPingHandler(func(m string) error {
		if pings++; pings == 10 {
			q.send(map[string]any{"t": "ping"})
		}
		return answer(m)
	})
	q.want("pong")
}
