package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// probeTimeout is how long a dependency may take to answer by default.
const probeTimeout = 2 * time.Second

// Check asks one dependency how it is.
type Check struct {
	// Name is its key in the report: redis, database, knowledge.
	Name string
	// Probe returns an error when the dependency does not do its work. It must
	// give up when ctx ends; one that does not is reported as failed anyway.
	Probe func(ctx context.Context) error
	// Mode and Version tell more about it; nil tells nothing.
	Mode, Version func() string
	// Optional says that the gateway can accept without it.
	Optional bool
}

// Status is how one dependency stands.
type Status struct {
	OK      bool   `json:"ok"`
	Mode    string `json:"mode,omitempty"`
	Version string `json:"version,omitempty"`
	// Problem is one plain sentence without addresses or secrets.
	Problem string `json:"problem,omitempty"`
}

// Report is the answer of /readyz.
type Report struct {
	Ready  bool
	Checks map[string]Status
}

// MarshalJSON writes {"ready":…,"<name>":{"ok":…},…}.
func (r Report) MarshalJSON() ([]byte, error) {
	out := map[string]any{"ready": r.Ready}
	for name, s := range r.Checks {
		out[name] = s
	}
	return json.Marshal(out)
}

// Health asks all dependencies. Make one with NewHealth.
type Health struct {
	timeout time.Duration
	checks  []Check
	mu      sync.Mutex
	stopped bool
}

// NewHealth makes a Health of checks that may take timeout each; 0 means 2 s.
func NewHealth(timeout time.Duration, checks ...Check) *Health {
	if timeout <= 0 {
		timeout = probeTimeout
	}
	return &Health{timeout: timeout, checks: checks}
}

// Stop makes every later report not ready: the first step of a shutdown.
func (h *Health) Stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
}

// Ready asks all dependencies at once and returns within the timeout.
func (h *Health) Ready(ctx context.Context) Report {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	type answer struct {
		i   int
		err error
	}
	answers := make(chan answer, len(h.checks)) // so that a late probe can leave
	for i, c := range h.checks {
		go func() { answers <- answer{i, c.Probe(ctx)} }()
	}
	errs := make([]error, len(h.checks))
	for i := range errs {
		errs[i] = context.DeadlineExceeded
	}
wait:
	for range h.checks {
		select {
		case a := <-answers:
			errs[a.i] = a.err
		case <-ctx.Done():
			break wait
		}
	}
	h.mu.Lock()
	r := Report{Ready: !h.stopped, Checks: make(map[string]Status, len(h.checks))}
	h.mu.Unlock()
	for i, c := range h.checks {
		s := Status{OK: errs[i] == nil}
		if c.Mode != nil {
			s.Mode = c.Mode()
		}
		if c.Version != nil {
			s.Version = c.Version()
		}
		switch {
		case s.OK:
		case errors.Is(errs[i], context.DeadlineExceeded), errors.Is(errs[i], context.Canceled):
			s.Problem = "does not answer in time"
		default:
			s.Problem = "does not answer" // the cause may name hosts; it is for the log
		}
		r.Ready = r.Ready && (s.OK || c.Optional)
		r.Checks[c.Name] = s
	}
	return r
}
