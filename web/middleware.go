package web

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"wensheng/internal/chat"
)

type ctxKey int

const requestKey ctxKey = iota

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey).(string) // empty outside a request
	return id
}

// recorder remembers what was answered, and lets WebSocket upgrades through.
type recorder struct {
	http.ResponseWriter
	status int
	route  string
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b) //nolint:wrapcheck // an io.Writer passes errors through
}

// Hijack serves gorilla/websocket, which does not unwrap.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r.status = http.StatusSwitchingProtocols
	return http.NewResponseController(r.ResponseWriter).Hijack() //nolint:wrapcheck // passed through
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// outer wraps everything, the vendors' handlers too: request id, caller's
// address, recovery, access log. Nothing here buffers, limits or times out.
//
// The log line holds the route's template, never the path (an SMS path carries
// a secret) nor the query.
func (s *Server) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.clock()
		id := "r" + chat.NewToken()[:12]
		ip := s.clip(r)
		r = r.WithContext(context.WithValue(r.Context(), requestKey, id))
		if net.ParseIP(ip) != nil {
			// From here on the peer is who the trusted proxies say it is.
			r.RemoteAddr = net.JoinHostPort(ip, "0")
		}
		w.Header().Set("X-Request-Id", id)
		rec := &recorder{ResponseWriter: w}
		ctx := r.Context()
		defer func() {
			v := recover()
			if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
				panic(v)
			}
			if v != nil {
				// The value may quote a body; the stack says where.
				s.log.ErrorContext(ctx, "a handler panicked", "request", id, "stack", string(debug.Stack()))
				if rec.status == 0 {
					http.Error(rec, "internal error", http.StatusInternalServerError)
				}
			}
			took := s.clock().Sub(start)
			if rec.route == "" {
				rec.route = "other"
			}
			s.log.InfoContext(ctx, "http", "request", id, "method", r.Method, "route", rec.route,
				"status", rec.status, "took_ms", took.Milliseconds(), "ip", ip)
			if s.o.Observe != nil {
				s.o.Observe(rec.route, method(r.Method), rec.status, took)
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

// method bounds what a caller can put into a metric's label.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	default:
		return "other"
	}
}

// named tells the access log which route answered.
func named(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if rec, ok := c.Response().Writer.(*recorder); ok {
			rec.route = c.Path()
		}
		return next(c)
	}
}

// unescaped gives the handlers the parameters of a path as they were meant: echo
// leaves them encoded where the path holds an encoded slash or the like.
func unescaped(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().URL.RawPath == "" {
			return next(c) // it was decoded before it was routed
		}
		values := slices.Clone(c.ParamValues())
		for i, v := range values {
			plain, err := url.PathUnescape(v)
			if err != nil {
				return echo.ErrNotFound
			}
			values[i] = plain
		}
		c.SetParamValues(values...)
		return next(c)
	}
}

// The content security policies. The console's styles are made at run time by
// its component library, hence 'unsafe-inline' for styles only; the demo page
// is somebody's website and runs nothing but the widget.
const (
	cspAPI     = "default-src 'none'; frame-ancestors 'none'"
	cspConsole = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
		"connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	cspDemo = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
		"connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
	// The widget writes its own style where Safari is older than 16.4.
	cspLinkChat = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data: blob:; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// secured sets the security headers of echo's routes with the given policy.
func (s *Server) secured(csp string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			h := c.Response().Header()
			h.Set("Content-Security-Policy", csp)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
			if s.secure(c.Request()) {
				h.Set("Strict-Transport-Security", "max-age=31536000")
			}
			return next(c)
		}
	}
}

// noStore keeps answers with personal data out of every cache.
func noStore(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		return next(c)
	}
}

// jsonOnly refuses bodies a foreign page could post without asking first: a
// form can send text/plain, never application/json.
func jsonOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method == http.MethodGet || r.Method == http.MethodHead || r.ContentLength == 0 {
			return next(c)
		}
		kind, _, _ := strings.Cut(r.Header.Get(echo.HeaderContentType), ";")
		if !strings.EqualFold(strings.TrimSpace(kind), echo.MIMEApplicationJSON) {
			return fail(http.StatusUnsupportedMediaType, "not_json", "send application/json")
		}
		return next(c)
	}
}

// within bounds the time a handler may take; the body is read inside it.
func within(d time.Duration) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			ctx, cancel := context.WithTimeout(c.Request().Context(), d)
			defer cancel()
			c.SetRequest(c.Request().WithContext(ctx))
			return next(c)
		}
	}
}
