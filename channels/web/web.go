// Package web is the channel of the visitor widget: live chat over WebSocket,
// subprotocol wensheng.v1. A socket is told that its conversation changed and
// reads the transcript itself, so what is committed is thereby sent, on
// whichever replica the socket is, and nothing is queued for it here.
//
// protocol.go holds the frames, identity.go who a visitor is, conn.go one
// socket with its goroutines, visit.go what a visitor does on it, hub.go all
// sockets of the process.
package web

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"wensheng/channels"
	"wensheng/internal/chat"
)

// Account is one widget: a site, or a part of one.
type Account struct {
	ID chat.AccountID
	// AllowedOrigins are the pages that may open a socket, as scheme://host[:port].
	// "*" allows any. Empty allows only the gateway's own origin. A client that
	// sends no Origin is no browser and is let in: the check protects browsers.
	AllowedOrigins []string
	// IdentityKey verifies the host page's statements of identity (HS256).
	// Empty refuses them all.
	IdentityKey string
}

// Limits bound what one visitor may do. Zero values take the defaults.
type Limits struct {
	// VisitorBurst and VisitorPerS are the token bucket of a visitor's messages
	// over all his sockets on this replica: 40, and 1 a second.
	VisitorBurst int
	VisitorPerS  float64
	// SocketsPerIP bounds the open sockets of one client address (a /64 in
	// IPv6): 200.
	SocketsPerIP int
	// Sockets bounds the open sockets of this replica: 20,000.
	Sockets int
}

// Metrics counts. Implementations are safe for concurrent use and do not block.
type Metrics interface {
	// SocketOpened and SocketClosed count sockets; code is the close code we
	// sent, or 0 when the peer left.
	SocketOpened(account chat.AccountID)
	SocketClosed(account chat.AccountID, code int)
	// FrameIn counts frames by kind; a refused one by its error code.
	FrameIn(account chat.AccountID, kind string)
}

// Options are what a Channel needs. Sink, Reader, Wakes and Key are required.
type Options struct {
	Accounts []Account
	Sink     chat.Sink
	Reader   chat.Reader
	Wakes    chat.Wakes
	// Propose makes an id for a conversation that is not open yet, in the
	// address's shard. Nil hashes the address itself; an id the store does not
	// like costs the visitor a resync, no more.
	Propose func(chat.Address) chat.ConvID
	// Reads records what the visitor has seen, Typing that he writes. Best
	// effort; nil ignores them.
	Reads  func(ctx context.Context, conv chat.ConvID, vseq int64) error
	Typing func(ctx context.Context, conv chat.ConvID) error
	// Position tells the place of a waiting conversation, from 1, and how long
	// it may take; 0 where it is not known. Nil tells nothing.
	Position func(ctx context.Context, conv chat.ConvID) (pos int, low, high time.Duration, err error)
	// Invited is told that a visitor who continues another channel's
	// conversation (see Invite) reads or writes, so that for a while nothing
	// need be sent to that address: at most once a minute a socket. Best
	// effort; nil tells nobody.
	Invited func(ctx context.Context, to chat.Address) error
	// Key, at least 16 bytes, seals the resume tokens. All replicas share it.
	Key    []byte
	Limits Limits
	// ClientIP returns the address of the caller; default the peer's, which the
	// server in front has set to who the trusted proxies say it is.
	ClientIP func(*http.Request) string
	Clock    func() time.Time
	Logger   *slog.Logger
	Metrics  Metrics
	// Timing is changed by tests only.
	Timing Timing
}

// Timing holds the intervals of a socket. Zero values take the defaults.
type Timing struct {
	Hello time.Duration // until hello must have come: 10 s
	Ping  time.Duration // between pings: 30 s; the peer is dead after 2.5 of them
	Poll  time.Duration // between looks at an open conversation: 15 s, up to a third more
	Slow  time.Duration // a write that takes longer closes with CloseSlow: 5 s
	Write time.Duration // a write that takes longer cuts the line: 15 s
	Grace time.Duration // for the peer to answer our close: 2 s
	Store time.Duration // for one call of the sink or the reader: 8 s
}

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&t.Hello, 10 * time.Second},
		{&t.Ping, 30 * time.Second},
		{&t.Poll, 15 * time.Second},
		{&t.Slow, 5 * time.Second},
		{&t.Write, 15 * time.Second},
		{&t.Grace, 2 * time.Second},
		{&t.Store, 8 * time.Second},
	} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	return t
}

// account is an Account made ready.
type account struct {
	id      chat.AccountID
	any     bool
	origins map[string]bool
	key     []byte
}

// Channel is the web channel with all its accounts and sockets.
type Channel struct {
	o        Options
	accounts map[chat.AccountID]*account
	sessions *sessions
	upgrader websocket.Upgrader
	hub      *hub
	log      *slog.Logger
	// now is the injected clock; wall is the kernel's, which deadlines of
	// sockets are measured by.
	now, wall func() time.Time

	// base is the life of the sockets: they outlive their HTTP requests.
	base   context.Context //nolint:containedctx // see above
	cancel context.CancelFunc
	// deafen ends the subscription to the wake-ups.
	deafen func()
}

var (
	_ channels.Channel = (*Channel)(nil)
	_ channels.Puller  = (*Channel)(nil)
	_ channels.Runner  = (*Channel)(nil)
	_ channels.Drainer = (*Channel)(nil)
)

// New makes the channel. It opens nothing; Run must run for sockets to hear of
// new messages.
func New(o Options) (*Channel, error) {
	if o.Sink == nil || o.Reader == nil || o.Wakes == nil {
		return nil, errors.New("web: Sink, Reader and Wakes are required")
	}
	s, err := newSessions(o.Key)
	if err != nil {
		return nil, err
	}
	if o.Clock == nil {
		o.Clock = time.Now //nolint:forbidigo // where no clock is injected, the real one is read here
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	if o.ClientIP == nil {
		o.ClientIP = peerIP
	}
	if o.Propose == nil {
		o.Propose = propose
	}
	if o.Limits.VisitorBurst <= 0 {
		o.Limits.VisitorBurst = 40
	}
	if o.Limits.VisitorPerS <= 0 {
		o.Limits.VisitorPerS = 1
	}
	if o.Limits.SocketsPerIP <= 0 {
		o.Limits.SocketsPerIP = 200
	}
	if o.Limits.Sockets <= 0 {
		o.Limits.Sockets = 20_000
	}
	o.Timing = o.Timing.withDefaults()
	c := &Channel{
		o: o, sessions: s, log: o.Logger, now: o.Clock, wall: time.Now, //nolint:forbidigo // where no clock is injected, the real one is read here
		accounts: make(map[chat.AccountID]*account, len(o.Accounts)),
	}
	c.base, c.cancel = context.WithCancel(context.Background())
	c.hub = newHub(c)
	for _, a := range o.Accounts {
		if a.ID == "" || c.accounts[a.ID] != nil {
			return nil, fmt.Errorf("web: account id %q is empty or used twice", a.ID)
		}
		ready := &account{id: a.ID, key: []byte(a.IdentityKey), origins: make(map[string]bool)}
		for _, text := range a.AllowedOrigins {
			if text == "*" {
				ready.any = true
				continue
			}
			origin, ok := normalOrigin(text)
			if !ok {
				return nil, fmt.Errorf("web: account %q: %q is not an origin like https://www.example.com", a.ID, text)
			}
			ready.origins[origin] = true
		}
		c.accounts[a.ID] = ready
	}
	c.upgrader = websocket.Upgrader{
		HandshakeTimeout: 5 * time.Second,
		ReadBufferSize:   512, // frames are short; longer ones bypass it
		WriteBufferSize:  1 << 10,
		WriteBufferPool:  new(sync.Pool),
		Subprotocols:     []string{Subprotocol},
		CheckOrigin:      func(*http.Request) bool { return true }, // done before, with a better answer
		Error: func(w http.ResponseWriter, _ *http.Request, status int, _ error) {
			refuse(w, status, "bad_handshake", "The request is not a correct WebSocket handshake.")
		},
	}
	// From here on, not from Run on: a visitor may be faster than Run.
	c.deafen = o.Wakes.Subscribe(c.hub.wake)
	return c, nil
}

// Kind is web.
func (c *Channel) Kind() string { return "web" }

// Pulls is true: sockets read the transcript themselves.
func (c *Channel) Pulls() bool { return true }

// Limits are what fits one frame.
func (c *Channel) Limits(chat.AccountID) channels.Limits {
	return channels.Limits{TextRunes: 4000, MaxParts: 1, Options: 20}
}

// Send has nothing to do, for what is committed is thereby sent; it only makes
// the sockets of this replica look at once.
func (c *Channel) Send(_ context.Context, out channels.Outbound) error {
	c.hub.wake(chat.Wake{Conv: out.Conv})
	return nil
}

// Handler serves GET /channels/web/{account}/ws.
func (c *Channel) Handler() http.Handler { return http.HandlerFunc(c.serve) }

func (c *Channel) serve(w http.ResponseWriter, r *http.Request) {
	rest, _ := strings.CutPrefix(r.URL.Path, "/channels/web/")
	id, ok := strings.CutSuffix(rest, "/ws")
	a := c.accounts[chat.AccountID(id)]
	if !ok || a == nil {
		refuse(w, http.StatusNotFound, "unknown_account", "There is no web account at this address.")
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed, "method_not_allowed", "Open this address with GET, as a WebSocket.")
		return
	}
	if !a.allows(r) {
		refuse(w, http.StatusForbidden, "origin_refused", "This page may not open a chat; add its origin to the account's allowed_origins.")
		return
	}
	if !websocket.IsWebSocketUpgrade(r) {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		refuse(w, http.StatusUpgradeRequired, "upgrade_required", "This address speaks WebSocket only.")
		return
	}
	if offered := websocket.Subprotocols(r); len(offered) > 0 && !slices.Contains(offered, Subprotocol) {
		refuse(w, http.StatusBadRequest, "subprotocol_unknown", "The only subprotocol here is "+Subprotocol+".")
		return
	}
	ip := clientNet(c.o.ClientIP(r))
	switch c.hub.reserve(ip) {
	case reserveClosed:
		w.Header().Set("Retry-After", "2")
		refuse(w, http.StatusServiceUnavailable, "shutting_down", "This server is going down; connect again.")
		return
	case reserveFull:
		w.Header().Set("Retry-After", "30")
		refuse(w, http.StatusTooManyRequests, "too_many_sockets", "Too many chats are open from this network address.")
		return
	case reserveBusy:
		w.Header().Set("Retry-After", "30")
		refuse(w, http.StatusServiceUnavailable, "server_full", "Too many chats are open here; try again later.")
		return
	case reserveOK:
	}
	ws, err := c.upgrader.Upgrade(w, r, nil)
	if err != nil { // the upgrader has answered
		c.hub.release(ip)
		return
	}
	// The handler returns now: net/http's buffers are freed, and nothing of r
	// may be kept.
	c.hub.open(newConn(c, ws, a, ip))
}

func (a *account) allows(r *http.Request) bool {
	values := r.Header.Values("Origin")
	if len(values) == 0 || a.any {
		return true
	}
	origin, ok := normalOrigin(values[0])
	if !ok || len(values) > 1 {
		return false
	}
	if len(a.origins) > 0 {
		return a.origins[origin]
	}
	_, host, _ := strings.Cut(origin, "://")
	own, ok := normalOrigin(origin[:len(origin)-len(host)] + r.Host)
	return ok && own == origin
}

// normalOrigin writes an origin as browsers do: lower case, no default port.
func normalOrigin(s string) (string, bool) {
	u, err := url.Parse(strings.TrimSuffix(s, "/"))
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + host, true
}

func peerIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// clientNet is what sockets are counted by: an IPv4 address, or an IPv6 /64,
// which one customer has whole.
func clientNet(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		p, _ := a.Prefix(64) // 64 is in range
		return p.String()
	}
	return a.String()
}

func propose(a chat.Address) chat.ConvID {
	h := fnv.New32a()
	_, _ = h.Write([]byte(string(a.Account) + "\x00" + a.ID))
	return chat.NewConvID(int(h.Sum32() % chat.Shards))
}

func refuse(w http.ResponseWriter, status int, code, detail string) {
	(&channels.RefusalError{Status: status, Code: code, Detail: detail}).Write(w)
}

type noMetrics struct{}

func (noMetrics) SocketOpened(chat.AccountID)      {}
func (noMetrics) SocketClosed(chat.AccountID, int) {}
func (noMetrics) FrameIn(chat.AccountID, string)   {}
