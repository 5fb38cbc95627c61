package app_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// waiting opens a web conversation that waits for a person.
func (g *gateway) waiting(tb testing.TB, words ...string) *visitor {
	tb.Helper()
	v := g.visit(tb, frame{})
	waits := false // it may be told before the ack of a later word
	for i, w := range append(words, "转人工") {
		cid := "w" + string(rune('a'+i))
		v.send(frame{T: "msg", CID: cid, Text: w})
		v.wait("ack of "+cid, func(f frame) bool {
			waits = waits || f.T == "state" && f.State == "waiting"
			return f.T == "ack" && f.CID == cid
		})
	}
	if !waits {
		v.wait("state waiting", func(f frame) bool { return f.T == "state" && f.State == "waiting" })
	}
	return v
}

// claim takes one conversation, which must be in the queue soon.
func (a *agent) claim(conv string) lease {
	a.t.Helper()
	var l lease
	eventually(a.t, "claimed "+conv, func() bool {
		return a.call("POST", "/queue/claim", map[string]string{"conv": conv}, &l) == http.StatusOK
	})
	return l
}

// act posts one of the verbs on a conversation.
func (a *agent) act(conv, verb string, body map[string]any) int {
	a.t.Helper()
	return a.call("POST", path("conversations", conv, verb), body, nil)
}

type convView struct {
	Conversation struct {
		ID, State, Group, Priority, Agent, LastAgent string
		Score                                        int
		Archived                                     bool
	}
	Contact struct{ ID string }
	Handoff struct {
		Reason, Intent, Topic, Summary, Receipt, Priority string
		Candidates, Entities                              []any
		Signals                                           []string
		Form                                              formAnswers
	}
	Messages []struct {
		ID, Text, Kind, Event, Delivery string
		Seq, Pos                        int64
		Hidden                          bool
		From                            speaker
		Evidence                        struct{ Intent, Topic string }
	}
}

type formAnswers struct {
	ID, State string
	Slots     []struct{ ID, Label, Value string }
}

func (f formAnswers) value(slot string) string {
	for _, s := range f.Slots {
		if s.ID == slot {
			return s.Value
		}
	}
	return ""
}

func (a *agent) view(conv string) convView {
	a.t.Helper()
	var v convView
	if s := a.call("GET", path("conversations", conv), nil, &v); s != http.StatusOK {
		a.t.Fatalf("conversation: status %d", s)
	}
	return v
}

func TestAgent_HoldsWhatHeClaimsAndNothingElse(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	cfg := configFile(t, o)
	a, b := g.addAgent(t, cfg, "anna", "agent"), g.addAgent(t, cfg, "bert", "agent")

	if s := a.call("POST", "/queue/claim", map[string]string{}, nil); s != http.StatusNoContent {
		t.Errorf("claim of an empty queue: status %d, want 204", s)
	}
	v := g.waiting(t, "我的身份证号是11010519491231002X")
	conv := v.welcome.Conv
	l := a.claim(conv)
	if l.Conv != conv || l.Lease == "" {
		t.Fatalf("lease %+v", l)
	}
	if again := a.claim(conv); again.Lease != l.Lease {
		t.Errorf("the holder got lease %s, want his own %s again", again.Lease, l.Lease)
	}
	if s := b.call("POST", "/queue/claim", map[string]string{"conv": conv}, nil); s != http.StatusConflict {
		t.Errorf("another agent's claim: status %d, want 409", s)
	}
	if s := b.call("GET", path("conversations", conv), nil, nil); s != http.StatusForbidden {
		t.Errorf("another agent's look: status %d, want 403", s)
	}
	view := a.view(conv)
	if view.Handoff.Reason != "human" || view.Handoff.Summary == "" || view.Handoff.Receipt == "" {
		t.Errorf("handoff %+v", view.Handoff)
	}
	if raw, _ := json.Marshal(view); bytes.Contains(raw, []byte("11010519491231002X")) {
		t.Error("the agent reads the ID number without revealing it")
	}

	say := func(who *agent, cid, text, lease string) answer {
		raw, _ := json.Marshal(map[string]string{"cid": cid, "text": text, "lease": lease})
		return g.fetch(t, "POST", "/api/v1"+path("conversations", conv, "messages"), "application/json", raw, "Authorization", "Bearer "+who.token)
	}
	var sent, again struct {
		ID  string
		Seq int64
	}
	first := say(a, "m1", "您好，请讲", l.Lease)
	if first.Status != http.StatusCreated || json.Unmarshal([]byte(first.Body), &sent) != nil || sent.ID == "" || sent.Seq == 0 {
		t.Fatalf("message: %d %s", first.Status, first.Body)
	}
	if v.reply("agent").Seq != sent.Seq {
		t.Error("the visitor's seq is not the agent's")
	}
	if r := say(a, "m1", "您好，请讲", l.Lease); r.Status != http.StatusCreated || json.Unmarshal([]byte(r.Body), &again) != nil || again != sent {
		t.Errorf("repeated cid: %d %s, want %+v again", r.Status, r.Body, sent)
	}
	if code := wantProblem(t, say(a, "m2", "您好", "stale"), http.StatusConflict); code != "lease_lost" {
		t.Errorf("code %q", code)
	}
	wantProblem(t, say(b, "m2", "您好", l.Lease), http.StatusConflict)
	if code := wantProblem(t, say(a, "m3", "不还钱就去你单位找你领导", l.Lease), http.StatusUnprocessableEntity); code != "blocked_wording" {
		t.Errorf("code %q", code)
	}
	if code := wantProblem(t, say(a, "m4", "请把验证码发给我", l.Lease), http.StatusUnprocessableEntity); code != "blocked_wording" {
		t.Errorf("code %q", code)
	}
	wantProblem(t, say(a, "m5", strings.Repeat("长", 2001), l.Lease), http.StatusUnprocessableEntity)

	var renewed struct{ Leases []string }
	if s := a.call("POST", "/leases/renew", map[string]any{"leases": []string{l.Lease, "unknown"}}, &renewed); s != 200 || len(renewed.Leases) != 1 || renewed.Leases[0] != l.Lease {
		t.Errorf("renew: %d %+v, want only the held one", s, renewed)
	}
	if s := a.act(conv, "notes", map[string]any{"lease": l.Lease, "text": "客户着急"}); s >= 300 {
		t.Errorf("note: status %d", s)
	}
	if s := a.act(conv, "hold", map[string]any{"lease": l.Lease}); s >= 300 {
		t.Errorf("hold: status %d", s)
	}
	v.wait("state on_hold", func(f frame) bool { return f.T == "state" && f.State == "on_hold" })
	v.say("more", "还在吗")
	v.wait("state serving", func(f frame) bool { return f.T == "state" && f.State == "serving" })
	if s := a.act(conv, "release", map[string]any{"lease": l.Lease}); s >= 300 {
		t.Errorf("release: status %d", s)
	}
	v.wait("state waiting", func(f frame) bool { return f.T == "state" && f.State == "waiting" })
	wantProblem(t, say(a, "m6", "您好", l.Lease), http.StatusConflict)
	l2 := b.claim(conv)
	if s := b.act(conv, "close", map[string]any{"lease": l2.Lease, "reason": "解决了"}); s >= 300 {
		t.Errorf("close: status %d", s)
	}
	v.wait("state closed", func(f frame) bool { return f.T == "state" && f.State == "closed" })

	// The note took no seq of the visitor's, and he never saw it.
	all := g.visit(t, frame{Session: v.welcome.Session})
	for want := int64(1); want <= all.welcome.Seq; want++ {
		f := all.wait("a replayed message", func(f frame) bool { return f.T == "msg" })
		if f.Seq != want || strings.Contains(f.Text, "客户着急") {
			t.Fatalf("replayed %+v at %d", f, want)
		}
	}
}

func TestAgent_RevealIsForAReasonAndAudited(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	cfg := configFile(t, o)
	a, comp, ed := g.addAgent(t, cfg, "anna", "agent"), g.addAgent(t, cfg, "comp", "compliance"), g.addAgent(t, cfg, "ed", "editor")
	if s := g.sms(t, "r1", "13800138000", "我要投诉"); s != 200 {
		t.Fatalf("sms: status %d", s)
	}
	var l lease
	eventually(t, "claimed", func() bool {
		return a.call("POST", "/queue/claim", map[string]string{}, &l) == http.StatusOK
	})
	if id := a.view(l.Conv).Contact.ID; !strings.HasSuffix(id, "138****8000") {
		t.Errorf("contact shown as %q, want 138****8000", id)
	}
	var out struct{ Value string }
	if s := a.call("POST", path("conversations", l.Conv, "reveal"), map[string]string{"field": "contact", "reason": "电话核实"}, &out); s != 200 || !strings.Contains(out.Value, "13800138000") {
		t.Errorf("reveal: %d %+v", s, out)
	}
	if s := a.call("POST", path("conversations", l.Conv, "reveal"), map[string]string{"field": "contact"}, nil); s != http.StatusUnprocessableEntity {
		t.Errorf("reveal without a reason: status %d", s)
	}
	for p, want := range map[string]int{"/queue": 403, "/users": 403, "/audit": 403} {
		if s := ed.call("GET", p, nil, nil); s != want {
			t.Errorf("editor GET %s: status %d, want %d", p, s, want)
		}
	}
	if s := ed.call("GET", path("conversations", l.Conv), nil, nil); s != http.StatusForbidden {
		t.Errorf("editor reads a conversation: status %d", s)
	}
	var audit struct {
		Items []struct{ Action, Object, Detail string }
	}
	comp.call("GET", "/audit?object="+l.Conv, nil, &audit)
	seen := map[string]bool{}
	for _, line := range audit.Items {
		seen[line.Action] = true
		if strings.Contains(line.Detail, "13800138000") {
			t.Errorf("the audit log holds the number: %+v", line)
		}
	}
	if !seen["claim"] || !seen["reveal"] {
		t.Errorf("audit has %v, want claim and reveal", seen)
	}
}

func TestAgent_TenWrongPasswordsLock(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	try := func(password string) answer {
		return g.fetch(t, "POST", "/api/v1/login", "application/json", []byte(`{"login":"anna","password":"`+password+`"}`))
	}
	for range 10 {
		wantProblem(t, try("wrong"), http.StatusUnauthorized)
	}
	r := try("correct horse")
	wantProblem(t, r, http.StatusTooManyRequests)
	if r.Header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	if s := a.call("GET", "/me", nil, nil); s != 200 {
		t.Errorf("the lock ended a session: status %d", s)
	}
}

func TestAgent_LiveEventsByTicket(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	var ticket struct{ Ticket, Expires string }
	if s := a.call("POST", "/ws/ticket", map[string]string{}, &ticket); s >= 300 || ticket.Ticket == "" || ticket.Expires == "" {
		t.Fatalf("ticket: %d %+v", s, ticket)
	}
	url := "ws" + strings.TrimPrefix(g.url, "http") + "/api/v1/ws?ticket=" + ticket.Ticket
	ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	defer ws.Close() //nolint:errcheck // the test is over
	if _, res, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil); err == nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a ticket was used twice: %v", err)
	} else {
		_ = res.Body.Close()
	}
	events := make(chan map[string]any, 100)
	go func() {
		defer close(events)
		for {
			var e map[string]any
			if ws.ReadJSON(&e) != nil {
				return
			}
			events <- e
		}
	}()
	await := func(kind, conv string) {
		t.Helper()
		for e := range events {
			if e["t"] == kind && (conv == "" || e["conv"] == conv) {
				return
			}
		}
		t.Fatalf("the socket ended before %s", kind)
	}
	v := g.waiting(t)
	await("queue", v.welcome.Conv)
	l := a.claim(v.welcome.Conv)
	v.say("more", "在吗")
	await("msg", v.welcome.Conv)
	a.act(l.Conv, "close", map[string]any{"lease": l.Lease})
	await("state", v.welcome.Conv)
	_ = ws.Close()
	for range events {
	}
}
