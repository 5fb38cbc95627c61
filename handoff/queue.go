package handoff

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"wensheng/internal/chat"
)

// Enqueue puts the package's conversation into its group's queue and returns
// its position, 1 being next. A second call with the same conversation and
// generation, or an older one, changes nothing, but that a higher priority
// moves it up; the position is then the present one, or 0 when the conversation
// is held or that handoff is over. A
// newer generation replaces what was there, whoever held it, in every group.
// An unknown group is the first one. A full queue still takes it: see Long.
func (d *Desk) Enqueue(ctx context.Context, p Package) (int, error) {
	return d.enqueue(ctx, p, false)
}

// Restore is Enqueue for the reconciler, who knows that the conversation waits
// at this moment: a handoff remembered as over begins again.
func (d *Desk) Restore(ctx context.Context, p Package) (int, error) {
	return d.enqueue(ctx, p, true)
}

func (d *Desk) enqueue(ctx context.Context, p Package, restore bool) (int, error) {
	g, _ := d.Group(p.Group)
	p.Group = g.ID
	pos, err := d.put(ctx, p, restore, "")
	if err != nil {
		return 0, err
	}
	return pos, d.withdrawElsewhere(ctx, p)
}

// put runs the enqueue script for p.Group, which must be known. token is that
// of the lease it takes the place of, if any.
func (d *Desk) put(ctx context.Context, p Package, restore bool, token string) (int, error) {
	if p.At.IsZero() {
		p.At = d.clock()
	}
	sealed, err := d.sealPackage(p)
	if err != nil {
		return 0, err
	}
	ordinary, front := place(p.Priority, p.At)
	pos, err := d.runInt(ctx, d.scripts.enqueue, entryKeys(p.Group, p.Conv),
		string(p.Conv), p.Generation, ordinary, front, sealed, p.Avoid, flag(restore),
		notesChannel, encode(Note{T: NoteQueue, Conv: p.Conv, Group: p.Group}), token)
	if err != nil {
		return 0, err
	}
	if pos < 0 {
		return 0, chat.ErrLeaseLost
	}
	return int(pos), nil
}

// withdrawElsewhere ends handoffs before p's in the other groups: a
// conversation stands in one queue.
func (d *Desk) withdrawElsewhere(ctx context.Context, p Package) error {
	known := make([]*redis.IntCmd, len(d.groups))
	err := d.read(ctx, func(pipe redis.Pipeliner) {
		for i, g := range d.groups {
			known[i] = pipe.Exists(ctx, entryKey(g.ID, p.Conv))
		}
	})
	if err != nil {
		return err
	}
	for i, g := range d.groups {
		if g.ID == p.Group || known[i].Val() == 0 || p.Generation <= 0 {
			continue
		}
		if err := d.withdraw(ctx, g.ID, p.Conv, p.Generation-1); err != nil {
			return err
		}
	}
	return nil
}

// Withdraw takes the conversation out of the group's queue, waiting or held,
// unless a handoff newer than generation put it there. It also keeps an
// enqueue of that generation from coming later. Nothing there is no error.
func (d *Desk) Withdraw(ctx context.Context, group string, conv chat.ConvID, generation int64) error {
	g, _ := d.Group(group)
	return d.withdraw(ctx, g.ID, conv, generation)
}

// Dequeue takes the conversation out of the group's queue, waiting or held,
// whichever handoff put it there. Prefer Withdraw where the generation is
// known. Nothing there is no error.
func (d *Desk) Dequeue(ctx context.Context, group string, conv chat.ConvID) error {
	g, _ := d.Group(group)
	return d.withdraw(ctx, g.ID, conv, -1)
}

func (d *Desk) withdraw(ctx context.Context, group string, conv chat.ConvID, upto int64) error {
	_, err := d.runInt(ctx, d.scripts.withdraw, entryKeys(group, conv),
		string(conv), upto, remember.Milliseconds(),
		notesChannel, encode(Note{T: NoteQueue, Conv: conv, Group: group}))
	return err
}

// Items returns everything that waits in the groups, whole, by priority then
// age over all of them. Position counts within the item's group. Nil groups
// are all.
func (d *Desk) Items(ctx context.Context, groups []string) ([]Item, error) {
	waiting, err := d.peek(ctx, groups, -1)
	if err != nil {
		return nil, err
	}
	packages := make([]*redis.StringCmd, len(waiting))
	err = d.read(ctx, func(p redis.Pipeliner) {
		for i, w := range waiting {
			packages[i] = p.HGet(ctx, entryKey(w.group, w.conv), "package")
		}
	})
	if err != nil {
		return nil, err
	}
	now := d.clock()
	items := make([]Item, 0, len(waiting))
	for i, w := range waiting {
		pkg, raw := d.openPackage(ctx, w.group, w.conv, packages[i].Val())
		if raw == nil {
			pkg.Priority = priorityAt(w.score)
		}
		item := Item{Package: pkg, Position: w.position}
		if !pkg.At.IsZero() {
			item.Waited = max(0, now.Sub(pkg.At))
		}
		items = append(items, item)
	}
	return items, nil
}

// Position returns the conversation's place in the group's queue, 1 being
// next, or chat.ErrNotFound when it does not wait there.
func (d *Desk) Position(ctx context.Context, group string, conv chat.ConvID) (int, error) {
	var rank *redis.IntCmd
	err := d.read(ctx, func(p redis.Pipeliner) { rank = p.ZRank(ctx, readyKey(group), string(conv)) })
	if err != nil {
		return 0, err
	}
	if rank.Err() != nil {
		return 0, chat.ErrNotFound
	}
	return int(rank.Val()) + 1, nil
}

// Where returns the groups the conversation waits in or is held in. There
// should be exactly one while it is waiting or served.
func (d *Desk) Where(ctx context.Context, conv chat.ConvID) ([]string, error) {
	waits := make([]*redis.FloatCmd, len(d.groups))
	held := make([]*redis.BoolCmd, len(d.groups))
	err := d.read(ctx, func(p redis.Pipeliner) {
		for i, g := range d.groups {
			waits[i] = p.ZScore(ctx, readyKey(g.ID), string(conv))
			held[i] = p.HExists(ctx, heldKey(g.ID), string(conv))
		}
	})
	if err != nil {
		return nil, err
	}
	var in []string
	for i, g := range d.groups {
		if waits[i].Err() == nil || held[i].Val() {
			in = append(in, g.ID)
		}
	}
	return in, nil
}

// waiting is one conversation in a queue, without its package.
type waiting struct {
	group    string
	conv     chat.ConvID
	score    float64
	position int
}

// peek returns the first n of each group's queue, all when n is negative, best
// first over all groups.
func (d *Desk) peek(ctx context.Context, groups []string, n int64) ([]waiting, error) {
	if groups == nil {
		groups = d.groupIDs()
	}
	last := n - 1
	if n < 0 {
		last = -1
	}
	ranges := make([]*redis.ZSliceCmd, len(groups))
	err := d.read(ctx, func(p redis.Pipeliner) {
		for i, g := range groups {
			ranges[i] = p.ZRangeWithScores(ctx, readyKey(g), 0, last)
		}
	})
	if err != nil {
		return nil, err
	}
	var all []waiting
	for i, g := range groups {
		for at, z := range ranges[i].Val() {
			conv, _ := z.Member.(string)
			all = append(all, waiting{group: g, conv: chat.ConvID(conv), score: z.Score, position: at + 1})
		}
	}
	slices.SortStableFunc(all, func(a, b waiting) int {
		switch {
		case a.score < b.score:
			return -1
		case a.score > b.score:
			return 1
		default:
			return strings.Compare(string(a.conv), string(b.conv))
		}
	})
	return all, nil
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

func parseInt(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
