package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/internal/config"
	"wensheng/nlp"
	"wensheng/nlp/dict"
)

// ErrInput marks what the operator has to mend: config, knowledge, a file he named.
var ErrInput = errors.New("")

// inputError is an ErrInput with its own words.
type inputError struct{ error }

func (e inputError) Is(target error) bool { return target == ErrInput }
func (e inputError) Unwrap() error        { return e.error }

// knowledge is the engine in force. A directory is watched; a version with an
// error is reported and the one in force stays.
type knowledge struct {
	cfg     *config.Config
	log     *slog.Logger
	current atomic.Pointer[bot.Engine]
	// inForce is told the version at the start and at every change.
	inForce func(version string)
}

func loadKnowledge(ctx context.Context, cfg *config.Config, log *slog.Logger, inForce func(string)) (*knowledge, error) {
	k := &knowledge{cfg: cfg, log: log, inForce: inForce}
	e, err := newEngine(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	k.use(e)
	return k, nil
}

func (k *knowledge) use(e *bot.Engine) {
	k.current.Store(e)
	k.inForce(e.Version())
}

func (k *knowledge) engine() *bot.Engine { return k.current.Load() }

func knowledgeFS(dir string) fs.FS {
	if dir == "" {
		return intents.Embedded()
	}
	return os.DirFS(dir)
}

func newEngine(ctx context.Context, cfg *config.Config, log *slog.Logger) (*bot.Engine, error) {
	base, problems := intents.Load(knowledgeFS(cfg.Knowledge.Dir))
	if base == nil {
		errs, _ := split(problems)
		return nil, inputError{errors.New(strings.Join(errs, "\n"))}
	}
	files, done, err := dict.Open(dict.Embedded())
	if err != nil {
		return nil, err
	}
	defer done()
	return bot.NewContext(ctx, bot.Options{
		Base: base, Facts: facts(cfg), Groups: groupIDs(cfg), Dict: nlp.DictFiles(files),
		CacheDir: filepath.Join(cfg.Data, "model"), Logger: log,
	})
}

// split tells errors from warnings.
func split(problems []intents.Problem) (errs, warnings []string) {
	for _, p := range problems {
		if p.Warning {
			warnings = append(warnings, p.String())
		} else {
			errs = append(errs, p.String())
		}
	}
	return errs, warnings
}

func facts(cfg *config.Config) map[string]string {
	m := map[string]string{}
	for k, v := range map[string]string{
		"company": cfg.Company.Name, "hotline": cfg.Company.Hotline, "app": cfg.Company.App,
		"site": cfg.Company.Site, "hours": cfg.Company.Hours,
	} {
		if v != "" {
			m[k] = v
		}
	}
	return m
}

func groupIDs(cfg *config.Config) []string {
	ids := make([]string, 0, len(cfg.Groups))
	for _, g := range cfg.Groups {
		ids = append(ids, g.ID)
	}
	return ids
}

// settle is how long a directory must be quiet before it is read again, so
// that a version copied file by file is loaded once and whole.
const settle = 200 * time.Millisecond

// watch reloads the directory at every change until ctx ends.
func (k *knowledge) watch(ctx context.Context) error {
	dir := k.cfg.Knowledge.Dir
	if dir == "" {
		<-ctx.Done()
		return nil
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	defer w.Close() //nolint:errcheck // nothing is left to lose
	addTree := func() error {
		return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			return w.Add(p)
		})
	}
	if err := addTree(); err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	quiet := time.NewTimer(settle)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.Events:
			quiet.Reset(settle)
		case err := <-w.Errors:
			k.log.WarnContext(ctx, "knowledge directory not watched well", "err", err)
			quiet.Reset(settle)
		case <-quiet.C:
			k.reload(ctx)
			if err := addTree(); err != nil {
				k.log.WarnContext(ctx, "knowledge directory not watched", "err", err)
			}
		}
	}
}

func (k *knowledge) reload(ctx context.Context) {
	e, err := newEngine(ctx, k.cfg, k.log)
	if err != nil {
		k.log.ErrorContext(ctx, "knowledge base not reloaded, the version in force stays",
			"version", k.engine().Version(), "err", err)
		return
	}
	if e.Version() == k.engine().Version() {
		return
	}
	k.use(e)
	k.log.InfoContext(ctx, "knowledge base reloaded", "version", e.Version())
}
