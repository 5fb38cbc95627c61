// Package app wires the house together by hand: New builds everything a Config
// names, Run serves until its context ends and then shuts down in the written
// order of DESIGN §3. End-to-end tests start the same type on a free port.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"wensheng/channels"
	"wensheng/channels/sms"
	webchat "wensheng/channels/web"
	"wensheng/channels/wechat"
	"wensheng/handoff"
	"wensheng/internal/archive"
	"wensheng/internal/chat"
	"wensheng/internal/config"
	"wensheng/internal/intake"
	"wensheng/internal/knowledge"
	"wensheng/internal/pii"
	"wensheng/internal/redisx"
	"wensheng/internal/store"
	"wensheng/internal/telemetry"
	"wensheng/web"
)

// Options are what New needs besides the config.
type Options struct {
	Config *config.Config
	Logger *slog.Logger
	// Clock is time.Now when nil.
	Clock func() time.Time
	// Tune, when not nil, changes the pipeline's intervals; for tests.
	Tune func(*intake.Options)
	// Progress is told, in a few words, what start-up is doing; nil is fine.
	Progress func(string)
}

// App is the whole gateway.
type App struct {
	cfg    *config.Config
	log    *slog.Logger
	clock  func() time.Time
	meter  *telemetry.Metrics
	tune   func(*intake.Options)
	sealer *pii.Sealer

	redis   *redisx.DB
	store   *store.Store
	archive *archive.Archive
	vault   *vault
	desk    *handoff.Desk
	live    *knowledge.Live
	library *knowledge.Library
	wechat  *wechat.Channel
	webchat *webchat.Channel
	sms     *sms.Channel
	router  *channels.Router
	intake  *intake.Intake
	web     *web.Server

	listener net.Listener
	server   *http.Server
	unready  atomic.Bool
	// builtFrontEnds is false when the binary was made without the web pages.
	builtFrontEnds bool
}

// New builds the gateway, connects to everything it needs and opens its port.
// It serves nothing yet. On error everything that was opened is closed again.
func New(ctx context.Context, o Options) (_ *App, err error) {
	if o.Clock == nil {
		o.Clock = time.Now //nolint:forbidigo // where no clock is injected, the real one is read here
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	a := &App{cfg: o.Config, log: o.Logger, clock: o.Clock, tune: o.Tune}
	defer func() {
		if err != nil {
			a.close(context.WithoutCancel(ctx))
		}
	}()
	if err := os.MkdirAll(a.cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", a.cfg.Data, err)
	}
	if a.sealer, err = newSealer(a.cfg); err != nil {
		return nil, err
	}
	a.meter = telemetry.NewMetrics()

	// The port first: a second gateway on it must fail before it touches data.
	if a.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.Listen); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", a.cfg.Listen, err)
	}

	o.Progress("redis")
	if err := a.openStores(ctx); err != nil {
		return nil, err
	}
	o.Progress("knowledge base")
	if err := a.openLibrary(ctx); err != nil {
		return nil, err
	}
	o.Progress("channels")
	if err := a.wire(); err != nil { //nolint:contextcheck // it builds handlers, whose contexts come with their requests
		return nil, err
	}
	return a, nil
}

// newSealer makes the sealer of the config's keys, generating one where there is none.
func newSealer(cfg *config.Config) (*pii.Sealer, error) {
	if err := config.EnsureKey(cfg); err != nil {
		return nil, err
	}
	current, older := cfg.Secrets.Keys()
	sealer, err := pii.NewSealer(current, older...)
	if err != nil {
		return nil, inputError{fmt.Errorf("secrets: %w", err)}
	}
	return sealer, nil
}

func (a *App) openStores(ctx context.Context) (err error) {
	a.redis, err = redisx.Connect(ctx, redisx.Options{
		URL: a.cfg.Redis.URL.Reveal(), Dir: filepath.Join(a.cfg.Data, "redis"),
		AppendFsync: a.cfg.Redis.AppendFsync, Logger: a.log,
	})
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	a.archive, err = archive.Open(ctx, archive.Options{
		URL: a.cfg.Database.URL.Reveal(), Dir: a.cfg.Data, Sealer: a.sealer, Clock: a.clock, Logger: a.log,
	})
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	a.store, err = store.New(store.Options{
		Redis: a.redis.Client(), PubSub: a.redis.PubSub(), Sealer: a.sealer,
		Channel: a.kindOf, Pulls: func(id chat.AccountID) bool { return a.kindOf(id) == config.KindWeb },
		Clock: a.clock, Logger: a.log,
		TurnLease: a.cfg.Timeouts.Turn, ReopenWindow: noneOr(a.cfg.Timeouts.Reopen),
	})
	if err != nil {
		return err
	}
	groups, err := groupsOf(a.cfg)
	if err != nil {
		return err
	}
	a.desk, err = handoff.New(handoff.Options{
		Redis: a.redis.Client(), PubSub: a.redis.PubSub(), Sealer: a.sealer, Groups: groups,
		Clock: a.clock, Logger: a.log,
		LeaseTTL: a.cfg.Handoff.Lease, Grace: noneOr(a.cfg.Handoff.Grace),
		AcceptTimeout: a.cfg.Handoff.Accept, QueueMax: a.cfg.Handoff.QueueMax,
	})
	return err
}

// noneOr keeps a configured zero from being read as "the default".
func noneOr(d time.Duration) time.Duration { return max(d, time.Millisecond) }

func (a *App) kindOf(id chat.AccountID) string {
	acc, _ := a.cfg.Account(string(id))
	return acc.Kind
}

func groupsOf(cfg *config.Config) ([]handoff.Group, error) {
	groups := make([]handoff.Group, 0, len(cfg.Groups))
	for _, g := range cfg.Groups {
		hg := handoff.Group{ID: g.ID, Name: g.Name, Auto: g.Assign == "auto"}
		if g.Hours.Weekly != "" {
			h, err := handoff.ParseHours(g.Hours.TZ, g.Hours.Weekly)
			if err != nil {
				return nil, fmt.Errorf("groups.%s.hours: %w", g.ID, err)
			}
			hg.Hours = h
		}
		groups = append(groups, hg)
	}
	return groups, nil
}

// Addr is the address the gateway listens on.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Trial reports whether conversations are kept in memory only.
func (a *App) Trial() bool { return a.redis.Mode() == "trial" }

// Run serves until ctx ends or something the gateway cannot live without fails,
// then shuts down in this order: not ready, listeners, turns, sockets, archive,
// Redis. It returns nil after an orderly shutdown.
func (a *App) Run(ctx context.Context) error {
	bg, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, bg := errgroup.WithContext(bg)
	for _, run := range []func(context.Context) error{
		a.store.Run, a.desk.Run, a.intake.Run, a.web.Run,
		a.wechat.Run, a.webchat.Run, a.live.Run, a.library.Run, a.watchDirectory, a.watchRedis, a.expire,
	} {
		g.Go(func() error {
			if err := run(bg); err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		})
	}
	g.Go(func() error {
		select {
		case err := <-a.redis.Done():
			return fmt.Errorf("redis: %w", err)
		case <-bg.Done():
			return nil
		}
	})
	served := make(chan error, 1)
	go func() { served <- a.server.Serve(a.listener) }()

	var failed error
	select {
	case <-ctx.Done():
	case <-bg.Done():
	case err := <-served:
		failed = fmt.Errorf("http: %w", err)
	}
	sctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.Timeouts.Shutdown)
	defer cancel()
	a.drain(sctx)
	stop()
	err := g.Wait()
	a.close(sctx)
	return errors.Join(failed, err)
}

// drain is the first half of the written order of DESIGN §3: nothing new comes
// in, what was begun is finished, peers are told to come back elsewhere.
func (a *App) drain(ctx context.Context) {
	step := func(what string, f func(context.Context) error) {
		if err := f(ctx); err != nil {
			a.log.WarnContext(ctx, "shutdown step not finished", "step", what, "err", err)
		}
	}
	a.unready.Store(true)
	requests := make(chan error, 1)
	go func() { requests <- a.server.Shutdown(ctx) }() // closes the listener at once
	step("turns", a.intake.Drain)
	step("visitors' sockets", a.webchat.Drain)
	step("agents' sockets", a.web.Drain)
	step("media", a.wechat.Drain)
	step("requests", func(context.Context) error { return <-requests })
}

// close closes what is open, Redis last.
func (a *App) close(ctx context.Context) {
	if a.listener != nil {
		_ = a.listener.Close() // already closed by an orderly shutdown
	}
	if a.live != nil {
		a.live.Close()
	}
	if a.archive != nil {
		if err := a.archive.Close(); err != nil {
			a.log.WarnContext(ctx, "database not closed", "err", err)
		}
	}
	if a.redis != nil {
		if err := a.redis.Close(ctx); err != nil {
			a.log.WarnContext(ctx, "redis not closed", "err", err)
		}
	}
}
