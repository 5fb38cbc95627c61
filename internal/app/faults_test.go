package app_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wensheng/channels/channeltest"
	"wensheng/internal/archive/pgtest"
	"wensheng/internal/redisx/redistest"
)

// earlyFee has an approved answer.
const earlyFee = "提前还款要手续费吗"

// story plays the main job once on all three channels and checks it.
func (g *gateway) story(tb testing.TB, a *agent, n int) {
	tb.Helper()
	v := g.visit(tb, frame{})
	v.say("1", earlyFee)
	if r := v.reply("bot"); !strings.Contains(r.Text, "提前") {
		tb.Errorf("web answered %q", r.Text)
	}
	c := g.wechat("safe")
	who := fmt.Sprintf("oStory%d", n)
	post, err := c.Post(tb.Context(), c.Text(who, strconv.Itoa(1_000_000*(n+1)), earlyFee))
	if err != nil {
		tb.Fatal(err)
	}
	if r, err := c.Reply(post); err != nil || !strings.Contains(r.Content, "提前") {
		tb.Errorf("wechat answered %d %.100q, %v", post.Status, post.Body, err)
	}
	if s := g.sms(tb, fmt.Sprintf("story%d", n), fmt.Sprintf("139000%05d", n), "转人工"); s != http.StatusOK {
		tb.Errorf("sms: status %d", s)
	}
	v.say("2", "转人工")
	v.wait("state waiting", func(f frame) bool { return f.T == "state" && f.State == "waiting" })
	eventually(tb, "two wait", func() bool { return len(a.queue()) == 2 })
	for range 2 {
		var l lease
		if s := a.call("POST", "/queue/claim", map[string]string{}, &l); s != http.StatusOK {
			tb.Fatalf("claim: status %d", s)
		}
		if s := a.act(l.Conv, "messages", map[string]any{"lease": l.Lease, "cid": "1", "text": "您好，请讲"}); s != http.StatusCreated {
			tb.Errorf("message: status %d", s)
		}
		if s := a.act(l.Conv, "close", map[string]any{"lease": l.Lease}); s >= 300 {
			tb.Errorf("close: status %d", s)
		}
	}
	if r := v.reply("agent"); r.Text != "您好，请讲" {
		tb.Errorf("the visitor read %q", r.Text)
	}
	v.wait("state closed", func(f frame) bool { return f.T == "state" && f.State == "closed" })
}

func TestRedisCluster_PlaysTheWholeStory(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	o := gatewayOptions{data: shortDir(t), redis: cluster.URL()}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	for n := range 4 { // other addresses, other slots
		g.story(t, a, n)
	}
	if r := g.fetch(t, "GET", "/readyz", "", nil); r.Status != 200 || !strings.Contains(r.Body, `"cluster"`) {
		t.Errorf("/readyz: %d %s", r.Status, r.Body)
	}
}

func TestPostgreSQL_PlaysTheWholeStory(t *testing.T) {
	t.Parallel()
	db := pgtest.Start(t)
	o := gatewayOptions{data: shortDir(t), yaml: fmt.Sprintf("database: {url: %q}\n", db.NewDatabase(t))}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	g.story(t, a, 0)
	if r := g.fetch(t, "GET", "/readyz", "", nil); r.Status != 200 || !strings.Contains(r.Body, `"postgres"`) {
		t.Errorf("/readyz: %d %s", r.Status, r.Body)
	}
}

func TestTrialMode_WorksAndSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	if !g.app.Trial() || !strings.Contains(strings.Join(g.app.Warnings(), "\n"), "trial mode") {
		t.Errorf("it does not say that it is on trial: %q", g.app.Warnings())
	}
	if r := g.fetch(t, "GET", "/readyz", "", nil); r.Status != 200 || !strings.Contains(r.Body, `"trial"`) {
		t.Errorf("/readyz: %d %s", r.Status, r.Body)
	}
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	g.story(t, a, 0)
}

func TestRedisAway_NothingIsAcknowledgedThenAllComesBack(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(tb testing.TB, s *redistest.Server) (mend func()){
		"paused": func(_ testing.TB, s *redistest.Server) func() {
			s.Pause()
			return s.Resume
		},
		"killed": func(_ testing.TB, s *redistest.Server) func() {
			s.Kill()
			return s.Restart
		},
		"read only": func(tb testing.TB, s *redistest.Server) func() {
			tb.Helper()
			if err := s.Client().Do(tb.Context(), "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
				tb.Fatal(err)
			}
			return func() {
				if err := s.Client().Do(tb.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
					tb.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := redistest.Start(t)
			o := gatewayOptions{data: shortDir(t), redis: srv.URL()}
			g := start(t, o)
			sup := g.addAgent(t, configFile(t, o), "sup", "supervisor")
			v := g.visit(t, frame{})
			v.say("before", earlyFee)
			v.reply("bot")
			c := g.wechat("mp")
			if r, err := c.Post(t.Context(), c.Text("oAway", "1", earlyFee)); err != nil || r.Status != 200 {
				t.Fatalf("before: %d %v", r.Status, err)
			}
			if s := g.sms(t, "1", "13900000001", earlyFee); s != 200 {
				t.Fatalf("before: %d", s)
			}

			mend := trouble(t, srv)
			body := c.Text("oAway", "2", earlyFee)
			var wg sync.WaitGroup
			wg.Go(func() {
				if r, err := c.Post(t.Context(), body); err != nil || r.Status != http.StatusServiceUnavailable {
					t.Errorf("wechat: status %d, %v, want 503", r.Status, err)
				} else {
					wantProblem(t, answer{r.Status, r.Header, string(r.Body)}, 503)
				}
			})
			wg.Go(func() {
				if s := g.sms(t, "2", "13900000001", earlyFee); s != http.StatusServiceUnavailable {
					t.Errorf("sms: status %d, want 503", s)
				}
			})
			v.send(frame{T: "msg", CID: "during", Text: earlyFee})
			if f := v.wait("an error", func(f frame) bool { return f.T == "error" || f.T == "ack" }); f.Code != "unavailable" || f.CID != "during" {
				t.Errorf("web: %+v, want unavailable", f)
			}
			wg.Wait()
			if r := g.fetch(t, "GET", "/readyz", "", nil); r.Status != http.StatusServiceUnavailable || !strings.Contains(r.Body, `"ready":false`) {
				t.Errorf("/readyz: %d %s", r.Status, r.Body)
			}
			mend()

			eventually(t, "ready again", func() bool { return g.fetch(t, "GET", "/readyz", "", nil).Status == 200 })
			eventually(t, "wechat recovers", func() bool {
				// What Redis still took while it was paused was refused by then,
				// and its turn is the sweeper's: the words go by the API.
				r, err := c.Post(t.Context(), body)
				if err != nil || r.Status != 200 {
					return false
				}
				if string(r.Body) == "success" {
					return true
				}
				_, err = c.Reply(r)
				return err == nil
			})
			eventually(t, "sms recovers", func() bool { return g.sms(t, "2", "13900000001", earlyFee) == 200 })
			eventually(t, "web recovers", func() bool {
				v.send(frame{T: "msg", CID: "during", Text: earlyFee})
				f := v.wait("ack or error", func(f frame) bool { return (f.T == "ack" || f.T == "error") && f.CID == "during" })
				return f.T == "ack"
			})
			g.checkTranscripts(t, sup, 3, 2)
		})
	}
}

// checkTranscripts fails unless there are n conversations with the bot, each
// with so many messages of the contact, none twice, in order, each answered once.
func (g *gateway) checkTranscripts(tb testing.TB, sup *agent, n, messages int) {
	tb.Helper()
	type view struct {
		Messages []struct {
			ID, Text  string
			InReplyTo string `json:"in_reply_to"`
			Pos, Seq  int64
			From      speaker
		}
	}
	var problem string
	check := func() bool {
		var list struct{ Items []struct{ ID string } }
		if s := sup.call("GET", "/conversations?state=bot&limit=500", nil, &list); s != 200 || len(list.Items) != n {
			problem = fmt.Sprintf("status %d, %d conversations, want %d", s, len(list.Items), n)
			return false
		}
		for _, it := range list.Items {
			var v view
			if s := sup.call("GET", path("conversations", it.ID), nil, &v); s != 200 {
				problem = fmt.Sprintf("status %d", s)
				return false
			}
			answered, contact := map[string]int{}, []string{}
			for i, m := range v.Messages {
				if m.Pos != int64(i+1) {
					tb.Fatalf("%s: position %d at %d", it.ID, m.Pos, i+1)
				}
				if m.From.Role == "contact" {
					contact = append(contact, m.ID)
				} else {
					answered[m.InReplyTo]++
				}
			}
			if len(contact) > messages {
				tb.Fatalf("%s: %d messages of the contact, want %d", it.ID, len(contact), messages)
			}
			if len(contact) < messages {
				problem = fmt.Sprintf("%s: %d messages of the contact, want %d", it.ID, len(contact), messages)
				return false
			}
			for _, id := range contact {
				if answered[id] > 1 {
					tb.Fatalf("%s: message %s answered %d times", it.ID, id, answered[id])
				}
				if answered[id] == 0 {
					problem = fmt.Sprintf("%s: message %s not answered", it.ID, id)
					return false
				}
			}
		}
		return true
	}
	deadline := time.Now().Add(60 * time.Second)
	for tick := time.NewTicker(100 * time.Millisecond); !check(); <-tick.C {
		if time.Now().After(deadline) {
			tick.Stop()
			tb.Fatal(problem)
		}
	}
}

func TestTwoGateways_SameMsgIDAtOnceIsOneMessage(t *testing.T) {
	t.Parallel()
	rounds := 1000
	if testing.Short() {
		rounds = 200
	}
	srv := redistest.Start(t)
	api := channeltest.NewWeChatAPI(t, wechatApp, "appsecret0123456789", time.Now)
	o := gatewayOptions{data: shortDir(t), redis: srv.URL(), wechatAPI: api.URL}
	one := start(t, o)
	o2 := o
	o2.data = shortDir(t)
	two := start(t, o2)
	sup := one.addAgent(t, configFile(t, o), "sup", "supervisor")
	const contacts = 10
	var wg sync.WaitGroup
	for n := range contacts {
		wg.Go(func() {
			a, b := one.wechat("mp"), two.wechat("mp")
			for i := range rounds / contacts {
				body := a.Text(fmt.Sprintf("oTwo%d", n), strconv.Itoa(n*1_000_000+i+1), earlyFee)
				var ra, rb channeltest.Answer
				var ea, eb error
				var both sync.WaitGroup
				both.Go(func() { ra, ea = a.Post(t.Context(), body) })
				both.Go(func() { rb, eb = b.Post(t.Context(), body) })
				both.Wait()
				if ea != nil || eb != nil || ra.Status != 200 || rb.Status != 200 {
					t.Errorf("contact %d round %d: %d %v, %d %v", n, i, ra.Status, ea, rb.Status, eb)
					return
				}
				// The same bytes, or the bare acknowledgement, and one real answer.
				sa, sb := string(ra.Body), string(rb.Body)
				if sa != sb && sa != "success" && sb != "success" || sa == "success" && sb == "success" {
					t.Errorf("contact %d round %d: two answers:\n%s\n%s", n, i, sa, sb)
					return
				}
			}
		})
	}
	wg.Wait()
	one.checkTranscripts(t, sup, contacts, rounds/contacts)
	if sent := api.Texts(); len(sent) != 0 {
		t.Errorf("%d answers were sent by the API besides: %.3q", len(sent), sent)
	}
}

func TestLostReplies_NothingLostNothingDoubled(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	proxy := redistest.StartProxy(t, srv)
	api := channeltest.NewWeChatAPI(t, wechatApp, "appsecret0123456789", time.Now)
	o := gatewayOptions{data: shortDir(t), redis: proxy.URL(), wechatAPI: api.URL}
	g := start(t, o)
	sup := g.addAgent(t, configFile(t, o), "sup", "supervisor")
	proxy.DropRandom(0.1)
	const contacts, messages = 4, 8
	var wg sync.WaitGroup
	for n := range contacts {
		v := g.visit(t, frame{})
		wg.Go(func() { // web: the widget sends again until it is acknowledged
			for i := range messages {
				cid := strconv.Itoa(i)
				for acked := false; !acked; {
					v.send(frame{T: "msg", CID: cid, Text: earlyFee})
					f := v.wait("ack or error", func(f frame) bool { return (f.T == "ack" || f.T == "error") && f.CID == cid })
					acked = f.T == "ack"
				}
			}
		})
		wg.Go(func() { // wechat: up to four deliveries a round, as the vendor does
			c := g.wechat([]string{"mp", "safe"}[n%2])
			for i := range messages {
				body := c.Text(fmt.Sprintf("oLost%d", n), strconv.Itoa(n*1000+i+1), earlyFee)
				for {
					if r, _, err := c.Deliver(t.Context(), fmt.Sprintf("oLost%d", n), body); err == nil && r.Status == 200 {
						break
					}
				}
			}
		})
		wg.Go(func() {
			for i := range messages {
				for g.sms(t, fmt.Sprintf("%d-%d", n, i), fmt.Sprintf("1390000000%d", n), earlyFee) != 200 {
				}
			}
		})
	}
	wg.Wait()
	if proxy.Dropped() == 0 {
		t.Fatal("no reply was lost: nothing was tested")
	}
	t.Logf("%d replies were lost", proxy.Dropped())
	proxy.DropIf(nil)
	g.checkTranscripts(t, sup, 3*contacts, messages)
}

func TestShutdown_UnderLoadLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	api := channeltest.NewWeChatAPI(t, wechatApp, "appsecret0123456789", time.Now)
	o := gatewayOptions{data: shortDir(t), redis: srv.URL(), wechatAPI: api.URL}
	g := start(t, o)
	const contacts = 6
	acked := make([]int, contacts)
	answered := make([]int, contacts)
	under := make(chan struct{}, 1000)
	var wg sync.WaitGroup
	for n := range contacts {
		wg.Go(func() {
			c := g.wechat("mp")
			for i := range 500 {
				r, err := c.Post(t.Context(), c.Text(fmt.Sprintf("oDown%d", n), strconv.Itoa(n*1000+i+1), earlyFee))
				if err != nil || r.Status != 200 {
					return
				}
				acked[n]++
				if _, err := c.Reply(r); err == nil {
					answered[n]++
				}
				select {
				case under <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 30 {
		<-under
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	// The next start finishes what was left, and sends nothing twice.
	clock := &fakeClock{}
	o.clock = clock.now
	o.tune = brisk
	g = start(t, o)
	clock.add(time.Minute) // past every lease and due time
	sup := g.addAgent(t, configFile(t, o), "sup", "supervisor")
	var list struct{ Items []struct{ ID string } }
	eventually(t, "all conversations", func() bool {
		sup.call("GET", "/conversations?state=bot&limit=500", nil, &list)
		return len(list.Items) == contacts
	})
	stored, pending := 0, 0
	eventually(t, "everything is settled", func() bool {
		stored, pending = 0, 0
		for _, it := range list.Items {
			for _, m := range sup.view(it.ID).Messages {
				if m.From.Role == "contact" {
					stored++
				}
				if m.Delivery == "pending" {
					pending++
				}
			}
		}
		return pending == 0
	})
	wantStored, wantAnswered := 0, 0
	for n := range contacts {
		wantStored += acked[n]
		wantAnswered += answered[n]
	}
	if stored < wantStored {
		t.Errorf("%d messages stored, %d were acknowledged", stored, wantStored)
	}
	if sent := len(api.Texts()); sent > stored-wantAnswered {
		t.Errorf("%d answers sent by the API, but of %d messages %d had theirs in the callback", sent, stored, wantAnswered)
	}
}

func TestKnowledge_ReloadsAndKeepsWhatWorks(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	if err := os.CopyFS(dir, os.DirFS("../../intents/knowledge")); err != nil {
		t.Fatal(err)
	}
	g := start(t, gatewayOptions{data: shortDir(t), yaml: fmt.Sprintf("knowledge: {dir: %q}\n", dir)})
	version := func() string {
		_, rest, _ := strings.Cut(g.fetch(t, "GET", "/readyz", "", nil).Body, `"version":"`)
		v, _, _ := strings.Cut(rest, `"`)
		return v
	}
	inForce := func() bool {
		return g.metric(t, fmt.Sprintf("wensheng_knowledge_info{version=%q} 1", version()))
	}
	before := version()
	if before == "" || !inForce() {
		t.Errorf("/metrics does not name version %q", before)
	}
	phrases := filepath.Join(dir, "phrases.yaml")
	raw, err := os.ReadFile(phrases)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(phrases, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v := g.visit(t, frame{})
	write([]byte("phrases: [oops"))
	eventually(t, "the error is logged", func() bool { return strings.Contains(g.log.String(), "knowledge base not reloaded") })
	if version() != before {
		t.Error("a broken file changed the version in force")
	}
	v.say("1", "谢谢")
	old := v.reply("bot").Text
	changed := strings.Replace(string(raw), "zh: 不客气。", "zh: 不用谢。", 1)
	write([]byte(changed))
	eventually(t, "the new version is in force", func() bool { return version() != before && version() != "" && inForce() })
	v.say("2", "谢谢")
	if got := v.reply("bot").Text; got == old || !strings.Contains(got, "不用谢") {
		t.Errorf("after the reload: %q, before %q", got, old)
	}
}
