package archive

import (
	"context"
	"encoding/json"

	"github.com/uptrace/bun"

	"wensheng/internal/chat"
)

type userRow struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID           string `bun:"id,pk"`
	Login        string `bun:"login"`
	Name         []byte `bun:"name"`
	Roles        string `bun:"roles"`
	Skills       string `bun:"skills"`
	Capacity     int64  `bun:"capacity"`
	PasswordHash string `bun:"password_hash"`
	Disabled     bool   `bun:"disabled"`
	CreatedAt    int64  `bun:"created_at"`
}

func (a *Archive) userRow(u chat.User) (userRow, error) {
	roles, err := json.Marshal(u.Roles)
	if err != nil {
		return userRow{}, err
	}
	skills, err := json.Marshal(u.Groups)
	if err != nil {
		return userRow{}, err
	}
	return userRow{
		ID: u.ID, Login: normalLogin(u.Login), Name: a.seal.Seal([]byte(u.Name)), Roles: string(roles), Skills: string(skills),
		Capacity: int64(u.Capacity), PasswordHash: u.PasswordHash, Disabled: u.Disabled, CreatedAt: micros(u.CreatedAt),
	}, nil
}

func (a *Archive) user(r userRow) (chat.User, error) {
	u := chat.User{
		ID: r.ID, Login: r.Login, Capacity: int(r.Capacity), PasswordHash: r.PasswordHash, Disabled: r.Disabled, CreatedAt: moment(r.CreatedAt),
	}
	name, err := a.seal.Open(r.Name)
	if err != nil {
		return u, err
	}
	u.Name = string(name)
	if err := json.Unmarshal([]byte(r.Roles), &u.Roles); err != nil {
		return u, err
	}
	return u, json.Unmarshal([]byte(r.Skills), &u.Groups)
}

// CreateUser adds a user. An empty ID or CreatedAt is filled in. The login is
// kept in lower case; chat.ErrTaken says that it, or the ID, exists.
func (a *Archive) CreateUser(ctx context.Context, u chat.User) error {
	if u.ID == "" {
		u.ID = "u" + chat.NewToken()[:15]
	}
	if u.CreatedAt.IsZero() {
		u.CreatedAt = a.clock()
	}
	row, err := a.userRow(u)
	if err == nil {
		_, err = a.write.NewInsert().Model(&row).Exec(ctx)
	}
	return wrap("create user", err)
}

// UpdateUser writes everything but ID and CreatedAt. When the user was disabled
// or has another password, his logins end with it. Errors: chat.ErrNotFound,
// chat.ErrTaken.
func (a *Archive) UpdateUser(ctx context.Context, u chat.User) error {
	row, err := a.userRow(u)
	if err != nil {
		return wrap("update user", err)
	}
	return a.within(ctx, "update user", func(ctx context.Context, tx bun.Tx) error {
		var old userRow
		if err := tx.NewSelect().Model(&old).Where("id = ?", u.ID).Scan(ctx); err != nil {
			return err
		}
		if err := affected(tx.NewUpdate().Model(&row).ExcludeColumn("id", "created_at").WherePK().Exec(ctx)); err != nil {
			return err
		}
		if !u.Disabled && u.PasswordHash == old.PasswordHash {
			return nil
		}
		_, err := tx.NewDelete().Model((*loginRow)(nil)).Where("user_id = ?", u.ID).Exec(ctx)
		return err
	})
}

// UserByLogin finds a user by his login, in any case of letters, or chat.ErrNotFound.
func (a *Archive) UserByLogin(ctx context.Context, login string) (chat.User, error) {
	return a.oneUser(ctx, "login = ?", normalLogin(login))
}

// UserByID finds a user, or chat.ErrNotFound.
func (a *Archive) UserByID(ctx context.Context, id string) (chat.User, error) {
	return a.oneUser(ctx, "id = ?", id)
}

func (a *Archive) oneUser(ctx context.Context, where, value string) (chat.User, error) {
	var row userRow
	if err := a.read.NewSelect().Model(&row).Where(where, value).Scan(ctx); err != nil {
		return chat.User{}, wrap("read user", err)
	}
	u, err := a.user(row)
	return u, wrap("read user", err)
}

// Users returns all users by login, the disabled ones too.
func (a *Archive) Users(ctx context.Context) ([]chat.User, error) {
	var rows []userRow
	if err := a.read.NewSelect().Model(&rows).Order("login").Scan(ctx); err != nil {
		return nil, wrap("read users", err)
	}
	users := make([]chat.User, 0, len(rows))
	for _, r := range rows {
		u, err := a.user(r)
		if err != nil {
			return nil, wrap("read users", err)
		}
		users = append(users, u)
	}
	return users, nil
}

// CountUsers returns how many users there are.
func (a *Archive) CountUsers(ctx context.Context) (int, error) {
	n, err := a.read.NewSelect().Model((*userRow)(nil)).Count(ctx)
	return int(n), wrap("count users", err)
}

type loginRow struct {
	bun.BaseModel `bun:"table:logins,alias:l"`

	TokenHash string `bun:"token_hash,pk"`
	UserID    string `bun:"user_id"`
	CSRF      string `bun:"csrf"`
	CreatedAt int64  `bun:"created_at"`
	ExpiresAt int64  `bun:"expires_at"`
}

// SaveLogin writes a login, or moves the expiry of one that exists.
func (a *Archive) SaveLogin(ctx context.Context, l chat.Login) error {
	row := loginRow{TokenHash: l.TokenHash, UserID: l.UserID, CSRF: l.CSRF, CreatedAt: micros(l.CreatedAt), ExpiresAt: micros(l.ExpiresAt)}
	_, err := a.write.NewInsert().Model(&row).On("CONFLICT (token_hash) DO UPDATE").Set("expires_at = EXCLUDED.expires_at").Exec(ctx)
	return wrap("save login", err)
}

// LoginByHash finds a login that has not expired, or chat.ErrNotFound.
func (a *Archive) LoginByHash(ctx context.Context, tokenHash string) (chat.Login, error) {
	var r loginRow
	err := a.read.NewSelect().Model(&r).Where("token_hash = ?", tokenHash).Where("expires_at > ?", micros(a.clock())).Scan(ctx)
	if err != nil {
		return chat.Login{}, wrap("read login", err)
	}
	return chat.Login{TokenHash: r.TokenHash, UserID: r.UserID, CSRF: r.CSRF, CreatedAt: moment(r.CreatedAt), ExpiresAt: moment(r.ExpiresAt)}, nil
}

// DeleteLogin ends a login, or returns chat.ErrNotFound when there is none: of
// several callers at once exactly one ends it.
func (a *Archive) DeleteLogin(ctx context.Context, tokenHash string) error {
	return wrap("delete login", affected(a.write.NewDelete().Model((*loginRow)(nil)).Where("token_hash = ?", tokenHash).Exec(ctx)))
}

// DeleteExpired removes expired logins and returns how many.
func (a *Archive) DeleteExpired(ctx context.Context) (int64, error) {
	res, err := a.write.NewDelete().Model((*loginRow)(nil)).Where("expires_at <= ?", micros(a.clock())).Exec(ctx)
	if err != nil {
		return 0, wrap("delete expired logins", err)
	}
	n, err := res.RowsAffected()
	return n, wrap("delete expired logins", err)
}
