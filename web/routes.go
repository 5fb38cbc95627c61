package web

import (
	"net/http"
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
	e.Use(named, s.secured(cspAPI))
	s.echo = e

	s.apiRoutes(e.Group("/api/v1", noStore))
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
	limited := []echo.MiddlewareFunc{middleware.BodyLimit(apiBody), jsonOnly, within(15 * time.Second)}
	api.POST("/login", s.postLogin, limited...)
	// The ticket is the right; a browser's WebSocket can send no header.
	api.GET("/ws", s.getLive)

	in := api.Group("", append(limited, s.authenticate)...)
	staff := allow(chat.RoleUserAgent, chat.RoleUserSupervisor, chat.RoleUserAdmin)
	reader := allow(chat.RoleUserAgent, chat.RoleUserSupervisor, chat.RoleUserCompliance, chat.RoleUserAdmin)

	in.POST("/logout", s.postLogout)
	in.GET("/me", s.getMe)
	in.PUT("/me/presence", s.putPresence, staff)
	in.PUT("/me/password", s.putPassword)

	in.GET("/queue", s.getQueue, staff)
	in.POST("/queue/claim", s.postClaim, staff)
	in.GET("/leases", s.getLeases, staff)
	in.POST("/leases/renew", s.postRenew, staff)

	in.GET("/conversations", s.listConversations, allow(chat.RoleUserSupervisor, chat.RoleUserCompliance, chat.RoleUserAdmin))
	in.GET("/conversations/:id", s.getConversation, reader)
	in.POST("/conversations/:id/messages", s.postMessage, staff)
	in.POST("/conversations/:id/notes", s.postNote, staff)
	in.POST("/conversations/:id/release", s.act("release", s.release), staff)
	in.POST("/conversations/:id/transfer", s.act("transfer", s.transfer), staff)
	in.POST("/conversations/:id/hold", s.act("hold", s.hold), staff)
	in.POST("/conversations/:id/close", s.act("close", s.closeConv), staff)
	in.POST("/conversations/:id/typing", s.postTyping, staff)
	in.POST("/conversations/:id/reveal", s.postReveal, reader)

	in.POST("/ws/ticket", s.postTicket)
	in.GET("/agents", s.getAgents, reader)
	in.GET("/groups", s.getGroups)

	in.GET("/users", s.getUsers, allow(chat.RoleUserAdmin, chat.RoleUserSupervisor))
	in.POST("/users", s.postUser, allow(chat.RoleUserAdmin))
	in.PATCH("/users/:id", s.patchUser, allow(chat.RoleUserAdmin))
	in.GET("/audit", s.getAudit, allow(chat.RoleUserCompliance, chat.RoleUserAdmin))
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
