package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"wensheng/internal/chat"
)

// apiBody is the largest body of the API: a message of 2,000 characters of
// four bytes, escaped, with room.
const apiBody = "64K"

// routes builds the whole site once.
func (s *Server) routes() error {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.onError
	// outer has already put the caller's address into RemoteAddr.
	e.IPExtractor = echo.ExtractIPDirect()
	e.SchemeExtractor = echo.ExtractSchemeDirect()
	e.Use(named, unescaped, s.secured(cspAPI))
	s.echo = e

	s.apiRoutes(e.Group("/api/v1"))
	if err := s.pageRoutes(e); err != nil {
		return err
	}
	s.handler = s.outer(s.split(e))
	return nil
}

// split keeps the channels' handlers clear of echo: what vendors and visitors
// call is neither limited, buffered nor timed out here.
func (s *Server) split(site http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, "/channels/")
		if !ok {
			site.ServeHTTP(w, r)
			return
		}
		kind, _, _ := strings.Cut(rest, "/")
		h := s.o.Channels[kind]
		if h == nil {
			site.ServeHTTP(w, r) // a 404 problem document
			return
		}
		if rec, is := w.(*recorder); is {
			rec.route = "/channels/" + kind
		}
		h.ServeHTTP(w, r)
	})
}

func (s *Server) apiRoutes(api *echo.Group) {
	api.GET("/openapi.yaml", s.getOpenAPI)
	limited := []echo.MiddlewareFunc{noStore, middleware.BodyLimit(apiBody), jsonOnly, within(15 * time.Second)}
	api.POST("/login", s.postLogin, limited...)
	// The ticket is the right; a browser's WebSocket can send no header.
	api.GET("/ws", s.getLive, noStore)

	// in registers what needs a session, and one of the roles if any are named.
	// (A group with middleware would answer 404 for a wrong method.)
	in := func(method, path string, h echo.HandlerFunc, roles ...chat.UserRole) {
		mw := append(slices.Clone(limited), s.authenticate)
		if len(roles) > 0 {
			mw = append(mw, allow(roles...))
		}
		api.Add(method, path, h, mw...)
	}
	staff := []chat.UserRole{chat.RoleUserAgent, chat.RoleUserSupervisor, chat.RoleUserAdmin}
	readers := append(slices.Clone(staff), chat.RoleUserCompliance)
	const get, post, put, patch = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch

	in(post, "/logout", s.postLogout)
	in(get, "/me", s.getMe)
	in(put, "/me/presence", s.putPresence, staff...)
	in(put, "/me/password", s.putPassword)

	in(get, "/queue", s.getQueue, staff...)
	in(post, "/queue/claim", s.postClaim, staff...)
	in(get, "/leases", s.getLeases, staff...)
	in(post, "/leases/renew", s.postRenew, staff...)

	in(get, "/conversations", s.listConversations, chat.RoleUserSupervisor, chat.RoleUserCompliance, chat.RoleUserAdmin)
	in(get, "/conversations/:id", s.getConversation, readers...)
	in(get, "/conversations/:id/media/:ref", s.getMedia, readers...)
	in(post, "/conversations/:id/messages", s.postMessage, staff...)
	in(post, "/conversations/:id/notes", s.postNote, staff...)
	in(post, "/conversations/:id/release", s.act("release", s.release), staff...)
	in(post, "/conversations/:id/transfer", s.act("transfer", s.transfer), staff...)
	in(post, "/conversations/:id/hold", s.act("hold", s.hold), staff...)
	in(post, "/conversations/:id/close", s.act("close", s.closeConv), staff...)
	in(post, "/conversations/:id/typing", s.postTyping, staff...)
	in(post, "/conversations/:id/reveal", s.postReveal, readers...)

	in(post, "/ws/ticket", s.postTicket)
	in(get, "/agents", s.getAgents, readers...)
	in(get, "/groups", s.getGroups)

	in(get, "/users", s.getUsers, chat.RoleUserAdmin, chat.RoleUserSupervisor)
	in(post, "/users", s.postUser, chat.RoleUserAdmin)
	in(patch, "/users/:id", s.patchUser, chat.RoleUserAdmin)
	in(get, "/audit", s.getAudit, chat.RoleUserCompliance, chat.RoleUserAdmin)
	s.knowledgeRoutes(api)
}

// Routes lists "METHOD /path" of everything registered, for the test that
// keeps the OpenAPI document true.
func (s *Server) Routes() []string {
	var out []string
	for _, r := range s.echo.Routes() {
		if r.Method != echo.RouteNotFound {
			out = append(out, r.Method+" "+r.Path)
		}
	}
	return out
}
