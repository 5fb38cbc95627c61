package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"wensheng/internal/chat"
	"wensheng/web"
)

const (
	goodCode    = "0123456789abcdefghjkmnpqrstvwxyz"
	linkSession = "S-e_aled0123"
)

// fakeLinks has one link; it counts what is asked.
type fakeLinks struct {
	mu         sync.Mutex
	used       bool
	err        error
	looks, use int
}

func (l *fakeLinks) Live(_ context.Context, code string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks++
	return code == goodCode && !l.used, l.err
}

func (l *fakeLinks) Use(_ context.Context, code string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.use++
	if l.err != nil {
		return "", l.err
	}
	if code != goodCode || l.used {
		return "", chat.ErrNotFound
	}
	l.used = true
	return linkSession, nil
}

func linkSite(t *testing.T, l *fakeLinks, change ...func(*web.Options)) *site {
	t.Helper()
	return newSite(t, append([]func(*web.Options){func(o *web.Options) {
		o.Links, o.Company, o.Hotline, o.DemoAccount = l, "测试<消费金融>", "400-000-0000", "site"
	}}, change...)...)
}

func TestLink_IsUsedByTheButtonAndNotByLooking(t *testing.T) {
	t.Parallel()
	l := &fakeLinks{}
	s := linkSite(t, l)
	c := s.anon()
	for range 3 { // whoever previews it
		r := c.do(http.MethodGet, "/l/"+goodCode, nil).want(200)
		page := string(r.raw)
		if !strings.Contains(page, `<form method="post">`) || !strings.Contains(page, "继续咨询") || strings.Contains(page, "<script") {
			t.Fatalf("no button, or a script: %s", page)
		}
		if !strings.Contains(page, "测试&lt;消费金融&gt;") {
			t.Error("the company's name is missing, or not escaped")
		}
		csp := r.header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "style-src 'sha256-") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "form-action 'self'") {
			t.Errorf("CSP %q", csp)
		}
		if r.header.Get("Referrer-Policy") != "no-referrer" || r.header.Get("Cache-Control") != "no-store" || r.header.Get("X-Robots-Tag") == "" {
			t.Errorf("headers %v", r.header)
		}
	}
	if l.use != 0 {
		t.Fatal("looking used it up")
	}
	r := c.do(http.MethodPost, "/l/"+goodCode, nil).want(200)
	for _, want := range []string{`src="/widget.js"`, `data-account="site"`, `data-session="` + linkSession + `"`, "data-full"} {
		if !strings.Contains(string(r.raw), want) {
			t.Errorf("the chat page lacks %s: %s", want, r.raw)
		}
	}
	if csp := r.header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self';") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("CSP %q", csp)
	}
	cookie, err := http.ParseSetCookie(r.header.Get("Set-Cookie"))
	if err != nil || cookie.Path != "/l/"+goodCode || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge > 24*60*60 || cookie.Secure {
		t.Fatalf("cookie %+v, %v", cookie, err)
	}

	// Anybody else finds it used; the browser that used it can come back.
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r := s.anon().do(method, "/l/"+goodCode, nil).want(http.StatusGone)
		if page := string(r.raw); !strings.Contains(page, "链接已失效") || !strings.Contains(page, "400-000-0000") || strings.Contains(page, linkSession) {
			t.Errorf("%s: %s", method, page)
		}
		c.header.Set("Cookie", cookie.Name+"="+cookie.Value)
		if r := c.do(method, "/l/"+goodCode, nil).want(200); !strings.Contains(string(r.raw), linkSession) {
			t.Errorf("%s by the same browser: %s", method, r.raw)
		}
	}
	log := s.log.String()
	if strings.Contains(log, goodCode) || strings.Contains(log, linkSession) || !strings.Contains(log, `"route":"/l/:code"`) {
		t.Errorf("log: %s", log)
	}
}

func TestLink_PagesSayWhatIsTheMatter(t *testing.T) {
	t.Parallel()
	l := &fakeLinks{}
	s := linkSite(t, l)
	for _, bad := range []string{"short", goodCode + "0", goodCode + "A", strings.ToUpper(goodCode), "..%2fetc", strings.Repeat("0", 5000)} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if r := s.anon().do(method, "/l/"+bad, nil).want(404); !strings.Contains(string(r.raw), "链接不完整") {
				t.Errorf("%s %.40s: %s", method, bad, r.raw)
			}
		}
	}
	if l.looks+l.use != 0 {
		t.Error("what cannot be a code was looked up")
	}
	// Phones take the end of the sentence for a part of the address.
	for _, tail := range []string{"%E3%80%82", ".", "%20%E8%B0%A2%E8%B0%A2"} {
		if r := s.anon().do(http.MethodGet, "/l/"+goodCode+tail, nil).want(302); r.header.Get("Location") != "/l/"+goodCode {
			t.Errorf("%s leads to %s", tail, r.header.Get("Location"))
		}
	}
	s.anon().do(http.MethodGet, "/l/"+strings.Repeat("0", 32), nil).want(410)

	// Another site cannot put a visitor into a conversation.
	c := s.anon()
	c.header.Set("Sec-Fetch-Site", "cross-site")
	if r := c.do(http.MethodPost, "/l/"+goodCode, nil).want(200); !strings.Contains(string(r.raw), "<form") || l.used {
		t.Errorf("pressed by another site: %s", r.raw)
	}
	// A cookie that somebody wrote himself gets nowhere into the page.
	c = s.anon()
	c.header.Set("Cookie", `ws_link="><script>`)
	if r := c.do(http.MethodGet, "/l/"+goodCode, nil).want(200); strings.Contains(string(r.raw), "<script") {
		t.Errorf("a written cookie: %s", r.raw)
	}
	l.err = errors.New("redis is away")
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r := s.anon().do(method, "/l/"+goodCode, nil).want(503)
		if !strings.Contains(string(r.raw), "暂时打不开") || r.header.Get("Retry-After") == "" || strings.Contains(string(r.raw), "redis") {
			t.Errorf("%s while the store is away: %s", method, r.raw)
		}
	}
}

func TestLink_CookieIsSecureOverHTTPS(t *testing.T) {
	t.Parallel()
	s := linkSite(t, &fakeLinks{}, func(o *web.Options) { o.PublicURL = "https://chat.example.com" })
	r := s.anon().do(http.MethodPost, "/l/"+goodCode, nil).want(200)
	if cookie, err := http.ParseSetCookie(r.header.Get("Set-Cookie")); err != nil || !cookie.Secure {
		t.Errorf("cookie %+v, %v", cookie, err)
	}
}

// TestLink_IsNotUsedForNothing: without the widget there is no chat to show.
func TestLink_IsNotUsedForNothing(t *testing.T) {
	t.Parallel()
	l := &fakeLinks{}
	s := linkSite(t, l, func(o *web.Options) { o.Widget = web.Front{} })
	s.anon().do(http.MethodGet, "/l/"+goodCode, nil).want(503)
	s.anon().do(http.MethodPost, "/l/"+goodCode, nil).want(503)
	if l.use != 0 {
		t.Error("it was used up")
	}
	none := newSite(t)
	none.anon().do(http.MethodGet, "/l/"+goodCode, nil).want(404)
	none.anon().do(http.MethodPost, "/l/"+goodCode, nil).want(404)
}
