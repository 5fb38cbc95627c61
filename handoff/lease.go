package handoff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"wensheng/internal/chat"
	"wensheng/internal/redisx"
)

// peekDepth is how many of each queue a claim of the next one looks at; it
// looks again when others were faster with all of them.
const (
	peekDepth   = 32
	claimRounds = 20
)

// Claim gives the agent a conversation that waits in one of the groups: conv,
// or when conv is empty the next by priority and age over the groups. The
// holder gets his own lease again, renewed.
//
// The agent a package says to avoid gets it only while nobody else of its group
// is online. Errors: chat.ErrEmpty when nothing waits, chat.ErrTaken when
// somebody else holds conv or it is over, chat.ErrNotFound when none of the
// groups ever had conv.
func (d *Desk) Claim(ctx context.Context, agent string, groups []string, conv chat.ConvID) (Lease, Package, error) {
	token := chat.NewToken()
	if conv != "" {
		return d.claimThis(ctx, agent, groups, conv, token)
	}
	for range claimRounds {
		candidates, err := d.peek(ctx, groups, peekDepth)
		if err != nil {
			return Lease{}, Package{}, err
		}
		lost := false
		for _, w := range candidates {
			avoided, err := d.avoids(ctx, agent, w.group, w.conv)
			if err != nil {
				return Lease{}, Package{}, err
			}
			if avoided {
				continue
			}
			l, p, err := d.take(ctx, w.group, w.conv, agent, token, false)
			if err == nil {
				return l, p, nil
			}
			if !errors.Is(err, chat.ErrTaken) && !errors.Is(err, chat.ErrNotFound) {
				return Lease{}, Package{}, err
			}
			lost = true
		}
		if !lost {
			return Lease{}, Package{}, chat.ErrEmpty
		}
		// Everything seen went to others meanwhile: look again.
	}
	return Lease{}, Package{}, chat.ErrEmpty
}

func (d *Desk) claimThis(ctx context.Context, agent string, groups []string, conv chat.ConvID, token string) (Lease, Package, error) {
	if groups == nil {
		groups = d.groupIDs()
	}
	in, err := d.Where(ctx, conv)
	if err != nil {
		return Lease{}, Package{}, err
	}
	// Where it stands comes first; a group it was in before tells taken from unknown.
	order := make([]string, 0, len(groups)+len(in))
	for _, g := range in {
		if slices.Contains(groups, g) {
			order = append(order, g)
		}
	}
	for _, g := range groups {
		if !slices.Contains(order, g) {
			order = append(order, g)
		}
	}
	outcome := chat.ErrNotFound
	for _, g := range order {
		avoided, err := d.avoids(ctx, agent, g, conv)
		if err != nil {
			return Lease{}, Package{}, err
		}
		if avoided {
			return Lease{}, Package{}, chat.ErrTaken
		}
		l, p, err := d.take(ctx, g, conv, agent, token, false)
		switch {
		case err == nil:
			return l, p, nil
		case errors.Is(err, chat.ErrTaken):
			outcome = chat.ErrTaken
		case !errors.Is(err, chat.ErrNotFound):
			return Lease{}, Package{}, err
		}
	}
	return Lease{}, Package{}, outcome
}

// take runs the claim script for one conversation of one group.
func (d *Desk) take(ctx context.Context, group string, conv chat.ConvID, agent, token string, auto bool) (Lease, Package, error) {
	ttl := d.leaseTTL
	if auto {
		ttl = d.acceptTimeout
	}
	expires := d.clock().Add(ttl)
	res, err := d.run(ctx, d.scripts.claim, entryKeys(group, conv),
		string(conv), agent, token, expires.UnixMilli(), flag(auto),
		notesChannel, encode(Note{T: NoteAssigned, Conv: conv, Group: group, Agent: agent}))
	if err != nil {
		return Lease{}, Package{}, err
	}
	out, ok := res.([]any)
	if !ok || len(out) == 0 {
		return Lease{}, Package{}, fmt.Errorf("handoff: claim returned %T", res)
	}
	switch code, _ := out[0].(int64); {
	case code == 0:
		return Lease{}, Package{}, chat.ErrTaken
	case code < 0:
		return Lease{}, Package{}, chat.ErrNotFound
	case len(out) != 5:
		return Lease{}, Package{}, fmt.Errorf("handoff: claim returned %d values", len(out))
	}
	p, raw := d.openPackage(ctx, group, conv, str(out[4]))
	return Lease{
		Conv: conv, Group: group, Agent: agent, Token: str(out[1]), Generation: parseInt(str(out[2])),
		Expires: expires.Truncate(time.Millisecond), Auto: str(out[3]) == "1", Package: raw,
	}, p, nil
}

// avoids reports whether the conversation must not go to the agent while
// others could take it.
func (d *Desk) avoids(ctx context.Context, agent, group string, conv chat.ConvID) (bool, error) {
	var avoid *redis.StringCmd
	if err := d.read(ctx, func(p redis.Pipeliner) { avoid = p.HGet(ctx, entryKey(group, conv), "avoid") }); err != nil {
		return false, err
	}
	if avoid.Val() == "" || avoid.Val() != agent {
		return false, nil
	}
	agents, err := d.presence(ctx)
	if err != nil {
		return false, err
	}
	return len(others(agents, group, agent)) > 0, nil
}

// Renew moves on the expiry of those of the agent's leases that the tokens
// name, and returns the ones he still holds. It accepts what the desk had
// assigned to him, and counts as his heartbeat.
func (d *Desk) Renew(ctx context.Context, agent string, tokens []string) ([]Lease, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	expires := d.clock().Add(d.leaseTTL)
	args := make([]any, 0, len(tokens)+2)
	args = append(args, agent, expires.UnixMilli())
	for _, t := range tokens {
		args = append(args, t)
	}
	var kept []Lease
	for _, g := range d.groups {
		res, err := d.run(ctx, d.scripts.renew, []string{heldKey(g.ID), leasesKey(g.ID)}, args...)
		if err != nil {
			return nil, err
		}
		flat, _ := res.([]any)
		for i := 0; i+2 < len(flat); i += 3 {
			kept = append(kept, Lease{
				Conv: chat.ConvID(str(flat[i])), Group: g.ID, Agent: agent, Token: str(flat[i+1]),
				Generation: parseInt(str(flat[i+2])), Expires: expires.Truncate(time.Millisecond),
			})
		}
	}
	return kept, d.Heartbeat(ctx, agent)
}

// Holds returns the agent's leases, expired ones included that nobody took back yet.
func (d *Desk) Holds(ctx context.Context, agent string) ([]Lease, error) {
	all, err := d.leases(ctx)
	if err != nil {
		return nil, err
	}
	var his []Lease
	for _, l := range all {
		if l.Agent == agent {
			his = append(his, l)
		}
	}
	return his, nil
}

// Lease returns the lease on a conversation in a group, without its package,
// or chat.ErrNotFound when nobody holds it there.
func (d *Desk) Lease(ctx context.Context, group string, conv chat.ConvID) (Lease, error) {
	var held *redis.StringCmd
	var expires *redis.FloatCmd
	err := d.read(ctx, func(p redis.Pipeliner) {
		held = p.HGet(ctx, heldKey(group), string(conv))
		expires = p.ZScore(ctx, leasesKey(group), string(conv))
	})
	if err != nil {
		return Lease{}, err
	}
	l, ok := parseLease(group, conv, held.Val(), expires.Val())
	if !ok {
		return Lease{}, chat.ErrNotFound
	}
	return l, nil
}

// Requeue ends the lease and puts the conversation back: to the front of its
// priority, or to the place its age gives it. A repeated call does nothing.
// chat.ErrLeaseLost when the token is not the holder's.
func (d *Desk) Requeue(ctx context.Context, l Lease, front bool) error {
	field := "place"
	if front {
		field = "front"
	}
	lost := ""
	if !l.Expires.IsZero() && l.Expires.Before(d.clock()) {
		lost = encode(Note{T: NoteLost, Conv: l.Conv, Group: l.Group, Agent: l.Agent})
	}
	return d.end(ctx, d.scripts.requeue, l, field,
		notesChannel, encode(Note{T: NoteQueue, Conv: l.Conv, Group: l.Group}), lost)
}

// Finish ends the lease and the handoff: the conversation was closed. A
// repeated call does nothing. chat.ErrLeaseLost when the token is not the holder's.
func (d *Desk) Finish(ctx context.Context, l Lease) error {
	return d.end(ctx, d.scripts.finish, l, remember.Milliseconds(),
		notesChannel, encode(Note{T: NoteQueue, Conv: l.Conv, Group: l.Group}))
}

func (d *Desk) end(ctx context.Context, s *redisx.Script, l Lease, args ...any) error {
	n, err := d.runInt(ctx, s, entryKeys(l.Group, l.Conv), append([]any{string(l.Conv), l.Token}, args...)...)
	if err != nil {
		return err
	}
	if n == 0 {
		return chat.ErrLeaseLost
	}
	return nil
}

// Move ends the lease and puts the conversation into p.Group's queue, with p
// as its package: a transfer. To pass it to a named agent, Claim it for him
// afterwards. A repeated call does nothing. chat.ErrLeaseLost when the token is
// not the holder's.
//
// Two groups are two tags, so a crash in between leaves the conversation
// waiting in the new group and leased in the old one, until the lease expires
// and Expired returns it; calling Move again then completes it.
func (d *Desk) Move(ctx context.Context, l Lease, p Package) error {
	g, _ := d.Group(p.Group)
	p.Group = g.ID
	// The claim's generation is newer than any handoff before it, so the
	// conversation may come back to a group it has left.
	p.Generation = max(p.Generation, l.Generation)
	if p.Group == l.Group {
		_, err := d.put(ctx, p, true, l.Token)
		return err
	}
	// The renewal proves the token and keeps the lease from expiring meanwhile.
	res, err := d.run(ctx, d.scripts.renew, []string{heldKey(l.Group), leasesKey(l.Group)},
		l.Agent, d.clock().Add(d.leaseTTL).UnixMilli(), l.Token)
	if err != nil {
		return err
	}
	if kept, _ := res.([]any); len(kept) == 0 {
		return d.Finish(ctx, l) // tells a repetition from a lost lease
	}
	if _, err := d.put(ctx, p, true, ""); err != nil {
		return err
	}
	return d.Finish(ctx, l)
}

// Expired returns the leases whose holder is gone: past expiry and grace, or,
// when the desk had assigned it, not accepted in time; such an agent is set
// away. They stay leased: the caller first clears the conversation, then calls
// Requeue to the front, or Finish if it was closed, or Move if it has another
// group.
func (d *Desk) Expired(ctx context.Context) ([]Lease, error) {
	all, err := d.leases(ctx)
	if err != nil {
		return nil, err
	}
	now := d.clock()
	var gone []Lease
	for _, l := range all {
		switch {
		case l.Auto && !l.Expires.After(now):
			if err := d.setAway(ctx, l.Agent); err != nil {
				return nil, err
			}
		case !l.Expires.Add(d.grace).After(now):
		default:
			continue
		}
		gone = append(gone, l)
	}
	sealed := make([]*redis.StringCmd, len(gone))
	err = d.read(ctx, func(p redis.Pipeliner) {
		for i, l := range gone {
			sealed[i] = p.HGet(ctx, entryKey(l.Group, l.Conv), "package")
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range gone {
		_, gone[i].Package = d.openPackage(ctx, gone[i].Group, gone[i].Conv, sealed[i].Val())
	}
	return gone, nil
}

// leases returns every lease of every group, without packages.
func (d *Desk) leases(ctx context.Context) ([]Lease, error) {
	held := make([]*redis.MapStringStringCmd, len(d.groups))
	expiries := make([]*redis.ZSliceCmd, len(d.groups))
	err := d.read(ctx, func(p redis.Pipeliner) {
		for i, g := range d.groups {
			expiries[i] = p.ZRangeWithScores(ctx, leasesKey(g.ID), 0, -1)
			held[i] = p.HGetAll(ctx, heldKey(g.ID))
		}
	})
	if err != nil {
		return nil, err
	}
	var all []Lease
	for i, g := range d.groups {
		owners := held[i].Val()
		for _, z := range expiries[i].Val() {
			conv, _ := z.Member.(string)
			if l, ok := parseLease(g.ID, chat.ConvID(conv), owners[conv], z.Score); ok {
				all = append(all, l)
			}
		}
	}
	return all, nil
}

// parseLease reads the value claim.lua wrote: token generation auto agent.
func parseLease(group string, conv chat.ConvID, value string, expires float64) (Lease, bool) {
	part := strings.SplitN(value, " ", 4)
	if len(part) != 4 {
		return Lease{}, false
	}
	generation, err := strconv.ParseInt(part[1], 10, 64)
	if err != nil {
		return Lease{}, false
	}
	return Lease{
		Conv: conv, Group: group, Agent: part[3], Token: part[0], Generation: generation,
		Expires: fromMS(expires), Auto: part[2] == "1",
	}, true
}

func str(v any) string {
	s, _ := v.(string)
	return s
}
