package web_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"wensheng/handoff"
	"wensheng/internal/chat"
)

type socket struct {
	t  *testing.T
	ws *websocket.Conn
}

func (s *site) ticket(c *client) string {
	s.t.Helper()
	return c.do(http.MethodPost, "/api/v1/ws/ticket", nil).want(201).str("ticket")
}

func (s *site) dial(ticket string, header http.Header) (*websocket.Conn, int) {
	s.t.Helper()
	ws, resp, err := websocket.DefaultDialer.DialContext(s.t.Context(), strings.Replace(s.url, "http", "ws", 1)+"/api/v1/ws?ticket="+ticket, header)
	if err != nil && resp == nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return ws, resp.StatusCode
}

// live opens a socket and waits until its rights have been read once.
func (s *site) live(c *client) *socket {
	s.t.Helper()
	ws, status := s.dial(s.ticket(c), nil)
	if status != http.StatusSwitchingProtocols {
		s.t.Fatalf("the live events answer %d", status)
	}
	s.t.Cleanup(func() { _ = ws.Close() })
	so := &socket{t: s.t, ws: ws}
	so.next("hello")
	return so
}

type liveEvent struct {
	T     string      `json:"t"`
	Conv  chat.ConvID `json:"conv"`
	Agent string      `json:"agent"`
	State chat.State  `json:"state"`
	Pos   int64       `json:"pos"`
}

// next returns the first event of one of the kinds.
func (so *socket) next(kinds ...string) liveEvent {
	so.t.Helper()
	for {
		if err := so.ws.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			so.t.Fatal(err)
		}
		var ev liveEvent
		if err := so.ws.ReadJSON(&ev); err != nil {
			so.t.Fatalf("waiting for %v: %v", kinds, err)
		}
		if slices.Contains(kinds, ev.T) {
			return ev
		}
	}
}

// closed returns the code the server closes with.
func (so *socket) closed() int {
	so.t.Helper()
	for {
		_ = so.ws.SetReadDeadline(time.Now().Add(10 * time.Second)) // a failure shows in the read
		_, _, err := so.ws.ReadMessage()
		var ce *websocket.CloseError
		if errors.As(err, &ce) {
			return ce.Code
		}
		if err != nil {
			so.t.Fatal(err)
		}
	}
}

func TestTicket_IsOfOneUse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ticket := s.ticket(s.as("ann"))
	ws, status := s.dial(ticket, nil)
	if status != http.StatusSwitchingProtocols {
		t.Fatalf("first use: %d", status)
	}
	defer ws.Close() //nolint:errcheck // the test is over
	if _, status := s.dial(ticket, nil); status != http.StatusUnauthorized {
		t.Errorf("second use: %d", status)
	}
}

func TestTicket_IsOfOneUseAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ticket := s.ticket(s.as("ann"))
	var mu sync.Mutex
	n := 0
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			ws, status := s.dial(ticket, nil)
			if status == http.StatusSwitchingProtocols {
				_ = ws.Close()
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if n != 1 {
		t.Errorf("%d sockets opened with one ticket", n)
	}
}

func TestTicket_Expires(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ticket := s.ticket(s.as("ann"))
	s.clock.advance(30 * time.Second)
	if _, status := s.dial(ticket, nil); status != http.StatusUnauthorized {
		t.Errorf("after 30 s: %d", status)
	}
}

func TestTicket_IsNotASession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.as("ann")
	ticket := s.ticket(c)
	for _, token := range []string{ticket, "u-ann." + ticket} {
		x := s.anon()
		x.bearer = token
		x.do(http.MethodGet, "/api/v1/me", nil).want(401)
	}
	for _, bad := range []string{"", c.bearer, chat.NewToken(), strings.Repeat("x", 100)} {
		if _, status := s.dial(bad, nil); status != http.StatusUnauthorized {
			t.Errorf("ticket %q: %d", bad, status)
		}
	}
	gone := s.ticket(c)
	c.do(http.MethodPost, "/api/v1/logout", nil).want(200)
	if _, status := s.dial(gone, nil); status != http.StatusUnauthorized {
		t.Errorf("a ticket outlives its session: %d", status)
	}
}

func TestLive_ForeignPagesMayNotOpenIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if _, status := s.dial(s.ticket(s.as("ann")), http.Header{"Origin": {"https://evil.example"}}); status != http.StatusForbidden {
		t.Errorf("foreign origin: %d", status)
	}
}

// TestLive_TellsWhoMayKnow: each event goes to whom it concerns and no other.
func TestLive_TellsWhoMayKnow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	kf := s.waiting("kf")
	ann, law, sue := s.as("ann"), s.as("law"), s.as("sue")
	annLive, lawLive, sueLive := s.live(ann), s.live(law), s.live(sue)
	end := func() { s.desk.note(handoff.Note{T: "presence", Agent: "end"}) }

	s.desk.note(handoff.Note{T: "queue", Group: "kf", Conv: kf})
	if ev := annLive.next("queue"); ev.Conv != kf {
		t.Errorf("ann hears %+v", ev)
	}
	sueLive.next("queue")
	end()
	if ev := lawLive.next("queue", "presence"); ev.T != "presence" {
		t.Errorf("law hears of another group's queue: %+v", ev)
	}
	annLive.next("presence")
	sueLive.next("presence")

	ann.claim(kf)
	s.desk.note(handoff.Note{T: "assigned", Group: "kf", Conv: kf, Agent: "u-ann"})
	annLive.next("assigned")
	sueLive.next("assigned")
	// The socket learns what it holds in its own time: wake until it tells.
	heard := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for seq := int64(4); ; seq++ {
			select {
			case <-heard:
				return
			default:
				s.desk.wake(chat.Wake{Conv: kf, Seq: seq, State: chat.StateServing})
				runtimeYield(t)
			}
		}
	})
	if ev := annLive.next("msg"); ev.Conv != kf {
		t.Errorf("ann hears %+v", ev)
	}
	close(heard)
	wg.Wait()
	end()
	if ev := lawLive.next("msg", "state", "assigned", "presence"); ev.T != "presence" {
		t.Errorf("law hears of what he may not see: %+v", ev)
	}
	s.desk.note(handoff.Note{T: "lost", Group: "kf", Conv: kf, Agent: "u-ann"})
	if ev := annLive.next("lost"); ev.Conv != kf {
		t.Errorf("ann hears %+v", ev)
	}
}

// runtimeYield lets the other side run between two wake-ups.
func runtimeYield(t *testing.T) {
	t.Helper()
	tm := time.NewTimer(5 * time.Millisecond)
	defer tm.Stop()
	select {
	case <-tm.C:
	case <-t.Context().Done():
	}
}

// TestLive_WatchNeedsTheRightToSee: a frame is no way around the rules.
func TestLive_WatchNeedsTheRightToSee(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	kf, legal := s.waiting("kf"), s.waiting("legal")
	so := s.live(s.as("ann"))
	if err := so.ws.WriteJSON(map[string]any{"t": "watch", "convs": []chat.ConvID{kf, legal, "nonsense"}}); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for seq := int64(1); ; seq++ {
			select {
			case <-stop:
				return
			default:
				s.desk.wake(chat.Wake{Conv: legal, Seq: seq, State: chat.StateWaiting})
				s.desk.wake(chat.Wake{Conv: kf, Seq: seq, State: chat.StateWaiting})
				runtimeYield(t)
			}
		}
	})
	for range 5 {
		if ev := so.next("msg", "state"); ev.Conv != kf {
			t.Errorf("hears of %s", ev.Conv)
		}
	}
	close(stop)
	wg.Wait()
}

func TestLive_EndsWithTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.as("ann")
	so := s.live(ann)
	ann.do(http.MethodPost, "/api/v1/logout", nil).want(200)
	if code := so.closed(); code != 4401 {
		t.Errorf("after logout: %d", code)
	}
	bob := s.live(s.as("bob"))
	s.as("root").do(http.MethodPatch, "/api/v1/users/u-bob", map[string]any{"disabled": true}).want(200)
	if code := bob.closed(); code != 4401 {
		t.Errorf("after disabling: %d", code)
	}
}

func TestLive_BadFramesCloseForGood(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	so := s.live(s.as("ann"))
	if err := so.ws.WriteMessage(websocket.TextMessage, []byte("{")); err != nil {
		t.Fatal(err)
	}
	if code := so.closed(); code < 4400 || code > 4499 {
		t.Errorf("closed with %d", code)
	}
}

// TestLive_SlowConsolesAreClosed: a console that does not read cannot fill the
// server's memory; it is told to come back.
func TestLive_SlowConsolesAreClosed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	so := s.live(s.as("sue"))
	for deadline := time.Now().Add(20 * time.Second); s.server.CountSockets("u-sue") > 0; {
		if time.Now().After(deadline) {
			t.Fatal("a socket that never reads stays open")
		}
		for range 500 {
			s.desk.note(handoff.Note{T: "queue", Group: strings.Repeat("x", 200)})
		}
	}
	if code := so.closed(); code != 4001 {
		t.Errorf("closed with %d", code)
	}
}

func TestDrain_TellsSocketsToComeBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	so := s.live(s.as("ann"))
	ticket := s.ticket(s.as("bob"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.server.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if code := so.closed(); code != 4000 {
		t.Errorf("closed with %d", code)
	}
	if _, status := s.dial(ticket, nil); status != http.StatusServiceUnavailable {
		t.Errorf("a new socket while draining: %d", status)
	}
	if r := s.anon().do(http.MethodGet, "/readyz", nil); r.status != 503 || r.body["ready"] != false {
		t.Errorf("/readyz while draining: %d %s", r.status, r.raw)
	}
	s.anon().do(http.MethodGet, "/healthz", nil).want(200)
}
