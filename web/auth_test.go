package web_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wensheng/internal/chat"
	"wensheng/web"
)

func TestLogin_AnswersAsTheContractSays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.anon().do(http.MethodPost, "/api/v1/login", map[string]any{"login": "ann", "password": password}).want(http.StatusOK)
	if r.str("token") == "" {
		t.Error("no token")
	}
	u, _ := r.body["user"].(map[string]any)
	for _, k := range []string{"id", "name", "roles", "groups"} {
		if u[k] == nil {
			t.Errorf("user without %q: %s", k, r.raw)
		}
	}
	if strings.Contains(string(r.raw), "argon2id") {
		t.Error("the password hash leaves the server")
	}
	ck := r.header.Get("Set-Cookie")
	for _, want := range []string{"ws_session=", "HttpOnly", "SameSite=Strict", "Path=/api/v1"} {
		if !strings.Contains(ck, want) {
			t.Errorf("cookie %q lacks %s", ck, want)
		}
	}
	if strings.Contains(ck, "Secure") {
		t.Error("a plain http site sets a Secure cookie, which no browser would return")
	}
}

func TestLogin_CookieIsSecureOnHTTPS(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *web.Options) { o.PublicURL = "https://chat.example.com" })
	r := s.anon().do(http.MethodPost, "/api/v1/login", map[string]any{"login": "ann", "password": password}).want(http.StatusOK)
	if ck := r.header.Get("Set-Cookie"); !strings.Contains(ck, "Secure") {
		t.Errorf("cookie %q is not Secure", ck)
	}
	if r.header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS")
	}
}

func TestLogin_RefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	off := s.users.users["u-bob"]
	off.Disabled = true
	s.users.users["u-bob"] = off
	none := s.users.users["u-law"]
	none.PasswordHash = ""
	s.users.users["u-law"] = none
	for _, tc := range []struct {
		name   string
		body   any
		status int
		code   string
	}{
		{"wrong password", map[string]any{"login": "ann", "password": "nope"}, 401, "wrong_password"},
		{"unknown login", map[string]any{"login": "zed", "password": password}, 401, "wrong_password"},
		{"disabled user", map[string]any{"login": "bob", "password": password}, 401, "wrong_password"},
		{"user without a password", map[string]any{"login": "law", "password": password}, 401, "wrong_password"},
		{"nothing", map[string]any{}, 400, "bad_json"},
		{"not an object", []int{1}, 400, "bad_json"},
		{"huge", map[string]any{"login": strings.Repeat("x", 70<<10), "password": "x"}, 413, "too_large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s.anon().do(http.MethodPost, "/api/v1/login", tc.body).want(tc.status, tc.code)
		})
	}
}

// TestLogin_UnknownCostsWhatKnownDoes counts hashes instead of measuring time.
func TestLogin_UnknownCostsWhatKnownDoes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := s.server.Verifications()
	s.anon().do(http.MethodPost, "/api/v1/login", map[string]any{"login": "ann", "password": "nope"}).want(401)
	known := s.server.Verifications() - before
	s.anon().do(http.MethodPost, "/api/v1/login", map[string]any{"login": "zed", "password": "nope"}).want(401)
	if unknown := s.server.Verifications() - before - known; known != 1 || unknown != 1 {
		t.Errorf("hashes computed: %d for a known login, %d for an unknown one; want 1 and 1", known, unknown)
	}
}

func TestLogin_LocksAfterTenWrongPasswords(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.anon()
	for range 10 {
		c.do(http.MethodPost, "/api/v1/login", map[string]any{"login": "ann", "password": "nope"}).want(401)
	}
	for _, login := range []string{"ann", "ANN"} { // another case is no way around
		r := c.do(http.MethodPost, "/api/v1/login", map[string]any{"login": login, "password": password}).want(429, "too_many_logins")
		if n, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || n < 1 {
			t.Errorf("Retry-After = %q", r.header.Get("Retry-After"))
		}
	}
	s.as("bob") // others are not locked
	s.clock.advance(5*time.Minute + time.Second)
	s.as("ann")
}

// TestLogin_LocksUnderParallelGuesses: forty guesses at once are still ten.
func TestLogin_LocksUnderParallelGuesses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var mu sync.Mutex
	got := map[int]int{}
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			r := s.anon().do(http.MethodPost, "/api/v1/login", map[string]any{"login": "ann", "password": "nope"})
			mu.Lock()
			defer mu.Unlock()
			got[r.status]++
		})
	}
	wg.Wait()
	if got[401] != 10 || got[429] != 30 {
		t.Errorf("answers: %v, want 10 times 401 and 30 times 429", got)
	}
}

func TestLogin_ARightPasswordClearsTheCount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 3 {
		for range 9 {
			s.anon().do(http.MethodPost, "/api/v1/login", map[string]any{"login": "ann", "password": "nope"}).want(401)
		}
		s.as("ann")
	}
}

func TestLogin_LimitsAnAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *web.Options) { o.LoginsPerIPMin = 3 })
	for i := range 3 {
		s.anon().do(http.MethodPost, "/api/v1/login", map[string]any{"login": "n" + strconv.Itoa(i), "password": "x"}).want(401)
	}
	r := s.anon().do(http.MethodPost, "/api/v1/login", map[string]any{"login": "ann", "password": password}).want(429)
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.clock.advance(time.Minute)
	s.as("ann")
}

// TestLogin_BelievesOnlyTrustedProxies: a caller cannot choose his address.
func TestLogin_BelievesOnlyTrustedProxies(t *testing.T) {
	t.Parallel()
	try := func(s *site, from string) int {
		c := s.anon()
		c.header.Set("X-Forwarded-For", from)
		return c.do(http.MethodPost, "/api/v1/login", map[string]any{"login": "x" + from, "password": "x"}).status
	}
	open := newSite(t, func(o *web.Options) { o.LoginsPerIPMin = 1 })
	if a, b := try(open, "8.8.8.8"), try(open, "9.9.9.9"); a != 401 || b != 429 {
		t.Errorf("a spoofed X-Forwarded-For is believed: %d, %d", a, b)
	}
	proxied := newSite(t, func(o *web.Options) {
		o.LoginsPerIPMin = 1
		o.TrustedProxies = append(o.TrustedProxies, cidr(t, "127.0.0.0/8"), cidr(t, "::1/128"))
	})
	if a, b, c := try(proxied, "8.8.8.8"), try(proxied, "9.9.9.9"), try(proxied, "7.7.7.7, 9.9.9.9"); a != 401 || b != 401 || c != 429 {
		t.Errorf("behind a trusted proxy: %d, %d, %d; want 401, 401, 429", a, b, c)
	}
	if ip := proxied.users.audited("login_failed")[0].IP; ip != "8.8.8.8" {
		t.Errorf("the audit log has %s", ip)
	}
}

func TestSession_Ends(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *site, c *client){
		"by logout": func(_ *site, c *client) { c.do(http.MethodPost, "/api/v1/logout", nil).want(200) },
		"by time":   func(s *site, _ *client) { s.clock.advance(12*time.Hour + time.Second) },
		"by disabling": func(s *site, _ *client) {
			s.as("root").do(http.MethodPatch, "/api/v1/users/u-ann", map[string]any{"disabled": true}).want(200)
		},
		"by a new password": func(s *site, _ *client) {
			s.as("ann").do(http.MethodPut, "/api/v1/me/password", map[string]any{"old": password, "new": "another horse"}).want(200)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			c := s.as("ann")
			c.do(http.MethodGet, "/api/v1/me", nil).want(200)
			end(s, c)
			c.do(http.MethodGet, "/api/v1/me", nil).want(401, "unauthorized")
		})
	}
}

func TestSession_ForgedTokensOpenNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	good := s.as("ann")
	var hashes []string
	s.users.mu.Lock()
	for h := range s.users.logins {
		hashes = append(hashes, h)
	}
	s.users.mu.Unlock()
	_, secret, _ := strings.Cut(good.bearer, ".")
	for _, token := range []string{"", "x", ".", "u-ann.", "u-ann.x", "u-root." + secret, hashes[0], "u-ann." + hashes[0], strings.Repeat("x.", 4000)} {
		c := s.anon()
		c.bearer = token
		c.do(http.MethodGet, "/api/v1/me", nil).want(401)
	}
}

func TestPassword_Change(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.as("ann")
	c.do(http.MethodPut, "/api/v1/me/password", map[string]any{"old": "nope", "new": "another horse"}).want(403, "wrong_password")
	c.do(http.MethodPut, "/api/v1/me/password", map[string]any{"old": password, "new": "short"}).want(422, "weak_password")
	r := c.do(http.MethodPut, "/api/v1/me/password", map[string]any{"old": password, "new": "another horse"}).want(200)
	c.bearer = r.str("token")
	c.do(http.MethodGet, "/api/v1/me", nil).want(200)
	s.anon().do(http.MethodPost, "/api/v1/login", map[string]any{"login": "ann", "password": password}).want(401)
	s.anon().do(http.MethodPost, "/api/v1/login", map[string]any{"login": "ann", "password": "another horse"}).want(200)
}

// byCookie is the console's way: a cookie instead of a bearer token.
func (s *site) byCookie(login string) *client {
	s.t.Helper()
	r := s.anon().do(http.MethodPost, "/api/v1/login", map[string]any{"login": login, "password": password}).want(200)
	c := s.anon()
	ck, _, _ := strings.Cut(r.header.Get("Set-Cookie"), ";")
	c.header.Set("Cookie", ck)
	c.csrf = r.str("csrf")
	return c
}

func TestCSRF_CookieAloneChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	c := s.byCookie("ann")
	c.do(http.MethodGet, "/api/v1/queue", nil).want(200)
	c.do(http.MethodPost, "/api/v1/queue/claim", map[string]any{"conv": conv}).want(403, "csrf")
	c.header.Set("X-CSRF-Token", "wrong")
	c.do(http.MethodPost, "/api/v1/queue/claim", map[string]any{"conv": conv}).want(403, "csrf")
	c.header.Set("X-CSRF-Token", c.csrf)
	c.do(http.MethodPost, "/api/v1/queue/claim", map[string]any{"conv": conv}).want(200)
	if me := c.do(http.MethodGet, "/api/v1/me", nil).want(200); me.str("csrf") != c.csrf {
		t.Error("a reloaded console cannot learn its CSRF token")
	}
}

func TestCSRF_AnothersTokenIsNotEnough(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c, other := s.byCookie("ann"), s.byCookie("bob")
	c.header.Set("X-CSRF-Token", other.csrf)
	c.do(http.MethodPut, "/api/v1/me/presence", map[string]any{"status": "online"}).want(403, "csrf")
}

// TestCSRF_FormsAreRefused: what a foreign page can post without a preflight.
func TestCSRF_FormsAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/login",
		strings.NewReader(`{"login":"ann","password":"`+password+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/plain")
	s.anon().send(req).want(415, "not_json")
	c := s.anon()
	c.header.Set("Sec-Fetch-Site", "cross-site")
	c.do(http.MethodPost, "/api/v1/login", map[string]any{"login": "ann", "password": password}).want(403, "cross_site")
}

// TestRoles_Matrix: who may call what at all. Every line fails when its
// restriction is removed.
func TestRoles_Matrix(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *web.Options) {
		o.List = nil
	})
	conv := s.waiting("kf")
	as := map[string]*client{}
	for _, l := range []string{"ann", "sue", "cat", "ed", "root"} {
		as[l] = s.as(l)
	}
	all := "ann sue cat ed root"
	for _, tc := range []struct {
		method, path string
		body         any
		may          string
	}{
		{"GET", "/api/v1/me", nil, all},
		{"GET", "/api/v1/groups", nil, all},
		{"POST", "/api/v1/ws/ticket", nil, all},
		{"PUT", "/api/v1/me/presence", map[string]any{"status": "online"}, "ann sue root"},
		{"GET", "/api/v1/queue", nil, "ann sue root"},
		{"POST", "/api/v1/queue/claim", map[string]any{"conv": "x"}, "ann sue root"},
		{"GET", "/api/v1/leases", nil, "ann sue root"},
		{"POST", "/api/v1/leases/renew", map[string]any{"leases": []string{}}, "ann sue root"},
		{"GET", "/api/v1/agents", nil, "ann sue cat root"},
		{"GET", "/api/v1/conversations", nil, "sue cat root"},
		{"GET", path(conv, ""), nil, "ann sue cat root"},
		{"POST", path(conv, "messages"), map[string]any{"cid": "1", "text": "x", "lease": "x"}, "ann sue root"},
		{"POST", path(conv, "notes"), map[string]any{"cid": "1", "text": "x", "lease": "x"}, "ann sue root"},
		{"POST", path(conv, "release"), map[string]any{"lease": "x"}, "ann sue root"},
		{"POST", path(conv, "transfer"), map[string]any{"lease": "x", "group": "kf"}, "ann sue root"},
		{"POST", path(conv, "hold"), map[string]any{"lease": "x"}, "ann sue root"},
		{"POST", path(conv, "close"), map[string]any{"lease": "x"}, "ann sue root"},
		{"POST", path(conv, "typing"), map[string]any{"lease": "x"}, "ann sue root"},
		{"POST", path(conv, "reveal"), map[string]any{"field": "contact", "reason": "核对身份"}, "sue cat"},
		{"GET", "/api/v1/users", nil, "sue root"},
		{"POST", "/api/v1/users", map[string]any{}, "root"},
		{"PATCH", "/api/v1/users/u-bob", map[string]any{}, "root"},
		{"GET", "/api/v1/audit", nil, "cat root"},
	} {
		s.anon().do(tc.method, tc.path, tc.body).want(401, "unauthorized")
		for login, c := range as {
			got := c.do(tc.method, tc.path, tc.body)
			allowed := false
			for l := range strings.FieldsSeq(tc.may) {
				allowed = allowed || l == login
			}
			if (got.status != http.StatusForbidden) != allowed {
				t.Errorf("%s as %s: got %d %s, allowed should be %t", got.what, login, got.status, got.raw, allowed)
			}
		}
	}
}

func TestUsers_AdministratorKeepsThem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	root := s.as("root")
	in := map[string]any{"login": "new", "password": "a long one", "name": "新坐席", "roles": []string{"agent"}, "groups": []string{"kf"}, "capacity": 3}
	id := root.do(http.MethodPost, "/api/v1/users", in).want(201).str("id")
	root.do(http.MethodPost, "/api/v1/users", in).want(409, "login_taken")
	s.anon().do(http.MethodPost, "/api/v1/login", map[string]any{"login": "new", "password": "a long one"}).want(200)
	for key, bad := range map[string]any{
		"login": "a b", "password": "short", "roles": []string{"king"}, "groups": []string{"nowhere"}, "capacity": 0, "name": "",
	} {
		b, _ := json.Marshal(in)
		var cp map[string]any
		_ = json.Unmarshal(b, &cp)
		cp["login"], cp[key] = "other", bad
		if r := root.do(http.MethodPost, "/api/v1/users", cp); r.status != 422 {
			t.Errorf("a bad %s gets %d", key, r.status)
		}
	}
	root.do(http.MethodPatch, "/api/v1/users/"+id, map[string]any{"groups": []string{"legal"}}).want(200)
	if u := s.users.users[id]; u.Groups[0] != "legal" || u.Capacity != 3 || u.Name != "新坐席" {
		t.Errorf("a patch changes what it does not name: %+v", u)
	}
	root.do(http.MethodPatch, "/api/v1/users/nobody", map[string]any{}).want(404)
	root.do(http.MethodPatch, "/api/v1/users/u-root", map[string]any{"disabled": true}).want(409, "yourself")
	root.do(http.MethodPatch, "/api/v1/users/u-root", map[string]any{"roles": []string{"agent"}}).want(409, "yourself")
	if r := root.do(http.MethodGet, "/api/v1/users", nil).want(200); strings.Contains(string(r.raw), "argon2") {
		t.Error("password hashes leave the server")
	}
}

// TestAudit_HasEveryChange plays an agent's day and looks for each line.
func TestAudit_HasEveryChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	ann := s.as("ann")
	ann.do(http.MethodPut, "/api/v1/me/presence", map[string]any{"status": "online", "capacity": 5}).want(200)
	lease := ann.claim(conv)
	ann.do(http.MethodPost, path(conv, "messages"), map[string]any{"cid": "1", "text": "您好", "lease": lease}).want(201)
	ann.do(http.MethodPost, path(conv, "notes"), map[string]any{"cid": "2", "text": "记一下", "lease": lease}).want(201)
	ann.do(http.MethodPost, path(conv, "reveal"), map[string]any{"field": "contact", "reason": "回拨"}).want(200)
	ann.do(http.MethodPost, path(conv, "hold"), map[string]any{"lease": lease}).want(200)
	ann.do(http.MethodPost, path(conv, "transfer"), map[string]any{"lease": lease, "group": "legal"}).want(200)
	sue := s.as("sue")
	lease = sue.claim(conv)
	sue.do(http.MethodPost, path(conv, "release"), map[string]any{"lease": lease}).want(200)
	lease = sue.claim(conv)
	sue.do(http.MethodPost, path(conv, "close"), map[string]any{"lease": lease, "reason": "已解决 " + phone}).want(200)
	ann.do(http.MethodPost, "/api/v1/logout", nil).want(200)
	for _, action := range []string{"login", "presence", "claim", "say", "note", "reveal", "hold", "transfer", "release", "close", "logout"} {
		lines := s.users.audited(action)
		if len(lines) == 0 {
			t.Errorf("no audit line for %s", action)
			continue
		}
		if l := lines[0]; l.User == "" || l.IP == "" || l.At.IsZero() {
			t.Errorf("%s: %+v", action, l)
		}
	}
	if d := s.users.audited("close")[0].Detail; strings.Contains(d, phone) {
		t.Errorf("the audit log holds personal data: %s", d)
	}
	cat := s.as("cat")
	items := cat.do(http.MethodGet, "/api/v1/audit?object="+string(conv)+"&user=u-ann&limit=2", nil).want(200).list("items")
	if len(items) != 2 {
		t.Errorf("audit query: %v", items)
	}
	cat.do(http.MethodGet, "/api/v1/audit?limit=0", nil).want(400)
	cat.do(http.MethodGet, "/api/v1/audit?before=x", nil).want(400)
}

func TestAudit_MustBeWritableForRightsAndReveal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	sue, root := s.as("sue"), s.as("root")
	s.users.mu.Lock()
	s.users.auditErr = errors.New("disk full")
	s.users.mu.Unlock()
	r := sue.do(http.MethodPost, path(conv, "reveal"), map[string]any{"field": "contact", "reason": "回拨"}).want(503, "audit_unavailable")
	if strings.Contains(string(r.raw), phone) {
		t.Error("revealed without a record")
	}
	root.do(http.MethodPatch, "/api/v1/users/u-ann", map[string]any{"roles": []string{"admin"}}).want(503)
	if s.users.users["u-ann"].Has(chat.RoleUserAdmin) {
		t.Error("rights changed without a record")
	}
}
