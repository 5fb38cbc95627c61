// Package archive is the record: users and their logins, the audit log, and
// closed conversations with their transcripts, in SQL. SQLite under the data
// directory by default, PostgreSQL by URL; one schema, migrated at start.
//
// What a contact wrote, who he is and where he can be reached is sealed before
// it gets here; lookups go by an HMAC. Everything written from Redis is an
// idempotent upsert, so the projector may repeat itself.
//
// All methods are safe for concurrent use. They return chat.ErrNotFound and
// chat.ErrTaken where said; any other error means the database did not do it.
package archive

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"wensheng/internal/chat"
	"wensheng/internal/pii"
)

// The modes.
const (
	ModeSQLite   = "sqlite"
	ModePostgres = "postgres"
)

// sqliteFile is the database's name under the data directory.
const sqliteFile = "wensheng.db"

// Sizes of the connection pools.
const (
	postgresConns = 10
	sqliteReaders = 4
)

// Options are what Open needs. Sealer is required.
type Options struct {
	// URL is postgres://… or empty for SQLite under Dir.
	URL string
	// Dir is the data directory; it is made with mode 0700.
	Dir string
	// Sealer seals what is personal and hashes what is looked up.
	Sealer *pii.Sealer
	// Clock is the time of day; nil is time.Now.
	Clock func() time.Time
	// Logger is told of migrations and of failed re-sealing; nil discards.
	Logger *slog.Logger
}

// Archive is an open database.
type Archive struct {
	// SQLite has one writer and several readers; in PostgreSQL both are one pool.
	write, read *bun.DB
	mode        string
	seal        *pii.Sealer
	auditKey    []byte
	clock       func() time.Time
	log         *slog.Logger
}

// Open connects and migrates. Several processes may have the same database
// open, such as `wensheng user add` beside `serve`.
func Open(ctx context.Context, o Options) (*Archive, error) {
	if o.Sealer == nil {
		return nil, errors.New("archive: Options.Sealer is required")
	}
	a := &Archive{seal: o.Sealer, auditKey: o.Sealer.Derive("audit chain"), clock: o.Clock, log: o.Logger}
	if a.clock == nil {
		a.clock = time.Now //nolint:forbidigo // the one place where the default clock is taken
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if o.URL == "" {
		err = a.openSQLite(o.Dir)
	} else {
		err = a.openPostgres(o.URL)
	}
	if err != nil {
		return nil, err
	}
	if err := a.Ping(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if err := a.migrate(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// Exists reports whether there is a database to open: PostgreSQL by its URL, or
// the file under the data directory. It does not connect.
func Exists(url, dir string) bool {
	if url != "" {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, sqliteFile))
	return err == nil
}

func (a *Archive) openSQLite(dir string) error {
	a.mode = ModeSQLite
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	name, err := filepath.Abs(filepath.Join(dir, sqliteFile))
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	// SQLite would make the file readable by all; its log takes the same mode.
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	open := func(query string, conns int) (*bun.DB, error) {
		dsn := (&url.URL{Scheme: "file", OmitHost: true, Path: name, RawQuery: query}).String()
		db, err := sql.Open("sqlite", dsn)
		if err != nil {
			return nil, fmt.Errorf("archive: %w", err)
		}
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(conns)
		return bun.NewDB(db, sqlitedialect.New(), bun.WithDiscardUnknownColumns()), nil
	}
	const pragmas = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)"
	if a.write, err = open(pragmas+"&_txlock=immediate", 1); err != nil {
		return err
	}
	a.read, err = open(pragmas+"&_pragma=query_only(1)", sqliteReaders)
	return err
}

func (a *Archive) openPostgres(url string) error {
	a.mode = ModePostgres
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		// The cause may quote the password.
		return errors.New("archive: database.url is not understood; want postgres://user:password@host:port/name")
	}
	// bun writes arguments into the statement, so prepared ones would never be
	// used again.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(postgresConns)
	db.SetMaxIdleConns(postgresConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	a.write = bun.NewDB(db, pgdialect.New(), bun.WithDiscardUnknownColumns())
	a.read = a.write
	return nil
}

// Close ends all connections.
func (a *Archive) Close() error {
	var err error
	if a.read != nil && a.read != a.write {
		err = a.read.Close()
	}
	if a.write != nil {
		err = errors.Join(err, a.write.Close())
	}
	if err != nil {
		return fmt.Errorf("archive: close: %w", err)
	}
	return nil
}

// Ping asks the database for a sign of life.
func (a *Archive) Ping(ctx context.Context) error {
	if err := a.read.PingContext(ctx); err != nil {
		return fmt.Errorf("archive: %s does not answer: %w", a.mode, err)
	}
	return nil
}

// Mode returns ModeSQLite or ModePostgres.
func (a *Archive) Mode() string { return a.mode }

// within runs fn in a writing transaction.
func (a *Archive) within(ctx context.Context, what string, fn func(ctx context.Context, tx bun.Tx) error) error {
	return wrap(what, a.write.RunInTx(ctx, nil, fn))
}

// wrap names the step and turns the drivers' errors into ours.
func wrap(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("archive: %s: %w", what, chat.ErrNotFound)
	case isUnique(err):
		return fmt.Errorf("archive: %s: %w", what, chat.ErrTaken)
	}
	return fmt.Errorf("archive: %s: %w", what, err)
}

func isUnique(err error) bool {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505"
}

// affected reports chat.ErrNotFound when a statement touched no row.
func affected(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return sql.ErrNoRows
	}
	return err
}

// sealJSON seals the JSON of v.
func (a *Archive) sealJSON(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return a.seal.Seal(plain), nil
}

func (a *Archive) openJSON(sealed []byte, v any) error {
	plain, err := a.seal.Open(sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}

// micros is how a moment is stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func normalLogin(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
