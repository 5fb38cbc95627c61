package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"wensheng/bot"
	"wensheng/bot/trained"
	"wensheng/intents"
	"wensheng/internal/archive"
	"wensheng/internal/chat"
	"wensheng/internal/config"
	"wensheng/internal/knowledge"
	"wensheng/internal/pii"
	"wensheng/nlp"
	"wensheng/nlp/dict"
	"wensheng/web"
)

// ErrInput marks what the operator has to mend: config, knowledge, a file he named.
var ErrInput = errors.New("")

// inputError is an ErrInput with its own words.
type inputError struct{ error }

func (e inputError) Is(target error) bool { return target == ErrInput }
func (e inputError) Unwrap() error        { return e.error }

func knowledgeFS(dir string) fs.FS {
	if dir == "" {
		return intents.Embedded()
	}
	return os.DirFS(dir)
}

// modelsKept is how many trained models stay in the data directory, the newest:
// what serves, what served before, and what editors have tried lately.
const modelsKept = 4

// builder trains engines as the config says. Two that want the same base trained
// at once get it one after the other: the second finds the model of the first.
func builder(cfg *config.Config, log *slog.Logger) knowledge.Build {
	var mu sync.Mutex
	busy := map[string]chan struct{}{}
	turn := func(ctx context.Context, hash string) (done func(), err error) {
		for {
			mu.Lock()
			other := busy[hash]
			if other == nil {
				mine := make(chan struct{})
				busy[hash] = mine
				mu.Unlock()
				return func() {
					mu.Lock()
					delete(busy, hash)
					mu.Unlock()
					close(mine)
				}, nil
			}
			mu.Unlock()
			select {
			case <-other:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	dir := filepath.Join(cfg.Data, "model")
	return func(ctx context.Context, base *intents.Base, progress func(done, total int)) (*bot.Engine, error) {
		done, err := turn(ctx, base.Version)
		if err != nil {
			return nil, err
		}
		defer done()
		files, closeFiles, err := dict.Open(dict.Embedded())
		if err != nil {
			return nil, err
		}
		defer closeFiles()
		e, err := bot.NewContext(ctx, bot.Options{
			Base: base, Facts: facts(cfg), Groups: groupIDs(cfg), Dict: nlp.DictFiles(files),
			CacheDir: dir, Models: trained.Models(), Logger: log, Progress: progress,
		})
		if err == nil {
			prune(dir)
		}
		return e, err
	}
}

// prune removes trained models but the newest. One that is missed is trained
// again; so nothing here is an error.
func prune(dir string) {
	names, err := filepath.Glob(filepath.Join(dir, "model-*.bin"))
	if err != nil || len(names) <= modelsKept {
		return
	}
	age := map[string]int64{}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			age[name] = info.ModTime().UnixNano()
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(age[b], age[a]) })
	for _, name := range names[modelsKept:] {
		_ = os.Remove(name)
	}
}

// segment makes the segmenter an engine on a base has.
func segment(base *intents.Base) (*nlp.Segmenter, error) {
	files, done, err := dict.Open(dict.Embedded())
	if err != nil {
		return nil, err
	}
	defer done()
	return nlp.NewSegmenterFrom(nlp.DictFiles(files), base.Words())
}

// newLive loads what is in force: the directory of the config, or what db has
// published, or the embedded knowledge base. db may be nil.
func newLive(ctx context.Context, cfg *config.Config, db *archive.Archive, build knowledge.Build, clock func() time.Time, log *slog.Logger, inForce func(string)) (*knowledge.Live, error) {
	o := knowledge.LiveOptions{Dir: cfg.Knowledge.Dir, Build: build, InForce: inForce, Tidy: debug.FreeOSMemory, Clock: clock, Logger: log}
	if db != nil {
		o.Store = db
	}
	live, err := knowledge.NewLive(ctx, o)
	var bad *knowledge.BaseError
	if errors.As(err, &bad) {
		return nil, inputError{err}
	}
	return live, err
}

// openLibrary loads the knowledge in force and the editors' side of it.
func (a *App) openLibrary(ctx context.Context) (err error) {
	build := builder(a.cfg, a.log)
	a.live, err = newLive(ctx, a.cfg, a.archive, build, a.clock, a.log, a.meter.Knowledge)
	if err != nil {
		return err
	}
	wording, err := web.Wording(nlp.Normalize)
	if err != nil {
		return err
	}
	a.library = knowledge.New(knowledge.Options{
		Store: a.archive, Live: a.live, Build: build, Dir: a.cfg.Knowledge.Dir,
		Mask: pii.Mask, Segment: segment,
		Lint: func(b *intents.Base) []intents.Problem {
			return slices.Concat(b.CheckFacts(facts(a.cfg)), b.CheckGroups(groupIDs(a.cfg)),
				intents.Lint(b, intents.LintOptions{Day: a.clock().In(knowledge.China), Wording: wording}))
		},
		Answer: func(text string, d bot.Decision) any { return answerOf(text, d) },
		Clock:  a.clock, Logger: a.log,
	})
	return nil
}

// record is where closed conversations go: to the archive, and what they teach
// to the knowledge base's editors. Both are repeated until both are done.
type record struct {
	*archive.Archive
	library *knowledge.Library
}

func (r record) SaveConversation(ctx context.Context, c chat.Conversation, transcript []chat.Message) error {
	if err := r.Archive.SaveConversation(ctx, c, transcript); err != nil {
		return err
	}
	return r.library.Collect(ctx, c, transcript)
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

// watchDirectory reloads the knowledge directory at every change until ctx ends.
func (a *App) watchDirectory(ctx context.Context) error {
	dir := a.cfg.Knowledge.Dir
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
			a.log.WarnContext(ctx, "knowledge directory not watched well", "err", err)
			quiet.Reset(settle)
		case <-quiet.C:
			a.live.ReloadDir(ctx)
			if err := addTree(); err != nil {
				a.log.WarnContext(ctx, "knowledge directory not watched", "err", err)
			}
		}
	}
}
