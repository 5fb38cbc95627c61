package knowledge

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"wensheng/internal/chat"
	"wensheng/internal/kb"
)

// Bounds of the background.
const (
	runsWaiting = 8                // runs that wait for their turn
	runMost     = 20 * time.Minute // what one run may take
	beatEvery   = time.Second      // progress is written this often
	// deadAfter without a sign of life, a run's process is gone.
	deadAfter = 30 * time.Second
)

// runner works runs off, one at a time, and writes down how they stand, so that
// every replica can tell.
type runner struct {
	store Store
	clock func() time.Time
	log   *slog.Logger
	queue chan *job

	mu    sync.Mutex
	jobs  map[string]*job // waiting or running here
	ended bool            // nobody works any more
}

// job is one run with what is to be done.
type job struct {
	do     func(ctx context.Context, progress func(done, total int)) (report any, score kb.Score, err error)
	cancel context.CancelFunc
	ctx    context.Context //nolint:containedctx // it lives as long as the job, which outlives its request
	over   chan struct{}   // closed when it is done
	rest   func()          // ends the signs of life

	mu  sync.Mutex
	run kb.Run
}

func (j *job) state() kb.Run {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.run
}

func newRunner(store Store, clock func() time.Time, log *slog.Logger) *runner {
	return &runner{store: store, clock: clock, log: log, queue: make(chan *job, runsWaiting), jobs: map[string]*job{}}
}

// start puts a run in line. Errors: kb.CodeBusy.
func (r *runner) start(ctx context.Context, run kb.Run, do func(ctx context.Context, progress func(done, total int)) (any, kb.Score, error)) (*job, error) {
	run.ID, run.State, run.At = "r"+chat.NewToken()[:12], kb.Running, r.clock()
	jctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	j := &job{do: do, ctx: jctx, cancel: cancel, over: make(chan struct{}), run: run}
	if err := r.store.SaveRun(ctx, run, kb.Score{}); err != nil {
		cancel()
		return nil, err
	}
	j.rest = r.beat(jctx, j)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		select {
		case r.queue <- j:
			r.jobs[run.ID] = j
			return j, nil
		default:
		}
	}
	cancel()
	j.rest()
	run.State, run.Error = kb.Failed, "too many runs wait"
	return nil, errors.Join(kb.Refuse(kb.CodeBusy, "too many runs wait; try again later"), r.store.SaveRun(ctx, run, kb.Score{}))
}

// find returns a run of the kind on that version that waits or runs here.
func (r *runner) find(kind, version, hash string) *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.jobs {
		if s := j.state(); s.Kind == kind && s.Version == version && s.Hash == hash && j.ctx.Err() == nil {
			return j
		}
	}
	return nil
}

// get returns how a run stands. Errors: chat.ErrNotFound.
func (r *runner) get(ctx context.Context, id string) (kb.Run, error) {
	r.mu.Lock()
	j := r.jobs[id]
	r.mu.Unlock()
	if j != nil {
		return j.state(), nil
	}
	run, err := r.store.Run(ctx, id)
	if err == nil && run.State == kb.Running && r.clock().Sub(run.Beat) > deadAfter {
		run.State, run.Error = kb.Failed, "interrupted"
	}
	return run, err
}

// stop ends a run of this replica. Errors: chat.ErrNotFound.
func (r *runner) stop(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.jobs[id]
	if j == nil {
		return chat.ErrNotFound
	}
	j.cancel()
	return nil
}

// work does the runs in turn until ctx ends.
func (r *runner) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			r.mu.Lock()
			r.ended = true
			r.mu.Unlock()
			for len(r.queue) > 0 {
				r.one(ctx, <-r.queue)
			}
			return
		case j := <-r.queue:
			r.one(ctx, j)
		}
	}
}

// one does one run and records its end, whatever that is.
func (r *runner) one(ctx context.Context, j *job) {
	stop := context.AfterFunc(ctx, j.cancel)
	defer stop()
	jctx, cancel := context.WithTimeout(j.ctx, runMost)
	defer cancel()
	report, score, err := any(nil), kb.Score{}, jctx.Err()
	if err == nil {
		report, score, err = j.do(jctx, func(done, total int) { //nolint:contextcheck // a job outlives the request that started it
			j.mu.Lock()
			defer j.mu.Unlock()
			j.run.Done, j.run.Total = done, total
		})
	}
	j.rest()
	raw, bad := json.Marshal(report)
	err = errors.Join(err, bad)
	run := j.state()
	if run.Report = raw; err == nil {
		run.State = kb.Done
	} else {
		run.State, run.Error, run.Report = kb.Failed, reason(err), nil
		r.log.WarnContext(ctx, "a run failed", "run", run.ID, "kind", run.Kind, "err", err)
	}
	sctx, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	if err := r.store.SaveRun(sctx, run, score); err != nil {
		r.log.WarnContext(ctx, "a run's end was not recorded", "run", run.ID, "err", err)
	}
	// Only now: whoever sees it done finds it in the history.
	j.mu.Lock()
	j.run = run
	j.mu.Unlock()
	r.mu.Lock()
	delete(r.jobs, run.ID)
	r.mu.Unlock()
	j.cancel()
	close(j.over)
}

// reason is why a run failed, in a word for the screen.
func reason(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "took too long"
	}
	return err.Error()
}

// beat writes the progress down until ctx ends or the returned function, which
// waits for it, is called.
func (r *runner) beat(ctx context.Context, j *job) (rest func()) {
	ctx, cancel := context.WithCancel(ctx) //nolint:gosec // the returned function calls it
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := r.store.SaveRun(ctx, j.state(), kb.Score{}); err != nil && ctx.Err() == nil {
				r.log.DebugContext(ctx, "progress not recorded", "err", err)
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// RunState says how a run stands. Errors: chat.ErrNotFound.
func (l *Library) RunState(ctx context.Context, id string) (kb.Run, error) {
	return l.runs.get(ctx, id)
}

// Cancel ends a run. Errors: chat.ErrNotFound, when it is over or another
// replica's.
func (l *Library) Cancel(_ context.Context, id string) error { return l.runs.stop(id) }
