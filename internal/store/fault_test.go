package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"wensheng/internal/chat"
	"wensheng/internal/redisx/redistest"
	"wensheng/internal/store"
)

// story uses every verb once or more, in an order that lets each change something.
func story(tb testing.TB, e *env, who chat.Address) chat.ConvID {
	tb.Helper()
	ctx := tb.Context()
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	a := e.accept(tb, text(who, "p1", "one"))
	e.accept(tb, text(who, "p2", "two"))
	c := answer(a.Turn, "re one")
	c.Memory = []byte(`{"m":1}`)
	_, next := e.commit(tb, a.Turn, c)
	check(e.Abandon(ctx, next))
	turn, _, err := e.TakeOver(ctx, a.Conv)
	check(err)
	turn, err = e.Reload(ctx, turn)
	check(err)
	c = answer(turn, "wait")
	c.Event, c.Group, c.Priority, c.Handoff = chat.EventHandoff, "kf", "P1", []byte(`{"h":1}`)
	c.Effects = append(c.Effects, chat.Effect{ID: "enqueue:1", Kind: chat.EffectEnqueue, Generation: 1, Group: "kf"})
	stored, _ := e.commit(tb, turn, c)
	e.clock.Add(20 * time.Second)
	_, effects, err := e.TakeOver(ctx, a.Conv)
	check(err)
	if len(effects) == 0 {
		tb.Error("no effect was due")
	}
	before, err := e.Begin(ctx, a.Conv, "enqueue:1")
	if err != nil || before != 0 {
		tb.Errorf("begin: %d, %v", before, err)
	}
	check(e.Retry(ctx, a.Conv, "enqueue:1", e.clock.Now().Add(time.Minute), false))
	check(e.Done(ctx, a.Conv, "enqueue:1"))
	check(e.SetDelivery(ctx, a.Conv, stored[0].ID, chat.DeliveryFailed, "blocked", c.Effects[0].ID))
	e.write(tb, a.Conv, chat.Fence{}, chat.Commit{
		Event: chat.EventClaim, Generation: 2, Agent: "u1", Lease: "lease1",
		Append: []chat.Message{{Role: chat.RoleSystem, Kind: chat.KindEvent, Event: "claim", Hidden: true}},
	})
	e.write(tb, a.Conv, chat.Fence{Lease: "lease1"}, chat.Commit{
		Append: []chat.Message{{Role: chat.RoleAgent, Kind: chat.KindText, Text: "hi", ClientID: "c1"}},
	})
	check(e.Read(ctx, a.Conv, 3))
	e.write(tb, a.Conv, chat.Fence{Lease: "lease1"}, chat.Commit{
		Event: chat.EventClose, Score: 5,
		Append: []chat.Message{{Role: chat.RoleSystem, Kind: chat.KindEvent, Event: "close", Hidden: true}},
	})
	if _, err := e.Current(ctx, who); err != nil {
		tb.Error(err)
	}
	want := []string{
		"contact one", "contact two", "bot re one pending", "bot wait failed",
		"system claim", "agent hi", "system close",
	}
	same(tb, "transcript", e.said(tb, a.Conv), want)
	check(e.Expire(ctx, a.Conv, time.Hour))
	return a.Conv
}

// random are the parts of a state that differ from run to run.
var random = regexp.MustCompile(`\b(m[0-9a-z]{24}|c[0-9a-z]{26}|[0-9a-z]{32})\b`)

// dump is everything in Redis, readable and comparable between servers: ids and
// tokens are numbered in order of appearance, sealed values are opened.
func dump(tb testing.TB, c redis.UniversalClient) string {
	tb.Helper()
	ctx := tb.Context()
	sealer := newSealer(tb)
	open := func(s string) string {
		if plain, err := sealer.Open([]byte(s)); err == nil {
			return string(plain)
		}
		head, body := "", s
		if part := strings.SplitN(s, "\x1f", 5); len(part) == 5 {
			head, body = strings.Join(part[:4], "/")+"/", part[4]
		} else if a, b, ok := strings.Cut(s, "\x1f"); ok {
			head, body = a+"/", b
		}
		if plain, err := sealer.Open([]byte(body)); err == nil {
			body = string(plain)
		}
		return head + body
	}
	keys, err := c.Keys(ctx, "*").Result()
	if err != nil {
		tb.Fatal(err)
	}
	var lines []string
	for _, k := range keys {
		kind := c.Type(ctx, k).Val()
		ttl := c.PTTL(ctx, k).Val() > 0
		var values []string
		switch kind {
		case "string":
			values = []string{c.Get(ctx, k).Val()}
		case "hash":
			for f, v := range c.HGetAll(ctx, k).Val() {
				if f == "epo" {
					v = "*"
				}
				values = append(values, f+"="+open(v))
			}
			slices.Sort(values)
		case "list":
			for _, v := range c.LRange(ctx, k, 0, -1).Val() {
				values = append(values, open(v))
			}
		case "zset":
			for _, z := range c.ZRangeWithScores(ctx, k, 0, -1).Val() {
				values = append(values, fmt.Sprintf("%v=%.0f", z.Member, z.Score))
			}
		}
		lines = append(lines, fmt.Sprintf("%s %s expires=%v\n  %s", k, kind, ttl, strings.Join(values, "\n  ")))
	}
	// Transcripts name messages in an order that does not depend on the ids.
	slices.SortFunc(lines, func(a, b string) int {
		return strings.Compare(random.ReplaceAllString(a, "*"), random.ReplaceAllString(b, "*"))
	})
	seen := map[string]string{}
	number := func(s string) string {
		return random.ReplaceAllStringFunc(s, func(s string) string {
			switch {
			case len(s) == 32:
				return "<token>"
			case seen[s] == "":
				seen[s] = fmt.Sprintf("<%c%d>", s[0], len(seen))
			}
			return seen[s]
		})
	}
	for _, l := range lines {
		if strings.Contains(l, " list ") {
			number(l)
		}
	}
	var out []string
	for l := range strings.SplitSeq(number(strings.Join(lines, "\n\n")), "\n\n") {
		part := strings.Split(l, "\n")
		slices.Sort(part[1:])
		out = append(out, strings.Join(part, "\n"))
	}
	return strings.Join(out, "\n")
}

func TestStore_LeavesTheSameStateOnEveryServer(t *testing.T) {
	t.Parallel()
	who := chat.Address{Account: "mp", ID: "somebody"}
	onRedis := redistest.Start(t).Client()
	story(t, newEnv(t, onRedis), who)
	onTrial := redistest.NewClient(t, "tcp", miniredis.RunT(t).Addr())
	story(t, newEnv(t, onTrial), who)
	if d := cmp.Diff(dump(t, onRedis), dump(t, onTrial)); d != "" {
		t.Errorf("redis-server (-) and the trial store (+) differ:\n%s", d)
	}
}

// TestStore_LosesAndDoublesNothingWhenAReplyIsLost runs the story once for every
// script call in it, losing that call's reply, and compares the whole state with
// an undisturbed run's.
func TestStore_LosesAndDoublesNothingWhenAReplyIsLost(t *testing.T) {
	t.Parallel()
	who := chat.Address{Account: "mp", ID: "somebody"}
	server := redistest.Start(t, "--appendfsync", "no")
	proxy := redistest.StartProxy(t, server)
	direct := server.Client()
	run := func(lose int) (calls int, state string) {
		if err := direct.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		proxy.DropIf(func(command []string) bool {
			if !redistest.IsScript(command) {
				return false
			}
			calls++
			return calls == lose
		})
		story(t, newEnv(t, redistest.NewClient(t, "unix", proxy.Addr())), who)
		return calls, dump(t, direct)
	}
	run(0) // the scripts become known
	calls, want := run(0)
	if calls < 19 {
		t.Fatalf("only %d calls", calls)
	}
	for lose := 1; lose <= calls; lose++ {
		if _, got := run(lose); got != want {
			t.Errorf("reply %d of %d lost (-undisturbed +got):\n%s", lose, calls, cmp.Diff(want, got))
		}
	}
}

func TestStore_SurvivesRandomLossUnderLoad(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendfsync", "no")
	proxy := redistest.StartProxy(t, server)
	e := newEnv(t, redistest.NewClient(t, "unix", proxy.Addr()))
	proxy.DropRandom(0.05)
	const people, messages = 8, 40
	var wg sync.WaitGroup
	for p := range people {
		who := chat.Address{Account: "mp", ID: fmt.Sprint("person", p)}
		wg.Go(func() {
			for i := range messages {
				in := text(who, fmt.Sprint("p", i), fmt.Sprint("w", i))
				// The vendor sends again until it has an answer.
				a, err := e.Accept(t.Context(), in)
				for errors.Is(err, chat.ErrUnavailable) {
					a, err = e.Accept(t.Context(), in)
				}
				if err != nil {
					t.Error(err)
					return
				}
				for turn := a.Turn; turn != nil; {
					c := chat.Commit{}
					for _, m := range turn.Unread {
						c.Append = append(c.Append, chat.Message{ID: chat.NewMessageID(), Role: chat.RoleBot, Kind: chat.KindText, Text: "re " + m.Text})
						c.Cursor = m.Seq
					}
					_, next, err := e.Commit(t.Context(), turn, c)
					for errors.Is(err, chat.ErrUnavailable) {
						_, next, err = e.Commit(t.Context(), turn, c)
					}
					if err != nil {
						t.Error(err)
						return
					}
					turn = next
				}
			}
		})
	}
	wg.Wait()
	proxy.DropIf(nil)
	if proxy.Dropped() == 0 {
		t.Error("no reply was lost")
	}
	// What a lost accept left behind is the sweeper's.
	e.clock.Add(time.Minute)
	ids, err := e.Due(t.Context(), 0, chat.Shards, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		turn, _, err := e.TakeOver(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		c := chat.Commit{}
		for _, m := range turn.Unread {
			c.Append = append(c.Append, chat.Message{Role: chat.RoleBot, Kind: chat.KindText, Text: "re " + m.Text})
			c.Cursor = m.Seq
		}
		e.commit(t, turn, c)
	}
	for p := range people {
		conv, err := e.Current(t.Context(), chat.Address{Account: "mp", ID: fmt.Sprint("person", p)})
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, s := range e.said(t, conv.ID) {
			count[s]++
		}
		for i := range messages {
			for _, s := range []string{fmt.Sprint("contact w", i), fmt.Sprint("bot re w", i)} {
				if count[s] != 1 {
					t.Errorf("person %d: %q is there %d times", p, s, count[s])
				}
			}
		}
	}
}

func TestStore_SaysUnavailableAndLeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	who := chat.Address{Account: "mp", ID: "somebody"}
	refused := map[string]struct {
		args          []string
		breakIt, mend func(t *testing.T, s *redistest.Server)
	}{
		"read-only": {
			breakIt: func(t *testing.T, s *redistest.Server) { t.Helper(); replicaOf(t, s, "127.0.0.1", "1") },
			mend:    func(t *testing.T, s *redistest.Server) { t.Helper(); replicaOf(t, s, "NO", "ONE") },
		},
		"out of memory": {
			breakIt: func(t *testing.T, s *redistest.Server) { t.Helper(); maxMemory(t, s, "1") },
			mend:    func(t *testing.T, s *redistest.Server) { t.Helper(); maxMemory(t, s, "0") },
		},
		"paused": {
			breakIt: func(_ *testing.T, s *redistest.Server) { s.Pause() },
			mend:    func(_ *testing.T, s *redistest.Server) { s.Resume() },
		},
		"killed": {
			breakIt: func(_ *testing.T, s *redistest.Server) { s.Kill() },
			mend:    func(t *testing.T, s *redistest.Server) { t.Helper(); s.Restart() },
		},
	}
	for name, fault := range refused {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			e := newEnv(t, s.Client())
			a := e.accept(t, text(who, "p1", "one"))
			commit := answer(a.Turn, "re one")
			commit.Event, commit.Group, commit.Priority = chat.EventHandoff, "kf", "P2"
			note := chat.Commit{Append: []chat.Message{{ID: chat.NewMessageID(), Role: chat.RoleSystem, Kind: chat.KindNote, Text: "note"}}}
			before := dump(t, s.Client())

			fault.breakIt(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := e.Accept(ctx, text(who, "p2", "two"))
			wants(t, err, chat.ErrUnavailable)
			_, _, err = e.Commit(ctx, a.Turn, commit)
			wants(t, err, chat.ErrUnavailable)
			_, _, err = e.Write(ctx, a.Conv, chat.Fence{Any: true}, note)
			wants(t, err, chat.ErrUnavailable)
			if name != "out of memory" { // what frees memory may go on
				wants(t, e.Done(ctx, a.Conv, "x"), chat.ErrUnavailable)
			}
			fault.mend(t, s)

			if name != "paused" { // a paused server carries out what it has read
				client := s.Client()
				waitWritable(t, client)
				if d := cmp.Diff(before, dump(t, client)); d != "" {
					t.Errorf("something is half done (-before +after):\n%s", d)
				}
			}
			again := newEnv(t, s.Client())
			waitWritable(t, again.redis)
			again.accept(t, text(who, "p2", "two"))
			again.commit(t, a.Turn, commit)
			got := again.said(t, a.Conv)
			slices.Sort(got)
			got = slices.DeleteFunc(got, func(s string) bool { return s == "system note" })
			same(t, "transcript", got, []string{"bot re one pending", "contact one", "contact two"})
		})
	}
}

func replicaOf(tb testing.TB, s *redistest.Server, host, port string) {
	tb.Helper()
	if err := s.Client().Do(tb.Context(), "REPLICAOF", host, port).Err(); err != nil {
		tb.Fatal(err)
	}
}

func maxMemory(tb testing.TB, s *redistest.Server, n string) {
	tb.Helper()
	if err := s.Client().ConfigSet(tb.Context(), "maxmemory", n).Err(); err != nil {
		tb.Fatal(err)
	}
}

// waitWritable polls until the server takes writes again.
func waitWritable(tb testing.TB, c redis.UniversalClient) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.Del(ctx, "nothing").Err() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatal("the server does not come back")
		}
	}
}

func TestStore_KeepsWhatItAcknowledgedOverAKill(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	e := newEnv(t, s.Client())
	who := chat.Address{Account: "mp", ID: "somebody"}
	acked := map[string]chat.MessageID{}
	for round := range 3 {
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			s.Kill()
		}()
		for i := 0; ; i++ {
			id := fmt.Sprint("p", round, "-", i)
			a, err := e.Accept(t.Context(), text(who, id, id))
			if err != nil {
				wants(t, err, chat.ErrUnavailable)
				break
			}
			acked[id] = a.Message.ID
		}
		<-killed
		s.Restart()
		e = newEnv(t, s.Client())
		id := fmt.Sprint("after", round)
		acked[id] = e.accept(t, text(who, id, id)).Message.ID
	}
	conv, err := e.Current(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	e.said(t, conv.ID)
	list, err := e.Transcript(t.Context(), conv.ID, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]chat.MessageID{}
	for _, m := range list {
		if found[m.Text] != "" {
			t.Errorf("%s is there twice", m.Text)
		}
		found[m.Text] = m.ID
	}
	for id, m := range acked {
		if found[id] != m {
			t.Errorf("%s was acknowledged and is not there", id)
		}
	}
}

func TestRun_HearsAgainAfterAKill(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	e := newEnv(t, s.Client())
	a := e.accept(t, text(person(t, "web"), "p1", "one"))
	got := make(chan struct{}, 1)
	defer e.Subscribe(func(chat.Wake) {
		select {
		case got <- struct{}{}:
		default:
		}
	})()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	hear := func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-got:
				return
			case <-tick.C:
				_ = e.Typing(t.Context(), a.Conv, chat.RoleAgent) // fails while the server is away
			case <-t.Context().Done():
				t.Fatal("no wake-up")
			}
		}
	}
	hear()
	s.Restart()
	select {
	case <-got: // one that was under way
	default:
	}
	hear()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStore_LeavesNothingReadableAtRest(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	e := newEnv(t, s.Client())
	const phone, words, name, memory, reason = "13800138000", "secret-words", "Zhang-San", "memory-words", "reason-words"
	who := chat.Address{Account: "sms", ID: phone}
	in := text(who, "provider-id", words+phone)
	in.Identity = &chat.Identity{Subject: name, Name: name}
	in.Media = &chat.Media{VendorID: words}
	a := e.accept(t, in)
	c := answer(a.Turn, words)
	c.Memory, c.Handoff = []byte(`"`+memory+`"`), []byte(`"`+memory+`"`)
	stored, _ := e.commit(t, a.Turn, c)
	e.write(t, a.Conv, chat.Fence{Any: true}, chat.Commit{Append: []chat.Message{{Role: chat.RoleAgent, Kind: chat.KindText, Text: words, ClientID: "client-id"}}})
	if err := e.SetDelivery(t.Context(), a.Conv, stored[0].ID, chat.DeliveryUnknown, reason, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Client().Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	files := 0
	err := filepath.WalkDir(s.Dir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, secret := range []string{phone, words, name, memory, reason, "provider-id", "client-id"} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s holds %q", path, secret)
			}
		}
		return nil
	})
	if err != nil || files < 2 {
		t.Errorf("%d files, %v", files, err)
	}
}

// BenchmarkTurn is the ceiling of a gateway: accept and commit, 64 callers, each
// with people of its own.
func BenchmarkTurn(b *testing.B) {
	s := redistest.Start(b, "--appendfsync", "everysec")
	st, err := store.New(store.Options{Redis: s.Client(), Sealer: newSealer(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(32)
	var mu sync.Mutex
	caller := 0
	b.RunParallel(func(pb *testing.PB) {
		mu.Lock()
		caller++
		me := caller
		mu.Unlock()
		for i := 0; pb.Next(); i++ {
			who := chat.Address{Account: "mp", ID: fmt.Sprint(me, "-", i/10)}
			a, err := st.Accept(b.Context(), text(who, strconv.Itoa(i), "how do I repay early"))
			if err != nil {
				b.Error(err)
				return
			}
			c := answer(a.Turn, "like this")
			c.Effects = nil
			if _, _, err := st.Commit(b.Context(), a.Turn, c); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	if info, err := s.Client().Info(b.Context(), "commandstats").Result(); err == nil {
		_, after, _ := strings.Cut(info, "cmdstat_evalsha:")
		line, _, _ := strings.Cut(after, "\r")
		b.Log(line)
	}
}
