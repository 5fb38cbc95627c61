package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wensheng/internal/chat"
	"wensheng/internal/kb"
	"wensheng/web"
)

// fakeKnowledge notes who called what, and answers with one of everything.
type fakeKnowledge struct {
	mu    sync.Mutex
	calls []string
	err   error
	now   time.Time
	raw   []byte
}

func (f *fakeKnowledge) note(parts ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, strings.Join(parts, " "))
	return f.err
}

func (f *fakeKnowledge) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.calls
	f.calls = nil
	return out
}

func (f *fakeKnowledge) refuse(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeKnowledge) version() kb.Version {
	return kb.Version{
		ID: "v1", Title: "第一版", State: kb.Draft, CreatedBy: "u-ed", CreatedAt: f.now, ChangedAt: f.now, PublishedAt: f.now, Revision: 7,
		Gate: &kb.Gate{Run: "r1", At: f.now, Worse: []kb.Worse{{Set: "回归", Text: "几号还款", Want: "a", GotBefore: "a", GotAfter: "b"}}},
	}
}

func (f *fakeKnowledge) edited() kb.Edited {
	return kb.Edited{Version: f.version(), Problems: []map[string]any{
		{"file": "topics/a.yaml", "line": 3, "topic": "a", "rule": "few", "message": "few phrasings", "warning": true},
	}}
}

func (f *fakeKnowledge) topic() map[string]any {
	return map[string]any{"id": "a", "title": "甲", "category": "还款", "kind": "answer", "phrasings": []string{"x"}, "answer": "y"}
}

func (f *fakeKnowledge) cluster() kb.Cluster {
	return kb.Cluster{
		ID: "c1", State: kb.LearnNew, Count: 2, Example: "我的电话" + phone,
		Sources:  map[kb.Source]int{kb.SourceRefused: 2, kb.SourceDown: 0, kb.SourcePicked: 0, kb.SourceTransferred: 0},
		Messages: []kb.Heard{{Text: "我的电话" + phone, At: f.now, Channel: "web", Source: kb.SourceRefused, Count: 2}},
	}
}

func (f *fakeKnowledge) Overview(context.Context) (kb.Overview, error) {
	return kb.Overview{Source: kb.SourcePublished, Published: &kb.InForce{ID: "v0", By: "u-ed", At: f.now}}, f.note("overview")
}

func (f *fakeKnowledge) Versions(context.Context) ([]kb.Version, error) {
	return []kb.Version{f.version()}, f.note("versions")
}

func (f *fakeKnowledge) Version(_ context.Context, id string) (kb.Version, error) {
	return f.version(), f.note("version", id)
}

func (f *fakeKnowledge) Create(_ context.Context, user, title, from string) (kb.Version, error) {
	return f.version(), f.note("create", user, title, from)
}
func (f *fakeKnowledge) Delete(_ context.Context, id string) error { return f.note("delete", id) }
func (f *fakeKnowledge) Submit(_ context.Context, user, id, note string) (kb.Version, error) {
	return f.version(), f.note("submit", user, id, note)
}

func (f *fakeKnowledge) Judge(_ context.Context, user, id string, approve bool, note string) (kb.Version, error) {
	verdict := "reject"
	if approve {
		verdict = "approve"
	}
	return f.version(), f.note("judge", user, id, verdict, note)
}

func (f *fakeKnowledge) Reopen(_ context.Context, id string) (kb.Version, error) {
	return f.version(), f.note("reopen", id)
}

func (f *fakeKnowledge) Rebase(_ context.Context, user, id string, revision int64) (kb.Rebased, error) {
	return kb.Rebased{Edited: f.edited(), Conflicts: []string{"a"}}, f.note("rebase", user, id, num(revision))
}

func (f *fakeKnowledge) Publish(_ context.Context, user, id, override string) (kb.Version, error) {
	return f.version(), f.note("publish", user, id, override)
}

func (f *fakeKnowledge) Rollback(_ context.Context, user, to, reason string) (kb.Version, error) {
	return f.version(), f.note("rollback", user, to, reason)
}

func (f *fakeKnowledge) Topics(_ context.Context, id string) ([]kb.TopicLine, error) {
	return []kb.TopicLine{{ID: "a", Changed: "added"}}, f.note("topics", id)
}

func (f *fakeKnowledge) Topic(_ context.Context, id, topic string) (any, error) {
	return f.topic(), f.note("topic", id, topic)
}

func (f *fakeKnowledge) PutTopic(_ context.Context, user, id, topic string, revision int64, body json.RawMessage) (kb.Edited, error) {
	f.raw = body
	return f.edited(), f.note("put", user, id, topic, num(revision))
}

func (f *fakeKnowledge) DeleteTopic(_ context.Context, user, id, topic string, revision int64) (kb.Edited, error) {
	return f.edited(), f.note("remove", user, id, topic, num(revision))
}

func (f *fakeKnowledge) Problems(_ context.Context, id string) (any, error) {
	return f.edited().Problems, f.note("problems", id)
}

func (f *fakeKnowledge) Diff(_ context.Context, id, with string) (any, error) {
	return map[string]any{"added": []any{f.topic()}, "removed": []any{}, "changed": []any{}, "files": []any{}}, f.note("diff", id, with)
}

func (f *fakeKnowledge) Export(_ context.Context, id, format string) (kb.File, error) {
	return kb.File{Name: "k.csv", Type: "text/csv", Body: []byte("a,b")}, f.note("export", id, format)
}

func (f *fakeKnowledge) Import(_ context.Context, user, id, format, mode string, revision int64, raw []byte) (kb.Imported, error) {
	f.raw = raw
	return kb.Imported{Edited: f.edited(), Added: 1}, f.note("import", user, id, format, mode, num(revision))
}

func (f *fakeKnowledge) Check(_ context.Context, user, id string) (string, error) {
	return "r1", f.note("check", user, id)
}

func (f *fakeKnowledge) Eval(_ context.Context, user, id string) (string, error) {
	return "r1", f.note("eval", user, id)
}

func (f *fakeKnowledge) Replay(_ context.Context, user, id string) (string, error) {
	return "r1", f.note("replay", user, id)
}

func (f *fakeKnowledge) RunState(_ context.Context, id string) (kb.Run, error) {
	return kb.Run{ID: "r1", Kind: kb.RunCheck, State: kb.Done, At: f.now, Report: json.RawMessage(`{"ok":true}`)}, f.note("run", id)
}
func (f *fakeKnowledge) Cancel(_ context.Context, id string) error { return f.note("cancel", id) }
func (f *fakeKnowledge) Tests(context.Context) ([]kb.SetLine, error) {
	return []kb.SetLine{{ID: "s1", Last: &kb.Outcome{Run: "r1", At: f.now}}}, f.note("tests")
}

func (f *fakeKnowledge) Test(_ context.Context, id string) (kb.SetView, error) {
	return kb.SetView{TestSet: kb.TestSet{ID: "s1", At: f.now}}, f.note("test", id)
}

func (f *fakeKnowledge) CreateTest(_ context.Context, user, name, format string, raw []byte) (kb.TestSet, error) {
	f.raw = raw
	return kb.TestSet{ID: "s1", Name: name, At: f.now}, f.note("newtest", user, name, format)
}

func (f *fakeKnowledge) DeleteTest(_ context.Context, id string) error {
	return f.note("deltest", id)
}

func (f *fakeKnowledge) RunTest(_ context.Context, user, id, version string) (string, error) {
	return "r1", f.note("runtest", user, id, version)
}

func (f *fakeKnowledge) Try(_ context.Context, in kb.TryInput) (decision, memory any, err error) {
	return map[string]any{"action": "answer"}, map[string]any{}, f.note("try", in.Text, in.Version)
}

func (f *fakeKnowledge) Learned(_ context.Context, state kb.LearnState) (kb.Learned, error) {
	return kb.Learned{Items: []kb.Cluster{f.cluster()}, Counts: map[kb.LearnState]int{kb.LearnNew: 1}}, f.note("learned", string(state))
}

func (f *fakeKnowledge) Deal(_ context.Context, user, id string, in kb.DealInput) (kb.Dealt, error) {
	v := f.version()
	return kb.Dealt{Cluster: f.cluster(), Version: &v}, f.note("deal", user, id, in.Do)
}

func num(n int64) string { return strconv.FormatInt(n, 10) }

func newKnowledgeSite(t *testing.T) (*site, *fakeKnowledge) {
	t.Helper()
	f := &fakeKnowledge{now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	return newSite(t, func(o *web.Options) { o.Knowledge = f }), f
}

const (
	readers    = "cat ed root sue"
	writers    = "ed root"
	publishers = "ed root sue"
	all        = "ann cat ed root sue"
)

// endpoints is every one with who may call it, what a good call answers and
// what reaches the workflow, USER standing for the caller.
var endpoints = []struct {
	method, path string
	body         any
	who          string
	status       int
	call         string
	audit        string
}{
	{"GET", "", nil, readers, 200, "overview", ""},
	{"GET", "/versions", nil, readers, 200, "versions", ""},
	{"POST", "/versions", map[string]any{"title": "新版", "from": "v0"}, writers, 201, "create USER 新版 v0", "knowledge_create"},
	{"GET", "/versions/v1", nil, readers, 200, "version v1", ""},
	{"DELETE", "/versions/v1", nil, writers, 204, "delete v1", "knowledge_delete"},
	{"POST", "/versions/v1/submit", map[string]any{"note": "请看"}, writers, 200, "submit USER v1 请看", "knowledge_submit"},
	{"POST", "/versions/v1/review", map[string]any{"verdict": "reject", "note": "不行"}, readers, 200, "judge USER v1 reject 不行", "knowledge_review"},
	{"POST", "/versions/v1/review", map[string]any{"verdict": "approve"}, readers, 200, "judge USER v1 approve ", "knowledge_review"},
	{"POST", "/versions/v1/reopen", nil, writers, 200, "reopen v1", "knowledge_reopen"},
	{"POST", "/versions/v1/rebase", nil, writers, 200, "rebase USER v1 7", "knowledge_rebase"},
	{"POST", "/versions/v1/publish", map[string]any{}, publishers, 200, "publish USER v1 ", "knowledge_publish"},
	{"POST", "/versions/v1/publish", map[string]any{"override": "已确认"}, "root sue", 200, "publish USER v1 已确认", "knowledge_publish"},
	{"POST", "/rollback", map[string]any{"to": "v0", "reason": "有误"}, publishers, 200, "rollback USER v0 有误", "knowledge_rollback"},
	{"GET", "/versions/current/topics", nil, readers, 200, "topics current", ""},
	{"GET", "/versions/v1/topics/a", nil, readers, 200, "topic v1 a", ""},
	{"PUT", "/versions/v1/topics/a", map[string]any{"id": "a"}, writers, 200, "put USER v1 a 7", "knowledge_edit"},
	{"DELETE", "/versions/v1/topics/a", nil, writers, 200, "remove USER v1 a 7", "knowledge_edit"},
	{"GET", "/versions/v1/problems", nil, readers, 200, "problems v1", ""},
	{"GET", "/versions/v1/diff", nil, readers, 200, "diff v1 current", ""},
	{"GET", "/versions/v1/diff?with=v0", nil, readers, 200, "diff v1 v0", ""},
	{"GET", "/versions/v1/export?format=csv", nil, readers, 200, "export v1 csv", "knowledge_export"},
	{"POST", "/versions/v1/import?format=csv&mode=merge", "a,b\n", writers, 200, "import USER v1 csv merge 7", "knowledge_import"},
	{"POST", "/versions/v1/check", nil, readers, 202, "check USER v1", "knowledge_check"},
	{"POST", "/versions/v1/eval", nil, readers, 202, "eval USER v1", "knowledge_eval"},
	{"POST", "/replay", map[string]any{"version": "v1"}, readers, 202, "replay USER v1", "knowledge_replay"},
	{"GET", "/runs/r1", nil, readers, 200, "run r1", ""},
	{"DELETE", "/runs/r1", nil, publishers, 204, "cancel r1", "knowledge_cancel"},
	{"GET", "/tests", nil, readers, 200, "tests", ""},
	{"POST", "/tests?name=x&format=csv", "text,topic\n", writers, 201, "newtest USER x csv", "knowledge_test_create"},
	{"GET", "/tests/s1", nil, readers, 200, "test s1", ""},
	{"DELETE", "/tests/s1", nil, writers, 204, "deltest s1", "knowledge_test_delete"},
	{"POST", "/tests/s1/run", map[string]any{"version": "v1"}, readers, 202, "runtest USER s1 v1", "knowledge_test_run"},
	{"POST", "/try", map[string]any{"text": "你好", "version": "current"}, all, 200, "try 你好 current", ""},
	{"POST", "/try", map[string]any{"text": "你好", "version": "v1"}, readers, 200, "try 你好 v1", ""},
	{"GET", "/learn?state=pending", nil, readers, 200, "learned pending", ""},
	{"GET", "/learn", nil, readers, 200, "learned new", ""},
	{"POST", "/learn/c1", map[string]any{"do": "dismiss"}, writers, 200, "deal USER c1 dismiss", "knowledge_learn"},
}

// call makes a request of the table; a text is sent as it is, as a file.
func (c *client) call(method, path string, body any) *result {
	c.s.t.Helper()
	text, isFile := body.(string)
	if !isFile {
		return c.do(method, "/api/v1/knowledge"+path, body)
	}
	req, err := http.NewRequestWithContext(c.s.t.Context(), method, c.s.url+"/api/v1/knowledge"+path, bytes.NewReader([]byte(text)))
	if err != nil {
		c.s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Authorization", "Bearer "+c.bearer)
	maps.Copy(req.Header, c.header)
	return c.send(req)
}

// TestKnowledge_Roles: each role on each endpoint, what it reaches and what the
// audit log says of it.
func TestKnowledge_Roles(t *testing.T) {
	t.Parallel()
	s, f := newKnowledgeSite(t)
	clients := map[string]*client{}
	for login := range strings.FieldsSeq(all) {
		clients[login] = s.as(login)
		clients[login].header.Set("If-Match", `"7"`)
	}
	for _, e := range endpoints {
		for login := range strings.FieldsSeq(all) {
			f.took()
			before := len(s.users.audited(e.audit))
			r := clients[login].call(e.method, e.path, e.body)
			calls := f.took()
			if !slices.Contains(strings.Fields(e.who), login) {
				if r.status != http.StatusForbidden || len(calls) > 0 {
					t.Errorf("%s may %s %s: %d, reached %v", login, e.method, e.path, r.status, calls)
				}
				continue
			}
			want := strings.ReplaceAll(e.call, "USER", "u-"+login)
			if diff := cmp.Diff([]string{want}, calls); r.status != e.status || diff != "" {
				t.Errorf("%s %s %s: %d %s\n%s", login, e.method, e.path, r.status, r.raw, diff)
			}
			if e.audit == "" {
				continue
			}
			lines := s.users.audited(e.audit)
			if len(lines) != before+1 || lines[len(lines)-1].User != "u-"+login {
				t.Errorf("%s %s %s: the audit log has %+v", login, e.method, e.path, lines)
			}
		}
	}
	// The table is whole.
	var missing []string
	for _, route := range s.server.Routes() {
		method, path, _ := strings.Cut(route, " ")
		path, in := strings.CutPrefix(path, "/api/v1/knowledge")
		if !in {
			continue
		}
		if !slices.ContainsFunc(endpoints, func(e struct {
			method, path string
			body         any
			who          string
			status       int
			call         string
			audit        string
		},
		) bool {
			p, _, _ := strings.Cut(e.path, "?")
			return e.method == method && len(strings.Split(p, "/")) == len(strings.Split(path, "/")) && fits(path, p)
		}) {
			missing = append(missing, route)
		}
	}
	if len(missing) > 0 {
		t.Errorf("the table lacks %v", missing)
	}
}

// fits reports whether a path is one of a route's.
func fits(route, path string) bool {
	r, p := strings.Split(route, "/"), strings.Split(path, "/")
	for i := range r {
		if r[i] != p[i] && !strings.HasPrefix(r[i], ":") {
			return false
		}
	}
	return true
}

func TestKnowledge_AnonymousAndForeignPagesGetNothing(t *testing.T) {
	t.Parallel()
	s, f := newKnowledgeSite(t)
	for _, e := range endpoints {
		s.anon().call(e.method, e.path, e.body).want(401, "unauthorized")
	}
	// A browser's cookie without the header, as a foreign page would send it.
	ed := s.as("ed")
	byCookie := s.anon()
	byCookie.header.Set("Cookie", "ws_session="+ed.bearer)
	f.took()
	byCookie.do("POST", "/api/v1/knowledge/versions", map[string]any{"title": "x"}).want(403, "csrf")
	if calls := f.took(); len(calls) > 0 {
		t.Errorf("reached %v", calls)
	}
	byCookie.header.Set("X-Csrf-Token", ed.csrf)
	byCookie.do("POST", "/api/v1/knowledge/versions", map[string]any{"title": "x"}).want(201)
}

func TestKnowledge_ChangesSayWhatTheyHaveRead(t *testing.T) {
	t.Parallel()
	s, f := newKnowledgeSite(t)
	ed := s.as("ed")
	for _, bad := range []string{"", "x", "0", "-1"} {
		ed.header.Set("If-Match", bad)
		for _, e := range [][2]string{{"PUT", "/versions/v1/topics/a"}, {"DELETE", "/versions/v1/topics/a"}, {"POST", "/versions/v1/rebase"}, {"POST", "/versions/v1/import?format=csv&mode=merge"}} {
			ed.do(e[0], "/api/v1/knowledge"+e[1], map[string]any{}).want(428, "revision_required")
		}
	}
	if calls := f.took(); len(calls) > 0 {
		t.Errorf("reached %v", calls)
	}
}

func TestKnowledge_RefusalsHaveTheirStatus(t *testing.T) {
	t.Parallel()
	s, f := newKnowledgeSite(t)
	ed := s.as("ed")
	for code, status := range map[string]int{
		kb.CodeNotEditable: 409, kb.CodeBadState: 409, kb.CodeNotApproved: 409, kb.CodeCheckRuns: 409, kb.CodeGateFailed: 409,
		kb.CodeStaleBase: 409, kb.CodeChanged: 409, kb.CodeOwnWork: 403, kb.CodeNotTopic: 422, kb.CodeProblems: 422,
		kb.CodeBadSheet: 422, kb.CodeBadValue: 422, kb.CodeTooMany: 422, kb.CodeBusy: 429,
	} {
		f.refuse(&kb.Error{Code: code, Detail: "no"})
		ed.do("POST", "/api/v1/knowledge/versions/v1/publish", map[string]any{}).want(status, code)
		if lines := s.users.audited("knowledge_publish_refused"); len(lines) == 0 || lines[len(lines)-1].Detail != code {
			t.Errorf("%s: the audit log says %+v", code, lines)
		}
	}
	gate := f.version().Gate
	f.refuse(&kb.Error{Code: kb.CodeGateFailed, Gate: gate, Run: "r9"})
	r := ed.do("POST", "/api/v1/knowledge/versions/v1/publish", map[string]any{}).want(409)
	shown, _ := r.body["gate"].(map[string]any)
	if worse, _ := shown["worse"].([]any); len(worse) != 1 || r.str("run") != "r9" {
		t.Errorf("refused with %s", r.raw)
	}
	f.refuse(chat.ErrNotFound)
	ed.do("GET", "/api/v1/knowledge/versions/none", nil).want(404, "not_found")
	f.refuse(nil)
	ed.do("POST", "/api/v1/knowledge/versions/v1/publish", map[string]any{"override": "我说了算"}).want(403, "override_forbidden")
	ed.do("POST", "/api/v1/knowledge/versions/v1/review", map[string]any{"verdict": "maybe"}).want(422, "bad_value")

	s.users.mu.Lock()
	s.users.auditErr = context.DeadlineExceeded
	s.users.mu.Unlock()
	f.took()
	ed.do("POST", "/api/v1/knowledge/versions/v1/publish", map[string]any{}).want(503, "audit_unavailable")
	ed.do("POST", "/api/v1/knowledge/rollback", map[string]any{"to": "v0", "reason": "x"}).want(503, "audit_unavailable")
	if calls := f.took(); len(calls) > 0 {
		t.Errorf("done without a record: %v", calls)
	}
}

func TestKnowledge_BodiesAreBounded(t *testing.T) {
	t.Parallel()
	s, f := newKnowledgeSite(t)
	ed := s.as("ed")
	ed.header.Set("If-Match", "7")
	big := strings.Repeat("x", 70<<10)
	ed.do("POST", "/api/v1/knowledge/versions", map[string]any{"title": big}).want(413, "too_large")
	ed.do("PUT", "/api/v1/knowledge/versions/v1/topics/a", map[string]any{"id": "a", "answer": big}).want(200)
	if !bytes.Contains(f.raw, []byte(big)) {
		t.Error("a large topic came cut")
	}
	ed.do("PUT", "/api/v1/knowledge/versions/v1/topics/a", map[string]any{"answer": strings.Repeat("x", 1<<20)}).want(413, "too_large")
	ed.call("POST", "/tests?name=x&format=csv", strings.Repeat("x", 8<<20)).want(201)
	ed.call("POST", "/tests?name=x&format=csv", strings.Repeat("x", 8<<20+1)).want(413, "too_large")
}

func TestKnowledge_WhatContactsWroteIsMasked(t *testing.T) {
	t.Parallel()
	s, _ := newKnowledgeSite(t)
	ed := s.as("ed")
	for _, r := range []*result{
		ed.do("GET", "/api/v1/knowledge/learn", nil).want(200),
		ed.do("POST", "/api/v1/knowledge/learn/c1", map[string]any{"do": "restore"}).want(200),
	} {
		if bytes.Contains(r.raw, []byte(phone)) || !bytes.Contains(r.raw, []byte("138****5678")) {
			t.Errorf("%s shows %s", r.what, r.raw)
		}
	}
}

func TestKnowledge_NamesStandBesideTheIDs(t *testing.T) {
	t.Parallel()
	s, _ := newKnowledgeSite(t)
	ed := s.as("ed")
	for _, p := range []string{"", "/versions", "/versions/v1", "/tests", "/tests/s1", "/learn"} {
		names, _ := ed.do("GET", "/api/v1/knowledge"+p, nil).want(200).body["names"].(map[string]any)
		if p != "/tests" && names["u-ed"] != "ED" {
			t.Errorf("%s: names %v", p, names)
		}
	}
}

func TestKnowledge_WithoutTheWorkflow(t *testing.T) {
	t.Parallel()
	newSite(t).as("ed").do("GET", "/api/v1/knowledge", nil).want(503, "unavailable")
}

// TestKnowledge_IdsInAPathAreUnescaped: an id of a cluster holds what a path may
// hold only encoded.
func TestKnowledge_IdsInAPathAreUnescaped(t *testing.T) {
	t.Parallel()
	s, f := newKnowledgeSite(t)
	ed := s.as("ed")
	ed.header.Set("If-Match", `"7"`)
	for _, c := range []struct {
		method, path string
		body         any
		want         string
	}{
		{"POST", "/learn/wechat:mp:o%2Fa%3D%25%E5%BC%A0", map[string]any{"do": "dismiss"}, "deal u-ed wechat:mp:o/a=%张 dismiss"},
		{"GET", "/versions/v%2F1/topics/a%2Fb", nil, "topic v/1 a/b"},
		{"GET", "/versions/v%201/topics/a%2525", nil, "topic v 1 a%25"},
		{"GET", "/tests/%E7%94%B2", nil, "test 甲"}, // as any client writes it; nothing is left to undo
	} {
		f.took()
		ed.call(c.method, c.path, c.body)
		if diff := cmp.Diff([]string{c.want}, f.took()); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.method, c.path, diff)
		}
	}
}
