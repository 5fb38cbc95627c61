// Package web is the HTTP face of the house, and the only package that knows
// echo: the agent API of the contract with its live events, login and roles,
// the pages (widget script, demo, console), health and metrics, and the mount
// point of the channels' own handlers.
//
// It holds no state of conversations: what agents see and do goes through the
// Desk and Users interfaces declared here. Everything is masked, checked for
// rights and written to the audit log in this package.
package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"wensheng/handoff"
	"wensheng/internal/chat"
)

// Desk is what agents do; internal/intake implements it. Every method checks
// the lease itself as well; errors are those of chat/errors.go and
// *chat.TransitionError. Safe for concurrent use.
type Desk interface {
	// Queue returns what waits in the groups the user works for.
	Queue(ctx context.Context, u chat.User) ([]handoff.Item, error)
	// Claim takes conv, or with conv empty the next one of group, or of all the
	// user's groups when group is empty too. ErrEmpty, ErrTaken, ErrNotFound.
	// The holder gets his own lease again.
	Claim(ctx context.Context, u chat.User, conv chat.ConvID, group string) (handoff.Lease, error)
	// Say appends the agent's words; a repeated cid returns the stored message.
	Say(ctx context.Context, u chat.User, conv chat.ConvID, lease, cid, text string) (chat.Message, error)
	// Note appends an internal note.
	Note(ctx context.Context, u chat.User, conv chat.ConvID, lease, cid, text string) (chat.Message, error)
	// Release gives the conversation back to its queue.
	Release(ctx context.Context, u chat.User, conv chat.ConvID, lease string) error
	// Transfer passes it to a group, or to an agent of a group.
	Transfer(ctx context.Context, u chat.User, conv chat.ConvID, lease, group, agent, note string) error
	// Hold parks the conversation (on) or takes it off hold.
	Hold(ctx context.Context, u chat.User, conv chat.ConvID, lease string, on bool) error
	// Close ends it.
	Close(ctx context.Context, u chat.User, conv chat.ConvID, lease, reason string) error
	// Typing shows the contact that the agent is writing. Best effort.
	Typing(ctx context.Context, u chat.User, conv chat.ConvID, lease string) error
	// Renew extends the user's leases among the tokens and returns those still held.
	Renew(ctx context.Context, u chat.User, leases []string) ([]handoff.Lease, error)
	// Holds returns the user's leases.
	Holds(ctx context.Context, u chat.User) ([]handoff.Lease, error)
	// SetPresence says whether the user takes conversations and how many at once.
	SetPresence(ctx context.Context, u chat.User, s handoff.Status, capacity int) error
	// Agents returns everybody's presence and load.
	Agents(ctx context.Context) ([]handoff.Agent, error)
	// Conversation returns everything about one, live or archived. ErrNotFound.
	Conversation(ctx context.Context, conv chat.ConvID) (handoff.View, error)
}

// Users keeps users, login sessions and the audit log; internal/archive
// implements it, behind an adapter for AuditQuery. Safe for concurrent use.
type Users interface {
	// CreateUser stores a new user; chat.ErrTaken when the login is in use.
	CreateUser(ctx context.Context, u chat.User) error
	UserByLogin(ctx context.Context, login string) (chat.User, error)
	UserByID(ctx context.Context, id string) (chat.User, error)
	Users(ctx context.Context) ([]chat.User, error)
	UpdateUser(ctx context.Context, u chat.User) error

	SaveLogin(ctx context.Context, l chat.Login) error
	// LoginByHash returns chat.ErrNotFound when there is none.
	LoginByHash(ctx context.Context, hash string) (chat.Login, error)
	// DeleteLogin returns chat.ErrNotFound when nothing was there to delete: of
	// several callers at once exactly one deletes.
	DeleteLogin(ctx context.Context, hash string) error

	AddAudit(ctx context.Context, a chat.Audit) error
	// Audits returns the newest lines first.
	Audits(ctx context.Context, q AuditQuery) ([]chat.Audit, error)
}

// AuditQuery selects lines of the audit log; empty fields do not restrict.
type AuditQuery struct {
	Object string
	User   string
	// Limit is how many at most; Before returns only lines with a smaller ID.
	Limit  int
	Before int64
}

// ListQuery selects conversations for a supervisor's list.
type ListQuery struct {
	State chat.State
	Limit int
}

// Group is a skill group as the console shows it.
type Group struct {
	ID, Name string
	// Auto is set where the desk assigns by itself.
	Auto bool
	// Open reports whether the group works at t; nil means always.
	Open func(t time.Time) bool
}

// Front is one built front end.
type Front struct {
	// FS holds the built files at its root.
	FS fs.FS
	// Built is false when the binary was made without them.
	Built bool
}

// Readiness is the body of /readyz.
type Readiness struct {
	Ready     bool       `json:"ready"`
	Redis     Dependency `json:"redis"`
	Database  Dependency `json:"database"`
	Knowledge Dependency `json:"knowledge"`
}

// Dependency is how one thing the process needs stands.
type Dependency struct {
	OK      bool   `json:"ok"`
	Mode    string `json:"mode,omitempty"`
	Version string `json:"version,omitempty"`
	// Problem is one plain sentence without addresses or secrets.
	Problem string `json:"problem,omitempty"`
}

// Options configures a Server. Desk, Users, Wakes, Notes, Derive and Mask are
// required.
type Options struct {
	Desk  Desk
	Users Users
	Wakes chat.Wakes
	// Notes tells about queues, assignments and presence. fn must not block.
	Notes interface {
		Subscribe(fn func(handoff.Note)) (cancel func())
	}
	// List returns conversations in a state, newest change first; nil makes the
	// supervisor's list answer 503.
	List func(ctx context.Context, q ListQuery) ([]chat.Conversation, error)
	// Knowledge is the knowledge editors' workflow; nil makes it answer 503.
	Knowledge Knowledge
	// Window tells how many messages the contact can still be sent and until
	// when, on channels that limit it; a zero until says that no window is known
	// to be open, ok false that there is nothing to tell. Nil tells nothing.
	Window func(ctx context.Context, contact chat.Address) (left int, until time.Time, ok bool)
	// Media returns the bytes of a file a contact has sent, by its reference;
	// chat.ErrNotFound when it is not kept. Nil keeps none.
	Media func(ctx context.Context, ref string) ([]byte, error)
	// Derive returns a 32-byte subkey for a purpose; it keys the hashes of
	// session tokens.
	Derive func(purpose string) []byte
	// Mask hides personal data in a text for the screen (RULES §6.3).
	Mask func(string) string
	// Normalize brings an agent's words to one script (traditional to
	// simplified) before the blocked-wording rules; it must leave punctuation,
	// which ends what a rule may reach over. Nil is allowed.
	Normalize func(string) string

	// Channels are mounted as they are under /channels/<kind>/.
	Channels map[string]http.Handler
	// Ready answers /readyz; nil means always ready.
	Ready func(ctx context.Context) Readiness
	// Metrics serves /metrics; nil leaves the path out.
	Metrics http.Handler
	// Observe is told every answered request: the route's template, never the
	// path. Nil is allowed.
	Observe func(route, method string, status int, took time.Duration)

	Groups []Group
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []*net.IPNet
	// PublicURL is the outside address; https makes cookies Secure.
	PublicURL string
	// LoginsPerIPMin is how many login attempts an address may make in a
	// minute; 0 means 60.
	LoginsPerIPMin int
	// SessionTTL is how long a login lasts; 0 means 12 hours.
	SessionTTL time.Duration
	// LeaseHint is how often the console should renew; 0 means 15 s.
	LeaseHint time.Duration

	Console Front
	Widget  Front
	// DemoAccount is the web account on the demo page and behind one-time
	// links; empty means "web".
	DemoAccount string
	// Links opens one-time links under /l/; nil says of every link that it is
	// none of ours.
	Links Links
	// Company and Hotline are shown on the pages of one-time links; empty ones
	// are left out.
	Company, Hotline string
	// Version is shown in the console.
	Version string

	Clock  func() time.Time
	Logger *slog.Logger
}

// Server serves everything over HTTP. Safe for concurrent use.
type Server struct {
	o       Options
	log     *slog.Logger
	clock   func() time.Time
	handler http.Handler
	echo    *echo.Echo
	clip    echo.IPExtractor

	auth     *auth
	throttle *throttle
	wording  *wording
	hub      *hub
	// deafen ends the subscriptions to wake-ups and notes.
	deafen func()

	draining chan struct{}
	drainOne sync.Once
}

// New builds the server; it starts nothing and opens no port.
func New(o Options) (*Server, error) {
	switch {
	case o.Desk == nil, o.Users == nil, o.Wakes == nil, o.Notes == nil:
		return nil, errors.New("web: Desk, Users, Wakes and Notes are required")
	case o.Derive == nil, o.Mask == nil:
		return nil, errors.New("web: Derive and Mask are required")
	}
	if o.Clock == nil {
		o.Clock = time.Now //nolint:forbidigo // the default clock
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.LoginsPerIPMin <= 0 {
		o.LoginsPerIPMin = 60
	}
	if o.SessionTTL <= 0 {
		o.SessionTTL = 12 * time.Hour
	}
	if o.LeaseHint <= 0 {
		o.LeaseHint = 15 * time.Second
	}
	if o.DemoAccount == "" {
		o.DemoAccount = "web"
	}
	words, err := newWording(o.Normalize)
	if err != nil {
		return nil, fmt.Errorf("web: blocked wording: %w", err)
	}
	au, err := newAuth(o.Users, o.Derive, o.Clock, o.SessionTTL)
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s := &Server{
		o: o, log: o.Logger, clock: o.Clock,
		auth: au, throttle: newThrottle(o.Clock, o.LoginsPerIPMin), wording: words,
		draining: make(chan struct{}),
	}
	s.clip = clientIP(o.TrustedProxies)
	s.hub = newHub(s)
	if err := s.routes(); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	// From here on, not from Run on: a console may be faster than Run.
	stopWakes, stopNotes := o.Wakes.Subscribe(s.hub.wake), o.Notes.Subscribe(s.hub.note)
	s.deafen = func() { stopWakes(); stopNotes() }
	return s, nil
}

// Handler returns the whole site.
func (s *Server) Handler() http.Handler { return s.handler }

// HTTPServer returns a server around Handler with every timeout set; the
// caller brings the listener. There is no write timeout on purpose shorter
// than a passive reply: 60 s bounds a slow reader.
func (s *Server) HTTPServer() *http.Server {
	return &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// Run passes wake-ups and notes on to the consoles' sockets until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	s.deafen()
	return nil
}

// Drain makes /readyz say no, tells every console socket to reconnect (close
// code 4000) and returns when all are gone, or with ctx's error. Requests
// under way are the http.Server's to finish.
func (s *Server) Drain(ctx context.Context) error {
	s.drainOne.Do(func() { close(s.draining) })
	return s.hub.drain(ctx)
}

func (s *Server) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// clientIP reads the caller's address: the peer's, or what trusted proxies say
// in X-Forwarded-For. Nothing is trusted that the config does not name.
func clientIP(trusted []*net.IPNet) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	opts := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, n := range trusted {
		opts = append(opts, echo.TrustIPRange(n))
	}
	return echo.ExtractIPFromXFFHeader(opts...)
}

func (s *Server) secure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(s.o.PublicURL, "https://")
}
