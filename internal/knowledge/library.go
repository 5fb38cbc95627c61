// Package knowledge is the knowledge editors' workflow: versions of the
// knowledge base from draft to review to publication and back, the gate of
// tests before it, batch tests, and what is learned from the conversations.
// Live is the one in force, which every conversation is decided with; Library
// is everything around it.
//
// Whoever calls Library has checked the caller's role; Library holds the rules
// that no role lifts: who may review, what a state allows, what the gate says.
package knowledge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/internal/chat"
	"wensheng/internal/kb"
	"wensheng/nlp"
)

// Store keeps what Library needs; internal/archive implements it. Errors:
// chat.ErrNotFound, chat.ErrTaken, chat.ErrConflict. Safe for concurrent use.
type Store interface {
	CreateVersion(ctx context.Context, v kb.Version, files kb.Files) error
	Versions(ctx context.Context) ([]kb.Version, error)
	Version(ctx context.Context, id string) (kb.Version, error)
	VersionFiles(ctx context.Context, id string) (kb.Version, kb.Files, error)
	SaveVersion(ctx context.Context, v kb.Version, files kb.Files, was int64) error
	DeleteVersion(ctx context.Context, id string, was int64) error
	Pointer(ctx context.Context) (kb.Pointer, error)
	SetNext(ctx context.Context, id string) error
	Publish(ctx context.Context, v kb.Version, was int64, from string) error

	CreateTestSet(ctx context.Context, s kb.TestSet) error
	TestSets(ctx context.Context) ([]kb.TestSet, error)
	DeleteTestSet(ctx context.Context, id string) error
	SaveRun(ctx context.Context, r kb.Run, score kb.Score) error
	Run(ctx context.Context, id string) (kb.Run, error)
	Outcomes(ctx context.Context, set string, limit int) ([]kb.Outcome, error)

	AddItems(ctx context.Context, items []kb.Item) error
	Items(ctx context.Context, state kb.LearnState, labelled bool, limit int) ([]kb.Item, error)
	LearnCounts(ctx context.Context) (map[kb.LearnState]int, error)
	MoveItems(ctx context.Context, items []kb.Item, was kb.LearnState) error
}

// Options are what New needs.
type Options struct {
	Store Store
	Live  *Live
	Build Build
	// Segment makes the segmenter an engine on a base would have.
	Segment func(*intents.Base) (*nlp.Segmenter, error)
	// Dir is the knowledge directory of the config; with one nothing is edited
	// here.
	Dir string
	// Lint finds what a whole look at a base finds, beyond what loading refuses;
	// nil finds nothing.
	Lint func(*intents.Base) []intents.Problem
	// Mask hides personal data; whatever people wrote passes it before it is
	// kept or shown.
	Mask func(string) string
	// Answer shows a decision as `ask --json` does.
	Answer func(text string, d bot.Decision) any
	Clock  func() time.Time
	Logger *slog.Logger
}

// Current is the id that stands for what is in force.
const Current = "current"

// Library is the editors' side of the knowledge base. Safe for concurrent use.
type Library struct {
	o       Options
	engines *engines
	runs    *runner

	mu    sync.Mutex
	texts []*text // the versions read last, the newest first
}

// New returns a Library; its background works only while Run does.
func New(o Options) *Library {
	l := &Library{o: o}
	l.engines = &engines{build: o.Build, clock: o.Clock, turn: make(chan struct{}, 1), litter: &o.Live.litter}
	l.runs = newRunner(o.Store, o.Clock, o.Logger)
	return l
}

// Run works off what is to be done in the background until ctx ends; what is
// unfinished then is recorded as failed.
func (l *Library) Run(ctx context.Context) error {
	defer l.engines.close()
	l.runs.work(ctx)
	return nil
}

// text is a version as it can be read: its files and what they hold.
type text struct {
	version kb.Version
	files   intents.Files
	// base is what could be read, loads whether it may be answered from.
	base     *intents.Base
	loads    bool
	problems []intents.Problem
}

// textsKept bounds how many versions are kept parsed.
const textsKept = 5

// read returns a version parsed, or what is in force. Errors: chat.ErrNotFound.
func (l *Library) read(ctx context.Context, id string) (*text, error) {
	if id == Current || id == "" {
		s := l.o.Live.acquire()
		defer s.release()
		if s.id == "" {
			// Not a version, but it is read like one that nobody can change.
			v := kb.Version{State: kb.Published, Hash: s.base.Version}
			if t := l.kept(v); t != nil {
				return t, nil
			}
			return l.keep(l.parse(v, s.files)), nil
		}
		id = s.id
	}
	v, err := l.o.Store.Version(ctx, id)
	if err != nil {
		return nil, err
	}
	if t := l.kept(v); t != nil {
		fresh := *t // its state may have changed, and the gate's result
		fresh.version = v
		return &fresh, nil
	}
	v, files, err := l.o.Store.VersionFiles(ctx, id)
	if err != nil {
		return nil, err
	}
	return l.keep(l.parse(v, intents.Files(files))), nil
}

func (l *Library) parse(v kb.Version, files intents.Files) *text {
	t := &text{version: v, files: files}
	t.base, t.problems = intents.Draft(files.FS())
	t.loads = !slices.ContainsFunc(t.problems, func(p intents.Problem) bool { return !p.Warning })
	if l.o.Lint != nil {
		t.problems = append(t.problems, l.o.Lint(t.base)...)
		intents.SortProblems(t.problems)
	}
	return t
}

func (l *Library) kept(v kb.Version) *text {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.texts {
		// With a hash the content is known to be the same, whatever else changed.
		if t.version.ID == v.ID && t.version.Hash == v.Hash && (v.Hash != "" || t.version.Revision == v.Revision) {
			return t
		}
	}
	return nil
}

func (l *Library) keep(t *text) *text {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.texts = slices.DeleteFunc(l.texts, func(old *text) bool { return old.version.ID == t.version.ID })
	l.texts = append([]*text{t}, l.texts...)
	if len(l.texts) > textsKept {
		l.texts = l.texts[:textsKept]
	}
	return t
}

// Overview says what is in force and what waits.
func (l *Library) Overview(ctx context.Context) (kb.Overview, error) {
	s := l.o.Live.acquire()
	defer s.release()
	o := kb.Overview{
		Hash: s.base.Version, Source: s.source, Dir: l.o.Dir, Editable: l.o.Dir == "",
		Topics: len(s.base.Topics), Problem: l.o.Live.Problem(),
	}
	for i := range s.base.Topics {
		o.Phrasings += len(s.base.Topics[i].Phrasings)
	}
	if !o.Editable {
		o.Why = "knowledge.dir is set: the directory is in force and is edited there"
	}
	versions, err := l.o.Store.Versions(ctx)
	if err != nil {
		return o, err
	}
	for _, v := range versions {
		switch v.State {
		case kb.Draft, kb.Review, kb.Approved:
			o.Open++
		case kb.Published:
			o.Published = &kb.InForce{ID: v.ID, Title: v.Title, By: v.PublishedBy, At: v.PublishedAt}
		case kb.Rejected, kb.Replaced:
		}
	}
	counts, err := l.o.Store.LearnCounts(ctx)
	o.LearnNew = counts[kb.LearnNew]
	return o, err
}

// Versions are all of them, the newest first.
func (l *Library) Versions(ctx context.Context) ([]kb.Version, error) { return l.o.Store.Versions(ctx) }

// Version is one of them. Errors: chat.ErrNotFound.
func (l *Library) Version(ctx context.Context, id string) (kb.Version, error) {
	return l.o.Store.Version(ctx, id)
}

// Bounds of what people type, in characters.
const (
	maxTitle = 80
	maxNote  = 1000
	maxOpen  = 50 // versions that are neither published nor replaced
)

func runes(s string) int { return len([]rune(s)) }

// Create begins a draft with the content of a version, or of what is in force.
// It says for itself that it was begun from what is published: Base is the
// version whose later replacement makes it stale.
func (l *Library) Create(ctx context.Context, user, title, from string) (kb.Version, error) {
	title = strings.TrimSpace(title)
	switch {
	case l.o.Dir != "":
		return kb.Version{}, kb.Refuse(kb.CodeNotEditable, "knowledge.dir is set; edit the directory")
	case title == "", runes(title) > maxTitle:
		return kb.Version{}, kb.Refuse(kb.CodeBadValue, fmt.Sprintf("title: 1 to %d characters", maxTitle))
	}
	versions, err := l.o.Store.Versions(ctx)
	if err != nil {
		return kb.Version{}, err
	}
	open := 0
	for _, v := range versions {
		if v.State != kb.Published && v.State != kb.Replaced {
			open++
		}
	}
	if open >= maxOpen {
		return kb.Version{}, kb.Refuse(kb.CodeTooMany, fmt.Sprintf("there are %d open versions; delete some", open))
	}
	p, err := l.o.Store.Pointer(ctx)
	if err != nil {
		return kb.Version{}, err
	}
	var files intents.Files
	base := p.Published
	if from == "" || from == Current {
		if files, err = l.published(ctx, p.Published); err != nil {
			return kb.Version{}, err
		}
	} else {
		t, err := l.read(ctx, from)
		if err != nil {
			return kb.Version{}, err
		}
		files = t.files
		// A copy of an open draft is as old as the draft.
		if base = t.version.Base; t.version.State == kb.Published {
			base = t.version.ID
		}
	}
	now := l.o.Clock()
	v := kb.Version{
		ID: "v" + chat.NewToken()[:10], Title: title, State: kb.Draft, Base: base, CreatedBy: user,
		Authors: []string{user}, CreatedAt: now, ChangedAt: now, Revision: 1,
	}
	t := l.parse(v, files)
	if t.loads {
		v.Hash = t.base.Version
	}
	t.version = v
	if err := l.o.Store.CreateVersion(ctx, v, kb.Files(files)); err != nil {
		return v, err
	}
	l.keep(t)
	return v, nil
}

// published are the files of the published version, or of what serves while
// none is. The pointer counts, not what this replica has loaded by now.
func (l *Library) published(ctx context.Context, id string) (intents.Files, error) {
	if id != "" {
		_, files, err := l.o.Store.VersionFiles(ctx, id)
		return intents.Files(files), err
	}
	s := l.o.Live.acquire()
	defer s.release()
	return s.files, nil
}

// change reads a version, lets fn change its head and writes it back; what
// somebody else changed meanwhile is read again. fn's error ends it.
func (l *Library) change(ctx context.Context, id string, fn func(v *kb.Version) error) (kb.Version, error) {
	for try := 0; ; try++ {
		v, err := l.o.Store.Version(ctx, id)
		if err != nil {
			return v, err
		}
		was := v.Revision
		if err := fn(&v); err != nil {
			return v, err
		}
		v.Revision, v.ChangedAt = was+1, l.o.Clock()
		err = l.o.Store.SaveVersion(ctx, v, nil, was)
		if !errors.Is(err, chat.ErrConflict) || try == 3 {
			return v, err
		}
	}
}

// Delete throws a version away that was never published.
func (l *Library) Delete(ctx context.Context, id string) error {
	v, err := l.o.Store.Version(ctx, id)
	if err != nil {
		return err
	}
	if v.State != kb.Draft && v.State != kb.Rejected {
		return kb.Refuse(kb.CodeBadState, "only drafts and rejected versions are deleted")
	}
	return l.o.Store.DeleteVersion(ctx, id, v.Revision)
}

func badState(v kb.Version, to kb.State) error {
	return kb.Refuse(kb.CodeBadState, fmt.Sprintf("a version in state %s does not become %s", v.State, to))
}

// Submit asks for a review, and has the gate run meanwhile. A version that does
// not load is refused with its problems.
func (l *Library) Submit(ctx context.Context, user, id, note string) (kb.Version, error) {
	if runes(note) > maxNote {
		return kb.Version{}, kb.Refuse(kb.CodeBadValue, fmt.Sprintf("note: at most %d characters", maxNote))
	}
	t, err := l.read(ctx, id)
	if err != nil {
		return kb.Version{}, err
	}
	if list := hard(t.problems); len(list) > 0 {
		return kb.Version{}, unfit(list)
	}
	v, err := l.change(ctx, id, func(v *kb.Version) error {
		if !v.State.May(kb.Review) {
			return badState(*v, kb.Review)
		}
		if v.Hash != t.base.Version {
			return kb.Refuse(kb.CodeChanged, "it changed meanwhile; read it again")
		}
		v.State, v.Note, v.SubmittedBy = kb.Review, note, user
		v.ReviewedBy, v.ReviewNote = "", ""
		return nil
	})
	if err != nil {
		return v, err
	}
	if _, err := l.Check(ctx, user, id); err != nil {
		// Publishing runs it again where it is missing.
		l.o.Logger.InfoContext(ctx, "the gate was not run at once", "version", id, "err", err)
	}
	return v, nil
}

// Judge records the review of a second person.
func (l *Library) Judge(ctx context.Context, user, id string, approve bool, note string) (kb.Version, error) {
	if runes(note) > maxNote || (!approve && strings.TrimSpace(note) == "") {
		return kb.Version{}, kb.Refuse(kb.CodeBadValue, fmt.Sprintf("note: at most %d characters, and needed to reject", maxNote))
	}
	to := kb.Rejected
	if approve {
		to = kb.Approved
	}
	v, err := l.change(ctx, id, func(v *kb.Version) error {
		if !v.State.May(to) {
			return badState(*v, to)
		}
		if v.Own(user) {
			return kb.Refuse(kb.CodeOwnWork, "whoever wrote or submitted a version does not review it")
		}
		v.State, v.ReviewedBy, v.ReviewNote = to, user, note
		return nil
	})
	if err == nil && approve {
		// Every replica trains it now, so that publishing is a swap.
		err = l.o.Store.SetNext(ctx, id)
	}
	return v, err
}

// Reopen makes it a draft again; an approval is lost.
func (l *Library) Reopen(ctx context.Context, id string) (kb.Version, error) {
	return l.change(ctx, id, func(v *kb.Version) error {
		if !v.State.May(kb.Draft) {
			return badState(*v, kb.Draft)
		}
		v.State, v.ReviewedBy, v.SubmittedBy = kb.Draft, "", ""
		return nil
	})
}

// Publish puts an approved version in force: in one transaction, everywhere
// within a second. It needs a gate run for exactly this content against exactly
// what is in force; where that is missing it is run first. override, when not
// empty, is the reason to publish although tests got worse.
func (l *Library) Publish(ctx context.Context, user, id, override string) (kb.Version, error) {
	if l.o.Dir != "" {
		return kb.Version{}, kb.Refuse(kb.CodeNotEditable, "knowledge.dir is set; what is published would not serve")
	}
	override = strings.TrimSpace(override)
	if runes(override) > maxNote {
		return kb.Version{}, kb.Refuse(kb.CodeBadValue, fmt.Sprintf("override: at most %d characters", maxNote))
	}
	v, err := l.o.Store.Version(ctx, id)
	if err != nil {
		return v, err
	}
	if v.State != kb.Approved {
		return v, kb.Refuse(kb.CodeNotApproved, "a version is published after an approving review")
	}
	p, err := l.o.Store.Pointer(ctx)
	if err != nil {
		return v, err
	}
	if v.Base != p.Published {
		return v, kb.Refuse(kb.CodeStaleBase, "another version was published since this one was begun, and is not contained in it")
	}
	gate, err := l.gated(ctx, user, v)
	if err != nil {
		return v, err
	}
	if !gate.OK && override == "" {
		return v, &kb.Error{Code: kb.CodeGateFailed, Detail: "tests that pass on what is in force fail on this version", Gate: gate}
	}
	if v, err = l.o.Store.Version(ctx, id); err != nil {
		return v, err
	}
	if gate.Hash != v.Hash || v.State != kb.Approved {
		return v, kb.Refuse(kb.CodeChanged, "it changed meanwhile; read it again")
	}
	v.Override = ""
	if !gate.OK {
		v.Override = override
	}
	return l.enforce(ctx, user, v, p.Published)
}

// enforce moves the pointer and swaps the engine here; the other replicas follow.
func (l *Library) enforce(ctx context.Context, user string, v kb.Version, from string) (kb.Version, error) {
	was := v.Revision
	now := l.o.Clock()
	v.State, v.PublishedBy, v.PublishedAt, v.ChangedAt, v.Revision = kb.Published, user, now, now, was+1
	if err := l.o.Store.Publish(ctx, v, was, from); err != nil {
		if errors.Is(err, chat.ErrConflict) {
			return v, kb.Refuse(kb.CodeChanged, "it, or what is in force, changed meanwhile; read it again")
		}
		return v, err
	}
	if err := l.o.Live.Refresh(context.WithoutCancel(ctx)); err != nil {
		l.o.Logger.WarnContext(ctx, "published; this replica follows a moment later", "version", v.ID, "err", err)
	}
	l.engines.drop(l.o.Live.Hash())
	return v, nil
}

// Rollback puts a version in force again that was published before. It was
// reviewed then; now speed counts.
func (l *Library) Rollback(ctx context.Context, user, to, reason string) (kb.Version, error) {
	if l.o.Dir != "" {
		return kb.Version{}, kb.Refuse(kb.CodeNotEditable, "knowledge.dir is set; what is published would not serve")
	}
	if reason = strings.TrimSpace(reason); reason == "" || runes(reason) > maxNote {
		return kb.Version{}, kb.Refuse(kb.CodeBadValue, fmt.Sprintf("reason: 1 to %d characters", maxNote))
	}
	v, err := l.o.Store.Version(ctx, to)
	if err != nil {
		return v, err
	}
	if v.State != kb.Replaced {
		return v, kb.Refuse(kb.CodeBadState, "only a version that was published before is rolled back to")
	}
	p, err := l.o.Store.Pointer(ctx)
	if err != nil {
		return v, err
	}
	return l.enforce(ctx, user, v, p.Published)
}
