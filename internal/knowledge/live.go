package knowledge

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/internal/kb"
)

// pollEvery is how often a replica asks which version is in force: a publish
// reaches every one within a second.
const pollEvery = 500 * time.Millisecond

// retryAfter is how long a version that failed to load is left alone.
const retryAfter = 30 * time.Second

// China is where the contacts' day begins and ends; it has no daylight saving.
var China = time.FixedZone("Asia/Shanghai", 8*3600)

// Build trains an engine on a knowledge base, or takes it from the cache.
// progress may be nil.
type Build func(ctx context.Context, base *intents.Base, progress func(done, total int)) (*bot.Engine, error)

// LiveOptions are what NewLive needs.
type LiveOptions struct {
	// Dir is the knowledge directory; "" takes what is published, or else the
	// embedded base.
	Dir string
	// Store has the published versions; nil is without any.
	Store interface {
		Pointer(ctx context.Context) (kb.Pointer, error)
		Version(ctx context.Context, id string) (kb.Version, error)
		VersionFiles(ctx context.Context, id string) (kb.Version, kb.Files, error)
	}
	Build Build
	// InForce is told the content hash at the start and at every change.
	InForce func(hash string)
	// Tidy, where it is not nil, gives memory back to the system: it is called
	// after an engine was trained or has ended.
	Tidy   func()
	Clock  func() time.Time
	Logger *slog.Logger
}

// Live is the knowledge in force: the engine every conversation is decided
// with. It follows the published version, the directory and the calendar; what
// is under way on an engine ends on it. All methods are safe for concurrent use.
type Live struct {
	o       LiveOptions
	current atomic.Pointer[served]
	problem atomic.Pointer[string]

	mu sync.Mutex // one change at a time
	// standby is the version that may be published next, in training or ready.
	standby *standby
	// failed is the version that did not load, not to be tried before again.
	failed string
	again  time.Time
	silent bool // the last poll failed, and was logged

	litter atomic.Bool // there is memory to give back
}

// served is one loaded knowledge base with its engine, counted by its users.
type served struct {
	engine *bot.Engine
	// base holds every Topic, whatever its dates; the engine those of day.
	base   *intents.Base
	files  intents.Files
	source string
	// id is the version's, where source is published.
	id    string
	users atomic.Int64
	// day is the engine's; only Live's changes touch it, under its lock.
	day string
	// litter is set when the engine ends.
	litter *atomic.Bool
}

func (s *served) take() bool {
	for {
		n := s.users.Load()
		if n == 0 {
			return false // the last one has gone
		}
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *served) release() {
	if s.users.Add(-1) == 0 {
		s.engine.Close()
		s.litter.Store(true)
	}
}

// standby is a version being made ready in the background: a long training must
// not keep a publish, or a rollback, of another version waiting.
type standby struct {
	id   string
	stop context.CancelFunc
	// over is closed when it is ready, or failed.
	over chan struct{}
	s    *served
	err  error
}

// BaseError says what is wrong with a knowledge base that does not load.
type BaseError struct{ Problems []intents.Problem }

func (e *BaseError) Error() string {
	var lines []string
	for _, p := range e.Problems {
		if !p.Warning {
			lines = append(lines, p.String())
		}
	}
	return strings.Join(lines, "\n")
}

// NewLive loads what is in force. A directory with an error is a *BaseError; a
// published version with one leaves the embedded base serving, because people
// are to be answered (DESIGN §5, G5).
func NewLive(ctx context.Context, o LiveOptions) (*Live, error) {
	l := &Live{o: o}
	if o.Dir != "" {
		s, err := l.loadDir(ctx)
		if err != nil {
			return nil, err
		}
		l.swap(s)
		return l, nil
	}
	if o.Store != nil {
		p, err := o.Store.Pointer(ctx)
		if err != nil {
			return nil, err
		}
		if p.Published != "" {
			s, err := l.loadVersion(ctx, p.Published)
			if err == nil {
				l.swap(s)
				return l, nil
			}
			if ctx.Err() != nil {
				return nil, err
			}
			l.fail(ctx, p.Published, err)
		}
	}
	s, err := l.loadEmbedded(ctx)
	if err != nil {
		return nil, err
	}
	l.swap(s)
	return l, nil
}

// Acquire lends the engine in force until release is called. A swap meanwhile
// does not touch it.
func (l *Live) Acquire() (e *bot.Engine, release func()) {
	s := l.acquire()
	return s.engine, s.release
}

func (l *Live) acquire() *served {
	for {
		// The owner's own use is given up only after the swap, so this ends.
		if s := l.current.Load(); s.take() {
			return s
		}
	}
}

// Hash is the content hash of what is in force.
func (l *Live) Hash() string { return l.current.Load().base.Version }

// Source is where it comes from: one of the Source constants of kb.
func (l *Live) Source() string { return l.current.Load().source }

// Problem says why what should be in force is not; "" when all is well.
func (l *Live) Problem() string {
	if p := l.problem.Load(); p != nil {
		return *p
	}
	return ""
}

// Run follows the published version and the calendar until ctx ends.
func (l *Live) Run(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		l.mu.Lock()
		err := l.refresh(ctx)
		if err != nil && !l.silent && ctx.Err() == nil {
			l.o.Logger.WarnContext(ctx, "cannot see which knowledge is published, what serves stays", "err", err)
		}
		l.silent = err != nil
		l.mu.Unlock()
		if l.o.Tidy != nil && l.litter.CompareAndSwap(true, false) {
			l.o.Tidy()
		}
	}
}

// Refresh loads at once what should be in force; a version that failed before is
// tried again.
func (l *Live) Refresh(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = ""
	return l.refresh(ctx)
}

func (l *Live) refresh(ctx context.Context) error {
	if l.o.Dir == "" && l.o.Store != nil {
		p, err := l.o.Store.Pointer(ctx)
		if err != nil {
			return err
		}
		if err := l.follow(ctx, p); err != nil {
			return err
		}
	}
	cur := l.current.Load()
	if cur.day == l.day() {
		return nil
	}
	s, err := l.today(ctx, cur)
	if err != nil {
		return err
	}
	if s != cur {
		l.swap(s)
		l.o.Logger.InfoContext(ctx, "topics came into force or ended with the day", "day", s.day, "version", s.base.Version)
	}
	return nil
}

// follow makes the published version serve, and the one that may be next ready.
func (l *Live) follow(ctx context.Context, p kb.Pointer) error {
	switch cur := l.current.Load(); {
	case p.Published == cur.id:
		l.problem.Store(nil)
	case !l.waits(p.Published):
		s, err := l.next(ctx, p.Published)
		if err != nil {
			if ctx.Err() == nil {
				l.fail(ctx, p.Published, err)
			}
			return nil // it is told and logged; what serves stays
		}
		l.swap(s)
		l.problem.Store(nil)
		l.o.Logger.InfoContext(ctx, "knowledge base in force", "version", s.base.Version, "id", s.id)
	}
	if p.Next == p.Published || p.Next == "" {
		l.drop()
		return nil
	}
	if l.standby == nil || l.standby.id != p.Next {
		l.drop()
		l.prepare(ctx, p.Next)
	}
	return nil
}

// prepare begins to make a version ready.
func (l *Live) prepare(ctx context.Context, id string) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) //nolint:gosec // drop and next call stop
	sb := &standby{id: id, stop: stop, over: make(chan struct{})}
	l.standby = sb
	go func() {
		defer close(sb.over)
		sb.s, sb.err = l.loadVersion(ctx, id)
		if sb.err != nil && ctx.Err() == nil {
			l.o.Logger.WarnContext(ctx, "an approved version does not load", "id", id, "err", sb.err)
		}
	}()
}

func (l *Live) waits(id string) bool { return l.failed == id && l.o.Clock().Before(l.again) }

// drop gives a standby up, whether it is ready or not.
func (l *Live) drop() {
	sb := l.standby
	if sb == nil {
		return
	}
	l.standby = nil
	sb.stop()
	<-sb.over
	if sb.err == nil {
		sb.s.release()
	}
}

// next returns a version to serve: the one that was made ready, when its
// content is still the same, or a newly trained one. "" is the embedded base.
func (l *Live) next(ctx context.Context, id string) (*served, error) {
	if id == "" {
		return l.loadEmbedded(ctx)
	}
	if sb := l.standby; sb != nil && sb.id == id {
		v, err := l.o.Store.Version(ctx, id)
		if err != nil {
			return nil, err
		}
		select {
		case <-sb.over:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if sb.err == nil && v.Hash == sb.s.base.Version {
			l.standby = nil
			sb.stop()
			return sb.s, nil
		}
	}
	l.drop() // whatever it was, its training may not delay this one
	return l.loadVersion(ctx, id)
}

func (l *Live) fail(ctx context.Context, id string, err error) {
	l.failed, l.again = id, l.o.Clock().Add(retryAfter)
	text := "the published version " + id + " does not load; an earlier one serves"
	l.problem.Store(&text)
	l.o.Logger.ErrorContext(ctx, "published version does not load, what serves stays", "id", id, "err", err)
}

// swap puts s in force; the one before is closed when its last user has gone.
func (l *Live) swap(s *served) {
	old := l.current.Swap(s)
	l.o.InForce(s.base.Version)
	if old != nil {
		old.release()
	}
}

func (l *Live) loadVersion(ctx context.Context, id string) (*served, error) {
	_, files, err := l.o.Store.VersionFiles(ctx, id)
	if err != nil {
		return nil, err
	}
	return l.load(ctx, intents.Files(files), kb.SourcePublished, id)
}

func (l *Live) loadEmbedded(ctx context.Context) (*served, error) {
	files, err := intents.ReadFiles(intents.Embedded())
	if err != nil {
		return nil, err
	}
	return l.load(ctx, files, kb.SourceEmbedded, "")
}

func (l *Live) loadDir(ctx context.Context) (*served, error) {
	files, err := intents.ReadFiles(os.DirFS(l.o.Dir))
	if err != nil {
		return nil, err
	}
	return l.load(ctx, files, kb.SourceDirectory, "")
}

func (l *Live) load(ctx context.Context, files intents.Files, source, id string) (*served, error) {
	base, problems := intents.Load(files.FS())
	if base == nil {
		return nil, &BaseError{problems}
	}
	s := &served{base: base, files: files, source: source, id: id}
	return s, l.train(ctx, s)
}

func (l *Live) train(ctx context.Context, s *served) (err error) {
	s.day = l.day()
	s.litter = &l.litter
	s.users.Store(1) // the owner
	defer l.litter.Store(true)
	defer thrifty()()
	s.engine, err = l.o.Build(ctx, s.base.On(l.now()), nil)
	return err
}

// today returns cur with the Topics of today: cur itself, when they are the
// same, or a newly trained one.
func (l *Live) today(ctx context.Context, cur *served) (*served, error) {
	if slices.EqualFunc(cur.base.On(onDay(cur.day)).Topics, cur.base.On(l.now()).Topics, func(a, b intents.Topic) bool { return a.ID == b.ID }) {
		cur.day = l.day()
		return cur, nil
	}
	s := &served{base: cur.base, files: cur.files, source: cur.source, id: cur.id}
	return s, l.train(ctx, s)
}

// ReloadDir reads the directory again. A directory with an error leaves what
// serves; so does one without a change.
func (l *Live) ReloadDir(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := l.loadDir(ctx)
	if err != nil {
		text := "the knowledge directory does not load; an earlier state of it serves"
		l.problem.Store(&text)
		l.o.Logger.ErrorContext(ctx, "knowledge base not reloaded, the version in force stays", "version", l.Hash(), "err", err)
		return
	}
	l.problem.Store(nil)
	if s.base.Version == l.Hash() {
		s.release()
		return
	}
	l.swap(s)
	l.o.Logger.InfoContext(ctx, "knowledge base reloaded", "version", s.base.Version)
}

// Close gives everything back. What was acquired stays good until released.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
}

func (l *Live) now() time.Time { return l.o.Clock().In(China) }

func (l *Live) day() string { return l.now().Format(time.DateOnly) }

// onDay is a moment of a day written as 2006-01-02.
func onDay(day string) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, day, China)
	if err != nil {
		return time.Time{} // cannot happen: day wrote it
	}
	return t
}
