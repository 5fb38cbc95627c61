package app

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"wensheng/intents"
	"wensheng/internal/archive"
	"wensheng/internal/chat"
	"wensheng/internal/config"
	"wensheng/internal/telemetry"
	"wensheng/web"
)

// NewLogger returns the gateway's logger: structured, redacted, to w.
func NewLogger(cfg *config.Config, w io.Writer) *slog.Logger {
	return telemetry.NewLogger(w, cfg.Log.Level, cfg.Log.Format)
}

// VersionInfo is what `wensheng version --json` prints.
type VersionInfo struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	Go        string `json:"go"`
	Knowledge string `json:"knowledge"`
}

// Version returns the build's own data and the embedded knowledge base's version.
func Version() VersionInfo {
	b := telemetry.Build()
	v := VersionInfo{Version: b.Version, Commit: b.Commit, Go: b.Go}
	if base, _ := intents.Load(intents.Embedded()); base != nil {
		v.Knowledge = base.Version
	}
	return v
}

// Check returns what is wrong with the knowledge a config names, and what is
// only worth knowing.
func Check(cfg *config.Config) (problems, warnings []string) {
	problems, warnings = split(intents.Check(knowledgeFS(cfg.Knowledge.Dir), facts(cfg), groupIDs(cfg)))
	return problems, append(cfg.Warnings(), warnings...)
}

// NewUser is a user to be added.
type NewUser struct {
	Login, Name, Password string
	Roles, Groups         []string
	Capacity              int
}

// minPassword is the least number of characters of a password.
const minPassword = 8

func (n NewUser) user(now time.Time) (chat.User, error) {
	u := chat.User{
		ID: "u" + chat.NewToken()[:16], Login: strings.TrimSpace(n.Login), Name: strings.TrimSpace(n.Name),
		Groups: n.Groups, Capacity: n.Capacity, CreatedAt: now,
	}
	if u.Name == "" {
		u.Name = u.Login
	}
	if u.Login == "" || len(u.Login) > 64 || strings.ContainsAny(u.Login, " \t\r\n/") {
		return u, inputError{errors.New("login: 1 to 64 characters without spaces or slashes")}
	}
	if u.Capacity < 1 || u.Capacity > 100 {
		return u, inputError{errors.New("capacity: 1 to 100")}
	}
	known := []chat.UserRole{
		chat.RoleUserAgent, chat.RoleUserSupervisor, chat.RoleUserCompliance, chat.RoleUserEditor, chat.RoleUserAdmin,
	}
	for _, r := range n.Roles {
		if !slices.Contains(known, chat.UserRole(r)) {
			return u, inputError{fmt.Errorf("role %q: want agent, supervisor, compliance, editor or admin", r)}
		}
		u.Roles = append(u.Roles, chat.UserRole(r))
	}
	if utf8.RuneCountInString(n.Password) < minPassword {
		return u, inputError{fmt.Errorf("password: at least %d characters", minPassword)}
	}
	hash, err := web.HashPassword(n.Password)
	if err != nil {
		return u, err
	}
	u.PasswordHash = hash
	return u, nil
}

// AddUser adds a user to the record, while serve runs or not.
func AddUser(ctx context.Context, cfg *config.Config, log *slog.Logger, n NewUser) error {
	for _, g := range n.Groups {
		if !slices.Contains(groupIDs(cfg), g) {
			return inputError{fmt.Errorf("group %q is not in the config, which has %s", g, strings.Join(groupIDs(cfg), ", "))}
		}
	}
	u, err := n.user(time.Now()) //nolint:forbidigo // where no clock is injected, the real one is read here
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return err
	}
	sealer, err := newSealer(cfg)
	if err != nil {
		return err
	}
	db, err := archive.Open(ctx, archive.Options{
		URL: cfg.Database.URL.Reveal(), Dir: cfg.Data, Sealer: sealer, Clock: time.Now, Logger: log, //nolint:forbidigo // where no clock is injected, the real one is read here
	})
	if err != nil {
		return err
	}
	err = db.CreateUser(ctx, u)
	if errors.Is(err, chat.ErrTaken) {
		err = inputError{fmt.Errorf("login %q is taken", u.Login)}
	}
	if err == nil {
		err = db.AddAudit(ctx, chat.Audit{At: u.CreatedAt, User: "cli", Action: "user.add", Object: u.ID})
	}
	return errors.Join(err, db.Close())
}

// FirstAdmin creates the user admin with a random password when there are no
// users, and returns that password; "" when there are some.
func (a *App) FirstAdmin(ctx context.Context) (string, error) {
	n, err := a.archive.CountUsers(ctx)
	if err != nil || n > 0 {
		return "", err
	}
	raw := make([]byte, 10)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	password := strings.ToLower(base32.StdEncoding.EncodeToString(raw))
	u, err := NewUser{Login: "admin", Roles: []string{"admin", "supervisor", "agent"}, Capacity: 5, Password: password}.user(a.clock())
	if err != nil {
		return "", err
	}
	err = a.archive.CreateUser(ctx, u)
	if errors.Is(err, chat.ErrTaken) {
		return "", nil // another replica was first and has printed it
	}
	return password, err
}

// Abort closes a gateway that was built and will not be run.
func (a *App) Abort(ctx context.Context) error {
	a.close(ctx)
	return nil
}

// Warnings is what the operator should know at start, in plain sentences.
func (a *App) Warnings() []string {
	var list []string
	if a.Trial() {
		list = append(list, "trial mode: no redis-server was found, so conversations are kept in memory only and are lost at exit. "+
			"Install it (apt-get install redis-server) and start again.")
	}
	if !a.builtFrontEnds {
		list = append(list, "the web pages are not built into this binary: run 'make run', which needs Node.")
	}
	return list
}
