package handoff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"wensheng/internal/chat"
)

// Group is agents with a skill.
type Group struct {
	ID, Name string
	// Auto lets the desk assign what waits; otherwise agents claim it.
	Auto bool
	// Hours are the working hours; nil is always open.
	Hours *Hours
}

// Sealer encrypts what is kept at rest. Implementations are safe for
// concurrent use.
type Sealer interface {
	Seal(plain []byte) []byte
	Open(sealed []byte) ([]byte, error)
}

// Options are what a Desk needs.
type Options struct {
	// Redis runs the scripts; its MaxRetries must be -1 (the desk repeats what
	// is safe to repeat). PubSub is for the subscription; nil is Redis.
	Redis, PubSub redis.UniversalClient
	// Sealer seals the packages.
	Sealer Sealer
	// Groups are all groups, the first being the one of last resort.
	Groups []Group
	// Clock defaults to time.Now, Logger to none.
	Clock  func() time.Time
	Logger *slog.Logger
	// LeaseTTL is how long a lease lasts without a renewal (45 s); Grace how
	// much longer its holder is waited for (30 s).
	LeaseTTL, Grace time.Duration
	// AcceptTimeout is how long an assigned agent has for his first renewal (30 s).
	AcceptTimeout time.Duration
	// PresenceTTL is how long an agent counts as there after a heartbeat (60 s).
	PresenceTTL time.Duration
	// QueueMax is how many may wait in a group before a contact is told that it
	// will take long (1000). Nobody is turned away.
	QueueMax int
}

// Desk is all groups' queues, leases and agents. It is safe for concurrent use
// and keeps no state of its own: several desks may share one Redis.
//
// Errors are chat.ErrUnavailable when Redis did not do it, and what each
// method names.
type Desk struct {
	redis, pubsub   redis.UniversalClient
	seal            Sealer
	groups          []Group
	clock           func() time.Time
	log             *slog.Logger
	leaseTTL, grace time.Duration
	acceptTimeout   time.Duration
	presenceTTL     time.Duration
	queueMax        int
	scripts         *scripts

	mu   sync.Mutex
	subs map[int]func(Note)
	next int
}

// remember is how long a handoff that is over is known, so that a late
// repetition of its enqueue does nothing.
const remember = 2 * time.Minute

// New makes a desk. It does not touch Redis.
func New(o Options) (*Desk, error) {
	if o.Redis == nil || o.Sealer == nil {
		return nil, errors.New("handoff: Redis and Sealer are required")
	}
	if len(o.Groups) == 0 {
		return nil, errors.New("handoff: at least one group is required")
	}
	seen := map[string]bool{}
	for _, g := range o.Groups {
		if g.ID == "" || seen[g.ID] {
			return nil, fmt.Errorf("handoff: group id %q is empty or used twice", g.ID)
		}
		seen[g.ID] = true
	}
	s, err := loadScripts()
	if err != nil {
		return nil, err
	}
	d := &Desk{
		redis: o.Redis, pubsub: o.PubSub, seal: o.Sealer,
		groups: slices.Clone(o.Groups), clock: o.Clock, log: o.Logger,
		leaseTTL: orDuration(o.LeaseTTL, 45*time.Second), grace: orDuration(o.Grace, 30*time.Second),
		acceptTimeout: orDuration(o.AcceptTimeout, 30*time.Second),
		presenceTTL:   orDuration(o.PresenceTTL, time.Minute),
		queueMax:      o.QueueMax, scripts: s, subs: map[int]func(Note){},
	}
	if d.pubsub == nil {
		d.pubsub = d.redis
	}
	if d.clock == nil {
		d.clock = time.Now //nolint:forbidigo // where no clock is injected, the real one is read here
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.queueMax <= 0 {
		d.queueMax = 1000
	}
	return d, nil
}

func orDuration(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// Groups returns all groups, the one of last resort first.
func (d *Desk) Groups() []Group { return slices.Clone(d.groups) }

// Group returns the group with that id; an unknown id is the first group, so
// that nothing is queued where nobody looks. ok says whether it was known.
func (d *Desk) Group(id string) (g Group, ok bool) {
	for _, g := range d.groups {
		if g.ID == id {
			return g, true
		}
	}
	return d.groups[0], false
}

// Long reports whether a position in a queue is so far back that the contact
// must be told so.
func (d *Desk) Long(position int) bool { return position > d.queueMax }

func (d *Desk) groupIDs() []string {
	ids := make([]string, len(d.groups))
	for i, g := range d.groups {
		ids[i] = g.ID
	}
	return ids
}

// sealPackage returns the package as it is kept.
func (d *Desk) sealPackage(p Package) ([]byte, error) {
	plain, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("handoff: encode package: %w", err)
	}
	return d.seal.Seal(plain), nil
}

// openPackage reads a kept package. A package that cannot be read must not
// hide a waiting person: what is known without it is returned.
func (d *Desk) openPackage(ctx context.Context, group string, conv chat.ConvID, sealed string) (Package, json.RawMessage) {
	bare := Package{Conv: conv, Group: group, Priority: P2}
	if sealed == "" {
		return bare, nil
	}
	plain, err := d.seal.Open([]byte(sealed))
	if err != nil {
		d.log.WarnContext(ctx, "a handoff package cannot be opened", slog.String("conv", string(conv)), slog.Any("error", err))
		return bare, nil
	}
	var p Package
	if err := json.Unmarshal(plain, &p); err != nil {
		d.log.WarnContext(ctx, "a handoff package cannot be read", slog.String("conv", string(conv)), slog.Any("error", err))
		return bare, nil
	}
	return p, plain
}

func ms(t time.Time) int64       { return t.UnixMilli() }
func fromMS(n float64) time.Time { return time.UnixMilli(int64(n)).UTC() }
