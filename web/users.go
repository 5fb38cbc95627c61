package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"wensheng/internal/chat"
)

// canServe reports whether a user may hold conversations.
func canServe(u chat.User) bool {
	return u.Has(chat.RoleUserAgent, chat.RoleUserSupervisor, chat.RoleUserAdmin)
}

func knownRole(r chat.UserRole) bool {
	switch r {
	case chat.RoleUserAgent, chat.RoleUserSupervisor, chat.RoleUserCompliance, chat.RoleUserEditor, chat.RoleUserAdmin:
		return true
	default:
		return false
	}
}

func (s *Server) getUsers(c echo.Context) error {
	us, err := s.o.Users.Users(c.Request().Context())
	if err != nil {
		return fmt.Errorf("read the users: %w", err)
	}
	out := make([]userView, 0, len(us))
	for _, u := range us {
		out = append(out, viewUser(u))
	}
	return reply(c, http.StatusOK, map[string]any{"items": out})
}

// userIn is a user to create, or the fields of one to change: nil leaves them.
type userIn struct {
	Login    string           `json:"login"`
	Name     *string          `json:"name"`
	Password *string          `json:"password"`
	Roles    *[]chat.UserRole `json:"roles"`
	Groups   *[]string        `json:"groups"`
	Capacity *int             `json:"capacity"`
	Disabled *bool            `json:"disabled"`
}

// apply checks the given fields and writes them into u.
func (s *Server) apply(in userIn, u *chat.User) error {
	if in.Name != nil {
		if n := utf8.RuneCountInString(*in.Name); n < 1 || n > 64 {
			return fail(http.StatusUnprocessableEntity, "bad_name", "a name has 1 to 64 characters")
		}
		u.Name = *in.Name
	}
	if in.Roles != nil {
		for _, r := range *in.Roles {
			if !knownRole(r) {
				return fail(http.StatusUnprocessableEntity, "unknown_role", "roles are agent, supervisor, compliance, editor, admin")
			}
		}
		u.Roles = *in.Roles
	}
	if in.Groups != nil {
		for _, g := range *in.Groups {
			if !s.knownGroup(g) {
				return fail(http.StatusUnprocessableEntity, "unknown_group", "there is no such group")
			}
		}
		u.Groups = *in.Groups
	}
	if in.Capacity != nil {
		if *in.Capacity < 1 || *in.Capacity > 100 {
			return fail(http.StatusUnprocessableEntity, "bad_capacity", "capacity is 1 to 100")
		}
		u.Capacity = *in.Capacity
	}
	if in.Disabled != nil {
		u.Disabled = *in.Disabled
	}
	if in.Password != nil {
		if err := checkPassword(*in.Password); err != nil {
			return err
		}
		h, err := HashPassword(*in.Password)
		if err != nil {
			return err
		}
		u.PasswordHash = h
	}
	return nil
}

func validLogin(l string) bool {
	if len(l) < 2 || len(l) > 64 {
		return false
	}
	for _, r := range l {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-@", r) {
			return false
		}
	}
	return true
}

func (s *Server) postUser(c echo.Context) error {
	me, ctx := current(c).user, c.Request().Context()
	var in userIn
	if err := readBody(c, &in); err != nil {
		return err
	}
	if !validLogin(in.Login) {
		return fail(http.StatusUnprocessableEntity, "bad_login", "a login has 2 to 64 letters, digits or . _ - @")
	}
	if in.Password == nil || in.Roles == nil || len(*in.Roles) == 0 {
		return fail(http.StatusUnprocessableEntity, "incomplete", "password and at least one role are required")
	}
	u := chat.User{
		ID: "u" + chat.NewToken()[:20], Login: in.Login, Name: in.Login, Groups: []string{}, Capacity: 5, CreatedAt: s.clock(),
	}
	if err := s.apply(in, &u); err != nil {
		return err
	}
	if err := s.mustAudit(c, me, "user_create", u.ID, rolesText(u)); err != nil {
		return err
	}
	err := s.o.Users.CreateUser(ctx, u)
	if errors.Is(err, chat.ErrTaken) {
		return fail(http.StatusConflict, "login_taken", "this login is in use")
	}
	if err != nil {
		return fmt.Errorf("create the user: %w", err)
	}
	return reply(c, http.StatusCreated, viewUser(u))
}

func (s *Server) patchUser(c echo.Context) error {
	me, ctx := current(c).user, c.Request().Context()
	var in userIn
	if err := readBody(c, &in); err != nil {
		return err
	}
	u, err := s.o.Users.UserByID(ctx, c.Param("id"))
	if err != nil {
		return fmt.Errorf("find the user: %w", err)
	}
	if err := s.apply(in, &u); err != nil {
		return err
	}
	if u.ID == me.ID && (u.Disabled || !u.Has(chat.RoleUserAdmin)) {
		// Otherwise the last administrator could lock everybody out.
		return fail(http.StatusConflict, "yourself", "you cannot take your own administrator rights")
	}
	detail := rolesText(u)
	if u.Disabled {
		detail += " disabled"
	}
	if in.Password != nil {
		detail += " password"
	}
	if err := s.mustAudit(c, me, "user_update", u.ID, detail); err != nil {
		return err
	}
	if err := s.o.Users.UpdateUser(ctx, u); err != nil {
		return fmt.Errorf("update the user: %w", err)
	}
	s.hub.recheck(u.ID)
	return reply(c, http.StatusOK, viewUser(u))
}

func rolesText(u chat.User) string {
	rs := make([]string, 0, len(u.Roles))
	for _, r := range u.Roles {
		rs = append(rs, string(r))
	}
	slices.Sort(rs)
	return strings.Join(rs, ",")
}

func (s *Server) getAgents(c echo.Context) error {
	as, err := s.o.Desk.Agents(c.Request().Context())
	if err != nil {
		return fmt.Errorf("read the agents: %w", err)
	}
	for i := range as {
		as[i].Groups = orEmpty(as[i].Groups)
	}
	return reply(c, http.StatusOK, map[string]any{"items": orEmpty(as)})
}

func (s *Server) getGroups(c echo.Context) error {
	type group struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Auto bool   `json:"auto"`
		Open bool   `json:"open"`
		Mine bool   `json:"mine"`
	}
	me, now := current(c).user, s.clock()
	out := make([]group, 0, len(s.o.Groups))
	for _, g := range s.o.Groups {
		out = append(out, group{g.ID, g.Name, g.Auto, g.Open == nil || g.Open(now), slices.Contains(me.Groups, g.ID)})
	}
	return reply(c, http.StatusOK, map[string]any{"items": out})
}
