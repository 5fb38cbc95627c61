package handoff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"wensheng/internal/chat"
)

// forget is how long an agent is listed after his last heartbeat.
const forget = 24 * time.Hour

// info is what is kept of an agent beside his status.
type info struct {
	Name     string   `json:"name"`
	Groups   []string `json:"groups"`
	Capacity int      `json:"capacity"`
}

// SetPresence records what the agent says of himself and counts as a
// heartbeat. Load and Seen are not read.
func (d *Desk) SetPresence(ctx context.Context, a Agent) error {
	if a.ID == "" {
		return errors.New("handoff: an agent without an id")
	}
	raw, err := json.Marshal(info{Name: a.Name, Groups: a.Groups, Capacity: a.Capacity})
	if err != nil {
		return fmt.Errorf("handoff: encode agent: %w", err)
	}
	_, err = d.run(ctx, d.scripts.presence, []string{statusKey, infoKey, seenKey},
		a.ID, string(a.Status), raw, ms(d.clock()), notesChannel, encode(Note{T: NotePresence, Agent: a.ID}))
	return err
}

// Heartbeat records that the agent is there; his status stays as he set it. An
// agent who never set one is ignored.
func (d *Desk) Heartbeat(ctx context.Context, agent string) error {
	err := d.redis.ZAddArgs(ctx, seenKey, redis.ZAddArgs{
		XX: true, GT: true, Members: []redis.Z{{Score: float64(ms(d.clock())), Member: agent}},
	}).Err()
	if err != nil {
		return failed("heartbeat", err)
	}
	return nil
}

// Agents returns every agent seen in the last day, by id, with the number of
// conversations he holds. One whose heartbeat has stopped is shown Offline.
func (d *Desk) Agents(ctx context.Context) ([]Agent, error) {
	agents, err := d.presence(ctx)
	if err != nil {
		return nil, err
	}
	leases, err := d.leases(ctx)
	if err != nil {
		return nil, err
	}
	load := map[string]int{}
	for _, l := range leases {
		load[l.Agent]++
	}
	for i := range agents {
		agents[i].Load = load[agents[i].ID]
	}
	return agents, nil
}

// Staffed returns how many agents of the group are online now, whatever they hold.
func (d *Desk) Staffed(ctx context.Context, group string) (int, error) {
	agents, err := d.presence(ctx)
	if err != nil {
		return 0, err
	}
	return len(others(agents, group, "")), nil
}

// others are the group's online agents but for one.
func others(agents []Agent, group, but string) []Agent {
	var rest []Agent
	for _, a := range agents {
		if a.ID != but && a.Status == Online && slices.Contains(a.Groups, group) {
			rest = append(rest, a)
		}
	}
	return rest
}

// presence reads the agents without their load.
func (d *Desk) presence(ctx context.Context) ([]Agent, error) {
	var status, infos *redis.MapStringStringCmd
	var seen *redis.ZSliceCmd
	err := d.read(ctx, func(p redis.Pipeliner) {
		status = p.HGetAll(ctx, statusKey)
		infos = p.HGetAll(ctx, infoKey)
		seen = p.ZRangeWithScores(ctx, seenKey, 0, -1)
	})
	if err != nil {
		return nil, err
	}
	now := d.clock()
	agents := make([]Agent, 0, len(seen.Val()))
	for _, z := range seen.Val() {
		id, _ := z.Member.(string)
		a := Agent{ID: id, Status: Status(status.Val()[id]), Seen: fromMS(z.Score)}
		var more info
		if err := json.Unmarshal([]byte(infos.Val()[id]), &more); err == nil {
			a.Name, a.Groups, a.Capacity = more.Name, more.Groups, more.Capacity
		}
		age := now.Sub(a.Seen)
		if age > forget {
			continue
		}
		if age > d.presenceTTL || a.Status == "" {
			a.Status = Offline
		}
		agents = append(agents, a)
	}
	slices.SortFunc(agents, func(a, b Agent) int { return strings.Compare(a.ID, b.ID) })
	return agents, nil
}

func (d *Desk) setAway(ctx context.Context, agent string) error {
	_, err := d.run(ctx, d.scripts.away, []string{statusKey},
		agent, notesChannel, encode(Note{T: NotePresence, Agent: agent}))
	return err
}

// assignRound bounds one round of Assign: while it lasts no other replica
// assigns, so nobody's capacity is counted twice.
const assignRound = 10 * time.Second

// Assign gives what waits in groups with Auto to their agents: for each
// conversation, best first, the online agent of the group with the least load
// under his capacity, among equals the one who has waited longest for a new
// one; never the one its package says to avoid while another is online. It
// returns the new leases; each agent has the accept timeout to renew his. When
// another replica is assigning it returns nothing.
func (d *Desk) Assign(ctx context.Context) ([]Lease, error) {
	var auto []string
	for _, g := range d.groups {
		if g.Auto {
			auto = append(auto, g.ID)
		}
	}
	if len(auto) == 0 {
		return nil, nil
	}
	queue, err := d.peek(ctx, auto, peekDepth)
	if err != nil || len(queue) == 0 {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, assignRound)
	defer cancel()
	token := chat.NewToken()
	won, err := d.redis.SetNX(ctx, assigningKey, token, assignRound).Result()
	if err != nil {
		return nil, failed("assign", err)
	}
	if !won {
		return nil, nil
	}
	leases, err := d.assign(ctx, auto)
	if _, unlockErr := d.run(context.WithoutCancel(ctx), d.scripts.unlock, []string{assigningKey}, token); err == nil {
		err = unlockErr
	}
	return leases, err
}

// assign is the round itself, under the lock. What it read before is read again.
func (d *Desk) assign(ctx context.Context, groups []string) ([]Lease, error) {
	queue, err := d.peek(ctx, groups, peekDepth)
	if err != nil {
		return nil, err
	}
	agents, err := d.Agents(ctx)
	if err != nil {
		return nil, err
	}
	var last *redis.MapStringStringCmd
	if err := d.read(ctx, func(p redis.Pipeliner) { last = p.HGetAll(ctx, lastKey) }); err != nil {
		return nil, err
	}
	since := map[string]int64{}
	for agent, v := range last.Val() {
		since[agent] = parseInt(v)
	}
	var given []Lease
	for _, w := range queue {
		best, err := d.fittest(ctx, agents, since, w)
		if err != nil {
			return given, err
		}
		if best == nil {
			continue
		}
		l, _, err := d.take(ctx, w.group, w.conv, best.ID, chat.NewToken(), true)
		if err != nil {
			if isRace(err) {
				continue
			}
			return given, err
		}
		best.Load++
		since[best.ID] = max(ms(d.clock()), newest(since)+1)
		if err := d.redis.HSet(ctx, lastKey, best.ID, since[best.ID]).Err(); err != nil {
			return append(given, l), failed("assign", err)
		}
		given = append(given, l)
	}
	return given, nil
}

// fittest chooses who gets a waiting conversation; nil when nobody can.
func (d *Desk) fittest(ctx context.Context, agents []Agent, since map[string]int64, w waiting) (*Agent, error) {
	var best *Agent
	for i := range agents {
		a := &agents[i]
		if a.Status != Online || a.Load >= a.Capacity || !slices.Contains(a.Groups, w.group) {
			continue
		}
		if best != nil && (a.Load > best.Load || a.Load == best.Load && since[a.ID] >= since[best.ID]) {
			continue
		}
		avoided, err := d.avoids(ctx, a.ID, w.group, w.conv)
		if err != nil {
			return nil, err
		}
		if !avoided {
			best = a
		}
	}
	return best, nil
}

func newest(since map[string]int64) int64 {
	var n int64
	for _, v := range since {
		n = max(n, v)
	}
	return n
}
