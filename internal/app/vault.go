package app

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"wensheng/channels/wechat"
	"wensheng/internal/chat"
	"wensheng/internal/pii"
	"wensheng/internal/redisx"
)

// vault keeps what replicas share besides conversations: vendors' access
// tokens, reply windows, suppressed numbers, one-time links. Values are sealed,
// keys carry an HMAC of the address. Every key is read and written alone, so
// hash tags do not matter.
type vault struct {
	redis  redis.UniversalClient
	sealer *pii.Sealer
	clock  func() time.Time
	// quotas are the allowances the accounts configure.
	quotas map[chat.AccountID]wechat.Quotas
	// whole remembers windows that this replica opened lately and has not spent
	// from, so that a contact who writes often does not cost a third round trip
	// a message. What another replica spends meanwhile is shown a little late.
	whole recentWindows
}

// recentWindows are contacts whose message window was opened whole less than
// wholeFor ago. The zero value is ready.
type recentWindows struct {
	mu     sync.Mutex
	opened map[chat.Address]time.Time
}

const (
	wholeFor = 30 * time.Second
	maxWhole = 20_000 // contacts remembered; beyond, all are forgotten
)

// fresh reports whether the contact's window was opened a short while ago, and
// remembers it as opened now if it was not.
func (r *recentWindows) fresh(to chat.Address, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.opened[to]; ok && now.Sub(at) < wholeFor {
		return true
	}
	if r.opened == nil || len(r.opened) >= maxWhole {
		r.opened = map[chat.Address]time.Time{}
	}
	r.opened[to] = now
	return false
}

func (r *recentWindows) forget(to chat.Address) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.opened, to)
}

//go:embed lua/ledger.lua
var ledgerLua string

//go:embed lua/unlock.lua
var unlockLua string

var (
	ledgerScript = redisx.NewScript("ledger", ledgerLua)
	unlockScript = redisx.NewScript("unlock", unlockLua)
)

// Get implements wechat.TokenStore.
func (v *vault) Get(ctx context.Context, key string) (string, error) {
	raw, err := v.redis.Get(ctx, "x:token:"+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	plain, err := v.sealer.Open(raw)
	if err != nil {
		return "", nil //nolint:nilerr // sealed under a key we no longer have: fetch a new one
	}
	return string(plain), nil
}

// Set implements wechat.TokenStore.
func (v *vault) Set(ctx context.Context, key, token string, ttl time.Duration) error {
	return v.redis.Set(ctx, "x:token:"+key, v.sealer.Seal([]byte(token)), ttl).Err()
}

// Lock implements wechat.TokenStore.
func (v *vault) Lock(ctx context.Context, key string, ttl time.Duration) (func(), bool, error) {
	token := chat.NewToken()
	ok, err := v.redis.SetNX(ctx, "x:lock:"+key, token, ttl).Result()
	if err != nil || !ok {
		return nil, false, err
	}
	return func() {
		// A lock that cannot be freed frees itself after ttl.
		_, _ = unlockScript.Run(context.WithoutCancel(ctx), v.redis, []string{"x:lock:" + key}, token)
	}, true, nil
}

// Opened implements wechat.Ledger.
func (v *vault) Opened(ctx context.Context, to chat.Address, w wechat.Window, at time.Time) error {
	if w == wechat.WindowMessage && v.whole.fresh(to, v.clock()) {
		return nil
	}
	q := v.quotas[to.Account].Of(w)
	_, _, err := v.ledger(ctx, to, at, string(w), q.Messages, at.Add(q.For), 0)
	if err != nil {
		v.whole.forget(to)
	}
	return err
}

// Spend implements wechat.Ledger.
func (v *vault) Spend(ctx context.Context, to chat.Address, n int, at time.Time) (int, time.Time, error) {
	if n > 0 {
		v.whole.forget(to)
	}
	return v.ledger(ctx, to, at, "", 0, at, min(n, 1<<30))
}

func (v *vault) ledger(ctx context.Context, to chat.Address, now time.Time, window string, allowance int, until time.Time, spend int) (int, time.Time, error) {
	res, err := ledgerScript.Run(ctx, v.redis, []string{"x:window:" + v.address(to)},
		now.UnixMilli(), window, allowance, until.UnixMilli(), spend)
	if err != nil {
		return 0, time.Time{}, err
	}
	left, ends, err := twoInts(res)
	if err != nil || ends == 0 {
		return 0, time.Time{}, err
	}
	return int(left), time.UnixMilli(ends), nil
}

func twoInts(res any) (a, b int64, err error) {
	list, ok := res.([]any)
	if !ok || len(list) != 2 {
		return 0, 0, fmt.Errorf("ledger script returned %T, want two integers", res)
	}
	if a, err = asInt(list[0]); err == nil {
		b, err = asInt(list[1])
	}
	return a, b, err
}

func asInt(v any) (int64, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case string:
		return strconv.ParseInt(v, 10, 64)
	}
	return 0, fmt.Errorf("script returned %T, want an integer", v)
}

func (v *vault) address(a chat.Address) string {
	return v.sealer.HMAC("vault", string(a.Account)+"|"+a.ID)
}

// Suppressed implements sms.Suppression: whether the number has opted out.
func (v *vault) Suppressed(ctx context.Context, a chat.Address) (bool, error) {
	n, err := v.redis.Exists(ctx, "x:optout:"+v.address(a)).Result()
	return n > 0, err
}

// Suppress implements sms.Suppression. An opt-out has no end but an opt-in.
func (v *vault) Suppress(ctx context.Context, a chat.Address, on bool) error {
	if !on {
		return v.redis.Del(ctx, "x:optout:"+v.address(a)).Err()
	}
	return v.redis.Set(ctx, "x:optout:"+v.address(a), v.clock().Unix(), 0).Err()
}

// linkTTL is how long a one-time link into web chat may lie in an SMS; linkEvery
// is how long a contact is not sent another one.
const (
	linkTTL   = 24 * time.Hour
	linkEvery = 10 * time.Minute
)

// link stores where a one-time link leads and returns its code, or "" when the
// contact has one that is younger than linkEvery, or is reading in web chat. A
// link counts only from linked on: one that the vendor did not take must not
// stand for a reply.
func (v *vault) link(ctx context.Context, to chat.Address) (code string, err error) {
	n, err := v.redis.Exists(ctx, "x:linked:"+v.address(to)).Result()
	if err != nil || n > 0 {
		return "", err
	}
	code = chat.NewToken()
	value := v.sealer.Seal([]byte(string(to.Account) + "|" + to.ID))
	return code, v.redis.Set(ctx, v.linkKey(code), value, linkTTL).Err()
}

// linked notes that the contact has a link, or follows one, as of now.
func (v *vault) linked(ctx context.Context, to chat.Address) error {
	return v.redis.Set(ctx, "x:linked:"+v.address(to), 1, linkEvery).Err()
}

// linkKey does not hold the code: who reads Redis must not be able to use it.
func (v *vault) linkKey(code string) string { return "x:link:" + v.sealer.HMAC("link", code) }

// Live implements web.Links.
func (v *vault) Live(ctx context.Context, code string) (bool, error) {
	n, err := v.redis.Exists(ctx, v.linkKey(code)).Result()
	return n > 0, err
}

// follow uses a one-time link up and returns where it leads; chat.ErrNotFound
// when there is none, or it was used before.
func (v *vault) follow(ctx context.Context, code string) (chat.Address, error) {
	raw, err := v.redis.GetDel(ctx, v.linkKey(code)).Bytes()
	if errors.Is(err, redis.Nil) {
		return chat.Address{}, chat.ErrNotFound
	}
	if err != nil {
		return chat.Address{}, err
	}
	plain, err := v.sealer.Open(raw)
	if err != nil {
		return chat.Address{}, chat.ErrNotFound
	}
	account, id, _ := strings.Cut(string(plain), "|")
	return chat.Address{Account: chat.AccountID(account), ID: id}, nil
}
