package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wensheng/channels/channeltest"
	"wensheng/handoff"
	"wensheng/internal/chat"
	"wensheng/internal/redisx"
	"wensheng/internal/redisx/redistest"
	"wensheng/internal/store"
)

// process is a gateway in a process of its own, which can be killed.
type process struct {
	t      testing.TB
	binary string
	config string
	url    string
	env    []string // added to the environment
	cmd    *exec.Cmd
	log    lockedBuffer
}

// build makes the binary the kill tests run.
func build(tb testing.TB) string {
	tb.Helper()
	binary := filepath.Join(tb.TempDir(), "wensheng")
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-o", binary, "wensheng/cmd/wensheng")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// freePort returns an address nobody listens on. Its port is below the range
// that systems give to outgoing connections: else one of those could take it
// while the gateway is down.
func freePort(tb testing.TB) string {
	tb.Helper()
	for range 100 {
		l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if err != nil {
			continue
		}
		defer l.Close() //nolint:errcheck // nothing was sent
		return l.Addr().String()
	}
	tb.Fatal("no free port was found")
	return ""
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.CommandContext(context.Background(), p.binary, "serve", "--config", p.config)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, "gateway is ready", func() bool {
		res, err := httpClient.Get(p.url + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// rounds is how often the kill test kills each of the two.
const rounds = 20

func TestKill_NothingAcknowledgedIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t) // appendfsync always
	addr := freePort(t)
	p := &process{t: t, binary: build(t), url: "http://" + addr}
	api := channeltest.NewWeChatAPI(t, wechatApp, "appsecret0123456789", time.Now)
	data := shortDir(t)
	copyModel(t, data, trained)
	p.config = configFile(t, gatewayOptions{
		data: data, wechatAPI: api.URL, redis: redis.URL(), listen: addr, yaml: "limits: {visitor_burst: 100000, visitor_per_s: 1000}\ntimeouts: {turn: 2s}\n",
	})
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			var log []string
			for line := range strings.Lines(p.log.String()) {
				if !strings.Contains(line, `"msg":"http"`) || !strings.Contains(line, `"status":200`) {
					log = append(log, line)
				}
			}
			t.Logf("end of the gateway's log:\n%s", strings.Join(log[max(0, len(log)-60):], ""))
		}
	})
	p.start()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	l := &traffic{t: t, g: &gateway{url: p.url}}
	l.run(ctx)
	for round := range rounds {
		pause(150 + rand.IntN(350))
		p.kill()
		p.start()
		l.progressed(fmt.Sprintf("gateway kill %d", round+1))
	}
	for round := range rounds {
		pause(150 + rand.IntN(350))
		redis.Kill()
		redis.Restart()
		l.progressed(fmt.Sprintf("redis kill %d", round+1))
	}
	stop()
	l.wait()
	l.verify(redis.URL())
}

// pause lets load run for a while; what follows may come at any instruction.
func pause(ms int) {
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	<-t.C
}

// breath is the pause of a client between two messages, in milliseconds: people
// do not write a thousand messages a second into one conversation.
const breath = 20

// traffic is load on all three channels from clients that behave as the vendors'
// and the widget do: what was not acknowledged is sent again with the same id.
type traffic struct {
	t       testing.TB
	g       *gateway
	clients []*client
	group   sync.WaitGroup
}

// client is one person, who asks the same question again and again; every second
// one asks for a person once. acked are the ids of what was acknowledged.
type client struct {
	name  string
	human bool

	mu    sync.Mutex
	sent  int
	acked []string
	// last is what the last delivery that was not acknowledged got.
	last string
}

func (c *client) next() string {
	c.sent++
	if c.human && c.sent == 12 {
		return "转人工"
	}
	return "提前还款要手续费吗"
}

func (c *client) ack(id string) {
	c.mu.Lock()
	c.acked = append(c.acked, id)
	c.mu.Unlock()
}

func (c *client) refused(why string) {
	c.mu.Lock()
	c.last = why
	c.mu.Unlock()
}

func (c *client) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.acked)
}

func (l *traffic) run(ctx context.Context) {
	add := func(name string, f func(context.Context, *client)) {
		c := &client{name: name, human: len(l.clients)%2 == 0}
		l.clients = append(l.clients, c)
		l.group.Go(func() { f(ctx, c) })
	}
	for n := range 4 {
		add(fmt.Sprintf("web%d", n), l.web)
		add(fmt.Sprintf("oKill%d", n), l.wechat)
		add(fmt.Sprintf("1380000%04d", n), l.sms)
	}
}

func (l *traffic) wait() { l.group.Wait() }

// progressed waits until every client had something acknowledged since.
func (l *traffic) progressed(what string) {
	l.t.Helper()
	start := time.Now()
	defer func() { l.t.Logf("%s: every client went on after %s", what, time.Since(start).Round(time.Millisecond)) }()
	before := make([]int, len(l.clients))
	for i, c := range l.clients {
		before[i] = c.count()
	}
	var stuck string
	defer func() {
		if stuck != "" {
			l.t.Log(stuck)
		}
	}()
	eventually(l.t, "every client goes on after "+what, func() bool {
		for i, c := range l.clients {
			if c.count() <= before[i] {
				c.mu.Lock()
				stuck = fmt.Sprintf("%s waits; last it got: %s", c.name, c.last)
				c.mu.Unlock()
				return false
			}
		}
		stuck = ""
		return true
	})
}

func (l *traffic) web(ctx context.Context, c *client) {
	var hello frame
	var v *visitor
	defer func() {
		if v != nil {
			v.close()
		}
	}()
	for n := 0; ctx.Err() == nil; n++ {
		text, cid := c.next(), fmt.Sprintf("%s-%d", c.name, n)
		for acked := false; !acked; {
			if v == nil {
				var err error
				if v, err = l.g.tryVisit(l.t, hello); err != nil {
					v = nil
					pause(50)
					continue
				}
				if hello.Session, hello.Epoch = v.welcome.Session, v.welcome.Epoch; hello.Seq > v.welcome.Seq {
					l.t.Errorf("%s: welcomed with seq %d after having seen %d", c.name, v.welcome.Seq, hello.Seq)
				}
			}
			acked = v.tell(cid, text, &hello.Seq)
			if !acked {
				v.close()
				v = nil
			}
		}
		c.ack("cid:" + cid)
		pause(breath)
	}
}

// tell sends a message and reports whether its ack came; seen is the last
// message the visitor has, to go on from when he comes back.
func (v *visitor) tell(cid, text string, seen *int64) bool {
	if v.ws.WriteJSON(frame{T: "msg", CID: cid, Text: text}) != nil {
		return false
	}
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	for {
		select {
		case f, ok := <-v.frames:
			if f.T == "msg" || f.T == "ack" {
				*seen = max(*seen, f.Seq)
			}
			switch {
			case !ok || f.T == "error" && f.CID == cid:
				return false
			case f.T == "ack" && f.CID == cid:
				return true
			}
		case <-deadline.C:
			return false
		}
	}
}

func (l *traffic) wechat(ctx context.Context, c *client) {
	w := l.g.wechat("mp")
	w.HTTP = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("7%s%012d", c.name[5:], n)
		body := w.Text(c.name, id, c.next())
		for {
			a, err := w.Post(context.Background(), body)
			if err == nil && a.Status == http.StatusOK {
				break
			}
			c.refused(fmt.Sprintf("%s: status %d, %v", id, a.Status, err))
			pause(50)
		}
		c.ack(id)
		pause(breath)
	}
}

func (l *traffic) sms(ctx context.Context, c *client) {
	for n := 0; ctx.Err() == nil; n++ {
		text, id := c.next(), fmt.Sprintf("%s-%d", c.name, n)
		for l.g.sms(l.t, id, c.name, text) != http.StatusOK {
			pause(50)
		}
		c.ack(id)
		pause(breath)
	}
}

// verify reads every transcript back: what was acknowledged is there once and in
// order, no turn ran twice, and every conversation that asked for a person was
// handed off once and waits in one queue.
func (l *traffic) verify(url string) {
	t := l.t
	t.Helper()
	db, err := redisx.Connect(t.Context(), redisx.Options{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background()) //nolint:errcheck // the test is over
	seal := sealer(t)
	s, err := store.New(store.Options{
		Redis: db.Client(), PubSub: db.PubSub(), Sealer: seal, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		Channel: func(chat.AccountID) string { return "" }, Pulls: func(chat.AccountID) bool { return false },
	})
	if err != nil {
		t.Fatal(err)
	}
	desk, err := handoff.New(handoff.Options{
		Redis: db.Client(), PubSub: db.PubSub(), Sealer: seal, Groups: []handoff.Group{{ID: "kf", Name: "kf"}},
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]chat.Message{}
	behind := ""
	defer func() {
		if behind != "" {
			t.Logf("last one behind: %s", behind)
		}
	}()
	eventually(t, "the sweeper has taken every turn", func() bool {
		behind = ""
		convs := l.conversations(s)
		for _, id := range convs {
			conv, err := s.Load(t.Context(), id)
			if err != nil {
				return false
			}
			all, err := s.Transcript(t.Context(), id, 0, 0)
			if err != nil {
				return false
			}
			for _, m := range all {
				if m.Role == chat.RoleContact && m.Seq > conv.Cursor {
					behind = fmt.Sprintf("%s in state %s: message %d of %d, cursor %d", id, conv.State, m.Seq, conv.Seq, conv.Cursor)
					return false
				}
			}
		}
		return len(convs) >= len(l.clients)
	})
	for _, id := range l.conversations(s) {
		all, err := s.Transcript(t.Context(), id, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		handoffs, answers := 0, map[chat.MessageID]int{}
		for n, m := range all {
			if m.Seq != int64(n+1) {
				t.Errorf("%s: message %d has seq %d", id, n+1, m.Seq)
			}
			switch {
			case m.Role == chat.RoleContact:
				if other, seen := stored[m.ClientID]; seen {
					t.Errorf("%s: %s is stored twice, as %d and %d", id, m.ClientID, other.Seq, m.Seq)
				}
				stored[m.ClientID] = m
			case m.Role == chat.RoleBot:
				answers[m.InReplyTo]++
			case m.Event == string(chat.EventHandoff):
				handoffs++
			}
		}
		where, err := desk.Where(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if handoffs != len(where) || handoffs > 1 {
			t.Errorf("%s: %d handoffs, in the queues %v; want one in one, or none", id, handoffs, where)
		}
		for _, m := range all {
			if m.Role == chat.RoleContact && handoffs == 0 && answers[m.ID] != 1 {
				t.Errorf("%s: message %d was answered %d times, want once", id, m.Seq, answers[m.ID])
			}
			if answers[m.ID] > 1 {
				t.Errorf("%s: message %d was answered %d times", id, m.Seq, answers[m.ID])
			}
		}
	}
	acked, handed := 0, 0
	for _, c := range l.clients {
		acked += len(c.acked)
		if c.human {
			handed++
		}
		for _, id := range c.acked {
			if _, ok := stored[id]; !ok {
				t.Errorf("%s: %s was acknowledged and is lost", c.name, id)
			}
		}
	}
	if items, err := desk.Items(t.Context(), []string{"kf"}); err != nil || len(items) != handed {
		t.Errorf("%d conversations in the queue (%v), want %d", len(items), err, handed)
	}
	t.Logf("%d messages acknowledged, %d stored in %d conversations", acked, len(stored), len(l.clients))
}

func (l *traffic) conversations(s *store.Store) []chat.ConvID {
	var all []chat.ConvID
	for _, state := range []chat.State{chat.StateBot, chat.StateWaiting} {
		ids, err := s.InState(l.t.Context(), 0, chat.Shards, state, time.Now().Add(time.Hour), 100)
		if err != nil {
			l.t.Fatal(err)
		}
		all = append(all, ids...)
	}
	return all
}
