package wechat

import (
	"context"
	"errors"
	"sync"
	"time"

	"wensheng/internal/chat"
)

// TokenStore keeps access tokens, shared by replicas. Keys name an app, not a
// person. Values are secrets. Implementations are safe for concurrent use.
type TokenStore interface {
	// Get returns the token, or "" when there is none or it has expired.
	Get(ctx context.Context, key string) (string, error)
	// Set keeps the token for ttl.
	Set(ctx context.Context, key, token string, ttl time.Duration) error
	// Lock takes a lock that frees itself after ttl. ok is false when somebody
	// else has it; then unlock is nil.
	Lock(ctx context.Context, key string, ttl time.Duration) (unlock func(), ok bool, err error)
}

const (
	pathToken = "/cgi-bin/stable_token" //nolint:gosec // a path
	lockFor   = 10 * time.Second
	lockPoll  = 50 * time.Millisecond
	lockTries = 20
)

// token returns the account's access token, another one than refused. One
// fetch at a time in this process; among replicas as long as the store's lock
// works. A second fetch does no harm: a stable token is the same for everybody.
func (c *Channel) token(ctx context.Context, a *account, refused string) (string, error) {
	key := "wechat:" + a.AppID
	if t := c.stored(ctx, a, key); t != "" && t != refused {
		return t, nil
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return "", &transportError{err: ctx.Err()}
	}
	unlock := c.lock(ctx, a, key)
	defer unlock()
	if t := c.stored(ctx, a, key); t != "" && t != refused {
		return t, nil
	}
	t, ttl, err := c.fetchToken(ctx, a, false)
	if err == nil && t == refused {
		// The vendor still thinks it good. A forced one may help; there are
		// twenty a day. Without one the same is tried again.
		if forced, life, err := c.fetchToken(ctx, a, true); err == nil {
			t, ttl = forced, life
		}
	}
	if err != nil {
		return "", err
	}
	if err := c.o.Tokens.Set(ctx, key, t, ttl); err != nil {
		c.o.Logger.WarnContext(ctx, "wechat access token not kept", "account", a.ID, "error", err)
	}
	return t, nil
}

// stored reads the store; without it every send would fetch, which the vendor
// allows ten thousand times a minute.
func (c *Channel) stored(ctx context.Context, a *account, key string) string {
	t, err := c.o.Tokens.Get(ctx, key)
	if err != nil {
		c.o.Logger.WarnContext(ctx, "wechat access token not read", "account", a.ID, "error", err)
		return ""
	}
	return t
}

// lock waits a second at most for another replica's fetch.
func (c *Channel) lock(ctx context.Context, a *account, key string) (unlock func()) {
	for range lockTries {
		unlock, ok, err := c.o.Tokens.Lock(ctx, key+":lock", lockFor)
		if ok {
			return unlock
		}
		if err != nil {
			c.o.Logger.WarnContext(ctx, "wechat access token not locked", "account", a.ID, "error", err)
			break
		}
		t := time.NewTimer(lockPoll)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return func() {}
		}
	}
	return func() {}
}

// fetchToken asks for the stable token and how long to keep it: nine tenths of
// its life, which may be as short as 300 s.
func (c *Channel) fetchToken(ctx context.Context, a *account, force bool) (string, time.Duration, error) {
	body, err := encodeJSON(struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}{"client_credential", a.AppID, a.AppSecret, force})
	if err != nil {
		return "", 0, err
	}
	var out struct {
		status

		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	if err := c.post(ctx, a, pathToken, nil, body, &out); err != nil {
		return "", 0, err
	}
	if err := out.err(); err != nil {
		c.o.Logger.WarnContext(ctx, "wechat gives no access token", "account", a.ID, "error", err)
		return "", 0, err
	}
	if out.AccessToken == "" {
		return "", 0, &transportError{err: errors.New("wechat gave an empty access token")}
	}
	ttl := time.Duration(min(max(out.ExpiresIn, 1), 86400)) * time.Second
	return out.AccessToken, ttl * 9 / 10, nil
}

// memoryTokens is a TokenStore of one process.
type memoryTokens struct {
	clock func() time.Time

	mu     sync.Mutex
	tokens map[string]expiring
}

type expiring struct {
	value string
	until time.Time
}

// NewMemoryTokens returns a TokenStore that forgets with the process. clock may
// be nil for time.Now.
func NewMemoryTokens(clock func() time.Time) TokenStore {
	if clock == nil {
		clock = time.Now //nolint:forbidigo // the default clock
	}
	return &memoryTokens{clock: clock, tokens: map[string]expiring{}}
}

func (m *memoryTokens) Get(_ context.Context, key string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tokens[key]
	if !m.clock().Before(t.until) {
		delete(m.tokens, key)
		return "", nil
	}
	return t.value, nil
}

func (m *memoryTokens) Set(_ context.Context, key, token string, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens[key] = expiring{token, m.clock().Add(ttl)}
	return nil
}

func (m *memoryTokens) Lock(_ context.Context, key string, ttl time.Duration) (unlock func(), ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, held := m.tokens[key]; held && m.clock().Before(t.until) {
		return nil, false, nil
	}
	mine := expiring{chat.NewToken(), m.clock().Add(ttl)}
	m.tokens[key] = mine
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.tokens[key] == mine {
			delete(m.tokens, key)
		}
	}, true, nil
}
