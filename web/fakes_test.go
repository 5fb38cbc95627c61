package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"wensheng/handoff"
	"wensheng/internal/chat"
	"wensheng/web"
)

// clock is the tests' time; it moves only when told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fakeUsers is archive in memory.
type fakeUsers struct {
	mu       sync.Mutex
	users    map[string]chat.User
	logins   map[string]chat.Login
	lines    []chat.Audit
	auditErr error
}

func (f *fakeUsers) CreateUser(_ context.Context, u chat.User) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, have := range f.users {
		if have.Login == u.Login {
			return chat.ErrTaken
		}
	}
	f.users[u.ID] = u
	return nil
}

func (f *fakeUsers) UserByLogin(_ context.Context, login string) (chat.User, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, u := range f.users {
		if u.Login == login {
			return u, nil
		}
	}
	return chat.User{}, chat.ErrNotFound
}

func (f *fakeUsers) UserByID(_ context.Context, id string) (chat.User, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u, ok := f.users[id]
	if !ok {
		return chat.User{}, chat.ErrNotFound
	}
	return u, nil
}

func (f *fakeUsers) Users(context.Context) ([]chat.User, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []chat.User
	for _, u := range f.users {
		out = append(out, u)
	}
	return out, nil
}

func (f *fakeUsers) UpdateUser(_ context.Context, u chat.User) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users[u.ID] = u
	return nil
}

func (f *fakeUsers) SaveLogin(_ context.Context, l chat.Login) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logins[l.TokenHash] = l
	return nil
}

func (f *fakeUsers) LoginByHash(_ context.Context, hash string) (chat.Login, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.logins[hash]
	if !ok {
		return chat.Login{}, chat.ErrNotFound
	}
	return l, nil
}

func (f *fakeUsers) DeleteLogin(_ context.Context, hash string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.logins[hash]; !ok {
		return chat.ErrNotFound
	}
	delete(f.logins, hash)
	return nil
}

func (f *fakeUsers) AddAudit(_ context.Context, a chat.Audit) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.auditErr != nil {
		return f.auditErr
	}
	a.ID = int64(len(f.lines) + 1)
	f.lines = append(f.lines, a)
	return nil
}

func (f *fakeUsers) Audits(_ context.Context, q web.AuditQuery) ([]chat.Audit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []chat.Audit
	for _, l := range slices.Backward(f.lines) {
		if (q.Object == "" || q.Object == l.Object) && (q.User == "" || q.User == l.User) && (q.Before == 0 || l.ID < q.Before) && len(out) < q.Limit {
			out = append(out, l)
		}
	}
	return out, nil
}

func (f *fakeUsers) audited(action string) []chat.Audit {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []chat.Audit
	for _, l := range f.lines {
		if l.Action == action {
			out = append(out, l)
		}
	}
	return out
}

// fakeDesk is intake in memory. It checks as little as possible: what the
// tests refuse, package web must have refused.
type fakeDesk struct {
	mu     sync.Mutex
	clock  *clock
	views  map[chat.ConvID]*handoff.View
	leases map[chat.ConvID]handoff.Lease
	agents map[string]handoff.Agent
	said   []string
	err    error // what the next verb fails with
	wakes  []func(chat.Wake)
	notes  []func(handoff.Note)
}

func (d *fakeDesk) Queue(context.Context, chat.User) ([]handoff.Item, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []handoff.Item
	for _, v := range d.views {
		if v.Conversation.State == chat.StateWaiting {
			out = append(out, handoff.Item{Package: v.Package, Position: 1})
		}
	}
	slices.SortFunc(out, func(a, b handoff.Item) int { return strings.Compare(string(a.Conv), string(b.Conv)) })
	return out, d.err
}

func (d *fakeDesk) Claim(_ context.Context, u chat.User, conv chat.ConvID, group string) (handoff.Lease, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return handoff.Lease{}, d.err
	}
	if l, ok := d.leases[conv]; ok && l.Agent == u.ID {
		return l, nil
	}
	for id, v := range d.views {
		if (conv == "" || conv == id) && v.Conversation.State == chat.StateWaiting && (group == "" || group == v.Conversation.Group) {
			l := handoff.Lease{
				Conv: id, Group: v.Conversation.Group, Agent: u.ID, Token: chat.NewToken(), Generation: 1,
				Expires: d.clock.Now().Add(45 * time.Second),
			}
			l.Package, _ = json.Marshal(v.Package)
			d.leases[id] = l
			v.Conversation.State, v.Conversation.Agent, v.Conversation.Lease = chat.StateServing, u.ID, l.Token
			return l, nil
		}
	}
	if conv != "" {
		return handoff.Lease{}, chat.ErrTaken
	}
	return handoff.Lease{}, chat.ErrEmpty
}

func (d *fakeDesk) add(conv chat.ConvID, u chat.User, cid, text string, kind chat.Kind, hidden bool) (chat.Message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return chat.Message{}, d.err
	}
	v := d.views[conv]
	if v == nil {
		return chat.Message{}, chat.ErrNotFound
	}
	for _, m := range v.Messages {
		if m.ClientID == cid {
			return m, nil
		}
	}
	cv := &v.Conversation
	cv.Seq++
	m := chat.Message{
		ID: chat.NewMessageID(), Seq: cv.Seq, Role: chat.RoleAgent, Kind: kind, At: d.clock.Now(), Name: u.Name,
		Agent: u.ID, Text: text, ClientID: cid, Hidden: hidden,
	}
	if !hidden {
		cv.VSeq++
		m.VSeq, m.Delivery = cv.VSeq, chat.DeliveryPending
	}
	v.Messages = append(v.Messages, m)
	d.said = append(d.said, text)
	return m, nil
}

func (d *fakeDesk) Say(_ context.Context, u chat.User, conv chat.ConvID, _, cid, text string) (chat.Message, error) {
	return d.add(conv, u, cid, text, chat.KindText, false)
}

func (d *fakeDesk) Note(_ context.Context, u chat.User, conv chat.ConvID, _, cid, text string) (chat.Message, error) {
	return d.add(conv, u, cid, text, chat.KindNote, true)
}

func (d *fakeDesk) move(conv chat.ConvID, to chat.State) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	d.views[conv].Conversation.State = to
	if !to.Held() {
		delete(d.leases, conv)
		d.views[conv].Conversation.Agent, d.views[conv].Conversation.Lease = "", ""
	}
	return nil
}

func (d *fakeDesk) Release(_ context.Context, _ chat.User, conv chat.ConvID, _ string) error {
	return d.move(conv, chat.StateWaiting)
}

func (d *fakeDesk) Transfer(_ context.Context, _ chat.User, conv chat.ConvID, _, group, _, _ string) error {
	if err := d.move(conv, chat.StateWaiting); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if group != "" {
		d.views[conv].Conversation.Group, d.views[conv].Package.Group = group, group
	}
	return nil
}

func (d *fakeDesk) Hold(_ context.Context, _ chat.User, conv chat.ConvID, _ string, on bool) error {
	if on {
		return d.move(conv, chat.StateOnHold)
	}
	return d.move(conv, chat.StateServing)
}

func (d *fakeDesk) Close(_ context.Context, _ chat.User, conv chat.ConvID, _, _ string) error {
	return d.move(conv, chat.StateClosed)
}

func (d *fakeDesk) Typing(context.Context, chat.User, chat.ConvID, string) error { return d.err }

func (d *fakeDesk) Renew(ctx context.Context, u chat.User, tokens []string) ([]handoff.Lease, error) {
	all, err := d.Holds(ctx, u)
	return slices.DeleteFunc(all, func(l handoff.Lease) bool { return !slices.Contains(tokens, l.Token) }), err
}

func (d *fakeDesk) Holds(_ context.Context, u chat.User) ([]handoff.Lease, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []handoff.Lease
	for _, l := range d.leases {
		if l.Agent == u.ID {
			out = append(out, l)
		}
	}
	return out, nil
}

func (d *fakeDesk) SetPresence(_ context.Context, u chat.User, s handoff.Status, capacity int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.agents[u.ID] = handoff.Agent{ID: u.ID, Name: u.Name, Status: s, Groups: u.Groups, Capacity: capacity, Seen: d.clock.Now()}
	return d.err
}

func (d *fakeDesk) Agents(context.Context) ([]handoff.Agent, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []handoff.Agent
	for _, a := range d.agents {
		out = append(out, a)
	}
	return out, nil
}

func (d *fakeDesk) Conversation(_ context.Context, conv chat.ConvID) (handoff.View, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.views[conv]
	if v == nil {
		return handoff.View{}, chat.ErrNotFound
	}
	out := *v
	out.Messages = slices.Clone(v.Messages)
	return out, nil
}

func (d *fakeDesk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

type wakes struct{ d *fakeDesk }

func (w wakes) Subscribe(fn func(chat.Wake)) func() {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	w.d.wakes = append(w.d.wakes, fn)
	return func() {}
}

type notes struct{ d *fakeDesk }

func (n notes) Subscribe(fn func(handoff.Note)) func() {
	n.d.mu.Lock()
	defer n.d.mu.Unlock()
	n.d.notes = append(n.d.notes, fn)
	return func() {}
}

func (d *fakeDesk) wake(w chat.Wake) {
	d.mu.Lock()
	fns := slices.Clone(d.wakes)
	d.mu.Unlock()
	for _, fn := range fns {
		fn(w)
	}
}

func (d *fakeDesk) note(n handoff.Note) {
	d.mu.Lock()
	fns := slices.Clone(d.notes)
	d.mu.Unlock()
	for _, fn := range fns {
		fn(n)
	}
}

const (
	phone    = "13812345678"
	idCard   = "11010519491231002X"
	password = "correct horse"
)

// mask stands in for pii.Mask.
func mask(s string) string {
	s = regexp.MustCompile(`\d{17}[\dX]`).ReplaceAllString(s, "110***********002X")
	return regexp.MustCompile(`1[3-9]\d{9}`).ReplaceAllString(s, "138****5678")
}

var hashOnce = sync.OnceValues(func() (string, error) { return web.HashPassword(password) })

// site is a whole server with its fakes.
type site struct {
	t      *testing.T
	url    string
	server *web.Server
	desk   *fakeDesk
	users  *fakeUsers
	clock  *clock
	log    *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newSite(t *testing.T, change ...func(*web.Options)) *site {
	t.Helper()
	hash, err := hashOnce()
	if err != nil {
		t.Fatal(err)
	}
	ck := &clock{now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	s := &site{
		t: t, clock: ck, log: &syncBuffer{},
		desk:  &fakeDesk{clock: ck, views: map[chat.ConvID]*handoff.View{}, leases: map[chat.ConvID]handoff.Lease{}, agents: map[string]handoff.Agent{}},
		users: &fakeUsers{users: map[string]chat.User{}, logins: map[string]chat.Login{}},
	}
	for _, u := range []chat.User{
		{Login: "ann", Roles: []chat.UserRole{chat.RoleUserAgent}, Groups: []string{"kf"}},
		{Login: "bob", Roles: []chat.UserRole{chat.RoleUserAgent}, Groups: []string{"kf"}},
		{Login: "law", Roles: []chat.UserRole{chat.RoleUserAgent}, Groups: []string{"legal"}},
		{Login: "sue", Roles: []chat.UserRole{chat.RoleUserSupervisor}},
		{Login: "cat", Roles: []chat.UserRole{chat.RoleUserCompliance}},
		{Login: "ed", Roles: []chat.UserRole{chat.RoleUserEditor}},
		{Login: "root", Roles: []chat.UserRole{chat.RoleUserAdmin}},
	} {
		u.ID, u.Name, u.PasswordHash, u.Capacity = "u-"+u.Login, strings.ToUpper(u.Login), hash, 5
		s.users.users[u.ID] = u
	}
	files := fstest.MapFS{
		"index.html":      {Data: []byte("<!doctype html><title>console</title>")},
		"assets/app-1.js": {Data: []byte("console.log(1)")},
		"widget.js":       {Data: []byte("console.log(2)")},
		"demo/demo.html":  {Data: []byte(`<script src="/widget.js" data-account="{{.Account}}" async></script>`)},
		"demo/demo.css":   {Data: []byte("body{}")},
	}
	o := web.Options{
		Desk: s.desk, Users: s.users, Wakes: wakes{s.desk}, Notes: notes{s.desk},
		Derive: func(string) []byte { return bytes.Repeat([]byte{7}, 32) }, Mask: mask,
		Groups:  []web.Group{{ID: "kf", Name: "客服部"}, {ID: "legal", Name: "法务部", Auto: true, Open: func(time.Time) bool { return false }}},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }),
		Console: web.Front{FS: files, Built: true}, Widget: web.Front{FS: files, Built: true},
		Clock: ck.Now, Logger: jsonLogger(s.log), LoginsPerIPMin: 1000,
	}
	for _, fn := range change {
		fn(&o)
	}
	if s.server, err = web.New(o); err != nil {
		t.Fatal(err)
	}
	hs := httptest.NewUnstartedServer(nil)
	hs.Config = s.server.HTTPServer()
	hs.Start()
	s.url = hs.URL
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.server.Run(ctx) }()
	t.Cleanup(func() {
		if err := s.server.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		cancel()
		<-ran
		hs.Close()
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		s.desk.mu.Lock()
		n := len(s.desk.notes)
		s.desk.mu.Unlock()
		if n > 0 {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatal("Run does not subscribe")
		}
	}
}

// waiting puts a conversation with a past into a group's queue.
func (s *site) waiting(group string) chat.ConvID {
	id := chat.NewConvID(3)
	at := s.clock.Now().Add(-90 * time.Second)
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	s.desk.views[id] = &handoff.View{
		Conversation: chat.Conversation{
			ID: id, Contact: chat.Address{Account: "sms", ID: phone}, Channel: "sms", State: chat.StateWaiting,
			Group: group, Priority: "P1", Seq: 3, VSeq: 2, OpenedAt: at, ChangedAt: at, ActiveAt: at,
			Identity: &chat.Identity{Subject: "cust-000123456", Name: "张三丰"},
		},
		Package: handoff.Package{
			Conv: id, Account: "sms", Channel: "sms", Group: group, Generation: 1, Priority: handoff.P1, Reason: "human",
			Intent: "human", Topic: "prepay", Candidates: []handoff.Candidate{{Topic: "prepay", Confidence: 0.6}},
			Entities: []handoff.Entity{{Kind: "phone", Value: phone}}, Signals: []string{"lawsuit"},
			Summary: "客户 " + phone + " 要求人工", Preview: "我的手机 " + phone + " 身份证 " + idCard, Receipt: "R1", At: at,
		},
		Messages: []chat.Message{
			{ID: "m-contact", Seq: 1, VSeq: 1, Role: chat.RoleContact, Kind: chat.KindText, At: at, Name: "张三丰", Text: "我的手机 " + phone + " 身份证 " + idCard, ClientID: phone + "-1"},
			{ID: "m-bot", Seq: 2, VSeq: 2, Role: chat.RoleBot, Kind: chat.KindText, At: at, Text: "好的", Delivery: chat.DeliverySent, Evidence: json.RawMessage(`{"norm":"手机 ` + phone + `","n":[1]}`)},
			{ID: "m-event", Seq: 3, Role: chat.RoleSystem, Kind: chat.KindEvent, At: at, Event: "handoff", Hidden: true},
		},
	}
	return id
}

// client is one caller; every answer is checked against the OpenAPI document.
type client struct {
	s      *site
	http   *http.Client
	bearer string
	csrf   string
	header http.Header
}

func (s *site) anon() *client { return &client{s: s, http: &http.Client{}, header: http.Header{}} }

// as logs in and talks by bearer token.
func (s *site) as(login string) *client {
	s.t.Helper()
	c := s.anon()
	res := c.do(http.MethodPost, "/api/v1/login", map[string]any{"login": login, "password": password})
	res.want(http.StatusOK)
	c.bearer, c.csrf = res.str("token"), res.str("csrf")
	return c
}

type result struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (c *client) do(method, path string, body any) *result {
	c.s.t.Helper()
	var rd io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			c.s.t.Fatal(err)
		}
		rd = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(c.s.t.Context(), method, c.s.url+path, rd)
	if err != nil {
		c.s.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	maps.Copy(req.Header, c.header)
	return c.send(req)
}

func (c *client) send(req *http.Request) *result {
	t := c.s.t
	t.Helper()
	hc := *c.http
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	r := &result{t: t, what: req.Method + " " + req.URL.Path, status: resp.StatusCode, header: resp.Header, raw: raw}
	_ = json.Unmarshal(raw, &r.body) // not every page is JSON
	validate(t, req, resp, raw)
	if resp.StatusCode >= 400 && strings.HasPrefix(req.URL.Path, "/api/") {
		if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" {
			t.Errorf("%s: a %d has Content-Type %q", r.what, r.status, ct)
		}
		for _, k := range []string{"type", "title", "status", "code"} {
			if r.body[k] == nil {
				t.Errorf("%s: problem document without %q: %s", r.what, k, raw)
			}
		}
	}
	return r
}

func (r *result) want(status int, code ...string) *result {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: got %d, want %d: %s", r.what, r.status, status, r.raw)
	}
	if len(code) == 1 && r.str("code") != code[0] {
		r.t.Fatalf("%s: got code %q, want %q", r.what, r.str("code"), code[0])
	}
	return r
}

func (r *result) str(key string) string {
	v, _ := r.body[key].(string)
	return v
}

func (r *result) list(key string) []any {
	v, _ := r.body[key].([]any)
	return v
}

// claim takes a conversation and returns the lease's token.
func (c *client) claim(conv chat.ConvID) string {
	c.s.t.Helper()
	return c.do(http.MethodPost, "/api/v1/queue/claim", map[string]any{"conv": conv}).want(http.StatusOK).str("lease")
}

func path(conv chat.ConvID, verb string) string {
	p := "/api/v1/conversations/" + string(conv)
	if verb != "" {
		p += "/" + verb
	}
	return p
}

var specOnce = sync.OnceValues(func() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	doc.Servers = nil
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// validate holds every answer of every test against the document.
func validate(t *testing.T, req *http.Request, resp *http.Response, raw []byte) {
	t.Helper()
	router, err := specOnce()
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	route, params, err := router.FindRoute(req)
	if err != nil || req.URL.Path == "/console/" { // the router takes it for /console
		return // the tests also ask for what does not exist
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 resp.StatusCode, Header: resp.Header,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true,
			ExcludeResponseBody:   !strings.Contains(resp.Header.Get("Content-Type"), "json"),
		},
	}
	in.SetBodyBytes(raw)
	if err := openapi3filter.ValidateResponse(t.Context(), in); err != nil {
		t.Errorf("%s %s answers %d against openapi.yaml: %v", req.Method, req.URL.Path, resp.StatusCode, err)
	}
}

func cidr(t *testing.T, s string) *net.IPNet {
	t.Helper()
	_, n, err := net.ParseCIDR(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
