package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wensheng/internal/chat"
	"wensheng/web"
)

func TestQueue_ShowsTheUsersGroupsMasked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	kf, legal := s.waiting("kf"), s.waiting("legal")
	for login, want := range map[string][]chat.ConvID{
		"ann": {kf}, "law": {legal}, "sue": {kf, legal}, "root": {kf, legal},
	} {
		r := s.as(login).do(http.MethodGet, "/api/v1/queue", nil).want(200)
		got := map[string]bool{}
		for _, it := range r.list("items") {
			m, _ := it.(map[string]any)
			id, _ := m["conv"].(string)
			got[id] = true
			if m["waited_s"] != float64(90) || m["priority"] != "P1" || m["channel"] != "sms" || m["reason"] != "human" {
				t.Errorf("item %v", m)
			}
		}
		for _, id := range want {
			if !got[string(id)] {
				t.Errorf("%s does not see %s", login, id)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s sees %d, want %d", login, len(got), len(want))
		}
		noPersonalData(t, r)
	}
}

func noPersonalData(t *testing.T, r *result) {
	t.Helper()
	for _, secret := range []string{phone, idCard, "张三丰", "cust-000123456"} {
		if strings.Contains(string(r.raw), secret) {
			t.Errorf("%s shows %s in clear: %s", r.what, secret, r.raw)
		}
	}
}

func TestClaim_NextByIDAndAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, bob := s.as("ann"), s.as("bob")
	ann.do(http.MethodPost, "/api/v1/queue/claim", nil).want(204)
	conv := s.waiting("kf")
	r := ann.do(http.MethodPost, "/api/v1/queue/claim", map[string]any{}).want(200)
	if r.str("conv") != string(conv) || r.str("lease") == "" || r.str("expires") == "" {
		t.Errorf("claim answers %s", r.raw)
	}
	noPersonalData(t, r)
	if again := ann.claim(conv); again != r.str("lease") {
		t.Error("the holder does not get his own lease again")
	}
	bob.do(http.MethodPost, "/api/v1/queue/claim", map[string]any{"conv": conv}).want(409, "taken")
	bob.do(http.MethodPost, "/api/v1/queue/claim", map[string]any{"group": "kf"}).want(204)
	items := ann.do(http.MethodGet, "/api/v1/leases", nil).want(200).list("items")
	if len(items) != 1 {
		t.Errorf("ann holds %v", items)
	}
}

func TestClaim_OnlyOneOfManyWins(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	clients := []*client{s.as("ann"), s.as("bob"), s.as("sue")}
	var mu sync.Mutex
	won := map[int]bool{}
	var wg sync.WaitGroup
	for range 4 {
		for i, c := range clients {
			wg.Go(func() {
				r := c.do(http.MethodPost, "/api/v1/queue/claim", map[string]any{"conv": conv})
				mu.Lock()
				defer mu.Unlock()
				switch r.status {
				case 200:
					won[i] = true
				case 409:
				default:
					t.Errorf("claim answers %d %s", r.status, r.raw)
				}
			})
		}
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d agents hold it", len(won))
	}
}

func TestClaim_StaysInTheUsersGroups(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("legal")
	ann := s.as("ann")
	ann.do(http.MethodPost, "/api/v1/queue/claim", map[string]any{"conv": conv}).want(403, "not_your_group")
	ann.do(http.MethodPost, "/api/v1/queue/claim", map[string]any{"group": "legal"}).want(403, "not_your_group")
	ann.do(http.MethodPost, "/api/v1/queue/claim", map[string]any{"conv": chat.NewConvID(1)}).want(404, "not_found")
	ann.do(http.MethodPost, "/api/v1/queue/claim", map[string]any{"conv": "../../etc"}).want(404, "not_found")
	s.desk.views[conv].Conversation.State = chat.StateClosed
	s.as("sue").do(http.MethodPost, "/api/v1/queue/claim", map[string]any{"conv": conv}).want(409, "not_waiting")
}

func TestConversation_ShowsEverythingMasked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	ann := s.as("ann")
	lease := ann.claim(conv)
	ann.do(http.MethodPost, path(conv, "notes"), map[string]any{"cid": "n", "text": "回电 " + phone, "lease": lease}).want(201)
	ann.do(http.MethodPost, path(conv, "messages"), map[string]any{"cid": "m", "text": "您好", "lease": lease}).want(201)
	r := ann.do(http.MethodGet, path(conv, ""), nil).want(200)
	noPersonalData(t, r)

	head, _ := r.body["conversation"].(map[string]any)
	if head["lease"] != lease || head["state"] != "serving" || head["agent"] != "u-ann" {
		t.Errorf("conversation %v", head)
	}
	contact, _ := r.body["contact"].(map[string]any)
	if contact["id"] != "138****5678" || contact["name"] != "张*" {
		t.Errorf("contact %v", contact)
	}
	h, _ := r.body["handoff"].(map[string]any)
	for _, k := range []string{"reason", "intent", "topic", "candidates", "entities", "signals", "summary"} {
		if h[k] == nil {
			t.Errorf("handoff without %q: %v", k, h)
		}
	}
	type line struct {
		Role, Kind, Text, Delivery string
		Seq, Pos                   float64
		Hidden, Masked             bool
	}
	var got []line
	for _, m := range r.list("messages") {
		f, _ := m.(map[string]any)
		from, _ := f["from"].(map[string]any)
		var l line
		l.Role, _ = from["role"].(string)
		l.Kind, _ = f["kind"].(string)
		l.Text, _ = f["text"].(string)
		l.Delivery, _ = f["delivery"].(string)
		l.Seq, _ = f["seq"].(float64)
		l.Pos, _ = f["pos"].(float64)
		l.Hidden, _ = f["hidden"].(bool)
		l.Masked, _ = f["masked"].(bool)
		got = append(got, l)
		if f["t"] != "msg" {
			t.Errorf("not a msg frame: %v", f)
		}
	}
	want := []line{
		{"contact", "text", "我的手机 138****5678 身份证 110***********002X", "", 1, 1, false, true},
		{"bot", "text", "好的", "sent", 2, 2, false, false},
		{"system", "event", "", "", 0, 3, true, false},
		{"agent", "note", "回电 138****5678", "", 0, 4, true, true},
		{"agent", "text", "您好", "pending", 3, 5, false, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestConversation_WhoMaySeeIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	as := map[string]*client{}
	for _, l := range []string{"ann", "bob", "law", "sue", "cat", "ed", "root"} {
		as[l] = s.as(l)
	}
	check := func(when string, want map[string]int) {
		t.Helper()
		for l, status := range want {
			r := as[l].do(http.MethodGet, path(conv, ""), nil)
			if r.status != status {
				t.Errorf("%s, %s: got %d, want %d", when, l, r.status, status)
			}
			head, _ := r.body["conversation"].(map[string]any)
			if l != "ann" && head["lease"] != nil {
				t.Errorf("%s, %s: sees the lease", when, l)
			}
		}
	}
	check("waiting", map[string]int{"ann": 200, "bob": 200, "law": 403, "sue": 200, "cat": 200, "ed": 403, "root": 200})
	lease := as["ann"].claim(conv)
	check("serving", map[string]int{"ann": 200, "bob": 403, "law": 403, "sue": 200, "cat": 200, "ed": 403, "root": 200})
	as["ann"].do(http.MethodPost, path(conv, "close"), map[string]any{"lease": lease}).want(200)
	check("closed", map[string]int{"ann": 403, "bob": 403, "law": 403, "sue": 200, "cat": 200, "root": 200})
	as["sue"].do(http.MethodGet, path(chat.NewConvID(9), ""), nil).want(404, "not_found")
	as["sue"].do(http.MethodGet, path("nonsense", ""), nil).want(404, "not_found")
}

// TestActions_NeedOnesOwnLease is G7: nobody acts on what another holds, not
// even with the other's token.
func TestActions_NeedOnesOwnLease(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv, other := s.waiting("kf"), s.waiting("kf")
	ann, bob, sue := s.as("ann"), s.as("bob"), s.as("sue")
	lease := ann.claim(conv)
	bobs := bob.claim(other)
	for _, verb := range []string{"messages", "notes", "release", "transfer", "hold", "close", "typing"} {
		for name, tc := range map[string]struct {
			c     *client
			lease string
		}{
			"another's token":               {bob, lease},
			"a supervisor, another's token": {sue, lease},
			"one's token of another one":    {bob, bobs},
			"no token":                      {ann, ""},
			"a made-up token":               {ann, chat.NewToken()},
		} {
			r := tc.c.do(http.MethodPost, path(conv, verb), map[string]any{"cid": "x", "text": "x", "group": "kf", "lease": tc.lease})
			if r.status != 409 || r.str("code") != "lease_lost" {
				t.Errorf("%s with %s: got %d %s", verb, name, r.status, r.raw)
			}
		}
	}
	if s.desk.views[conv].Conversation.State != chat.StateServing || len(s.desk.said) != 0 {
		t.Error("something was done all the same")
	}
	held := bob.do(http.MethodPost, "/api/v1/leases/renew", map[string]any{"leases": []string{lease, bobs}}).want(200).list("leases")
	if diff := cmp.Diff([]any{bobs}, held); diff != "" {
		t.Errorf("bob renews: %s", diff)
	}
	// Once released, the old token is worth nothing.
	ann.do(http.MethodPost, path(conv, "release"), map[string]any{"lease": lease}).want(200)
	ann.do(http.MethodPost, path(conv, "messages"), map[string]any{"cid": "x", "text": "x", "lease": lease}).want(409, "lease_lost")
}

func TestSay_Checks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	ann := s.as("ann")
	lease := ann.claim(conv)
	say := func(cid, text string) *result {
		return ann.do(http.MethodPost, path(conv, "messages"), map[string]any{"cid": cid, "text": text, "lease": lease})
	}
	first := say("one", "您好").want(201)
	if again := say("one", "您好").want(201); again.str("id") != first.str("id") || again.body["seq"] != first.body["seq"] {
		t.Error("a repeated cid is another message")
	}
	say("max", strings.Repeat("好", 2000)).want(201)
	say("over", strings.Repeat("好", 2001)).want(422, "too_long")
	say("", "x").want(422, "bad_cid")
	say(strings.Repeat("c", 65), "x").want(422, "bad_cid")
	say("e", " \n ").want(422, "empty")
	say("big", strings.Repeat("x", 70<<10)).want(413, "too_large")
}

func TestTransfer_ChecksTheTarget(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	ann := s.as("ann")
	lease := ann.claim(conv)
	for _, tc := range []struct {
		body map[string]any
		code string
	}{
		{map[string]any{}, "no_target"},
		{map[string]any{"group": "nowhere"}, "unknown_group"},
		{map[string]any{"agent": "nobody"}, "unknown_agent"},
		{map[string]any{"agent": "u-ann"}, "unknown_agent"},
		{map[string]any{"agent": "u-ed"}, "unknown_agent"},
	} {
		tc.body["lease"] = lease
		ann.do(http.MethodPost, path(conv, "transfer"), tc.body).want(422, tc.code)
	}
	ann.do(http.MethodPost, path(conv, "transfer"), map[string]any{"lease": lease, "group": "legal", "agent": "u-law", "note": "请法务看"}).want(200)
}

func TestReveal_ForAReasonAndAudited(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	ann, bob, sue, cat, root := s.as("ann"), s.as("bob"), s.as("sue"), s.as("cat"), s.as("root")
	ask := func(c *client, field, reason string) *result {
		return c.do(http.MethodPost, path(conv, "reveal"), map[string]any{"field": field, "reason": reason})
	}
	ask(bob, "contact", "想看").want(403) // waiting in his group, but not his
	ann.claim(conv)
	ask(ann, "contact", "").want(422, "reason_required")
	ask(ann, "contact", " a ").want(422, "reason_required")
	ask(ann, "password", "想看").want(422, "unknown_field")
	ask(ann, "message:nope", "想看").want(422, "unknown_field")
	ask(bob, "contact", "想看").want(403)
	ask(root, "contact", "想看").want(403)
	if n := len(s.users.audited("reveal")); n != 0 {
		t.Errorf("%d reveals recorded that were refused", n)
	}
	for field, want := range map[string]string{
		"contact": phone, "name": "张三丰", "subject": "cust-000123456", "message:m-contact": "我的手机 " + phone + " 身份证 " + idCard,
	} {
		for _, c := range []*client{ann, sue, cat} {
			if got := ask(c, field, "核对身份").want(200).str("value"); got != want {
				t.Errorf("%s = %q", field, got)
			}
		}
	}
	lines := s.users.audited("reveal")
	if len(lines) != 12 {
		t.Fatalf("%d audit lines", len(lines))
	}
	for _, l := range lines {
		if l.Object != string(conv) || !strings.Contains(l.Detail, "核对身份") || strings.Contains(l.Detail, phone) {
			t.Errorf("audit line %+v", l)
		}
	}
}

func TestPresence_Checks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.as("ann")
	ann.do(http.MethodPut, "/api/v1/me/presence", map[string]any{"status": "asleep"}).want(422, "bad_status")
	ann.do(http.MethodPut, "/api/v1/me/presence", map[string]any{"status": "online", "capacity": 101}).want(422, "bad_capacity")
	ann.do(http.MethodPut, "/api/v1/me/presence", map[string]any{"status": "online"}).want(200)
	if a := s.desk.agents["u-ann"]; a.Capacity != 5 || a.Status != "online" {
		t.Errorf("presence %+v", a)
	}
	ann.do(http.MethodGet, "/api/v1/agents", nil).want(200)
	me := ann.do(http.MethodGet, "/api/v1/me", nil).want(200)
	if p, _ := me.body["presence"].(map[string]any); p["status"] != "online" {
		t.Errorf("me %s", me.raw)
	}
	groups := ann.do(http.MethodGet, "/api/v1/groups", nil).want(200).list("items")
	if g, _ := groups[1].(map[string]any); len(groups) != 2 || g["open"] != false || g["mine"] != false {
		t.Errorf("groups %v", groups)
	}
}

func TestList_IsForSupervisors(t *testing.T) {
	t.Parallel()
	var got web.ListQuery
	s := newSite(t, func(o *web.Options) {
		o.List = func(_ context.Context, q web.ListQuery) ([]chat.Conversation, error) {
			got = q
			return []chat.Conversation{{ID: chat.NewConvID(1), Contact: chat.Address{Account: "sms", ID: phone}, State: q.State}}, nil
		}
	})
	sue := s.as("sue")
	r := sue.do(http.MethodGet, "/api/v1/conversations?state=closed&limit=7", nil).want(200)
	if got.State != chat.StateClosed || got.Limit != 7 || len(r.list("items")) != 1 {
		t.Errorf("query %+v, answer %s", got, r.raw)
	}
	noPersonalData(t, r)
	sue.do(http.MethodGet, "/api/v1/conversations?state=x", nil).want(400, "bad_query")
	sue.do(http.MethodGet, "/api/v1/conversations?limit=x", nil).want(400, "bad_query")
}

func TestErrors_BecomeProblems(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	ann := s.as("ann")
	lease := ann.claim(conv)
	for _, tc := range []struct {
		err    error
		status int
		code   string
	}{
		{chat.ErrLeaseLost, 409, "lease_lost"},
		{fmt.Errorf("deep: %w", chat.ErrTaken), 409, "taken"},
		{chat.ErrConflict, 409, "conflict"},
		{chat.ErrBlocked, 422, "blocked_wording"},
		{chat.ErrTooLong, 422, "too_long"},
		{chat.ErrNotFound, 404, "not_found"},
		{chat.ErrUnavailable, 503, "unavailable"},
		{context.DeadlineExceeded, 503, "unavailable"},
		{&chat.TransitionError{From: chat.StateClosed, Event: chat.EventHold}, 409, "bad_state"},
		{errors.New("the secret is " + phone), 500, "internal"},
	} {
		s.desk.fail(tc.err)
		r := ann.do(http.MethodPost, path(conv, "close"), map[string]any{"lease": lease})
		if r.status != tc.status || r.str("code") != tc.code {
			t.Errorf("%v: got %d %s", tc.err, r.status, r.raw)
		}
		if tc.status == 503 && r.header.Get("Retry-After") == "" {
			t.Errorf("%v: no Retry-After", tc.err)
		}
		noPersonalData(t, r)
	}
	s.desk.fail(nil)
	ann.do(http.MethodGet, "/api/v1/nothing", nil).want(404, "no_such_route")
	ann.do(http.MethodDelete, "/api/v1/queue", nil).want(405, "method_not_allowed")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/queue/claim", strings.NewReader("{\"conv\":"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+ann.bearer)
	ann.send(req).want(400, "bad_json")
}
