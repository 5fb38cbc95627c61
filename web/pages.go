package web

import (
	"context"
	"crypto/sha256"
	_ "embed" // the pages below
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

//go:embed openapi.yaml
var openAPI []byte

//go:embed data/notbuilt.html
var notBuiltPage []byte

func (s *Server) getOpenAPI(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/yaml", openAPI) //nolint:wrapcheck // the caller hung up
}

// pageRoutes are what browsers and monitoring open.
func (s *Server) pageRoutes(e *echo.Echo) error {
	e.GET("/healthz", func(c echo.Context) error { return done(c) }, noStore)
	e.GET("/readyz", s.getReady, noStore)
	if s.o.Metrics != nil {
		e.GET("/metrics", echo.WrapHandler(s.o.Metrics))
	}
	e.GET("/", func(c echo.Context) error {
		return c.Redirect(http.StatusFound, "/demo") //nolint:wrapcheck // the caller hung up
	})

	// The demo page comes with the widget and is a template: it names the account.
	page := template.New("demo")
	if s.o.Widget.Built {
		b, err := fs.ReadFile(s.o.Widget.FS, "demo/demo.html")
		if err != nil {
			return fmt.Errorf("demo page: %w", err)
		}
		if _, err := page.Parse(string(b)); err != nil {
			return fmt.Errorf("demo page: %w", err)
		}
	}
	e.GET("/demo", s.getDemo(page), s.secured(cspDemo))
	e.GET("/demo/*", s.getDemoFile, s.secured(cspDemo))
	e.GET("/widget.js", s.getWidget, middleware.Gzip())
	if err := s.linkRoutes(e); err != nil {
		return err
	}

	console := []echo.MiddlewareFunc{s.secured(cspConsole), middleware.Gzip()}
	e.GET("/console", func(c echo.Context) error {
		return c.Redirect(http.StatusFound, "/console/") //nolint:wrapcheck // the caller hung up
	}, console...)
	e.GET("/console/*", s.getConsole, console...)
	return nil
}

func (s *Server) getReady(c echo.Context) error {
	ok := Dependency{OK: true}
	r := Readiness{Ready: true, Redis: ok, Database: ok, Knowledge: ok}
	if s.o.Ready != nil {
		ctx, cancel := context.WithTimeout(c.Request().Context(), 5*time.Second)
		defer cancel()
		r = s.o.Ready(ctx)
	}
	status := http.StatusOK
	if s.isDraining() {
		r.Ready = false
	}
	if !r.Ready {
		status = http.StatusServiceUnavailable
	}
	return reply(c, status, r)
}

func (s *Server) notBuilt(c echo.Context) error {
	return c.HTMLBlob(http.StatusServiceUnavailable, notBuiltPage) //nolint:wrapcheck // the caller hung up
}

func (s *Server) getDemo(page *template.Template) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.o.Widget.Built {
			return s.notBuilt(c)
		}
		var b strings.Builder
		if err := page.Execute(&b, map[string]string{"Account": s.o.DemoAccount}); err != nil {
			return fmt.Errorf("demo page: %w", err)
		}
		c.Response().Header().Set("Cache-Control", "no-cache")
		return c.HTML(http.StatusOK, b.String()) //nolint:wrapcheck // the caller hung up
	}
}

// getDemoFile serves what the demo page refers to.
func (s *Server) getDemoFile(c echo.Context) error {
	name := strings.TrimPrefix(path.Clean("/"+c.Param("*")), "/")
	if !s.o.Widget.Built || name == "" || path.Ext(name) == ".html" {
		return echo.ErrNotFound
	}
	err := s.serveFile(c, s.o.Widget.FS, "demo/"+name, "no-cache")
	if errors.Is(err, fs.ErrNotExist) {
		return echo.ErrNotFound
	}
	return err
}

// getWidget serves the embed script; any site may load it.
func (s *Server) getWidget(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if !s.o.Widget.Built {
		return c.Blob(http.StatusServiceUnavailable, "text/javascript; charset=utf-8", //nolint:wrapcheck // the caller hung up
			[]byte("console.error('wensheng: the widget is not built; run: make run');\n"))
	}
	return s.serveFile(c, s.o.Widget.FS, "widget.js", "public, max-age=300")
}

// getConsole serves the built files; every other path is the app's own and
// gets its page. A missing asset stays a 404, so that a stale page does not
// parse HTML as a script.
func (s *Server) getConsole(c echo.Context) error {
	if !s.o.Console.Built {
		return s.notBuilt(c)
	}
	name := strings.TrimPrefix(path.Clean("/"+c.Param("*")), "/")
	if name != "" && name != "index.html" && fs.ValidPath(name) {
		cache := "no-cache"
		if strings.HasPrefix(name, "assets/") {
			cache = "public, max-age=31536000, immutable" // the name holds the hash
		}
		err := s.serveFile(c, s.o.Console.FS, name, cache)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if path.Ext(name) != "" {
			return echo.ErrNotFound
		}
	}
	return s.serveFile(c, s.o.Console.FS, "index.html", "no-cache")
}

func (s *Server) serveFile(c echo.Context, files fs.FS, name, cache string) error {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("front end: %w", err)
	}
	sum := sha256.Sum256(b)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	h := c.Response().Header()
	h.Set("Cache-Control", cache)
	h.Set("ETag", tag)
	if strings.Contains(c.Request().Header.Get("If-None-Match"), tag) {
		return c.NoContent(http.StatusNotModified) //nolint:wrapcheck // the caller hung up
	}
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // the host's table may lack them
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".css":
		kind = "text/css; charset=utf-8"
	case ".html":
		kind = "text/html; charset=utf-8"
	case ".svg":
		kind = "image/svg+xml"
	}
	if kind == "" {
		kind = "application/octet-stream"
	}
	return c.Blob(http.StatusOK, kind, b) //nolint:wrapcheck // the caller hung up
}
