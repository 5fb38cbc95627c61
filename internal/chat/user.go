package chat

import (
	"slices"
	"time"
)

// UserRole is what a user of the console may do.
type UserRole string

// The roles.
const (
	RoleUserAgent      UserRole = "agent"
	RoleUserSupervisor UserRole = "supervisor"
	RoleUserCompliance UserRole = "compliance"
	RoleUserEditor     UserRole = "editor"
	RoleUserAdmin      UserRole = "admin"
)

// User is a person who works in the console.
type User struct {
	ID       string
	Login    string
	Name     string
	Roles    []UserRole
	Groups   []string
	Capacity int
	// PasswordHash is argon2id in PHC form; it never leaves archive and web.
	PasswordHash string
	Disabled     bool
	CreatedAt    time.Time
}

// Has reports whether the user has one of the roles.
func (u User) Has(roles ...UserRole) bool {
	return slices.ContainsFunc(roles, func(r UserRole) bool { return slices.Contains(u.Roles, r) })
}

// Login is a console session: the bearer token's hash and whose it is.
type Login struct {
	TokenHash string
	UserID    string
	CSRF      string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Audit is one line of the audit log: who did what to what, and why. Detail
// holds no personal data.
type Audit struct {
	ID     int64
	At     time.Time
	User   string
	Action string
	Object string
	Detail string
	// IP is the caller's address.
	IP string
}
