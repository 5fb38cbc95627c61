package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"wensheng/channels/web"
	"wensheng/internal/chat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is the smallest store that behaves: it dedupes by ProviderID, counts
// Seq and VSeq, and wakes. deaf swallows wake-ups, broken refuses everything.
type house struct {
	mu     sync.Mutex
	convs  map[chat.ConvID]*talk
	now    map[chat.Address]chat.ConvID
	seen   map[string]chat.Receipt
	subs   map[int]func(chat.Wake)
	nextID int
	deaf   bool
	broken bool
	in     []chat.Inbound
}

type talk struct {
	conv chat.Conversation
	msgs []chat.Message
}

func newHouse() *house {
	return &house{
		convs: map[chat.ConvID]*talk{}, now: map[chat.Address]chat.ConvID{},
		seen: map[string]chat.Receipt{}, subs: map[int]func(chat.Wake){},
	}
}

func (h *house) wake(w chat.Wake) {
	h.mu.Lock()
	var fns []func(chat.Wake)
	if !h.deaf {
		for _, fn := range h.subs {
			fns = append(fns, fn)
		}
	}
	h.mu.Unlock()
	for _, fn := range fns {
		fn(w)
	}
}

func (h *house) Subscribe(fn func(chat.Wake)) func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := h.nextID
	h.nextID++
	h.subs[id] = fn
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, id)
	}
}

func (t *talk) add(m chat.Message) chat.Message {
	t.conv.Seq++
	m.Seq, m.ID, m.At = t.conv.Seq, chat.NewMessageID(), time.Now()
	if !m.Hidden {
		t.conv.VSeq++
		m.VSeq = t.conv.VSeq
	}
	t.msgs = append(t.msgs, m)
	return m
}

func (h *house) Accept(_ context.Context, in chat.Inbound) (chat.Receipt, error) {
	h.mu.Lock()
	if h.broken {
		h.mu.Unlock()
		return chat.Receipt{}, chat.ErrUnavailable
	}
	key := string(in.From.Account) + in.From.ID + in.ProviderID
	if r, ok := h.seen[key]; ok {
		h.mu.Unlock()
		r.Duplicate = true
		return r, nil
	}
	h.in = append(h.in, in)
	t := h.convs[h.now[in.From]]
	if t == nil {
		id := in.Propose
		if id == "" || h.convs[id] != nil {
			id = chat.NewConvID(7)
		}
		t = &talk{conv: chat.Conversation{ID: id, Contact: in.From, Epoch: chat.NewToken()[:8], State: chat.StateBot}}
		h.convs[id], h.now[in.From] = t, id
	}
	m := t.add(chat.Message{
		Role: chat.RoleContact, Kind: in.Kind, Text: in.Text, Pick: in.Pick, Event: in.Event, Score: in.Score,
		ClientID: in.ProviderID, Hidden: in.Kind == chat.KindEvent,
	})
	r := chat.Receipt{Conv: t.conv.ID, ID: m.ID, Seq: m.Seq, VSeq: m.VSeq, State: t.conv.State}
	h.seen[key] = r
	h.mu.Unlock()
	h.wake(chat.Wake{Conv: r.Conv, Seq: r.Seq, State: r.State})
	return r, nil
}

// say appends messages of the house and wakes once.
func (h *house) say(conv chat.ConvID, s chat.State, msgs ...chat.Message) {
	h.mu.Lock()
	t := h.convs[conv]
	for _, m := range msgs {
		t.add(m)
	}
	if s != "" {
		t.conv.State = s
	}
	w := chat.Wake{Conv: conv, Seq: t.conv.Seq, State: t.conv.State}
	h.mu.Unlock()
	h.wake(w)
}

// forget makes the next message of the visitor open a new conversation.
func (h *house) forget(conv chat.ConvID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.now, h.convs[conv].conv.Contact)
}

func (h *house) Load(_ context.Context, id chat.ConvID) (chat.Conversation, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken {
		return chat.Conversation{}, chat.ErrUnavailable
	}
	if t := h.convs[id]; t != nil {
		return t.conv, nil
	}
	return chat.Conversation{}, chat.ErrNotFound
}

func (h *house) Current(ctx context.Context, a chat.Address) (chat.Conversation, error) {
	h.mu.Lock()
	id, broken := h.now[a], h.broken
	h.mu.Unlock()
	if broken {
		return chat.Conversation{}, chat.ErrUnavailable
	}
	return h.Load(ctx, id)
}

func (h *house) Transcript(_ context.Context, id chat.ConvID, after int64, limit int) ([]chat.Message, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.convs[id]
	if t == nil {
		return nil, chat.ErrNotFound
	}
	if after >= int64(len(t.msgs)) {
		return nil, nil
	}
	out := t.msgs[after:]
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return append([]chat.Message(nil), out...), nil
}

// site is a running gateway with nothing but the web channel.
type site struct {
	*house
	ch    *web.Channel
	srv   *httptest.Server
	tally *tally
}

const origin = "https://shop.example"

func start(tb testing.TB, change ...func(*web.Options)) *site {
	tb.Helper()
	h := newHouse()
	o := web.Options{
		Accounts: []web.Account{{ID: "web", AllowedOrigins: []string{origin}, IdentityKey: "a key of the host page"}},
		Sink:     h, Reader: h, Wakes: h, Key: []byte("0123456789abcdef0123456789abcdef"),
	}
	tally := &tally{}
	o.Metrics = tally
	for _, fn := range change {
		fn(&o)
	}
	ch, err := web.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	srv := httptest.NewServer(ch.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- ch.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Run: %v", err)
		}
		srv.Close()
	})
	return &site{house: h, ch: ch, srv: srv, tally: tally}
}

// page is a browser's side of a socket.
type page struct {
	tb testing.TB
	ws *websocket.Conn
}

type frame struct {
	T       string                   `json:"t"`
	Session string                   `json:"session"`
	Conv    chat.ConvID              `json:"conv"`
	Epoch   string                   `json:"epoch"`
	Seq     int64                    `json:"seq"`
	State   chat.State               `json:"state"`
	CID     string                   `json:"cid"`
	ID      string                   `json:"id"`
	Text    string                   `json:"text"`
	Code    string                   `json:"code"`
	Role    chat.Role                `json:"role"`
	Pos     int                      `json:"position"`
	ETA     []int                    `json:"eta"`
	From    struct{ Role chat.Role } `json:"from"`
	Options []chat.Option            `json:"options"`
}

func (s *site) url() string {
	return "ws" + strings.TrimPrefix(s.srv.URL, "http") + "/channels/web/web/ws"
}

func (s *site) dial(tb testing.TB) *page {
	tb.Helper()
	d := websocket.Dialer{Subprotocols: []string{web.Subprotocol}, HandshakeTimeout: 10 * time.Second}
	ws, resp, err := d.DialContext(tb.Context(), s.url(), http.Header{"Origin": {origin}})
	if err != nil {
		tb.Fatal(err)
	}
	_ = resp.Body.Close()
	tb.Cleanup(func() { _ = ws.Close() })
	return &page{tb: tb, ws: ws}
}

// enter dials and says hello.
func (s *site) enter(tb testing.TB, hello map[string]any) (*page, frame) {
	tb.Helper()
	p := s.dial(tb)
	if hello == nil {
		hello = map[string]any{}
	}
	hello["t"] = "hello"
	p.send(hello)
	return p, p.want("welcome")
}

func back(w frame, seq int64) map[string]any {
	return map[string]any{"session": w.Session, "epoch": w.Epoch, "seq": seq}
}

func (p *page) send(v any) {
	p.tb.Helper()
	if err := p.ws.WriteJSON(v); err != nil {
		p.tb.Fatal(err)
	}
}

func (p *page) say(cid, text string) {
	p.tb.Helper()
	p.send(map[string]any{"t": "msg", "cid": cid, "text": text})
}

func (p *page) recv() (frame, error) {
	_ = p.ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, b, err := p.ws.ReadMessage()
	if err != nil {
		return frame{}, err
	}
	var f frame
	return f, json.Unmarshal(b, &f)
}

// want reads the next frame and checks its kind.
func (p *page) want(kind string) frame {
	p.tb.Helper()
	f, err := p.recv()
	if err != nil {
		p.tb.Fatalf("waiting for %s: %v", kind, err)
	}
	if f.T != kind {
		p.tb.Fatalf("got frame %+v, want %s", f, kind)
	}
	return f
}

// wantClose reads until the server closes and checks the code.
func (p *page) wantClose(code int) {
	p.tb.Helper()
	for {
		_, err := p.recv()
		if err == nil {
			continue
		}
		var ce *websocket.CloseError
		if !errors.As(err, &ce) || ce.Code != code {
			p.tb.Fatalf("closed with %v, want code %d", err, code)
		}
		return
	}
}

func bot(text string) chat.Message {
	return chat.Message{Role: chat.RoleBot, Kind: chat.KindText, Text: text}
}

func num(i int) string { return strconv.Itoa(i) }

// tally counts what the channel reports.
type tally struct {
	mu     sync.Mutex
	open   int
	closed map[int]int
	frames map[string]int
}

func (c *tally) SocketOpened(chat.AccountID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open++
}

func (c *tally) SocketClosed(_ chat.AccountID, code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if c.closed == nil {
		c.closed = map[int]int{}
	}
	c.closed[code]++
}

func (c *tally) FrameIn(_ chat.AccountID, kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frames == nil {
		c.frames = map[string]int{}
	}
	c.frames[kind]++
}
