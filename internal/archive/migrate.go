package archive

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// appendOnly makes the database itself refuse to change the audit log. The two
// dialects say it differently, so it is a migration in Go.
var appendOnly = map[string][]string{
	ModeSQLite: {
		`CREATE TRIGGER audits_no_update BEFORE UPDATE ON audits BEGIN SELECT RAISE(ABORT, 'audits is append-only'); END`,
		`CREATE TRIGGER audits_no_delete BEFORE DELETE ON audits BEGIN SELECT RAISE(ABORT, 'audits is append-only'); END`,
	},
	ModePostgres: {
		`CREATE FUNCTION audits_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audits is append-only'; END $$`,
		`CREATE TRIGGER audits_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audits FOR EACH STATEMENT EXECUTE FUNCTION audits_append_only()`,
	},
}

// Two processes may start on a fresh SQLite file at once; the one that comes
// second finds the work half done and looks again.
const (
	migrateTries = 50
	migratePause = 100 * time.Millisecond
)

func (a *Archive) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("archive: migrations: %w", err)
	}
	opts := []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true),
		goose.WithGoMigrations(goose.NewGoMigration(2, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			for _, stmt := range appendOnly[a.mode] {
				if _, err := tx.ExecContext(ctx, stmt); err != nil {
					return err
				}
			}
			return nil
		}}, nil)),
	}
	dialect := goose.DialectSQLite3
	if a.mode == ModePostgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("archive: migrations: %w", err)
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, a.write.DB, files, opts...)
	if err != nil {
		return fmt.Errorf("archive: migrations: %w", err)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for try := range migrateTries {
		select {
		case <-ctx.Done():
			return fmt.Errorf("archive: migrations: %w", errors.Join(err, ctx.Err()))
		case <-timer.C:
			timer.Reset(migratePause)
		}
		var done []*goose.MigrationResult
		if done, err = provider.Up(ctx); err == nil {
			if len(done) > 0 {
				a.log.InfoContext(ctx, "database migrated", "mode", a.mode, "steps", len(done), "tries", try+1)
			}
			return nil
		}
		if a.mode == ModePostgres {
			break // it has a lock of its own; the error is a real one
		}
	}
	return fmt.Errorf("archive: migrations: %w", err)
}
