package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"

	"wensheng/handoff"
	"wensheng/internal/chat"
)

// Close codes: 4000–4099 mean "come back", 4400–4499 mean "do not".
const (
	closeDrain  = 4000
	closeSlow   = 4001
	closeLogout = 4401
	closeFrame  = 4408
)

const (
	ticketTTL  = 30 * time.Second
	liveQueue  = 128              // events a socket may lag behind
	livePing   = 15 * time.Second // also how often rights are looked at again
	liveSilent = 45 * time.Second // without a pong or a frame
	liveWrite  = 10 * time.Second
	liveFrame  = 16 << 10
	maxWatch   = 64
	maxSockets = 16 // per user
)

// event is what a console hears. It says that something changed, never what
// was said: the console reads that through the API, where rights are checked
// and personal data is masked.
type event struct {
	T     string      `json:"t"`
	Conv  chat.ConvID `json:"conv,omitempty"`
	Group string      `json:"group,omitempty"`
	Agent string      `json:"agent,omitempty"`
	Pos   int64       `json:"pos,omitempty"`
	State chat.State  `json:"state,omitempty"`
	Role  chat.Role   `json:"role,omitempty"`
}

// hub passes wake-ups and notes to the sockets that may know of them.
type hub struct {
	s *Server
	// now is the wall clock: a socket's deadlines are the kernel's business,
	// not the injected clock's.
	now func() time.Time

	mu      sync.Mutex
	conns   map[*liveConn]struct{}
	closed  bool
	running sync.WaitGroup
}

func newHub(s *Server) *hub {
	return &hub{
		s: s, now: time.Now, //nolint:forbidigo // see now
		conns: map[*liveConn]struct{}{},
	}
}

// liveConn is one console's socket: one reader, one writer with a bounded queue.
type liveConn struct {
	h     *hub
	ws    *websocket.Conn
	login string // the session's hash; a logout ends the socket
	out   chan event
	// check asks the writer to look at rights and leases again; quit carries
	// the close code.
	check chan struct{}
	quit  chan int
	gone  chan struct{} // closed when the reader ends

	mu    sync.Mutex
	user  chat.User
	held  map[chat.ConvID]bool
	watch map[chat.ConvID]bool
	state map[chat.ConvID]chat.State
	pos   map[chat.ConvID]int64
}

func (s *Server) postTicket(c echo.Context) error {
	se, ctx := current(c), c.Request().Context()
	ticket := chat.NewToken()
	l := chat.Login{
		TokenHash: s.auth.mac("ticket", ticket), UserID: se.user.ID, CSRF: se.login.TokenHash,
		CreatedAt: s.clock(), ExpiresAt: s.clock().Add(ticketTTL),
	}
	// Kept where every gateway can redeem it. The session's hash rides in the
	// field a ticket has no other use for, so that a logout ends the socket.
	if err := s.o.Users.SaveLogin(ctx, l); err != nil {
		return fmt.Errorf("save the ticket: %w", err)
	}
	return reply(c, http.StatusCreated, map[string]any{"ticket": ticket, "expires": l.ExpiresAt})
}

// redeem uses a ticket up.
func (s *Server) redeem(ctx context.Context, ticket string) (chat.User, chat.Login, error) {
	none := fail(http.StatusUnauthorized, "bad_ticket", "the ticket is unknown, used or too old; get a new one")
	if ticket == "" || len(ticket) > 64 {
		return chat.User{}, chat.Login{}, none
	}
	hash := s.auth.mac("ticket", ticket)
	t, err := s.auth.login(ctx, hash)
	if errors.Is(err, chat.ErrNotFound) {
		return chat.User{}, chat.Login{}, none
	}
	if err != nil {
		return chat.User{}, chat.Login{}, err
	}
	if err := s.o.Users.DeleteLogin(ctx, hash); errors.Is(err, chat.ErrNotFound) {
		return chat.User{}, chat.Login{}, none // another socket was faster, here or at another gateway
	} else if err != nil {
		return chat.User{}, chat.Login{}, fmt.Errorf("use the ticket up: %w", err)
	}
	l, err := s.auth.login(ctx, t.CSRF)
	if errors.Is(err, chat.ErrNotFound) {
		return chat.User{}, chat.Login{}, none
	}
	if err != nil {
		return chat.User{}, chat.Login{}, err
	}
	u, err := s.o.Users.UserByID(ctx, t.UserID)
	if err != nil || u.Disabled || l.UserID != u.ID {
		return chat.User{}, chat.Login{}, none
	}
	return u, l, nil
}

func (s *Server) getLive(c echo.Context) error {
	u, l, err := s.redeem(c.Request().Context(), c.QueryParam("ticket"))
	if err != nil {
		return err
	}
	if s.isDraining() || s.hub.count(u.ID) >= maxSockets {
		p := fail(http.StatusServiceUnavailable, "unavailable", "no further socket here; try again")
		p.retryAfter = 2
		return p
	}
	up := websocket.Upgrader{
		ReadBufferSize: 1024, WriteBufferSize: 1024, HandshakeTimeout: 10 * time.Second,
		Error: func(w http.ResponseWriter, _ *http.Request, status int, _ error) {
			w.WriteHeader(status)
		},
	}
	ws, err := up.Upgrade(c.Response(), c.Request(), nil)
	if err != nil {
		return nil //nolint:nilerr // Upgrade has answered
	}
	s.hub.add(ws, u, l.TokenHash)
	return nil
}

func (h *hub) count(user string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for c := range h.conns {
		if c.login != "" && c.who().ID == user {
			n++
		}
	}
	return n
}

// add starts the socket's two goroutines; drain waits for them.
func (h *hub) add(ws *websocket.Conn, u chat.User, login string) {
	c := &liveConn{
		h: h, ws: ws, login: login, user: u,
		out: make(chan event, liveQueue), check: make(chan struct{}, 1), quit: make(chan int, 1), gone: make(chan struct{}),
		held: map[chat.ConvID]bool{}, watch: map[chat.ConvID]bool{}, state: map[chat.ConvID]chat.State{}, pos: map[chat.ConvID]int64{},
	}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		_ = ws.Close() // the peer reconnects elsewhere
		return
	}
	h.conns[c] = struct{}{}
	h.running.Add(2)
	h.mu.Unlock()
	c.check <- struct{}{}
	go c.write()
	go c.read()
}

func (h *hub) remove(c *liveConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
}

// drain closes every socket with "reconnect" and waits.
func (h *hub) drain(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	for c := range h.conns {
		c.close(closeDrain)
	}
	h.mu.Unlock()
	all := make(chan struct{})
	go func() { h.running.Wait(); close(all) }()
	select {
	case <-all:
		return nil
	case <-ctx.Done():
		h.mu.Lock()
		for c := range h.conns {
			_ = c.ws.Close() // the deadline is over: no more politeness
		}
		h.mu.Unlock()
		<-all
		return ctx.Err() //nolint:wrapcheck // the caller's own
	}
}

func (h *hub) each(fn func(c *liveConn)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.conns {
		fn(c)
	}
}

// note passes a desk note on. It must not block.
func (h *hub) note(n handoff.Note) {
	ev := event{T: n.T, Conv: n.Conv, Group: n.Group, Agent: n.Agent}
	h.each(func(c *liveConn) {
		u := c.who()
		switch n.T {
		case "queue":
			if n.Group != "" && !worksFor(u, n.Group) {
				return
			}
		case "assigned", "lost":
			if n.Agent == u.ID {
				c.recheck()
			} else if !overseer(u) {
				return
			}
			if n.T == "lost" && n.Agent == u.ID {
				c.mu.Lock()
				delete(c.held, n.Conv)
				c.mu.Unlock()
			}
		}
		c.send(ev)
	})
}

// wake passes a changed conversation on to who holds or watches it.
func (h *hub) wake(w chat.Wake) {
	h.each(func(c *liveConn) {
		for _, ev := range c.changes(w) {
			c.send(ev)
		}
	})
}

// changes turns a wake-up into what is new for this console.
func (c *liveConn) changes(w chat.Wake) []event {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.Conv == "" { // some may have been lost
		var evs []event
		for _, of := range []map[chat.ConvID]bool{c.held, c.watch} {
			for id := range of {
				evs = append(evs, event{T: "msg", Conv: id})
			}
		}
		return evs
	}
	if !c.held[w.Conv] && !c.watch[w.Conv] {
		return nil
	}
	if w.Typing != "" {
		if w.Typing == chat.RoleAgent {
			return nil
		}
		return []event{{T: "typing", Conv: w.Conv, Role: w.Typing}}
	}
	var evs []event
	if w.Seq > c.pos[w.Conv] || w.Seq == 0 {
		c.pos[w.Conv] = w.Seq
		evs = append(evs, event{T: "msg", Conv: w.Conv, Pos: w.Seq, State: w.State})
	}
	if w.State != "" && w.State != c.state[w.Conv] {
		c.state[w.Conv] = w.State
		evs = append(evs, event{T: "state", Conv: w.Conv, State: w.State})
		if !c.held[w.Conv] && w.State != chat.StateWaiting && !overseer(c.user) && !c.user.Has(chat.RoleUserCompliance) {
			// It was watched while it waited; now somebody has it. If that is
			// this user, the next check says so.
			delete(c.watch, w.Conv)
			c.recheck()
		}
	}
	if len(evs) == 0 { // a delivery changed, the rating came
		evs = append(evs, event{T: "msg", Conv: w.Conv, Pos: w.Seq, State: w.State})
	}
	return evs
}

func (c *liveConn) who() chat.User {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.user
}

// send queues an event; a console that lags too far must come back and read
// everything again.
func (c *liveConn) send(ev event) {
	select {
	case c.out <- ev:
	default:
		c.close(closeSlow)
	}
}

func (c *liveConn) close(code int) {
	select {
	case c.quit <- code:
	default:
	}
}

func (c *liveConn) recheck() {
	select {
	case c.check <- struct{}{}:
	default:
	}
}

func (h *hub) refresh(user string) {
	h.each(func(c *liveConn) {
		if c.who().ID == user {
			c.recheck()
		}
	})
}

// recheck looks at once whether a user's sockets may stay.
func (h *hub) recheck(user string) { h.refresh(user) }

func (h *hub) logout(login string) {
	h.each(func(c *liveConn) {
		if c.login == login {
			c.close(closeLogout)
		}
	})
}

// write owns the socket's writing side until it closes.
func (c *liveConn) write() {
	defer c.h.running.Done()
	defer c.h.remove(c)
	defer c.ws.Close() //nolint:errcheck // ends the reader too; nothing to do about an error
	tick := time.NewTicker(livePing)
	defer tick.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if !c.put(event{T: "hello"}) {
		return
	}
	for {
		select {
		case <-c.gone:
			return
		case code := <-c.quit:
			c.bye(code)
			return
		case ev := <-c.out:
			if !c.put(ev) {
				return
			}
		case <-c.check:
			if code := c.rights(ctx); code != 0 {
				c.bye(code)
				return
			}
		case <-tick.C:
			if code := c.rights(ctx); code != 0 {
				c.bye(code)
				return
			}
			if c.ws.WriteControl(websocket.PingMessage, nil, c.h.now().Add(liveWrite)) != nil {
				return
			}
		}
	}
}

func (c *liveConn) put(ev event) bool {
	b, err := json.Marshal(ev)
	if err != nil || c.ws.SetWriteDeadline(c.h.now().Add(liveWrite)) != nil {
		return false
	}
	return c.ws.WriteMessage(websocket.TextMessage, b) == nil
}

func (c *liveConn) bye(code int) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), c.h.now().Add(liveWrite)) // best effort
}

// rights reads the session, the user and his leases again. A nonzero result
// is the code to close with. A store that does not answer changes nothing.
func (c *liveConn) rights(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	s := c.h.s
	u, err := s.o.Users.UserByID(ctx, c.who().ID)
	if errors.Is(err, chat.ErrNotFound) || (err == nil && u.Disabled) {
		return closeLogout
	}
	if _, lerr := s.auth.login(ctx, c.login); errors.Is(lerr, chat.ErrNotFound) {
		return closeLogout
	}
	if err != nil {
		return 0
	}
	ls, err := s.o.Desk.Holds(ctx, u)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.user = u
	if err == nil {
		clear(c.held)
		for _, l := range ls {
			c.held[l.Conv] = true
		}
	}
	return 0
}

// read takes the console's frames: {"t":"watch","convs":[…]} replaces what it
// watches besides what it holds.
func (c *liveConn) read() {
	defer c.h.running.Done()
	defer close(c.gone)
	c.ws.SetReadLimit(liveFrame)
	alive := func(string) error { return c.ws.SetReadDeadline(c.h.now().Add(liveSilent)) }
	c.ws.SetPongHandler(alive)
	for {
		if alive("") != nil {
			return
		}
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		var in struct {
			T     string        `json:"t"`
			Convs []chat.ConvID `json:"convs"`
		}
		if json.Unmarshal(b, &in) != nil || len(in.Convs) > maxWatch {
			c.close(closeFrame)
			return
		}
		if in.T == "watch" {
			c.setWatch(in.Convs)
		}
	}
}

func (c *liveConn) setWatch(convs []chat.ConvID) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	u := c.who()
	next := make(map[chat.ConvID]bool, len(convs))
	for _, conv := range convs {
		c.mu.Lock()
		known := c.watch[conv] || c.held[conv]
		c.mu.Unlock()
		if known {
			next[conv] = true
			continue
		}
		if v, err := c.h.s.view(ctx, u, conv); err == nil {
			next[conv] = true
			c.mu.Lock()
			c.state[conv] = v.Conversation.State
			c.mu.Unlock()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch = next
	for conv := range c.pos { // forget what is neither held nor watched any more
		if !next[conv] && !c.held[conv] {
			delete(c.pos, conv)
			delete(c.state, conv)
		}
	}
}
