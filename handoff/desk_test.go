package handoff_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"wensheng/handoff"
	"wensheng/internal/chat"
	"wensheng/internal/redisx/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// xor is a sealer good enough to see that nothing is stored in clear.
type xor struct{}

func (xor) Seal(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] ^ 0x5a
	}
	return out
}
func (x xor) Open(b []byte) ([]byte, error) { return x.Seal(b), nil }

// clock is a time the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// fixture is a desk on a real Redis of its own.
type fixture struct {
	*handoff.Desk
	clock *clock
	redis redis.UniversalClient
}

func newDesk(t *testing.T, client redis.UniversalClient, change ...func(*handoff.Options)) fixture {
	t.Helper()
	c := newClock()
	o := handoff.Options{
		Redis: client, Sealer: xor{}, Clock: c.Now,
		Groups: []handoff.Group{{ID: "kf", Name: "kf"}, {ID: "fk", Name: "fk"}, {ID: "auto", Name: "auto", Auto: true}},
	}
	for _, fn := range change {
		fn(&o)
	}
	d, err := handoff.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return fixture{Desk: d, clock: c, redis: client}
}

func startDesk(t *testing.T, change ...func(*handoff.Options)) fixture {
	t.Helper()
	return newDesk(t, redistest.Start(t).Client(), change...)
}

func conv(n int) chat.ConvID { return chat.NewConvID(n % chat.Shards) }

func (f fixture) pkg(c chat.ConvID, group string, p handoff.Priority) handoff.Package {
	return handoff.Package{
		Conv: c, Account: "web", Channel: "web", Group: group, Generation: 1, Priority: p,
		Reason: "human", Summary: "the summary", Preview: "the preview", Receipt: "R1", At: f.clock.Now(),
		Signals: []string{"media"}, Candidates: []handoff.Candidate{{Topic: "t", Confidence: 0.5}},
	}
}

func (f fixture) enqueue(t *testing.T, p handoff.Package) int {
	t.Helper()
	pos, err := f.Enqueue(t.Context(), p)
	if err != nil {
		t.Fatalf("Enqueue: %v", err)
	}
	return pos
}

func (f fixture) claim(t *testing.T, agent, group string, c chat.ConvID) handoff.Lease {
	t.Helper()
	l, _, err := f.Claim(t.Context(), agent, []string{group}, c)
	if err != nil {
		t.Fatalf("Claim by %s: %v", agent, err)
	}
	return l
}

func (f fixture) order(t *testing.T, groups ...string) []chat.ConvID {
	t.Helper()
	items, err := f.Items(t.Context(), groups)
	if err != nil {
		t.Fatalf("Items: %v", err)
	}
	var ids []chat.ConvID
	for _, it := range items {
		ids = append(ids, it.Conv)
	}
	return ids
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

func TestQueue_OrdersByPriorityThenAge(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	var ids []chat.ConvID
	for i, p := range []handoff.Priority{handoff.P2, handoff.P1, handoff.P0, handoff.P2, handoff.P0, handoff.P1} {
		id := conv(i)
		ids = append(ids, id)
		f.enqueue(t, f.pkg(id, []string{"kf", "fk"}[i%2], p))
		f.clock.Add(time.Second)
	}
	want := []chat.ConvID{ids[2], ids[4], ids[1], ids[5], ids[0], ids[3]}
	if diff := cmp.Diff(want, f.order(t, "kf", "fk")); diff != "" {
		t.Errorf("order over two groups (-want +got):\n%s", diff)
	}
	for i, id := range want {
		l, p, err := f.Claim(t.Context(), fmt.Sprint("agent", i), []string{"kf", "fk"}, "")
		if err != nil {
			t.Fatalf("claim %d: %v", i, err)
		}
		if l.Conv != id || p.Conv != id {
			t.Errorf("claim %d: got %s with package of %s, want %s", i, l.Conv, p.Conv, id)
		}
	}
	_, _, err := f.Claim(t.Context(), "late", []string{"kf", "fk"}, "")
	wantErr(t, "claim from an empty queue", err, chat.ErrEmpty)
}

func TestQueue_TakesTheSameHandoffOnce(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	first, second := conv(1), conv(2)
	f.enqueue(t, f.pkg(first, "kf", handoff.P2))
	f.clock.Add(time.Second)
	p := f.pkg(second, "kf", handoff.P2)
	for range 3 {
		if pos := f.enqueue(t, p); pos != 2 {
			t.Errorf("position: got %d, want 2", pos)
		}
		f.clock.Add(time.Second)
	}
	if got := f.order(t, "kf"); len(got) != 2 {
		t.Errorf("queue: got %d entries, want 2", len(got))
	}
	l := f.claim(t, "a", "kf", second)
	if pos := f.enqueue(t, p); pos != 0 {
		t.Errorf("position of a held one: got %d, want 0", pos)
	}
	if err := f.Finish(t.Context(), l); err != nil {
		t.Fatalf("Finish: %v", err)
	}
	if pos := f.enqueue(t, p); pos != 0 {
		t.Errorf("position of a finished one: got %d, want 0", pos)
	}
	if pos, err := f.Restore(t.Context(), p); err != nil || pos != 2 {
		t.Errorf("Restore: got %d, %v, want 2", pos, err)
	}
	p.Generation = 7
	if pos := f.enqueue(t, p); pos != 2 {
		t.Errorf("position of a new handoff: got %d, want 2", pos)
	}
	if l := f.claim(t, "a", "kf", second); l.Generation != 8 {
		t.Errorf("generation: got %d, want 8", l.Generation)
	}
}

func TestQueue_MovesUpWhenThePriorityRises(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	first, second := conv(1), conv(2)
	f.enqueue(t, f.pkg(first, "kf", handoff.P1))
	f.enqueue(t, f.pkg(second, "kf", handoff.P2))
	if pos := f.enqueue(t, f.pkg(second, "kf", handoff.P0)); pos != 1 {
		t.Errorf("position after a signal: got %d, want 1", pos)
	}
	if pos := f.enqueue(t, f.pkg(second, "kf", handoff.P2)); pos != 1 {
		t.Errorf("position after a lower one: got %d, want 1", pos)
	}
	items, err := f.Items(t.Context(), nil)
	if err != nil || len(items) != 2 || items[0].Priority != handoff.P0 || items[0].Position != 1 || items[1].Position != 2 {
		t.Errorf("items: got %+v, %v", items, err)
	}
}

func TestQueue_KeepsAConversationInOneGroup(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	c := conv(1)
	p := f.pkg(c, "kf", handoff.P2)
	f.enqueue(t, p)
	old := f.claim(t, "a", "kf", c)
	p.Group, p.Generation = "fk", 9
	f.enqueue(t, p)
	if in, err := f.Where(t.Context(), c); err != nil || !cmp.Equal(in, []string{"fk"}) {
		t.Errorf("Where: got %v, %v, want fk alone", in, err)
	}
	wantErr(t, "the old lease", f.Requeue(t.Context(), old, true), chat.ErrLeaseLost)
	if pos, err := f.Position(t.Context(), "fk", c); err != nil || pos != 1 {
		t.Errorf("Position: got %d, %v", pos, err)
	}
	_, err := f.Position(t.Context(), "kf", c)
	wantErr(t, "position where it is not", err, chat.ErrNotFound)
}

func TestQueue_WithdrawsNoNewerHandoff(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	c := conv(1)
	p := f.pkg(c, "kf", handoff.P2)
	p.Generation = 3
	f.enqueue(t, p)
	if err := f.Withdraw(t.Context(), "kf", c, 2); err != nil {
		t.Fatal(err)
	}
	if len(f.order(t, "kf")) != 1 {
		t.Error("a withdrawal of an older handoff took the newer one")
	}
	for range 2 {
		if err := f.Withdraw(t.Context(), "kf", c, 3); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.order(t, "kf")) != 0 {
		t.Error("a withdrawn conversation still waits")
	}
	early := conv(2)
	if err := f.Withdraw(t.Context(), "kf", early, 5); err != nil {
		t.Fatal(err)
	}
	p = f.pkg(early, "kf", handoff.P2)
	p.Generation = 5
	if pos := f.enqueue(t, p); pos != 0 {
		t.Errorf("an enqueue after its withdrawal: got position %d, want 0", pos)
	}
	f.enqueue(t, f.pkg(conv(3), "kf", handoff.P2))
	if err := f.Dequeue(t.Context(), "kf", f.order(t, "kf")[0]); err != nil || len(f.order(t, "kf")) != 0 {
		t.Errorf("Dequeue: %v, or it still waits", err)
	}
}

func TestQueue_TakesMoreThanItsMax(t *testing.T) {
	t.Parallel()
	f := startDesk(t, func(o *handoff.Options) { o.QueueMax = 2 })
	for i := range 3 {
		pos := f.enqueue(t, f.pkg(conv(i), "kf", handoff.P2))
		if f.Long(pos) != (i == 2) {
			t.Errorf("position %d: Long is %t", pos, f.Long(pos))
		}
	}
}

func TestQueue_SendsAnUnknownGroupToTheFirst(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	f.enqueue(t, f.pkg(conv(1), "nobody", handoff.P2))
	if len(f.order(t, "kf")) != 1 {
		t.Error("it is not in the first group's queue")
	}
}

func TestDesk_StoresNothingReadable(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	c := conv(1)
	f.enqueue(t, f.pkg(c, "kf", handoff.P2))
	l := f.claim(t, "a", "kf", c)
	keys, err := f.redis.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		dump, err := f.redis.Dump(t.Context(), k).Result()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains([]byte(dump), []byte("the preview")) || bytes.Contains([]byte(dump), []byte("the summary")) {
			t.Errorf("key %s holds the package in clear", k)
		}
	}
	if l.Package == nil {
		t.Error("the lease has no package")
	}
}

func TestDesk_WorksOnATrialStore(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: m.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	story(t, newDesk(t, client))
}

func TestDesk_WorksOnRealRedis(t *testing.T) {
	t.Parallel()
	story(t, startDesk(t))
}

func TestDesk_WorksOnACluster(t *testing.T) {
	t.Parallel()
	story(t, newDesk(t, redistest.StartCluster(t, 3).Client(t)))
}

// story takes one conversation through every verb; the results must be the
// same on every server.
func story(t *testing.T, f fixture) {
	t.Helper()
	ctx := t.Context()
	for _, a := range []string{"a", "b"} {
		if err := f.SetPresence(ctx, handoff.Agent{ID: a, Name: a, Status: handoff.Online, Groups: []string{"kf", "fk", "auto"}, Capacity: 2}); err != nil {
			t.Fatalf("SetPresence: %v", err)
		}
	}
	c := conv(1)
	p := f.pkg(c, "kf", handoff.P1)
	f.enqueue(t, p)
	l, got, err := f.Claim(ctx, "a", nil, "")
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("package (-want +got):\n%s", diff)
	}
	if kept, err := f.Renew(ctx, "a", []string{l.Token, "no such"}); err != nil || len(kept) != 1 || kept[0].Token != l.Token {
		t.Errorf("Renew: got %+v, %v", kept, err)
	}
	p.Group = "auto"
	if err := f.Move(ctx, l, p); err != nil {
		t.Fatalf("Move: %v", err)
	}
	given, err := f.Assign(ctx)
	if err != nil || len(given) != 1 || given[0].Conv != c || !given[0].Auto || given[0].Generation <= l.Generation {
		t.Fatalf("Assign: got %+v, %v", given, err)
	}
	f.clock.Add(31 * time.Second)
	gone, err := f.Expired(ctx)
	if err != nil || len(gone) != 1 || gone[0].Token != given[0].Token || gone[0].Package == nil {
		t.Fatalf("Expired: got %+v, %v", gone, err)
	}
	if err := f.Requeue(ctx, gone[0], true); err != nil {
		t.Fatalf("Requeue: %v", err)
	}
	again, err := f.Assign(ctx)
	if err != nil || len(again) != 1 || again[0].Agent == given[0].Agent {
		t.Fatalf("Assign again: got %+v, %v; want the other agent", again, err)
	}
	if kept, err := f.Renew(ctx, again[0].Agent, []string{again[0].Token}); err != nil || len(kept) != 1 || kept[0].Auto {
		t.Fatalf("accept: got %+v, %v", kept, err)
	}
	if err := f.Finish(ctx, again[0]); err != nil {
		t.Fatalf("Finish: %v", err)
	}
	if in, err := f.Where(ctx, c); err != nil || len(in) != 0 {
		t.Errorf("Where at the end: got %v, %v", in, err)
	}
	agents, err := f.Agents(ctx)
	if err != nil || len(agents) != 2 || agents[0].Load+agents[1].Load != 0 {
		t.Errorf("Agents: got %+v, %v", agents, err)
	}
}
