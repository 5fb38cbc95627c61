// Package config turns a YAML file and the environment into a Config. It is
// strict: an unknown key, a wrong type or a contradiction fails, and every
// problem is told at once with its key path and line. Secrets print as stars.
//
// The struct tags are the one description of a key: `yaml` its name, `doc` its
// meaning, `default` its default, `kind` the kind of account it belongs to.
// docs/config.md is generated from them.
package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"time"
)

// Secret is a value that is never printed. A key of this type takes its value
// from the file that the key with "_file" appended names, too.
type Secret string

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// String returns three stars, or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// Format prints stars whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue keeps the secret out of slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps the secret out of JSON and other encodings.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML keeps the secret out of YAML.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// Config is everything the gateway can be told. It is a value: after Load
// nothing changes it but EnsureKey.
type Config struct {
	Listen         string         `yaml:"listen" default:"127.0.0.1:8080" doc:"Host and port the gateway listens on. Port 0 takes any free port."`
	PublicURL      string         `yaml:"public_url" doc:"The address the world reaches the gateway under, without a path. It makes links in messages and is an allowed origin of the default web account."`
	Data           string         `yaml:"data" default:"./data" doc:"Directory for everything that is kept: embedded Redis, SQLite, the generated key, media. Created with mode 0700."`
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies" doc:"Networks of the proxies whose X-Forwarded-For is believed."`
	Redis          Redis          `yaml:"redis" doc:"The live state."`
	Database       Database       `yaml:"database" doc:"The record."`
	Secrets        Secrets        `yaml:"secrets" doc:"The keys that seal personal data and sign sessions."`
	Knowledge      Knowledge      `yaml:"knowledge" doc:"The knowledge base."`
	Company        Company        `yaml:"company" doc:"Facts that answers refer to by placeholder. A missing one is reported by check; the bot then says honestly that it does not know."`
	Accounts       []Account      `yaml:"accounts" doc:"Channel accounts. Without any there is one web account web."`
	Groups         []Group        `yaml:"groups" doc:"Groups of agents, the first being the one of last resort. Without any there is one group kf, always open."`
	Handoff        Handoff        `yaml:"handoff" doc:"How long waiting and holding last."`
	Limits         Limits         `yaml:"limits" doc:"What one visitor or address may do."`
	Timeouts       Timeouts       `yaml:"timeouts" doc:"How long things may take."`
	Log            Log            `yaml:"log" doc:"The log goes to standard error; it never holds a message or an address."`
	Metrics        Metrics        `yaml:"metrics" doc:"Prometheus."`
}

// Redis says where the live state is.
type Redis struct {
	URL         Secret `yaml:"url" doc:"Empty supervises an embedded redis-server under data. Else redis://, rediss://, unix://, redis-sentinel:// or redis-cluster://, the last two with rediss- for TLS."`
	AppendFsync string `yaml:"appendfsync" default:"everysec" doc:"When the embedded server flushes its log: always or everysec. With always nothing acknowledged is lost even when Redis is killed."`
}

// Database says where the record is.
type Database struct {
	URL Secret `yaml:"url" doc:"Empty is SQLite under data; else postgres://…"`
}

// Secrets are the master keys.
type Secrets struct {
	Key   Secret   `yaml:"key" doc:"Base64 of 32 random bytes. Empty generates one in secret.key under data at the first start; all replicas must share it."`
	Older []Secret `yaml:"older" doc:"Keys of earlier rotations, newest first. Keep the very first one for ever: index hashes hang on it."`
}

// Knowledge says where the knowledge base is.
type Knowledge struct {
	Dir string `yaml:"dir" doc:"A directory of YAML files, watched and reloaded. Empty is the embedded knowledge base."`
}

// Company holds the facts of the placeholders.
type Company struct {
	Name    string `yaml:"name" doc:"{{company}}: the company's short name."`
	Hotline string `yaml:"hotline" doc:"{{hotline}}: the service telephone number."`
	App     string `yaml:"app" doc:"{{app}}: the name of the app."`
	Site    string `yaml:"site" doc:"{{site}}: the website."`
	Hours   string `yaml:"hours" doc:"{{hours}}: service hours, in words."`
}

// Handoff holds the intervals of the desk.
type Handoff struct {
	Lease    time.Duration `yaml:"lease" default:"45s" doc:"How long an agent's hold lasts without a heartbeat."`
	Grace    time.Duration `yaml:"grace" default:"30s" doc:"How much longer a lost agent is waited for before the conversation goes back to the front of its queue."`
	Accept   time.Duration `yaml:"accept" default:"30s" doc:"How long an automatically assigned agent has to accept."`
	QueueMax int           `yaml:"queue_max" default:"1000" doc:"How many may wait in a group before contacts are told that it will take long. Nobody is turned away."`
}

// Limits holds what one visitor or address may do.
type Limits struct {
	VisitorBurst   int     `yaml:"visitor_burst" default:"40" doc:"Messages a web visitor may send at once."`
	VisitorPerS    float64 `yaml:"visitor_per_s" default:"1" doc:"Messages a second a web visitor may send in the long run."`
	SocketsPerIP   int     `yaml:"sockets_per_ip" default:"200" doc:"Open sockets of web visitors from one address (a /64 in IPv6)."`
	LoginsPerIPMin int     `yaml:"logins_per_ip_min" default:"60" doc:"Console logins from one address in a minute."`
	MediaBytes     int     `yaml:"media_bytes" default:"20971520" doc:"Size of one received file, in bytes."`
	Sockets        int     `yaml:"sockets" default:"20000" doc:"Open sockets of web visitors in all, on one replica."`
}

// Timeouts holds how long things may take.
type Timeouts struct {
	Turn     time.Duration `yaml:"turn" default:"10s" doc:"How long a turn is held before a sweeper takes it over."`
	Send     time.Duration `yaml:"send" default:"10s" doc:"One attempt to deliver a message to a vendor."`
	Shutdown time.Duration `yaml:"shutdown" default:"20s" doc:"From the signal to the end: turns are drained, sockets closed, Redis stopped last."`
	Idle     time.Duration `yaml:"idle" default:"30m" doc:"Silence after which a conversation with the bot is closed."`
	Reopen   time.Duration `yaml:"reopen" default:"72h" doc:"How long after the close a contact who writes again comes back to the same conversation."`
}

// Log says how the log looks.
type Log struct {
	Level  slog.Level `yaml:"level" default:"info" doc:"debug, info, warn or error."`
	Format string     `yaml:"format" default:"json" doc:"json or text."`
}

// Metrics says how metrics are served.
type Metrics struct {
	Token Secret `yaml:"token" doc:"Bearer token that GET /metrics asks for. Empty asks for none; keep the path inside then."`
}

// Group is agents with a skill.
type Group struct {
	ID     string `yaml:"id" doc:"Lower-case letters, digits, - and _; what knowledge and agents refer to."`
	Name   string `yaml:"name" doc:"What agents and contacts read. Empty is the id."`
	Assign string `yaml:"assign" default:"claim" doc:"claim: agents take conversations; auto: the least loaded agent is given the next one."`
	Hours  Hours  `yaml:"hours" doc:"When the group works. Without hours it is always open."`
}

// Hours is when a group works.
type Hours struct {
	TZ     string `yaml:"tz" default:"Asia/Shanghai" doc:"IANA time zone."`
	Weekly string `yaml:"weekly" doc:"Such as \"Mon-Fri 09:00-12:00,13:30-18:00; Sat 10:00-16:00\". 00:00-24:00 is a whole day; a range may run past midnight."`
}

// Account is one configured endpoint of a channel. Of Web, WeChat and SMS only
// the one that Kind names is set.
type Account struct {
	ID     string        `yaml:"id" doc:"Lower-case letters, digits, - and _; part of the callback's path. Never change it: conversations hang on it."`
	Kind   string        `yaml:"kind" doc:"web, wechat or sms."`
	Web    WebAccount    `yaml:",inline" kind:"web"`
	WeChat WeChatAccount `yaml:",inline" kind:"wechat"`
	SMS    SMSAccount    `yaml:",inline" kind:"sms"`
}

// The kinds of accounts.
const (
	KindWeb    = "web"
	KindWeChat = "wechat"
	KindSMS    = "sms"
)

// WebAccount is a widget.
type WebAccount struct {
	AllowedOrigins []string `yaml:"allowed_origins" doc:"Origins of the pages that may carry the widget, such as https://www.example.com. Empty is the gateway's own pages."`
	IdentityKey    Secret   `yaml:"identity_key" doc:"HS256 key of the identity tokens the host page signs, 32 characters or more. Empty refuses identities."`
	// OwnOrigins is set when AllowedOrigins was empty and holds the gateway's
	// own; with port 0 they have to be made again after listening.
	OwnOrigins bool `yaml:"-"`
}

// WeChatAccount is an official account.
type WeChatAccount struct {
	AppID          string        `yaml:"app_id" doc:"AppID, wx…"`
	AppSecret      Secret        `yaml:"app_secret" doc:"AppSecret. Empty only answers within the callback: no customer-service messages, no media."`
	Token          Secret        `yaml:"token" doc:"The callback's token, 3 to 32 letters and digits at the vendor. Never empty: anybody could sign."`
	EncodingAESKey Secret        `yaml:"encoding_aes_key" doc:"43 letters and digits; needed for compatible and safe mode."`
	Mode           string        `yaml:"mode" doc:"plain, compatible or safe, as in the console of the account. Empty is safe with an encoding_aes_key, plain without."`
	APIBase        string        `yaml:"api_base" default:"https://api.weixin.qq.com" doc:"Where the vendor's API is."`
	WindowMessages int           `yaml:"window_messages" default:"5" doc:"Customer-service messages allowed after each message of a contact."`
	Window         time.Duration `yaml:"window" default:"48h" doc:"How long they are allowed."`
}

// SMSAccount is a number or service code at one provider.
type SMSAccount struct {
	Provider      string        `yaml:"provider" doc:"aliyun, tencent, huawei, twilio or generic."`
	PathSecret    Secret        `yaml:"path_secret" doc:"The last part of the callback's path: letters, digits, - or _, 16 or more and another one for every account; check warns otherwise."`
	PathSecretOld Secret        `yaml:"path_secret_old" doc:"The one before, still accepted while the provider is told the new one."`
	APIBase       string        `yaml:"api_base" doc:"Where the provider's API is. Empty is the provider's own address. generic only receives and has none."`
	MergeWindow   time.Duration `yaml:"merge_window" default:"3s" doc:"Parts of a long message that arrive within it are joined. The longest of all accounts holds for all of them, and never more than a third of timeouts.turn."`
	AuthToken     Secret        `yaml:"auth_token" doc:"twilio: verifies callbacks and sends."`
	AccountSID    string        `yaml:"account_sid" doc:"twilio: AC…; with auth_token and from it sends."`
	From          string        `yaml:"from" doc:"twilio, huawei: the sending number or channel."`
	AccessKeyID   string        `yaml:"access_key_id" doc:"aliyun, tencent: who sends (tencent: SecretId)."`
	AccessSecret  Secret        `yaml:"access_key_secret" doc:"aliyun, tencent: the secret to it."`
	SDKAppID      string        `yaml:"sdk_app_id" doc:"tencent: SmsSdkAppId."`
	Region        string        `yaml:"region" doc:"aliyun, tencent: region. Empty is cn-hangzhou or ap-guangzhou."`
	AppKey        Secret        `yaml:"app_key" doc:"huawei: APP_Key; with app_secret it also verifies callbacks."`
	AppSecret     Secret        `yaml:"app_secret" doc:"huawei: APP_Secret."`
	SignName      string        `yaml:"sign_name" doc:"aliyun, tencent, huawei: the registered signature."`
	TemplateCode  string        `yaml:"template_code" doc:"aliyun, tencent, huawei: the registered template that carries a one-time link into web chat."`
	TemplateParam string        `yaml:"template_param" default:"url" doc:"aliyun: the template's variable for the link."`
	Mapping       SMSMapping    `yaml:"mapping" doc:"generic: how the provider's callback is read."`
}

// CanSend reports whether the credentials to send are configured.
func (a SMSAccount) CanSend() bool {
	switch a.Provider {
	case "aliyun", "tencent":
		return a.AccessKeyID != ""
	case "huawei":
		return a.AppKey != "" && a.From != ""
	case "twilio":
		return a.AccountSID != ""
	}
	return false
}

// SMSMapping maps a callback of any provider.
type SMSMapping struct {
	Format  string    `yaml:"format" default:"json" doc:"json (an object or an array of them), form or get."`
	Fields  SMSFields `yaml:"fields" doc:"Where things are; a dot steps into JSON objects."`
	AckBody string    `yaml:"ack_body" default:"ok" doc:"What the provider takes for success."`
	AckType string    `yaml:"ack_type" default:"text/plain; charset=utf-8" doc:"Its content type."`
	Auth    SMSAuth   `yaml:"auth" doc:"What is checked besides the path secret."`
}

// SMSFields names the fields of a callback.
type SMSFields struct {
	ID   string `yaml:"id" doc:"Unique id of the message. Empty makes one of sender, text and time."`
	From string `yaml:"from" default:"from" doc:"The sender's number."`
	Text string `yaml:"text" default:"text" doc:"The text."`
	Time string `yaml:"time" doc:"When it was sent: RFC 3339, \"2006-01-02 15:04:05\" in China's time, or Unix seconds."`
	To   string `yaml:"to" doc:"The number it was sent to."`
}

// SMSAuth is how a generic provider proves itself.
type SMSAuth struct {
	Kind   string `yaml:"kind" default:"none" doc:"none, header (a header equals the secret) or hmac (a header holds the HMAC-SHA256 of the body, in hex or base64)."`
	Name   string `yaml:"name" doc:"The header's name."`
	Secret Secret `yaml:"secret" doc:"The expected value or the HMAC's key."`
}

// Account returns the account with the id.
func (c *Config) Account(id string) (Account, bool) {
	for _, a := range c.Accounts {
		if a.ID == id {
			return a, true
		}
	}
	return Account{}, false
}
