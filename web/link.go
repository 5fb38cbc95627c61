package web

import (
	"context"
	"crypto/sha256"
	_ "embed" // the pages below
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"wensheng/internal/chat"
)

// Links opens the one-time links that replies carry where free text is not
// allowed. Implementations are safe for concurrent use.
type Links interface {
	// Live reports whether the code can still be used.
	Live(ctx context.Context, code string) (bool, error)
	// Use uses the code up and returns a resume token of web chat for
	// DemoAccount, good for 24 hours at most. chat.ErrNotFound when the code was never given, was used
	// or has expired.
	Use(ctx context.Context, code string) (session string, err error)
}

// linkTTL is the life, in seconds, of the cookie that lets the browser that
// used a link up open it again; the session in it ends by itself no later.
const linkTTL = 24 * 60 * 60

// linkCookie holds the session. Its path is the link's own, so two links in one
// browser do not meet.
const linkCookie = "ws_link"

//go:embed data/link.html
var linkPages string

var (
	linkCode = regexp.MustCompile(`^[0-9a-z]{32}`)
	// What a phone takes for a part of the address that is not: punctuation and
	// words of the sentence around it.
	linkTail    = regexp.MustCompile(`^([^0-9A-Za-z].*)?$`)
	linkSession = regexp.MustCompile(`^[A-Za-z0-9_-]{1,1000}$`)
)

// linkRoutes are the page behind such a link. GET shows a button and uses
// nothing up, because messengers fetch links to preview them; POST does.
func (s *Server) linkRoutes(e *echo.Echo) error {
	pages, err := template.New("link").Parse(linkPages)
	if err != nil {
		return fmt.Errorf("link pages: %w", err)
	}
	var style strings.Builder
	if err := pages.ExecuteTemplate(&style, "style", nil); err != nil {
		return fmt.Errorf("link pages: %w", err)
	}
	sum := sha256.Sum256([]byte(style.String()))
	csp := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	l := &linkPage{Server: s, pages: pages}
	e.GET("/l/:code", l.get, s.secured(csp), noStore)
	e.POST("/l/:code", l.post, s.secured(csp), noStore)
	return nil
}

type linkPage struct {
	*Server
	pages *template.Template
}

func (l *linkPage) get(c echo.Context) error {
	code := linkCode.FindString(c.Param("code"))
	switch rest := c.Param("code")[len(code):]; {
	case !l.o.Widget.Built:
		return l.notBuilt(c)
	case code == "" || l.o.Links == nil || !linkTail.MatchString(rest):
		return l.show(c, http.StatusNotFound, "broken", "")
	case rest != "":
		return c.Redirect(http.StatusFound, "/l/"+code) //nolint:wrapcheck // the caller hung up
	}
	if session := l.kept(c); session != "" {
		return l.show(c, http.StatusOK, "chat", session)
	}
	live, err := l.o.Links.Live(c.Request().Context(), code)
	switch {
	case err != nil:
		return l.away(c, err)
	case !live:
		return l.show(c, http.StatusGone, "gone", "")
	}
	return l.show(c, http.StatusOK, "ask", "")
}

func (l *linkPage) post(c echo.Context) error {
	code := c.Param("code")
	switch {
	case !l.o.Widget.Built:
		return l.notBuilt(c)
	case l.o.Links == nil || linkCode.FindString(code) != code || code == "":
		return l.show(c, http.StatusNotFound, "broken", "")
	}
	switch c.Request().Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		// Another site pressed the button: let him press it himself, so that
		// nobody is put into a stranger's conversation unawares.
		return l.get(c)
	}
	session, err := l.o.Links.Use(c.Request().Context(), code)
	switch {
	case errors.Is(err, chat.ErrNotFound):
		if session = l.kept(c); session == "" {
			return l.show(c, http.StatusGone, "gone", "")
		}
	case err != nil:
		return l.away(c, err)
	default:
		c.SetCookie(&http.Cookie{
			Name: linkCookie, Value: session, Path: "/l/" + code, MaxAge: linkTTL,
			HttpOnly: true, Secure: l.secure(c.Request()), SameSite: http.SameSiteLaxMode,
		})
	}
	return l.show(c, http.StatusOK, "chat", session)
}

// kept is the session this browser got when it used the link up.
func (l *linkPage) kept(c echo.Context) string {
	cookie, err := c.Cookie(linkCookie)
	if err != nil || !linkSession.MatchString(cookie.Value) {
		return ""
	}
	return cookie.Value
}

func (l *linkPage) away(c echo.Context, err error) error {
	ctx := c.Request().Context()
	l.log.WarnContext(ctx, "a one-time link cannot be looked up", "request", requestID(ctx), "err", err)
	c.Response().Header().Set("Retry-After", "10")
	return l.show(c, http.StatusServiceUnavailable, "away", "")
}

func (l *linkPage) show(c echo.Context, status int, page, session string) error {
	var b strings.Builder
	err := l.pages.ExecuteTemplate(&b, page, map[string]string{
		"Company": l.o.Company, "Hotline": l.o.Hotline,
		"Account": l.o.DemoAccount, "Session": session,
	})
	if err != nil {
		return fmt.Errorf("link page: %w", err)
	}
	h := c.Response().Header()
	h.Set("X-Robots-Tag", "noindex, nofollow")
	if page == "chat" {
		h.Set("Content-Security-Policy", cspLinkChat)
	}
	return c.HTML(status, b.String()) //nolint:wrapcheck // the caller hung up
}
