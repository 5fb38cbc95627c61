// Package sms is the SMS channel: vendors push what people send (one codec file
// a vendor, one handler), and replies leave through the vendor's own API. Where
// a vendor carries templates only, the reply is a template with a one-time link
// into web chat, where the same conversation goes on.
package sms

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"wensheng/channels"
	"wensheng/internal/chat"
)

// Kind is the channel's name in configuration, paths and conversations.
const Kind = "sms"

// The providers.
const (
	Aliyun  = "aliyun"
	Tencent = "tencent"
	Huawei  = "huawei"
	Twilio  = "twilio"
	Generic = "generic"
)

// Suppression is the list of numbers that have opted out. Implementations are
// safe for concurrent use.
type Suppression interface {
	// Suppressed reports whether the address has opted out.
	Suppressed(ctx context.Context, to chat.Address) (bool, error)
	// Suppress puts the address on the list or takes it off. It is idempotent.
	Suppress(ctx context.Context, to chat.Address, on bool) error
}

// Account is one SMS number or application at a vendor.
type Account struct {
	ID       chat.AccountID
	Provider string
	// PathSecrets are the secrets the callback's address may end in; two while
	// one replaces the other.
	PathSecrets []string
	// AuthToken is Twilio's, which signs its callbacks; for Twilio required.
	AuthToken string
	// SignKey and SignSecret, when set, are what Huawei signs its callbacks with.
	SignKey, SignSecret string
	// Mapping describes a generic vendor's callbacks.
	Mapping *Mapping
	// Sending is nil for an account that only receives.
	Sending *Sending
}

// Sending is what an account needs to send.
type Sending struct {
	// APIBase replaces the vendor's own address, such as http://127.0.0.1:1.
	APIBase string
	// KeyID and KeySecret are the AccessKey (Aliyun), SecretId and SecretKey
	// (Tencent), AppKey and AppSecret (Huawei), Account SID and token (Twilio).
	KeyID, KeySecret string
	// Region of Aliyun or Tencent; empty is the vendor's default.
	Region string
	// AppID is Tencent's SmsSdkAppId.
	AppID string
	// From is the sending number: Twilio's, or Huawei's channel number.
	From string
	// Sign is the registered signature, Template the registered template.
	Sign, Template string
	// Param names the template's only variable where the vendor names them; "url".
	Param string
	// LinkPrefix is the part of the link that stands in the template itself.
	LinkPrefix string
}

// Options are what New needs.
type Options struct {
	Accounts []Account
	Sink     chat.Sink
	// Suppression may be nil: then nobody is remembered as having opted out.
	Suppression Suppression
	// Link makes a one-time address of web chat that continues the
	// conversation. It returns "" when the contact has a fresh one already and
	// nothing need be sent. Required where an account sends templates.
	Link func(ctx context.Context, conv chat.ConvID, to chat.Address) (string, error)
	// Linked is told that the vendor took the link: from then on the contact has
	// a fresh one. Nil tells nobody.
	Linked func(ctx context.Context, to chat.Address) error
	// PublicURL is where vendors reach the gateway; signatures cover it. Empty
	// takes the request's own Host.
	PublicURL string
	// AckWithin bounds the work before a callback is answered; 0 is 600 ms
	// (Aliyun gives up after 700).
	AckWithin time.Duration
	// Transport carries requests to vendors; nil is one of its own.
	Transport http.RoundTripper
	// Clock defaults to time.Now, Logger to none.
	Clock  func() time.Time
	Logger *slog.Logger
}

// Channel is the SMS channel. It is safe for concurrent use.
type Channel struct {
	o        Options
	public   *url.URL
	accounts map[chat.AccountID]*account
}

var _ channels.Channel = (*Channel)(nil)

// account is an Account with its vendor's codec.
type account struct {
	Account

	vendor vendor
	// hashes of the path secrets: compared in constant time whatever their length.
	hashes [][sha256.Size]byte
}

// New makes the channel. An account that cannot work is an error.
func New(o Options) (*Channel, error) {
	if o.Sink == nil {
		return nil, errors.New("sms: Sink is required")
	}
	c := &Channel{o: o, accounts: map[chat.AccountID]*account{}}
	if o.PublicURL != "" {
		u, err := url.Parse(o.PublicURL)
		if err != nil || u.Host == "" {
			return nil, errors.New("sms: PublicURL is not an absolute address")
		}
		c.public = u
	}
	if c.o.AckWithin <= 0 {
		c.o.AckWithin = 600 * time.Millisecond
	}
	if c.o.Clock == nil {
		c.o.Clock = time.Now //nolint:forbidigo // where no clock is injected, the real one is read here
	}
	if c.o.Logger == nil {
		c.o.Logger = slog.New(slog.DiscardHandler)
	}
	if c.o.Suppression == nil {
		c.o.Suppression = nobody{}
	}
	if c.o.Transport == nil {
		c.o.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 8,
			IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 10 * time.Second,
		}
	}
	for _, a := range o.Accounts {
		if err := c.add(a); err != nil {
			return nil, fmt.Errorf("sms: account %q: %w", a.ID, err)
		}
	}
	return c, nil
}

func (c *Channel) add(a Account) error {
	if a.ID == "" || c.accounts[a.ID] != nil {
		return errors.New("its id is empty or used twice")
	}
	entry := &account{Account: a}
	for _, s := range a.PathSecrets {
		if s != "" {
			entry.hashes = append(entry.hashes, sha256.Sum256([]byte(s)))
		}
	}
	if len(entry.hashes) == 0 {
		return errors.New("path_secret is required")
	}
	var err error
	if entry.vendor, err = newVendor(a); err != nil {
		return err
	}
	if a.Sending != nil {
		switch {
		case a.Provider == Generic:
			return errors.New("a generic account only receives")
		case a.Sending.KeyID == "" || a.Sending.KeySecret == "":
			return errors.New("sending needs a key id and a key secret")
		case !entry.vendor.freeText() && (a.Sending.Template == "" || c.o.Link == nil):
			return errors.New("sending needs a template and a public address for its link")
		}
		if _, _, err := endpoint(a.Sending.APIBase, ""); err != nil {
			return err
		}
	}
	c.accounts[a.ID] = entry
	return nil
}

// vendor is one provider's dialect.
type vendor interface {
	// decode authenticates and reads one callback. The errors are errForged and
	// errMalformed. No message and no error is a delivery report.
	decode(r request) ([]incoming, error)
	// ack is what tells the vendor that its callback was taken.
	ack() (contentType, body string)
	// freeText reports whether Send may carry any text.
	freeText() bool
	// send makes one attempt: text, or the link for the template. The error is
	// a *chat.SendError.
	send(ctx context.Context, w wire, out outgoing) error
}

func newVendor(a Account) (vendor, error) {
	switch a.Provider {
	case Aliyun:
		return aliyun{a.Sending}, nil
	case Tencent:
		return tencent{a.Sending}, nil
	case Huawei:
		return huawei{a.Sending, a.SignKey, a.SignSecret}, nil
	case Twilio:
		if a.AuthToken == "" {
			return nil, errors.New("auth_token is required: it proves that a callback is Twilio's")
		}
		return twilio{a.Sending, a.AuthToken}, nil
	case Generic:
		return newGeneric(a.Mapping)
	default:
		return nil, fmt.Errorf("unknown provider %q", a.Provider)
	}
}

// Kind implements channels.Channel.
func (c *Channel) Kind() string { return Kind }

// Handler implements channels.Channel: POST (for some generic vendors GET)
// /channels/sms/{account}/{path_secret}.
func (c *Channel) Handler() http.Handler { return http.HandlerFunc(c.serve) }

// maxRunes is the longest text vendors take in one message, the signature included.
const maxRunes = 500

// Limits implements channels.Channel. A template's text is fixed, so what it
// stands for is never split.
func (c *Channel) Limits(id chat.AccountID) channels.Limits {
	if a := c.accounts[id]; a != nil && a.vendor.freeText() {
		return channels.Limits{TextRunes: maxRunes, MaxParts: 3}
	}
	return channels.Limits{MaxParts: 1}
}

// nobody is the Suppression of a channel without one.
type nobody struct{}

func (nobody) Suppressed(context.Context, chat.Address) (bool, error) { return false, nil }
func (nobody) Suppress(context.Context, chat.Address, bool) error     { return nil }
