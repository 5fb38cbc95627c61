// Package wechat is the WeChat official account channel (公众号, 服务号): callbacks
// in the plain, compatible and safe modes, in XML and JSON; passive replies; the
// customer-service API for what comes later or longer.
//
// Types, signatures and AES come from github.com/silenceper/wechat/v2. Its
// server and its API client are not used: the server takes stale and downgraded
// requests, the client has no context and prints secrets in errors.
//
// Source of every rule: developers.weixin.qq.com/doc/service.
package wechat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"wensheng/channels"
	"wensheng/internal/chat"
)

// Kind is this channel's name, in config and in paths.
const Kind = "wechat"

// Mode is how the vendor encrypts an account's callbacks.
type Mode string

// The modes. Plain accounts need no EncodingAESKey.
const (
	ModePlain      Mode = "plain"
	ModeCompatible Mode = "compatible"
	ModeSafe       Mode = "safe"
)

// What the channel promises about time and size.
const (
	inlineFor   = 4500 * time.Millisecond // the vendor hangs up after 5 s
	answerFor   = 4900 * time.Millisecond // a commit under way may still make it
	acceptFor   = 4 * time.Second
	freshFor    = 5 * time.Minute // how far a callback's timestamp may be from now
	maxBody     = 64 << 10        // bytes of a callback
	textBytes   = 2048            // bytes of one text, both ways (45002)
	menuOptions = 8               // options shown as a menu
	maxParts    = 4               // the quota is five, one is kept for the next word
)

// Account is one official account.
type Account struct {
	ID        chat.AccountID
	AppID     string
	AppSecret string
	// Token signs callbacks; never empty, or anybody could.
	Token string
	// EncodingAESKey has 43 characters; needed in compatible and safe mode.
	EncodingAESKey string
	// Mode empty is plain.
	Mode Mode
	// APIBase is where the vendor's API is; empty is https://api.weixin.qq.com.
	APIBase string
}

// Options are what New needs. Sink and Accounts are required.
type Options struct {
	Accounts []Account
	Sink     chat.Sink
	// Tokens keeps access tokens, shared by replicas; nil keeps them in memory.
	Tokens TokenStore
	// Ledger keeps windows and quotas, shared by replicas; nil keeps them in memory.
	Ledger Ledger
	// Media keeps the files contacts send; nil leaves them with the vendor.
	Media MediaStore
	// MediaHosts are the domains, subdomains included, that a picture or video
	// may be fetched from besides the API's own; nil is qpic.cn and qq.com.
	MediaHosts []string
	// Transport carries calls to the vendor; nil makes one with bounded waits.
	Transport http.RoundTripper
	// Timeout bounds one call to the vendor; 0 is 5 s.
	Timeout time.Duration
	// Clock is the time of day; nil is time.Now.
	Clock func() time.Time
	// Logger gets account ids and vendor codes, never a person's; nil discards.
	Logger *slog.Logger
}

// Channel is the WeChat channel with all its accounts. It is safe for
// concurrent use. Run must be running for media to be fetched.
type Channel struct {
	o        Options
	accounts map[chat.AccountID]*account
	client   *http.Client
	sampler  *sampler
	fetcher  *fetcher
}

// account is an Account with what is derived from it.
type account struct {
	Account
	key     []byte // AES, nil when none is configured
	apiHost string
	turn    chan struct{} // held by who fetches the access token
}

var (
	_ channels.Channel = (*Channel)(nil)
	_ channels.Typer   = (*Channel)(nil)
	_ channels.Runner  = (*Channel)(nil)
	_ channels.Drainer = (*Channel)(nil)
)

// New checks every account and returns the channel. The error names all that is
// wrong, by account and key, without any secret.
func New(o Options) (*Channel, error) {
	if o.Sink == nil {
		return nil, errors.New("wechat: no sink")
	}
	if o.Clock == nil {
		o.Clock = time.Now //nolint:forbidigo // the default clock
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Tokens == nil {
		o.Tokens = NewMemoryTokens(o.Clock)
	}
	if o.Ledger == nil {
		o.Ledger = NewMemoryLedger(Quotas{})
	}
	if o.MediaHosts == nil {
		o.MediaHosts = []string{"qpic.cn", "qq.com"}
	}
	if o.Transport == nil {
		o.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
			TLSHandshakeTimeout:   3 * time.Second,
			ResponseHeaderTimeout: o.Timeout,
			MaxIdleConnsPerHost:   16,
			IdleConnTimeout:       60 * time.Second,
			ForceAttemptHTTP2:     true,
		}
	}
	c := &Channel{o: o, accounts: map[chat.AccountID]*account{}, sampler: newSampler()}
	// A redirect would carry the access token to whoever is named in it.
	c.client = &http.Client{Transport: o.Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	var problems []error
	for _, a := range o.Accounts {
		acct, err := newAccount(a)
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("account %q: %w", a.ID, err))
		case c.accounts[a.ID] != nil:
			problems = append(problems, fmt.Errorf("account %q: given twice", a.ID))
		default:
			c.accounts[a.ID] = acct
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	c.fetcher = newFetcher(c)
	return c, nil
}

func newAccount(a Account) (*account, error) {
	if a.Mode == "" {
		a.Mode = ModePlain
	}
	if a.APIBase == "" {
		a.APIBase = "https://api.weixin.qq.com"
	}
	a.APIBase = strings.TrimRight(a.APIBase, "/")
	acct := &account{Account: a, turn: make(chan struct{}, 1)}
	var problems []error
	if a.ID == "" {
		problems = append(problems, errors.New("id is missing"))
	}
	if a.AppID == "" {
		problems = append(problems, errors.New("app_id is missing"))
	}
	if a.Token == "" {
		problems = append(problems, errors.New("token is missing"))
	}
	switch a.Mode {
	case ModePlain, ModeCompatible, ModeSafe:
	default:
		problems = append(problems, fmt.Errorf("mode %q: must be plain, compatible or safe", a.Mode))
	}
	if a.EncodingAESKey != "" || a.Mode != ModePlain {
		key, err := aesKey(a.EncodingAESKey)
		if err != nil {
			problems = append(problems, err)
		}
		acct.key = key
	}
	base, err := url.Parse(a.APIBase)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		problems = append(problems, errors.New("api_base must be an http or https address"))
	} else {
		acct.apiHost = base.Host
	}
	return acct, errors.Join(problems...)
}

// Kind is "wechat".
func (c *Channel) Kind() string { return Kind }

// Handler serves GET and POST /channels/wechat/{account}.
func (c *Channel) Handler() http.Handler { return http.HandlerFunc(c.serve) }

// Limits are the vendor's: 2,048 bytes of text, options as a menu.
func (c *Channel) Limits(chat.AccountID) channels.Limits {
	return channels.Limits{TextBytes: textBytes, MaxParts: maxParts, Options: menuOptions}
}

// Run fetches media until ctx ends.
func (c *Channel) Run(ctx context.Context) error { return c.fetcher.run(ctx) }

// Drain waits until the media accepted so far are fetched, or ctx ends.
func (c *Channel) Drain(ctx context.Context) error { return c.fetcher.drain(ctx) }
