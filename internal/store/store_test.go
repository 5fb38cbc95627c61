package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"wensheng/internal/chat"
	"wensheng/internal/pii"
	"wensheng/internal/redisx/redistest"
	"wensheng/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time the test moves by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newSealer(tb testing.TB) *pii.Sealer {
	tb.Helper()
	s, err := pii.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// env is a store with its clock.
type env struct {
	*store.Store
	clock *clock
	redis redis.UniversalClient
	t     *testing.T // in the cases of everywhere
}

func newEnv(tb testing.TB, client redis.UniversalClient) *env {
	tb.Helper()
	c := newClock()
	s, err := store.New(store.Options{
		Redis: client, Sealer: newSealer(tb), Clock: c.Now,
		Channel: func(a chat.AccountID) string { return "kind-" + string(a) },
		Pulls:   func(a chat.AccountID) bool { return a == "web" },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return &env{Store: s, clock: c, redis: client}
}

// everywhere runs a test on each kind of Redis. The servers are the test's own.
func everywhere(t *testing.T, cases map[string]func(e *env)) {
	t.Helper()
	for name, client := range map[string]func(t *testing.T) redis.UniversalClient{
		"redis": func(t *testing.T) redis.UniversalClient { t.Helper(); return redistest.Start(t).Client() },
		"cluster": func(t *testing.T) redis.UniversalClient {
			t.Helper()
			return redistest.StartCluster(t, 3).Client(t)
		},
		"trial": func(t *testing.T) redis.UniversalClient {
			t.Helper()
			m := miniredis.RunT(t)
			return redistest.NewClient(t, "tcp", m.Addr())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t)
			for name, fn := range cases {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					e := newEnv(t, c)
					e.t = t
					fn(e)
				})
			}
		})
	}
}

// person is an address no other test uses.
func person(tb testing.TB, account chat.AccountID) chat.Address {
	tb.Helper()
	return chat.Address{Account: account, ID: tb.Name()}
}

func text(from chat.Address, id, words string) chat.Inbound {
	return chat.Inbound{From: from, ProviderID: id, Kind: chat.KindText, Text: words}
}

func (e *env) accept(tb testing.TB, in chat.Inbound) chat.Accepted {
	tb.Helper()
	a, err := e.Accept(tb.Context(), in)
	if err != nil {
		tb.Fatalf("accept %s: %v", in.ProviderID, err)
	}
	return a
}

// answer commits one bot reply and the cursor over everything unread.
func answer(turn *chat.Turn, words string) chat.Commit {
	m := chat.Message{ID: chat.NewMessageID(), Role: chat.RoleBot, Kind: chat.KindText, Text: words}
	c := chat.Commit{
		Append:  []chat.Message{m},
		Deliver: map[chat.MessageID]chat.Delivery{m.ID: chat.DeliveryPending},
		Effects: []chat.Effect{{ID: "send:" + string(m.ID), Kind: chat.EffectSend, Message: m.ID}},
	}
	if n := len(turn.Unread); n > 0 {
		c.Cursor = turn.Unread[n-1].Seq
	}
	return c
}

func (e *env) commit(tb testing.TB, turn *chat.Turn, c chat.Commit) ([]chat.Message, *chat.Turn) {
	tb.Helper()
	stored, next, err := e.Commit(tb.Context(), turn, c)
	if err != nil {
		tb.Fatalf("commit: %v", err)
	}
	return stored, next
}

func (e *env) write(tb testing.TB, conv chat.ConvID, f chat.Fence, c chat.Commit) (chat.Conversation, []chat.Message) {
	tb.Helper()
	got, stored, err := e.Write(tb.Context(), conv, f, c)
	if err != nil {
		tb.Fatalf("write %s: %v", c.Event, err)
	}
	return got, stored
}

func (e *env) load(tb testing.TB, conv chat.ConvID) chat.Conversation {
	tb.Helper()
	c, err := e.Load(tb.Context(), conv)
	if err != nil {
		tb.Fatalf("load: %v", err)
	}
	return c
}

func (e *env) due(tb testing.TB, conv chat.ConvID) bool {
	tb.Helper()
	shard, _ := conv.Shard()
	ids, err := e.Due(tb.Context(), shard, shard+1, 1000)
	if err != nil {
		tb.Fatalf("due: %v", err)
	}
	return slices.Contains(ids, conv)
}

func (e *env) inState(tb testing.TB, conv chat.ConvID) []chat.State {
	tb.Helper()
	shard, _ := conv.Shard()
	var out []chat.State
	for _, s := range chat.States() {
		ids, err := e.InState(tb.Context(), shard, shard+1, s, e.clock.Now().Add(time.Hour), 1000)
		if err != nil {
			tb.Fatalf("in state: %v", err)
		}
		if slices.Contains(ids, conv) {
			out = append(out, s)
		}
	}
	return out
}

// said is the transcript, short, after checking that its numbers have no gaps.
func (e *env) said(tb testing.TB, conv chat.ConvID) []string {
	tb.Helper()
	list, err := e.Transcript(tb.Context(), conv, 0, 0)
	if err != nil {
		tb.Fatalf("transcript: %v", err)
	}
	var out []string
	var vseq int64
	for i, m := range list {
		if m.Seq != int64(i)+1 {
			tb.Errorf("message %d has seq %d", i, m.Seq)
		}
		if m.Hidden != (m.VSeq == 0) {
			tb.Errorf("message %d: hidden %v, vseq %d", i, m.Hidden, m.VSeq)
		}
		if !m.Hidden {
			vseq++
			if m.VSeq != vseq {
				tb.Errorf("message %d has vseq %d, want %d", i, m.VSeq, vseq)
			}
		}
		s := string(m.Role) + " " + m.Text + m.Event
		if m.Delivery != "" {
			s += " " + string(m.Delivery)
		}
		out = append(out, s)
	}
	return out
}

func same(tb testing.TB, what string, got, want any) {
	tb.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		tb.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func wants(tb testing.TB, err, want error) {
	tb.Helper()
	if !errors.Is(err, want) {
		tb.Errorf("got error %v, want %v", err, want)
	}
}

// serve brings a conversation to an agent: accepted, handed off, claimed.
func (e *env) serve(tb testing.TB, from chat.Address, lease string) chat.ConvID {
	tb.Helper()
	a := e.accept(tb, text(from, "serve-1", "help"))
	c := answer(a.Turn, "one moment")
	c.Effects, c.Event, c.Group, c.Priority = nil, chat.EventHandoff, "kf", "P2"
	e.commit(tb, a.Turn, c)
	e.write(tb, a.Conv, chat.Fence{}, chat.Commit{Event: chat.EventClaim, Generation: 2, Agent: "u1", Lease: lease})
	return a.Conv
}

func TestStore_OnEveryRedis(t *testing.T) {
	t.Parallel()
	everywhere(t, map[string]func(e *env){
		"Accept_StoresOnceAndGivesTheTurn": func(e *env) {
			t := e.t
			who := person(t, "mp")
			in := text(who, "p1", "hello")
			in.Identity = &chat.Identity{Subject: "s-1", Name: "Zhang"}
			in.Propose = e.Propose(who)
			a := e.accept(t, in)
			if a.Turn == nil || a.Duplicate || a.Conv != in.Propose || a.State != chat.StateBot {
				t.Fatalf("got %+v", a)
			}
			now := e.clock.Now()
			msg := chat.Message{
				ID: a.Message.ID, Seq: 1, VSeq: 1, Role: chat.RoleContact, Kind: chat.KindText, At: now,
				Text: "hello", ClientID: "p1",
			}
			same(t, "message", a.Message, msg)
			same(t, "unread", a.Turn.Unread, []chat.Message{msg})
			same(t, "conversation", a.Turn.Conversation, chat.Conversation{
				ID: a.Conv, Contact: who, Channel: "kind-mp", Epoch: a.Turn.Conversation.Epoch, State: chat.StateBot,
				Version: 1, Seq: 1, VSeq: 1, Identity: in.Identity, OpenedAt: now, ChangedAt: now, ActiveAt: now,
			})
			same(t, "load", e.load(t, a.Conv), a.Turn.Conversation)
			cur, err := e.Current(t.Context(), who)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "current", cur, a.Turn.Conversation)

			again := e.accept(t, in)
			if !again.Duplicate || again.Turn != nil || again.Conv != a.Conv {
				t.Errorf("the same message again: %+v", again)
			}
			same(t, "the same message again", again.Message, msg)
			same(t, "transcript", e.said(t, a.Conv), []string{"contact hello"})
		},
		"Accept_IsOneMessageWhenRepeatedAtOnce": func(e *env) {
			t := e.t
			who := person(t, "mp")
			const n = 32
			got := make([]chat.Accepted, n)
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() { got[i], _ = e.Accept(t.Context(), text(who, "p1", "hello")) })
			}
			wg.Wait()
			turns, firsts := 0, 0
			for _, a := range got {
				if a.Turn != nil {
					turns++
				}
				if !a.Duplicate {
					firsts++
				}
				if a.Message.ID != got[0].Message.ID || a.Message.ID == "" || a.Conv != got[0].Conv {
					t.Errorf("another message: %+v", a)
				}
			}
			if turns != 1 || firsts != 1 {
				t.Errorf("%d turns, %d firsts, want one of each", turns, firsts)
			}
			same(t, "transcript", e.said(t, got[0].Conv), []string{"contact hello"})
		},
		"Accept_KeepsOneOrder": func(e *env) {
			t := e.t
			who := person(t, "mp")
			const n = 40
			var wg sync.WaitGroup
			var mu sync.Mutex
			seqs, turns := map[int64]string{}, 0
			var conv chat.ConvID
			for i := range n {
				wg.Go(func() {
					a, err := e.Accept(t.Context(), text(who, fmt.Sprint("p", i), fmt.Sprint("w", i)))
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
						return
					}
					conv = a.Conv
					seqs[a.Message.Seq] = a.Message.Text
					if a.Turn != nil {
						turns++
					}
				})
			}
			wg.Wait()
			list, err := e.Transcript(t.Context(), conv, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) != n || turns != 1 {
				t.Errorf("%d messages and %d turns, want %d and 1", len(list), turns, n)
			}
			for _, m := range list {
				if seqs[m.Seq] != m.Text {
					t.Errorf("seq %d is %q in the transcript, %q was answered", m.Seq, m.Text, seqs[m.Seq])
				}
			}
			e.said(t, conv)
		},
		"Commit_ReleasesAndSchedules": func(e *env) {
			t := e.t
			a := e.accept(t, text(person(t, "mp"), "p1", "hello"))
			c := answer(a.Turn, "welcome")
			c.Memory, c.Handoff = []byte(`{"n":1}`), []byte(`{"why":"x"}`)
			stored, next := e.commit(t, a.Turn, c)
			if next != nil {
				t.Fatal("a turn over nothing")
			}
			same(t, "stored", []int64{stored[0].Seq, stored[0].VSeq}, []int64{2, 2})
			same(t, "transcript", e.said(t, a.Conv), []string{"contact hello", "bot welcome pending"})
			got := e.load(t, a.Conv)
			if got.Cursor != 1 || got.Version != 2 || string(got.Memory) != `{"n":1}` || string(got.Handoff) != `{"why":"x"}` {
				t.Errorf("got %+v", got)
			}
			if e.due(t, a.Conv) {
				t.Error("due before the effect lease has passed")
			}
			e.clock.Add(16 * time.Second)
			if !e.due(t, a.Conv) {
				t.Error("a forgotten effect is not due")
			}
			if err := e.SetDelivery(t.Context(), a.Conv, stored[0].ID, chat.DeliveryFailed, "blocked", c.Effects[0].ID); err != nil {
				t.Fatal(err)
			}
			if e.due(t, a.Conv) {
				t.Error("due with nothing left")
			}
			list, err := e.Transcript(t.Context(), a.Conv, 1, 5)
			if err != nil || len(list) != 1 || list[0].Delivery != chat.DeliveryFailed || list[0].DeliveryNote != "blocked" {
				t.Errorf("got %+v, %v", list, err)
			}
		},
		"SetSent_SettlesManyAtOnce": func(e *env) {
			t := e.t
			var list []chat.Sent
			for n := range 5 {
				who := chat.Address{Account: "mp", ID: fmt.Sprintf("%s-%d", t.Name(), n)}
				a := e.accept(t, text(who, "p1", "hello"))
				c := answer(a.Turn, "welcome")
				stored, _ := e.commit(t, a.Turn, c)
				list = append(list, chat.Sent{Conv: a.Conv, Message: stored[0].ID, Effect: c.Effects[0].ID})
			}
			for range 2 { // the second time changes nothing
				if err := e.SetSent(t.Context(), list); err != nil {
					t.Fatal(err)
				}
			}
			for _, m := range list {
				same(t, "transcript", e.said(t, m.Conv), []string{"contact hello", "bot welcome sent"})
				_, err := e.Begin(t.Context(), m.Conv, m.Effect)
				wants(t, err, chat.ErrNotFound)
			}
		},
		"Commit_ReturnsWhatArrivedMeanwhile": func(e *env) {
			t := e.t
			who := person(t, "mp")
			a := e.accept(t, text(who, "p1", "one"))
			b := e.accept(t, text(who, "p2", "two"))
			if b.Turn != nil {
				t.Fatal("two turns at once")
			}
			c := answer(a.Turn, "re one")
			_, next := e.commit(t, a.Turn, c)
			if next == nil || len(next.Unread) != 1 || next.Unread[0].Text != "two" {
				t.Fatalf("got %+v", next)
			}
			if _, last := e.commit(t, next, answer(next, "re two")); last != nil {
				t.Errorf("got %+v", last)
			}
			same(t, "transcript", e.said(t, a.Conv), []string{"contact one", "contact two", "bot re one pending", "bot re two pending"})
		},
		"Commit_SentAgainChangesNothing": func(e *env) {
			t := e.t
			who := person(t, "mp")
			a := e.accept(t, text(who, "p1", "one"))
			e.accept(t, text(who, "p2", "two"))
			c := answer(a.Turn, "re one")
			first, next := e.commit(t, a.Turn, c)
			again, nextAgain := e.commit(t, a.Turn, c)
			first[0].Delivery = ""
			same(t, "stored", again, first)
			if nextAgain == nil || nextAgain.Conversation.Version != next.Conversation.Version || len(nextAgain.Unread) != 1 {
				t.Errorf("got %+v, want %+v", nextAgain, next)
			}
			same(t, "transcript", e.said(t, a.Conv), []string{"contact one", "contact two", "bot re one pending"})
		},
		"Commit_IsFenced": func(e *env) {
			t := e.t
			who := person(t, "mp")
			a := e.accept(t, text(who, "p1", "one"))
			e.write(t, a.Conv, chat.Fence{Any: true}, chat.Commit{Append: []chat.Message{{Role: chat.RoleSystem, Kind: chat.KindNote, Text: "note"}}})
			_, _, err := e.Commit(t.Context(), a.Turn, answer(a.Turn, "late"))
			wants(t, err, chat.ErrConflict)
			turn, err := e.Reload(t.Context(), a.Turn)
			if err != nil {
				t.Fatal(err)
			}

			e.clock.Add(11 * time.Second)
			if !e.due(t, a.Conv) {
				t.Error("a dead turn is not due")
			}
			other, _, err := e.TakeOver(t.Context(), a.Conv)
			if err != nil || other == nil {
				t.Fatalf("take over: %v %v", other, err)
			}
			_, _, err = e.Commit(t.Context(), turn, answer(turn, "stale"))
			wants(t, err, chat.ErrLeaseLost)
			_, err = e.Reload(t.Context(), turn)
			wants(t, err, chat.ErrLeaseLost)
			if second, _, err := e.TakeOver(t.Context(), a.Conv); err != nil || second != nil {
				t.Errorf("two sweepers hold it: %v %v", second, err)
			}
			if err := e.Abandon(t.Context(), turn); err != nil {
				t.Errorf("abandoning a lost lease: %v", err)
			}
			e.commit(t, other, answer(other, "swept"))
			same(t, "transcript", e.said(t, a.Conv), []string{"contact one", "system note", "bot swept pending"})
		},
		"Abandon_IsDueAtOnce": func(e *env) {
			t := e.t
			a := e.accept(t, text(person(t, "mp"), "p1", "one"))
			if e.due(t, a.Conv) {
				t.Error("due while the turn lives")
			}
			if err := e.Abandon(t.Context(), a.Turn); err != nil {
				t.Fatal(err)
			}
			if !e.due(t, a.Conv) {
				t.Error("not due")
			}
			dup := e.accept(t, text(person(t, "mp"), "p1", "one"))
			if dup.Turn == nil || !dup.Duplicate {
				t.Errorf("a redelivery does not take the free turn: %+v", dup)
			}
		},
		"Commit_RefusesWhatTheTableDoesNotKnow": func(e *env) {
			t := e.t
			a := e.accept(t, text(person(t, "mp"), "p1", "one"))
			c := answer(a.Turn, "x")
			c.Event = chat.EventRelease
			_, _, err := e.Commit(t.Context(), a.Turn, c)
			var refused *chat.TransitionError
			if !errors.As(err, &refused) || refused.From != chat.StateBot || refused.Event != chat.EventRelease {
				t.Errorf("got %v", err)
			}
			same(t, "transcript", e.said(t, a.Conv), []string{"contact one"})
		},
		"Claim_HasOneWinner": func(e *env) {
			t := e.t
			a := e.accept(t, text(person(t, "mp"), "p1", "one"))
			c := answer(a.Turn, "wait")
			c.Event, c.Group, c.Priority = chat.EventHandoff, "kf", "P1"
			e.commit(t, a.Turn, c)
			same(t, "state", e.inState(t, a.Conv), []chat.State{chat.StateWaiting})
			var wg sync.WaitGroup
			errs := make([]error, 8)
			for i := range errs {
				wg.Go(func() {
					_, _, errs[i] = e.Write(t.Context(), a.Conv, chat.Fence{}, chat.Commit{
						Event: chat.EventClaim, Generation: 2, Agent: fmt.Sprint("u", i), Lease: fmt.Sprint("lease", i),
						Append: []chat.Message{{Role: chat.RoleSystem, Kind: chat.KindEvent, Event: "claim", Hidden: true}},
					})
				})
			}
			wg.Wait()
			won := -1
			for i, err := range errs {
				switch {
				case err == nil && won >= 0:
					t.Error("two winners")
				case err == nil:
					won = i
				default:
					wants(t, err, chat.ErrTaken)
				}
			}
			got := e.load(t, a.Conv)
			want := [...]any{chat.StateServing, "kf", "P1", fmt.Sprint("u", won), fmt.Sprint("lease", won), int64(2), "kf", fmt.Sprint("u", won)}
			same(t, "claimed", [...]any{got.State, got.Group, got.Priority, got.Agent, got.Lease, got.Generation, got.LastGroup, got.LastAgent}, want)
			same(t, "state", e.inState(t, a.Conv), []chat.State{chat.StateServing})

			// The winner's own repetition is no error; a newer claim wins over a dead holder.
			repeated := chat.Commit{Event: chat.EventClaim, Generation: 2, Agent: got.Agent, Lease: got.Lease}
			e.write(t, a.Conv, chat.Fence{}, repeated)
			newer, _ := e.write(t, a.Conv, chat.Fence{}, chat.Commit{Event: chat.EventClaim, Generation: 3, Agent: "u9", Lease: "lease9"})
			if newer.Agent != "u9" || newer.State != chat.StateServing {
				t.Errorf("got %+v", newer)
			}
			_, _, err := e.Write(t.Context(), a.Conv, chat.Fence{Lease: got.Lease}, chat.Commit{Event: chat.EventClose})
			wants(t, err, chat.ErrLeaseLost)
			_, _, err = e.Write(t.Context(), a.Conv, chat.Fence{Generation: 2}, chat.Commit{Event: chat.EventLost})
			wants(t, err, chat.ErrLeaseLost)
			back, _ := e.write(t, a.Conv, chat.Fence{Generation: 3}, chat.Commit{Event: chat.EventLost})
			if back.State != chat.StateWaiting || back.Group != "kf" || back.Agent != "" || back.Lease != "" || back.LastAgent != "u9" {
				t.Errorf("got %+v", back)
			}
			same(t, "transcript", e.said(t, a.Conv), []string{"contact one", "bot wait pending", "system claim"})
		},
		"Write_IsFencedAndIdempotent": func(e *env) {
			t := e.t
			conv := e.serve(t, person(t, "mp"), "lease1")
			say := func(cid, words string) chat.Commit {
				return chat.Commit{Append: []chat.Message{{Role: chat.RoleAgent, Agent: "u1", Name: "A", Kind: chat.KindText, Text: words, ClientID: cid}}}
			}
			_, first := e.write(t, conv, chat.Fence{Lease: "lease1"}, say("1", "hi"))
			_, again := e.write(t, conv, chat.Fence{Lease: "lease1"}, say("1", "hi"))
			same(t, "repeated", again, first)
			_, _, err := e.Write(t.Context(), conv, chat.Fence{Lease: "lease0"}, say("2", "no"))
			wants(t, err, chat.ErrLeaseLost)
			_, _, err = e.Write(t.Context(), conv, chat.Fence{}, say("2", "no"))
			wants(t, err, chat.ErrLeaseLost)
			_, _, err = e.Write(t.Context(), conv, chat.Fence{Any: true, States: []chat.State{chat.StateWaiting}}, say("2", "no"))
			wants(t, err, chat.ErrConflict)
			same(t, "transcript", e.said(t, conv), []string{"contact help", "bot one moment pending", "agent hi"})
			_, _, err = e.Write(t.Context(), chat.NewConvID(1), chat.Fence{Any: true}, say("2", "no"))
			wants(t, err, chat.ErrNotFound)
			_, _, err = e.Write(t.Context(), "rubbish", chat.Fence{Any: true}, say("2", "no"))
			wants(t, err, chat.ErrNotFound)
		},
		"Hold_EndsWithTheContactsWord": func(e *env) {
			t := e.t
			who := person(t, "mp")
			conv := e.serve(t, who, "lease1")
			held, _ := e.write(t, conv, chat.Fence{Lease: "lease1"}, chat.Commit{Event: chat.EventHold})
			if held.State != chat.StateOnHold || held.Agent != "u1" || held.Lease != "lease1" {
				t.Errorf("got %+v", held)
			}
			rating := text(who, "r", "")
			rating.Kind, rating.Score = chat.KindRating, 5
			silent := text(who, "s", "quiet")
			silent.Silent = true
			for _, in := range []chat.Inbound{rating, silent} {
				if a := e.accept(t, in); a.State != chat.StateOnHold {
					t.Errorf("%s moved it to %s", in.ProviderID, a.State)
				}
			}
			a := e.accept(t, text(who, "p2", "there?"))
			if a.State != chat.StateServing || e.load(t, conv).Lease != "lease1" {
				t.Errorf("got %+v", a)
			}
			same(t, "state", e.inState(t, conv), []chat.State{chat.StateServing})
			same(t, "transcript", e.said(t, conv), []string{
				"contact help", "bot one moment pending", "contact ", "contact quiet", "system resume", "contact there?",
			})
		},
		"Close_ThenReopensOrOpensAnew": func(e *env) {
			t := e.t
			who := person(t, "mp")
			conv := e.serve(t, who, "lease1")
			closed, _ := e.write(t, conv, chat.Fence{Lease: "lease1"}, chat.Commit{Event: chat.EventClose, Score: 4})
			if closed.State != chat.StateClosed || closed.Group+closed.Agent+closed.Lease != "" || closed.LastAgent != "u1" || closed.LastGroup != "kf" || closed.Score != 4 {
				t.Errorf("got %+v", closed)
			}
			if err := e.Expire(t.Context(), conv, 100*time.Hour); err != nil {
				t.Fatal(err)
			}
			same(t, "state", e.inState(t, conv), []chat.State{})
			e.write(t, conv, chat.Fence{Any: true}, chat.Commit{Effects: []chat.Effect{{ID: "late", Kind: chat.EffectSend, Due: e.clock.Now()}}})
			if !e.due(t, conv) {
				t.Error("an archived conversation's effect is forgotten")
			}
			if err := e.Done(t.Context(), conv, "late"); err != nil || e.due(t, conv) {
				t.Errorf("still due, %v", err)
			}
			silent := text(who, "s", "quiet")
			silent.Silent = true
			if a := e.accept(t, silent); a.State != chat.StateClosed || a.Turn != nil || a.Message.VSeq != 0 {
				t.Errorf("got %+v", a)
			}
			e.clock.Add(71 * time.Hour)
			a := e.accept(t, text(who, "p2", "again"))
			if a.Conv != conv || a.State != chat.StateBot || a.Turn == nil {
				t.Fatalf("got %+v", a)
			}
			c := a.Turn.Conversation
			if c.LastAgent != "u1" || c.LastGroup != "kf" || c.Generation != 2 || len(a.Turn.Unread) != 1 {
				t.Errorf("got %+v", a.Turn)
			}
			wants(t, e.Expire(t.Context(), conv, time.Hour), chat.ErrConflict)
			same(t, "state", e.inState(t, conv), []chat.State{chat.StateBot})
			e.commit(t, a.Turn, answer(a.Turn, "yes"))

			e.write(t, conv, chat.Fence{Any: true}, chat.Commit{Event: chat.EventClose})
			e.clock.Add(73 * time.Hour)
			b := e.accept(t, text(who, "p3", "new"))
			if b.Conv == conv || b.State != chat.StateBot || b.Message.Seq != 1 {
				t.Errorf("got %+v", b)
			}
			if cur, err := e.Current(t.Context(), who); err != nil || cur.ID != b.Conv {
				t.Errorf("current is %v, %v", cur.ID, err)
			}
			if err := e.Expire(t.Context(), conv, 0); err != nil {
				t.Fatal(err)
			}
			_, err := e.Load(t.Context(), conv)
			wants(t, err, chat.ErrNotFound)
			if cur, err := e.Current(t.Context(), who); err != nil || cur.ID != b.Conv {
				t.Errorf("current is %v, %v", cur.ID, err)
			}
			// A late effect on a conversation that is gone clears itself up.
			if _, _, err := e.TakeOver(t.Context(), conv); !errors.Is(err, chat.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		},
		"Silent_TakesNoTurn": func(e *env) {
			t := e.t
			who := person(t, "sms")
			in := text(who, "p1", "TD")
			in.Silent = true
			a := e.accept(t, in)
			if a.Turn != nil || a.Message.VSeq != 0 || !a.Message.Hidden || e.due(t, a.Conv) {
				t.Errorf("got %+v", a)
			}
			b := e.accept(t, text(who, "p2", "hello"))
			if b.Turn == nil || len(b.Turn.Unread) != 1 || b.Message.VSeq != 1 {
				t.Errorf("got %+v", b)
			}
		},
		"Pull_NeedsNoSending": func(e *env) {
			t := e.t
			a := e.accept(t, text(person(t, "web"), "p1", "hello"))
			e.commit(t, a.Turn, answer(a.Turn, "hi"))
			same(t, "transcript", e.said(t, a.Conv), []string{"contact hello", "bot hi sent"})
			e.clock.Add(time.Hour)
			if e.due(t, a.Conv) {
				t.Error("something is left to send")
			}
		},
		"Effects_AreClaimedRetriedAndDone": func(e *env) {
			t := e.t
			a := e.accept(t, text(person(t, "mp"), "p1", "hello"))
			at := e.clock.Now()
			c := answer(a.Turn, "x")
			c.Effects = []chat.Effect{
				{ID: "a", Kind: chat.EffectSend, Message: "m1", Due: at.Add(5 * time.Second)},
				{ID: "b", Kind: chat.EffectEnqueue, Generation: 7, Group: "k|f", Due: at.Add(20 * time.Second)},
			}
			e.commit(t, a.Turn, c)
			if turn, effects, err := e.TakeOver(t.Context(), a.Conv); turn != nil || len(effects) != 0 || err != nil {
				t.Errorf("got %v %v %v", turn, effects, err)
			}
			e.clock.Add(6 * time.Second)
			_, effects, err := e.TakeOver(t.Context(), a.Conv)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "claimed", effects, []chat.Effect{{ID: "a", Kind: chat.EffectSend, Message: "m1", Due: e.clock.Now().Add(15 * time.Second)}})
			if _, again, _ := e.TakeOver(t.Context(), a.Conv); len(again) != 0 {
				t.Errorf("claimed twice: %v", again)
			}
			for want := range 2 {
				if before, err := e.Begin(t.Context(), a.Conv, "a"); err != nil || before != want {
					t.Errorf("begin: %d, %v; want %d", before, err, want)
				}
			}
			if err := e.Retry(t.Context(), a.Conv, "a", e.clock.Now(), false); err != nil {
				t.Fatal(err)
			}
			if _, effects, _ = e.TakeOver(t.Context(), a.Conv); len(effects) != 1 || effects[0].Attempts != 2 {
				t.Errorf("got %v", effects)
			}
			if err := e.Retry(t.Context(), a.Conv, "a", e.clock.Now(), true); err != nil {
				t.Fatal(err)
			}
			if _, effects, _ = e.TakeOver(t.Context(), a.Conv); len(effects) != 1 || effects[0].Attempts != 0 {
				t.Errorf("got %v", effects)
			}
			if err := e.Done(t.Context(), a.Conv, "a", "nothing"); err != nil {
				t.Fatal(err)
			}
			_, err = e.Begin(t.Context(), a.Conv, "a")
			wants(t, err, chat.ErrNotFound)
			if err := e.Retry(t.Context(), a.Conv, "a", e.clock.Now(), false); err != nil {
				t.Error(err)
			}
			e.clock.Add(time.Minute)
			_, effects, err = e.TakeOver(t.Context(), a.Conv)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "claimed", effects, []chat.Effect{{ID: "b", Kind: chat.EffectEnqueue, Generation: 7, Group: "k|f", Due: e.clock.Now().Add(15 * time.Second)}})
			if err := e.Done(t.Context(), a.Conv, "b"); err != nil || e.due(t, a.Conv) {
				t.Errorf("still due, %v", err)
			}
		},
		"Read_NeverGoesBack": func(e *env) {
			t := e.t
			who := person(t, "web")
			a := e.accept(t, text(who, "p1", "one"))
			e.accept(t, text(who, "p2", "two"))
			for _, step := range []struct{ say, want int64 }{{1, 1}, {2, 2}, {1, 2}, {99, 2}, {-5, 2}} {
				if err := e.Read(t.Context(), a.Conv, step.say); err != nil {
					t.Fatal(err)
				}
				if got := e.load(t, a.Conv).ReadVSeq; got != step.want {
					t.Errorf("after %d: %d, want %d", step.say, got, step.want)
				}
			}
			wants(t, e.Read(t.Context(), chat.NewConvID(3), 1), chat.ErrNotFound)
		},
		"Unread_SurvivesALongTranscript": func(e *env) {
			t := e.t
			who := person(t, "mp")
			conv := e.serve(t, who, "lease1")
			notes := make([]chat.Message, 130)
			for i := range notes {
				notes[i] = chat.Message{Role: chat.RoleAgent, Kind: chat.KindNote, Text: fmt.Sprint("n", i)}
			}
			e.write(t, conv, chat.Fence{Lease: "lease1"}, chat.Commit{Append: notes})
			a := e.accept(t, text(who, "q0", "w0"))
			if a.Turn == nil || len(a.Turn.Unread) != 1 {
				t.Fatalf("got %+v", a.Turn)
			}
			e.write(t, conv, chat.Fence{Lease: "lease1"}, chat.Commit{Append: notes[:120]})
			for i := 1; i < 60; i++ {
				e.accept(t, text(who, fmt.Sprint("q", i), fmt.Sprint("w", i)))
			}
			turn, err := e.Reload(t.Context(), a.Turn)
			if err != nil {
				t.Fatal(err)
			}
			seen := 0
			for turn != nil {
				for _, m := range turn.Unread {
					if m.Text != fmt.Sprint("w", seen) {
						t.Fatalf("got %q, want w%d", m.Text, seen)
					}
					seen++
				}
				_, turn = e.commit(t, turn, chat.Commit{Cursor: turn.Unread[len(turn.Unread)-1].Seq})
			}
			if seen != 60 {
				t.Errorf("took %d messages, want 60", seen)
			}
		},
		"Wakes_Arrive": func(e *env) {
			t := e.t
			ctx, cancel := context.WithCancel(t.Context())
			got := make(chan chat.Wake, 4096)
			a := e.accept(t, text(person(t, "web"), "p1", "one"))
			hears := make(chan struct{}, 16)
			unsubscribe := e.Subscribe(func(w chat.Wake) {
				switch w.Conv {
				case a.Conv:
					got <- w
				case "":
					hears <- struct{}{}
				}
			})
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx) }()
			<-hears // what was lost before must be looked for
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for typing := false; !typing; { // until the subscription stands
				select {
				case w := <-got:
					if w.Typing == "" {
						continue // the accept's own, late through a cluster
					}
					same(t, "typing", w, chat.Wake{Conv: a.Conv, Typing: chat.RoleAgent})
					typing = true
				case <-tick.C:
					if err := e.Typing(t.Context(), a.Conv, chat.RoleAgent); err != nil {
						t.Fatal(err)
					}
				case <-t.Context().Done():
					t.Fatal("no wake-up")
				}
			}
			e.commit(t, a.Turn, answer(a.Turn, "hi"))
			for w := range got {
				if w.Typing == "" && w.Seq > 1 { // the accept's own may come late through a cluster
					same(t, "wake", w, chat.Wake{Conv: a.Conv, Seq: 2, State: chat.StateBot})
					break
				}
			}
			unsubscribe()
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		},
	})
}
