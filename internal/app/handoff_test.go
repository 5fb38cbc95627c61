package app_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wensheng/internal/app"
	"wensheng/internal/intake"
	"wensheng/internal/redisx/redistest"
)

// receiptNumber is what a contact is given at every handoff.
var receiptNumber = regexp.MustCompile(`WS\d{6}-\d{8}`)

func (a *agent) online(capacity int) {
	a.t.Helper()
	if s := a.call("PUT", "/me/presence", map[string]any{"status": "online", "capacity": capacity}, nil); s >= 300 {
		a.t.Fatalf("presence: status %d", s)
	}
}

type queueItem struct {
	Conv, Channel, Group, Priority, Reason, Preview string
	Signals                                         []string
}

func (a *agent) queue() []queueItem {
	a.t.Helper()
	var q struct{ Items []queueItem }
	if s := a.call("GET", "/queue", nil, &q); s != http.StatusOK {
		a.t.Fatalf("queue: status %d", s)
	}
	return q.Items
}

// brisk shortens the pipeline's intervals.
func brisk(o *app.Options) {
	o.Tune = func(i *intake.Options) {
		i.SweepEvery, i.ReconcileEvery, i.SettleTime = 100*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond
	}
}

// words collects the texts of the bot and the system until the state is reached.
func (v *visitor) until(state string) string {
	v.t.Helper()
	var b strings.Builder
	v.wait("state "+state, func(f frame) bool {
		if f.T == "msg" && f.From != nil && f.From.Role != "contact" {
			b.WriteString(f.Text + "\n")
		}
		return f.T == "state" && f.State == state
	})
	// The words of the same commit may come after the state.
	quiet := time.NewTimer(time.Second)
	defer quiet.Stop()
	for {
		select {
		case f := <-v.frames:
			if f.T == "msg" {
				b.WriteString(f.Text + "\n")
			}
		case <-quiet.C:
			return b.String()
		}
	}
}

func TestHandoff_TellsTheTruthAboutWhoIsThere(t *testing.T) {
	t.Parallel()
	closed := time.Now().In(time.FixedZone("", 8*3600)).AddDate(0, 0, 2).Format("Mon")
	tests := map[string]struct {
		yaml   string
		online bool
		want   string
	}{
		"nobody online": {"", false, "不在线"},
		"closed hours":  {"groups: [{id: kf, name: 客服部, hours: {tz: Asia/Shanghai, weekly: \"" + closed + " 09:00-10:00\"}}]\n", true, "不在人工服务时间"},
		"agents online": {"", true, "第1位"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := gatewayOptions{data: shortDir(t), yaml: tt.yaml}
			g := start(t, o)
			a := g.addAgent(t, configFile(t, o), "anna", "agent")
			if tt.online {
				a.online(5)
			}
			v := g.visit(t, frame{})
			v.say("1", "转人工")
			said := v.until("waiting")
			if !strings.Contains(said, tt.want) || len(receiptNumber.FindAllString(said, -1)) != 1 {
				t.Errorf("told %q, want %q and one receipt number", said, tt.want)
			}
			t.Logf("转人工 → %s", said)
			v.say("2", "怎么还没人")
			v.say("3", "转人工")
			t.Logf("again → %s", v.reply("bot").Text)
			eventually(t, "the one conversation is in the queue", func() bool {
				q := a.queue()
				return len(q) == 1 && q[0].Conv == v.welcome.Conv
			})
		})
	}
}

func TestHandoff_ComplaintsAndDangerComeFirst(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	a.online(5)
	ordinary := g.waiting(t)
	complaint := g.visit(t, frame{})
	complaint.say("1", "我要投诉你们乱收费")
	said := complaint.until("waiting")
	if n := receiptNumber.FindAllString(said, -1); len(n) != 1 || !strings.Contains(said, "投诉") {
		t.Errorf("a complaint was answered %q, want one receipt number", said)
	}
	t.Logf("我要投诉你们乱收费 → %s", said)
	danger := g.visit(t, frame{})
	danger.say("1", "我不想活了")
	said = danger.until("waiting")
	if !strings.Contains(said, "12356") || !strings.Contains(said, "110") {
		t.Errorf("a P0 message was answered %q", said)
	}
	t.Logf("我不想活了 → %s", said)
	var got []string
	eventually(t, "three wait", func() bool {
		got = nil
		for _, it := range a.queue() {
			got = append(got, it.Priority+" "+it.Conv)
		}
		return len(got) == 3
	})
	want := []string{"P0 " + danger.welcome.Conv, "P1 " + complaint.welcome.Conv, "P2 " + ordinary.welcome.Conv}
	if !slices.Equal(got, want) {
		t.Errorf("queue %v, want %v", got, want)
	}
	// Danger raised while waiting moves to the front, too.
	ordinary.say("late", "再不处理我就去死")
	eventually(t, "the raised one is P0", func() bool {
		n := 0
		for _, it := range a.queue() {
			if it.Priority == "P0" {
				n++
			}
		}
		return n == 2 && len(a.queue()) == 3
	})
	// So does a complaint, with its number.
	late := g.waiting(t)
	late.say("late", "我要投诉")
	if r := late.reply("bot"); !receiptNumber.MatchString(r.Text) || !strings.Contains(r.Text, "投诉") {
		t.Errorf("a complaint while waiting was answered %q", r.Text)
	}
	eventually(t, "it is P1 for its reason", func() bool {
		return slices.ContainsFunc(a.queue(), func(it queueItem) bool {
			return it.Conv == late.welcome.Conv && it.Priority == "P1" && it.Reason == "complaint"
		})
	})
	view := a.view(danger.welcome.Conv)
	if len(view.Handoff.Signals) == 0 || view.Handoff.Priority != "P0" {
		t.Errorf("handoff %+v lacks the signal", view.Handoff)
	}
}

func TestHandoff_LostAgentGivesBackToTheFront(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t), yaml: "handoff: {lease: 5s, grace: 0s}\n", tune: brisk}
	g := start(t, o)
	cfg := configFile(t, o)
	a, b := g.addAgent(t, cfg, "anna", "agent"), g.addAgent(t, cfg, "bert", "agent")
	lost := g.waiting(t, "提前还款要手续费吗")
	l := a.claim(lost.welcome.Conv)
	a.act(l.Conv, "messages", map[string]any{"lease": l.Lease, "cid": "1", "text": "您好，稍等"})
	other := g.waiting(t)
	said := lost.until("waiting")
	if !strings.Contains(said, "队列最前面") {
		t.Errorf("the contact was told %q", said)
	}
	eventually(t, "both wait", func() bool { return len(b.queue()) == 2 })
	if q := b.queue(); q[0].Conv != lost.welcome.Conv || q[1].Conv != other.welcome.Conv {
		t.Errorf("queue %+v, want the lost one in front", q)
	}
	if s := a.act(l.Conv, "messages", map[string]any{"lease": l.Lease, "cid": "2", "text": "我回来了"}); s != http.StatusConflict {
		t.Errorf("the stale lease: status %d, want 409", s)
	}
	l2 := b.claim(lost.welcome.Conv)
	view := b.view(l2.Conv)
	raw := fmt.Sprint(view.Messages)
	if !strings.Contains(raw, "提前还款要手续费吗") || !strings.Contains(raw, "您好，稍等") || view.Handoff.Reason != "human" {
		t.Errorf("the next agent sees %+v", view)
	}
}

func TestHandoff_TransferTakesEverythingAlong(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t), yaml: "groups: [{id: kf, name: 客服部}, {id: ts, name: 投诉组}]\n"}
	g := start(t, o)
	cfg := configFile(t, o)
	a := g.addAgent(t, cfg, "anna", "agent")
	sup := g.addAgent(t, cfg, "sup", "supervisor")
	v := g.waiting(t)
	l := a.claim(v.welcome.Conv)
	if s := a.act(l.Conv, "transfer", map[string]any{"lease": l.Lease, "group": "nowhere"}); s != http.StatusUnprocessableEntity {
		t.Errorf("transfer to an unknown group: status %d", s)
	}
	if s := a.act(l.Conv, "transfer", map[string]any{"lease": l.Lease, "group": "ts", "note": "请核实合同"}); s >= 300 {
		t.Fatalf("transfer: status %d", s)
	}
	t.Logf("transfer → %s", v.until("waiting"))
	if s := a.call("GET", path("conversations", l.Conv), nil, nil); s != http.StatusForbidden {
		t.Errorf("the first agent still sees it: status %d", s)
	}
	l2 := sup.claim(l.Conv)
	view := sup.view(l.Conv)
	if !strings.Contains(fmt.Sprint(view.Messages), "请核实合同") || view.Conversation.Group != "ts" {
		t.Errorf("after the transfer: %+v", view)
	}
	sup.act(l.Conv, "close", map[string]any{"lease": l2.Lease})
	eventually(t, "nothing waits", func() bool { return len(sup.queue()) == 0 })
}

func TestHandoff_LowRatingReopensForAnotherAgent(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	cfg := configFile(t, o)
	a, b := g.addAgent(t, cfg, "anna", "agent"), g.addAgent(t, cfg, "bert", "agent")
	a.online(5)
	b.online(5)
	v := g.waiting(t)
	l := a.claim(v.welcome.Conv)
	a.act(l.Conv, "close", map[string]any{"lease": l.Lease})
	t.Logf("close → %s", v.until("closed"))
	v.send(frame{T: "rate", CID: "r", Score: 1})
	t.Logf("rate 1 → %s", v.until("bot"))
	v.say("again", "转人工")
	v.until("waiting")
	eventually(t, "it waits", func() bool { return len(b.queue()) == 1 })
	if s := a.call("POST", "/queue/claim", map[string]string{}, nil); s != http.StatusNoContent {
		t.Errorf("the agent of the low rating was given it again: status %d", s)
	}
	var l2 lease
	if s := b.call("POST", "/queue/claim", map[string]string{}, &l2); s != http.StatusOK || l2.Conv != l.Conv {
		t.Errorf("another agent's claim: status %d, %+v", s, l2)
	}
	if got := b.view(l.Conv).Conversation; got.Score != 1 {
		t.Errorf("score %d, want 1", got.Score)
	}
}

func TestHandoff_AutoAssignsTheLeastLoaded(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t), yaml: "groups: [{id: kf, name: 客服部, assign: auto}]\nhandoff: {accept: 30s}\n"}
	g := start(t, o)
	cfg := configFile(t, o)
	a, b := g.addAgent(t, cfg, "anna", "agent"), g.addAgent(t, cfg, "bert", "agent")
	a.online(1)
	b.online(1)
	holds := func(who *agent) int {
		var l struct{ Items []lease }
		who.call("GET", "/leases", nil, &l)
		return len(l.Items)
	}
	for i := range 2 {
		v := g.visit(t, frame{})
		v.say(strconv.Itoa(i), "转人工")
		v.wait("state serving", func(f frame) bool { return f.T == "state" && f.State == "serving" })
	}
	if holds(a) != 1 || holds(b) != 1 {
		t.Errorf("they hold %d and %d, want one each", holds(a), holds(b))
	}
	third := g.waiting(t)
	// The state is told with the commit, the queue is an effect after it.
	eventually(t, "the third waits in the queue, above everybody's capacity", func() bool {
		q := a.queue()
		return len(q) == 1 && q[0].Conv == third.welcome.Conv
	})
	if holds(a) != 1 || holds(b) != 1 {
		t.Errorf("they hold %d and %d after the third, want one each", holds(a), holds(b))
	}
}

func TestReconciler_BringsBackWhatFellOutOfTheQueue(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	o := gatewayOptions{data: shortDir(t), redis: srv.URL(), tune: brisk}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	v := g.waiting(t)
	eventually(t, "it waits", func() bool { return len(a.queue()) == 1 })
	keys, err := srv.Client().Keys(t.Context(), "{q:kf}:*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("keys %v, %v", keys, err)
	}
	if err := srv.Client().Del(t.Context(), keys...).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reconciler put it back", func() bool {
		q := a.queue()
		return len(q) == 1 && q[0].Conv == v.welcome.Conv && q[0].Reason == "human"
	})
	l := a.claim(v.welcome.Conv)
	// A lease that vanished, too.
	if keys, err = srv.Client().Keys(t.Context(), "{q:kf}:*").Result(); err == nil {
		err = srv.Client().Del(t.Context(), keys...).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	v.wait("state waiting", func(f frame) bool { return f.T == "state" && f.State == "waiting" })
	if l2 := a.claim(v.welcome.Conv); l2.Lease == l.Lease {
		t.Error("the lost lease was given out again")
	}
}

func TestArchive_KeepsWhatRedisForgets(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	clock := &fakeClock{}
	o := gatewayOptions{data: shortDir(t), redis: srv.URL(), tune: brisk, clock: clock.now, yaml: "timeouts: {idle: 30m}\n"}
	g := start(t, o)
	v := g.visit(t, frame{})
	v.say("1", "提前还款要手续费吗")
	v.reply("bot")
	clock.add(31 * time.Minute)
	t.Logf("idle → %s", v.until("closed"))
	sup := g.addAgent(t, configFile(t, o), "sup", "supervisor")
	eventually(t, "archived, keys set to expire", func() bool {
		keys, err := srv.Client().Keys(t.Context(), "*"+v.welcome.Conv+"*").Result()
		if err != nil || len(keys) == 0 {
			return false
		}
		for _, k := range keys {
			if ttl := srv.Client().TTL(t.Context(), k).Val(); ttl <= 0 {
				return false
			}
		}
		return true
	})
	keys, err := srv.Client().Keys(t.Context(), "*"+v.welcome.Conv+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Client().Del(t.Context(), keys...).Err(); err != nil {
		t.Fatal(err)
	}
	view := sup.view(v.welcome.Conv)
	if !view.Conversation.Archived || view.Conversation.State != "closed" || len(view.Messages) < 2 || view.Messages[0].Text != "提前还款要手续费吗" {
		t.Errorf("from the archive: %+v", view)
	}
	// Its visitor starts afresh, without an error.
	again := g.visit(t, frame{Session: v.welcome.Session, Epoch: v.welcome.Epoch, Seq: v.welcome.Seq})
	again.say("2", "提前还款要手续费吗")
	again.reply("bot")
}

func TestSMS_LongMessageIsOneTurnAndOptOutIsSilent(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	sup := g.addAgent(t, configFile(t, o), "sup", "supervisor")
	part := []rune(strings.Repeat("我想问一下关于借款的事情", 6))[:67] // what one piece of a long SMS holds
	for i, text := range []string{string(part), "提前还款要手续费吗"} {
		if s := g.sms(t, strconv.Itoa(i), "13900000001", text); s != http.StatusOK {
			t.Fatalf("status %d", s)
		}
	}
	for i, word := range []string{"TD", "退订", "Ｒ", "t"} {
		if s := g.sms(t, "out"+strconv.Itoa(i), "1390000100"+strconv.Itoa(i), word); s != http.StatusOK {
			t.Errorf("%q: status %d", word, s)
		}
	}
	var list struct{ Items []struct{ ID, State string } }
	eventually(t, "five conversations with the bot", func() bool {
		sup.call("GET", "/conversations?state=bot", nil, &list)
		return len(list.Items) == 5
	})
	silent := 0
	eventually(t, "both pieces answered once", func() bool {
		silent = 0
		answered := false
		for _, it := range list.Items {
			said := map[string]int{}
			for _, m := range sup.view(it.ID).Messages {
				said[m.From.Role]++
			}
			if said["bot"] == 0 && said["contact"] == 1 {
				silent++
			}
			if said["bot"] > 1 {
				t.Fatalf("one message in two pieces was answered %d times", said["bot"])
			}
			answered = answered || said["bot"] == 1 && said["contact"] == 2
		}
		return answered
	})
	if q := sup.queue(); silent != 4 || len(q) != 0 {
		t.Errorf("%d silent conversations and %d in the queue, want 4 and 0", silent, len(q))
	}
}
