package knowledge

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wensheng/intents"
)

// enginesKept bounds how many engines of versions that do not serve are kept:
// each holds a model of its own.
const enginesKept = 2

// engines are the trained versions the editors try and test. They are trained
// one at a time.
type engines struct {
	build Build
	clock func() time.Time
	turn  chan struct{} // holds whoever trains
	// litter is set when an engine was trained or has ended.
	litter *atomic.Bool

	mu   sync.Mutex
	kept []*served // the one used last first
}

// take returns the engine of a base as it holds today; whoever takes it
// releases it. progress may be nil.
func (e *engines) take(ctx context.Context, base *intents.Base, progress func(done, total int)) (*served, error) {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now := e.clock().In(China)
	day := now.Format(time.DateOnly)
	if s := e.find(base.Version, day); s != nil {
		return s, nil
	}
	defer e.litter.Store(true)
	defer thrifty()()
	engine, err := e.build(ctx, base.On(now), progress)
	if err != nil {
		return nil, err
	}
	s := &served{engine: engine, base: base, day: day, litter: e.litter}
	s.users.Store(2) // the shelf and the taker
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kept = append([]*served{s}, e.kept...)
	for len(e.kept) > enginesKept {
		last := len(e.kept) - 1
		e.kept[last].release()
		e.kept = e.kept[:last]
	}
	return s, nil
}

func (e *engines) find(hash, day string) *served {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, s := range e.kept {
		if s.base.Version == hash && s.day == day && s.take() {
			e.kept = append([]*served{s}, slices.Delete(slices.Clone(e.kept), i, i+1)...)
			return s
		}
	}
	return nil
}

// drop lets the engine of a base go: it serves now, and is tried there.
func (e *engines) drop(hash string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kept = slices.DeleteFunc(e.kept, func(s *served) bool {
		if s.base.Version != hash {
			return false
		}
		s.release()
		return true
	})
}

func (e *engines) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.kept {
		s.release()
	}
	e.kept = nil
}
