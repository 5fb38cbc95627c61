package redisx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The modes a DB may be in.
const (
	ModeEmbedded = "embedded" // our own redis-server child
	ModeTrial    = "trial"    // in this process's memory only: lost at the end
	ModeSingle   = "single"
	ModeSentinel = "sentinel"
	ModeCluster  = "cluster"
)

// minMajor is the oldest server that is supported: 7.0.
const minMajor = 7

// Options say where Redis is.
type Options struct {
	// URL is redis:// rediss:// unix:// redis-sentinel:// or redis-cluster://,
	// the last two with rediss- for TLS; empty means embedded.
	URL string
	// Dir is the embedded server's own directory, made if it is missing.
	Dir string
	// AppendFsync is everysec (default) or always, for the embedded server.
	AppendFsync string
	// Binary is the embedded server's program; empty looks for redis-server,
	// then valkey-server, on PATH.
	Binary string
	// PoolSize is how many connections the main client may open to a node; 64 by default.
	PoolSize int
	Logger   *slog.Logger
}

// DB is a connected Redis. Its methods are safe for concurrent use.
type DB struct {
	mode           string
	client, pubsub redis.UniversalClient
	child          *child
	trial          *trial
	done           chan error
}

// Connect connects, or starts the embedded server and waits until it serves,
// however long it loads, until ctx ends. It fails when Redis cannot be reached
// or is older than 7.0. Errors never hold the URL, which may hold a password.
//
// The clients never repeat a command by themselves: a lost reply would make
// them run a script twice. The clients' own log lines go to the logger of the
// last Connect of the process, at debug level.
func Connect(ctx context.Context, o Options) (*DB, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.PoolSize == 0 {
		o.PoolSize = 64
	}
	redis.SetLogger(driverLog{o.Logger})
	db := &DB{done: make(chan error, 1)}
	var at *redis.UniversalOptions
	var err error
	if o.URL != "" {
		at, db.mode, err = parseURL(o.URL)
	} else {
		at, err = db.embed(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	db.client, db.pubsub = newClient(*at, db.mode, o.PoolSize), newClient(*at, db.mode, 4)
	if err := db.check(ctx); err != nil {
		_ = db.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return db, nil
}

// embed starts the child, or the trial store where there is no program for it.
func (db *DB) embed(ctx context.Context, o Options) (*redis.UniversalOptions, error) {
	binary, err := findBinary(o.Binary)
	if err != nil {
		db.mode = ModeTrial
		if db.trial, err = startTrial(); err != nil {
			return nil, err
		}
		o.Logger.WarnContext(ctx, "no redis-server on PATH: trial mode, everything is kept in memory only and lost at the end")
		return &redis.UniversalOptions{Addrs: []string{db.trial.addr}, Password: db.trial.password}, nil
	}
	db.mode = ModeEmbedded
	if db.child, err = startChild(ctx, binary, o, db.done); err != nil {
		return nil, err
	}
	return &redis.UniversalOptions{Addrs: []string{db.child.socket}}, nil
}

// newClient makes a client of our settings for the servers at at.
func newClient(at redis.UniversalOptions, mode string, pool int) redis.UniversalClient {
	at.MaxRetries = -1
	at.ContextTimeoutEnabled = true
	at.PoolSize = pool
	at.DialTimeout = 2 * time.Second
	at.ReadTimeout = 3 * time.Second
	at.WriteTimeout = 3 * time.Second
	at.DialerRetries = 2
	at.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch mode {
	case ModeCluster:
		return redis.NewClusterClient(at.Cluster())
	case ModeSentinel:
		return redis.NewFailoverClient(at.Failover())
	default:
		simple := at.Simple()
		if strings.HasPrefix(simple.Addr, "/") {
			simple.Network = "unix"
		}
		return redis.NewClient(simple)
	}
}

// check asks whether Redis answers and is new enough. A server that hides its
// version is trusted.
func (db *DB) check(ctx context.Context) error {
	if err := db.Ping(ctx); err != nil {
		return err
	}
	if db.mode == ModeTrial {
		return nil
	}
	info, err := db.client.Info(ctx, "server").Result()
	if err != nil {
		return nil // not every account may ask
	}
	for line := range strings.Lines(info) {
		version, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:")
		if !ok {
			continue
		}
		major, _, _ := strings.Cut(version, ".")
		if n, err := strconv.Atoi(major); err == nil && n < minMajor {
			return fmt.Errorf("redis: version %s is too old, 7.0 is needed", version)
		}
	}
	return nil
}

// Client runs commands and scripts.
func (db *DB) Client() redis.UniversalClient { return db.client }

// PubSub is a client of its own for subscriptions, which hold a connection each.
func (db *DB) PubSub() redis.UniversalClient { return db.pubsub }

// Mode is one of embedded, trial, single, sentinel, cluster.
func (db *DB) Mode() string { return db.mode }

// Ping asks whether Redis answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// Done yields an error once when the embedded server cannot be kept alive; the
// program should end then. It never yields in the other modes.
func (db *DB) Done() <-chan error { return db.done }

// Close closes the clients and then ends the embedded server, which has written
// everything before it ends. When ctx ends first the server is killed. It must
// be the last step of a shutdown, and be called once.
func (db *DB) Close(ctx context.Context) error {
	var errs []error
	if db.client != nil {
		errs = append(errs, db.client.Close(), db.pubsub.Close())
	}
	if db.child != nil {
		errs = append(errs, db.child.stop(ctx))
	}
	if db.trial != nil {
		db.trial.stop()
	}
	return errors.Join(errs...)
}

// driverLog takes go-redis's own lines.
type driverLog struct{ logger *slog.Logger }

// Printf implements go-redis's logging interface.
func (l driverLog) Printf(ctx context.Context, format string, v ...any) {
	if l.logger.Enabled(ctx, slog.LevelDebug) {
		l.logger.DebugContext(ctx, "redis client", "line", fmt.Sprintf(format, v...))
	}
}
