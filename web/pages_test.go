package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"wensheng/web"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

func TestPages_Answer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.anon()
	if r := c.do(http.MethodGet, "/", nil).want(302); r.header.Get("Location") != "/demo" {
		t.Errorf("/ goes to %s", r.header.Get("Location"))
	}
	if r := c.do(http.MethodGet, "/demo", nil).want(200); !strings.Contains(string(r.raw), `data-account="web"`) {
		t.Error("the demo page has no widget")
	}
	if r := c.do(http.MethodGet, "/demo/demo.css", nil).want(200); !strings.HasPrefix(r.header.Get("Content-Type"), "text/css") {
		t.Errorf("demo.css: %v", r.header)
	}
	c.do(http.MethodGet, "/demo/demo.html", nil).want(404) // a template, not a page
	c.do(http.MethodGet, "/demo/%2e%2e/index.html", nil).want(404)
	r := c.do(http.MethodGet, "/widget.js", nil).want(200)
	if !strings.HasPrefix(r.header.Get("Content-Type"), "text/javascript") || r.header.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
		t.Errorf("widget.js: %v", r.header)
	}
	if r := c.do(http.MethodGet, "/console", nil).want(302); r.header.Get("Location") != "/console/" {
		t.Errorf("/console goes to %s", r.header.Get("Location"))
	}
	for _, p := range []string{"/console/", "/console/users", "/console/c/1/deep"} {
		r := c.do(http.MethodGet, p, nil).want(200)
		if !strings.Contains(string(r.raw), "<title>console") || r.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %v %s", p, r.header, r.raw)
		}
	}
	if r := c.do(http.MethodGet, "/console/assets/app-1.js", nil).want(200); !strings.Contains(r.header.Get("Cache-Control"), "immutable") {
		t.Errorf("assets are not cached: %v", r.header)
	}
	c.do(http.MethodGet, "/console/assets/gone.js", nil).want(404)
	c.do(http.MethodGet, "/console/%2e%2e/%2e%2e/etc/passwd", nil).want(200) // the app's page, nothing else
	if r := c.do(http.MethodGet, "/metrics", nil).want(200); string(r.raw) != "up 1\n" {
		t.Errorf("/metrics: %s", r.raw)
	}
	tag := c.do(http.MethodGet, "/console/", nil).header.Get("ETag")
	c.header.Set("If-None-Match", tag)
	c.do(http.MethodGet, "/console/", nil).want(304)
}

func TestPages_SayWhatToRunWhenNotBuilt(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *web.Options) { o.Console, o.Widget = web.Front{}, web.Front{} })
	for _, p := range []string{"/demo", "/console/", "/widget.js"} {
		if r := s.anon().do(http.MethodGet, p, nil).want(503); !strings.Contains(string(r.raw), "make run") {
			t.Errorf("%s: %s", p, r.raw)
		}
	}
	s.anon().do(http.MethodGet, "/healthz", nil).want(200)
	s.anon().do(http.MethodGet, "/readyz", nil).want(200)
}

func TestPages_SecurityHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for p, csp := range map[string]string{
		"/console/": "script-src 'self';", "/demo": "script-src 'self';", "/api/v1/me": "default-src 'none'", "/healthz": "default-src 'none'",
	} {
		h := s.anon().do(http.MethodGet, p, nil).header
		if !strings.Contains(h.Get("Content-Security-Policy"), csp) {
			t.Errorf("%s: CSP %q", p, h.Get("Content-Security-Policy"))
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Request-Id") == "" || h.Get("Referrer-Policy") == "" {
			t.Errorf("%s: %v", p, h)
		}
	}
	if h := s.anon().do(http.MethodGet, "/console/", nil).header.Get("Content-Security-Policy"); !strings.Contains(h, "frame-ancestors 'none'") {
		t.Error("the console can be framed")
	}
	if h := s.as("ann").do(http.MethodGet, "/api/v1/me", nil).header.Get("Cache-Control"); h != "no-store" {
		t.Errorf("the API may be cached: %q", h)
	}
}

func TestReady_NamesEachDependency(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *web.Options) {
		o.Ready = func(context.Context) web.Readiness {
			return web.Readiness{Redis: web.Dependency{Mode: "trial", Problem: "no answer"}, Database: web.Dependency{OK: true, Mode: "sqlite"}, Knowledge: web.Dependency{OK: true, Version: "v1"}}
		}
	})
	r := s.anon().do(http.MethodGet, "/readyz", nil).want(503)
	redis, _ := r.body["redis"].(map[string]any)
	if redis["ok"] != false || redis["mode"] != "trial" {
		t.Errorf("/readyz: %s", r.raw)
	}
}

// TestChannels_GetTheRawRequest: no limit, no policy, no timeout of this
// package on what vendors call; the path is untouched and never logged.
func TestChannels_GetTheRawRequest(t *testing.T) {
	t.Parallel()
	var got, addr string
	s := newSite(t, func(o *web.Options) {
		o.TrustedProxies = append(o.TrustedProxies, cidr(t, "127.0.0.0/8"), cidr(t, "::1/128"))
		o.Channels = map[string]http.Handler{"sms": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got, addr = r.URL.Path, r.RemoteAddr
			w.WriteHeader(http.StatusTeapot)
		})}
	})
	c := s.anon()
	c.header.Set("X-Forwarded-For", "8.8.4.4")
	r := c.do(http.MethodPost, "/channels/sms/acc/TOPSECRET?phone="+phone, map[string]any{"big": strings.Repeat("x", 100<<10)}).want(http.StatusTeapot)
	if got != "/channels/sms/acc/TOPSECRET" || !strings.HasPrefix(addr, "8.8.4.4:") {
		t.Errorf("the handler sees %s from %s", got, addr)
	}
	if r.header.Get("Content-Security-Policy") != "" {
		t.Error("the site's headers are on a vendor's answer")
	}
	c.do(http.MethodPost, "/channels/pigeon/acc", nil).want(404)
	log := s.log.String()
	if strings.Contains(log, "TOPSECRET") || strings.Contains(log, phone) {
		t.Errorf("the log holds the path or the query: %s", log)
	}
	if !strings.Contains(log, `"route":"/channels/sms"`) {
		t.Errorf("the log does not name the route: %s", log)
	}
}

func TestPanics_AreCaughtWithoutTheirValue(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *web.Options) {
		o.Channels = map[string]http.Handler{"sms": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("body " + phone) })}
	})
	s.anon().do(http.MethodGet, "/channels/sms/x", nil).want(500)
	if log := s.log.String(); strings.Contains(log, phone) || !strings.Contains(log, "a handler panicked") {
		t.Errorf("log: %s", log)
	}
}

// TestLog_HoldsNothingPersonal plays a conversation and reads the log.
func TestLog_HoldsNothingPersonal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	ann := s.as("ann")
	lease := ann.claim(conv)
	ann.do(http.MethodPost, path(conv, "messages"), map[string]any{"cid": "1", "text": "您的手机是 " + phone, "lease": lease}).want(201)
	ann.do(http.MethodPost, path(conv, "reveal"), map[string]any{"field": "contact", "reason": "核对 " + phone}).want(200)
	ann.do(http.MethodGet, path(conv, "")+"?phone="+phone, nil).want(200)
	log := s.log.String()
	for _, secret := range []string{phone, idCard, lease, ann.bearer, password, "张三丰", "您的手机"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if !strings.Contains(log, `"route":"/api/v1/conversations/:id/messages"`) {
		t.Errorf("no access log: %s", log)
	}
}

func TestNew_NeedsWhatItNeeds(t *testing.T) {
	t.Parallel()
	if _, err := web.New(web.Options{}); err == nil {
		t.Error("an empty server is built")
	}
}
