package handoff_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"wensheng/handoff"
	"wensheng/internal/chat"
	"wensheng/internal/redisx/redistest"
)

func TestClaim_OneOfManyWins(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	const convs, agents = 40, 16
	for i := range convs {
		f.enqueue(t, f.pkg(conv(i), "kf", handoff.P2))
	}
	var mu sync.Mutex
	holder := map[chat.ConvID]string{}
	tokens := map[string]bool{}
	var wg sync.WaitGroup
	for a := range agents {
		wg.Go(func() {
			agent := fmt.Sprint("agent", a)
			for {
				l, _, err := f.Claim(t.Context(), agent, []string{"kf"}, "")
				if errors.Is(err, chat.ErrEmpty) {
					return
				}
				if err != nil {
					t.Errorf("Claim: %v", err)
					return
				}
				mu.Lock()
				if other, ok := holder[l.Conv]; ok {
					t.Errorf("%s is held by %s and %s", l.Conv, other, agent)
				}
				holder[l.Conv] = agent
				tokens[l.Token] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(holder) != convs || len(tokens) != convs {
		t.Errorf("claimed: got %d with %d tokens, want %d", len(holder), len(tokens), convs)
	}
}

func TestClaim_OfOneConversation(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	c := conv(1)
	f.enqueue(t, f.pkg(c, "kf", handoff.P2))
	var wg sync.WaitGroup
	won := make(chan handoff.Lease, 20)
	for a := range 20 {
		wg.Go(func() {
			l, _, err := f.Claim(t.Context(), fmt.Sprint("agent", a), nil, c)
			if err == nil {
				won <- l
			} else if !errors.Is(err, chat.ErrTaken) {
				t.Errorf("Claim: %v", err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("winners: got %d, want 1", len(won))
	}
	l := <-won
	again := f.claim(t, l.Agent, "kf", c)
	if again.Token != l.Token || again.Generation != l.Generation {
		t.Errorf("the holder's second claim: got %+v, want %+v", again, l)
	}
	if err := f.Finish(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	_, _, err := f.Claim(t.Context(), "late", nil, c)
	wantErr(t, "claim of what is over", err, chat.ErrTaken)
	_, _, err = f.Claim(t.Context(), "late", nil, conv(2))
	wantErr(t, "claim of what never waited", err, chat.ErrNotFound)
	f.enqueue(t, f.pkg(conv(3), "fk", handoff.P2))
	_, _, err = f.Claim(t.Context(), "late", []string{"kf"}, "")
	wantErr(t, "claim outside one's groups", err, chat.ErrEmpty)
}

func TestLease_ExpiresToTheFrontWithItsContext(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	older, mine, urgent := conv(1), conv(2), conv(3)
	f.enqueue(t, f.pkg(older, "kf", handoff.P2))
	f.clock.Add(time.Minute)
	p := f.pkg(mine, "kf", handoff.P2)
	f.enqueue(t, p)
	l := f.claim(t, "a", "kf", mine)
	f.enqueue(t, f.pkg(urgent, "kf", handoff.P1))

	f.clock.Add(46 * time.Second) // expired, within grace
	if gone, err := f.Expired(t.Context()); err != nil || len(gone) != 0 {
		t.Fatalf("Expired within grace: got %+v, %v", gone, err)
	}
	f.clock.Add(30 * time.Second)
	gone, err := f.Expired(t.Context())
	if err != nil || len(gone) != 1 || gone[0].Token != l.Token || gone[0].Agent != "a" {
		t.Fatalf("Expired: got %+v, %v", gone, err)
	}
	for range 2 { // the second is the repetition after a lost reply
		if err := f.Requeue(t.Context(), gone[0], true); err != nil {
			t.Fatalf("Requeue: %v", err)
		}
	}
	if diff := cmp.Diff([]chat.ConvID{urgent, mine, older}, f.order(t, "kf")); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
	next, got, err := f.Claim(t.Context(), "b", []string{"kf"}, mine)
	if err != nil || next.Generation <= l.Generation || next.Token == l.Token {
		t.Errorf("next claim: got %+v, %v", next, err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("package (-want +got):\n%s", diff)
	}
}

func TestLease_StaleTokenIsPowerless(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	ctx := t.Context()
	c := conv(1)
	p := f.pkg(c, "kf", handoff.P2)
	f.enqueue(t, p)
	stale := f.claim(t, "a", "kf", c)
	if err := f.Requeue(ctx, stale, false); err != nil {
		t.Fatal(err)
	}
	held := f.claim(t, "b", "kf", c)
	wantErr(t, "Requeue", f.Requeue(ctx, stale, true), chat.ErrLeaseLost)
	wantErr(t, "Finish", f.Finish(ctx, stale), chat.ErrLeaseLost)
	moved := p
	moved.Group = "fk"
	wantErr(t, "Move", f.Move(ctx, stale, moved), chat.ErrLeaseLost)
	wantErr(t, "Move within the group", f.Move(ctx, stale, p), chat.ErrLeaseLost)
	if kept, err := f.Renew(ctx, "a", []string{stale.Token, held.Token}); err != nil || len(kept) != 0 {
		t.Errorf("Renew: got %+v, %v", kept, err)
	}
	if now, err := f.Lease(ctx, "kf", c); err != nil || now.Token != held.Token {
		t.Errorf("Lease: got %+v, %v, want b's", now, err)
	}
	if in, err := f.Where(ctx, c); err != nil || !cmp.Equal(in, []string{"kf"}) {
		t.Errorf("Where: got %v, %v", in, err)
	}
}

func TestLease_RenewsAndIsListed(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	ctx := t.Context()
	var tokens []string
	for i, g := range []string{"kf", "fk"} {
		c := conv(i)
		f.enqueue(t, f.pkg(c, g, handoff.P2))
		tokens = append(tokens, f.claim(t, "a", g, c).Token)
	}
	f.clock.Add(40 * time.Second)
	kept, err := f.Renew(ctx, "a", tokens)
	if err != nil || len(kept) != 2 || !kept[0].Expires.Equal(f.clock.Now().Add(45*time.Second)) {
		t.Errorf("Renew: got %+v, %v", kept, err)
	}
	if his, err := f.Holds(ctx, "a"); err != nil || len(his) != 2 || !his[0].Expires.Equal(kept[0].Expires) {
		t.Errorf("Holds: got %+v, %v", his, err)
	}
	if none, err := f.Holds(ctx, "b"); err != nil || len(none) != 0 {
		t.Errorf("Holds of b: got %+v, %v", none, err)
	}
	_, err = f.Lease(ctx, "kf", conv(9))
	wantErr(t, "lease of what nobody holds", err, chat.ErrNotFound)
}

func TestMove_ThereAndBackAgain(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	ctx := t.Context()
	c := conv(1)
	p := f.pkg(c, "kf", handoff.P2)
	f.enqueue(t, p)
	for i, to := range []string{"fk", "kf", "kf", "fk"} {
		from := p.Group
		l := f.claim(t, fmt.Sprint("agent", i), from, c)
		p.Group, p.Summary = to, fmt.Sprint("summary ", i)
		for range 2 { // the second is the repetition after a lost reply
			if err := f.Move(ctx, l, p); err != nil {
				t.Fatalf("Move %d: %v", i, err)
			}
		}
		if in, err := f.Where(ctx, c); err != nil || !cmp.Equal(in, []string{to}) {
			t.Errorf("Move %d: Where got %v, %v, want %s", i, in, err, to)
		}
		items, err := f.Items(ctx, []string{to})
		if err != nil || len(items) != 1 || items[0].Summary != p.Summary {
			t.Errorf("Move %d: items %+v, %v", i, items, err)
		}
	}
}

func TestMove_HealsAfterACrashInBetween(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	ctx := t.Context()
	c := conv(1)
	p := f.pkg(c, "kf", handoff.P2)
	f.enqueue(t, p)
	l := f.claim(t, "a", "kf", c)
	// The first half of a Move: waiting in the new group, leased in the old one.
	p.Group, p.Generation = "fk", l.Generation
	if _, err := f.Restore(ctx, p); err != nil {
		t.Fatal(err)
	}
	f.clock.Add(time.Hour)
	gone, err := f.Expired(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range gone {
		if err := f.Move(ctx, l, p); err != nil {
			t.Fatalf("Move again: %v", err)
		}
	}
	if in, err := f.Where(ctx, c); err != nil || !cmp.Equal(in, []string{"fk"}) {
		t.Errorf("Where: got %v, %v, want fk alone", in, err)
	}
}

// tags checks that the keys of every script share one hash tag.
type tags struct{ t *testing.T }

var hashTag = regexp.MustCompile(`^\{[^{}]+\}`)

func (h tags) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h tags) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h tags) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if name := cmd.Name(); name == "evalsha" || name == "eval" {
			args := cmd.Args()
			n, _ := args[2].(int)
			tag := ""
			for _, k := range args[3 : 3+n] {
				key, _ := k.(string)
				if found := hashTag.FindString(key); found == "" || tag != "" && found != tag {
					h.t.Errorf("%s: key %q, want the tag %q", name, key, tag)
				} else {
					tag = found
				}
			}
		}
		return next(ctx, cmd)
	}
}

func TestScripts_TouchOneTag(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client()
	client.AddHook(tags{t})
	story(t, newDesk(t, client))
}

// flaky loses the reply of every other script.
type flaky struct {
	mu sync.Mutex
	n  int
}

func (h *flaky) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *flaky) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *flaky) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err != nil || cmd.Name() != "evalsha" {
			return err
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.n++; h.n%2 == 0 {
			return nil
		}
		cmd.SetErr(io.EOF)
		return io.EOF
	}
}

func TestScripts_SurviveLostReplies(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client()
	client.AddHook(&flaky{})
	story(t, newDesk(t, client))
}

func TestDesk_SaysWhenRedisIsDown(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	f := newDesk(t, s.Client())
	s.Kill()
	_, err := f.Enqueue(t.Context(), f.pkg(conv(1), "kf", handoff.P2))
	wantErr(t, "Enqueue", err, chat.ErrUnavailable)
	_, _, err = f.Claim(t.Context(), "a", nil, "")
	wantErr(t, "Claim", err, chat.ErrUnavailable)
	_, err = f.Items(t.Context(), nil)
	wantErr(t, "Items", err, chat.ErrUnavailable)
}
