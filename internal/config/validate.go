package config

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// defaultGroupName is what the group is called that exists without any config.
const defaultGroupName = "客服部" //nolint:gosmopolitan // a default of CONTRACT.md that an operator may change

// derive fills what follows from other keys.
func (l *loader) derive(c *Config) {
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	if len(c.Accounts) == 0 {
		a := Account{ID: "web", Kind: KindWeb}
		c.Accounts = []Account{a}
	}
	for i := range c.Accounts {
		a := &c.Accounts[i]
		switch a.Kind {
		case KindWeb:
			if len(a.Web.AllowedOrigins) == 0 {
				a.Web.OwnOrigins = true
				a.Web.AllowedOrigins = DefaultOrigins(c.Listen, c.PublicURL)
			}
		case KindWeChat:
			if a.WeChat.Mode == "" {
				a.WeChat.Mode = "plain"
				if a.WeChat.EncodingAESKey != "" {
					a.WeChat.Mode = "safe"
				}
			}
		case KindSMS:
			if a.SMS.Region == "" {
				a.SMS.Region = map[string]string{"aliyun": "cn-hangzhou", "tencent": "ap-guangzhou"}[a.SMS.Provider]
			}
		}
	}
	if len(c.Groups) == 0 {
		g := Group{ID: "kf", Name: defaultGroupName, Assign: "claim"}
		g.Hours.TZ = "Asia/Shanghai"
		c.Groups = []Group{g}
	}
	for i := range c.Groups {
		if c.Groups[i].Name == "" {
			c.Groups[i].Name = c.Groups[i].ID
		}
	}
}

// DefaultOrigins returns the origins of the gateway's own pages: of publicURL,
// and of the listening address on this machine. An address with port 0 has none
// of its own.
func DefaultOrigins(listen, publicURL string) []string {
	var out []string
	add := func(o string) {
		if !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	if u, err := url.Parse(publicURL); err == nil && u.Host != "" {
		add(u.Scheme + "://" + u.Host)
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" || port == "" {
		return out
	}
	if port == "80" {
		port = ""
	} else {
		port = ":" + port
	}
	add("http://127.0.0.1" + port)
	add("http://localhost" + port)
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		add("http://" + host + port)
	}
	return out
}

// validate reports everything that contradicts itself or cannot work.
func (l *loader) validate(c *Config) {
	l.validateTop(c)
	seen := map[string]int{}
	for i, a := range c.Accounts {
		at := fmt.Sprintf("accounts[%d]", i)
		l.validateID(at, a.ID, seen, i)
		switch a.Kind {
		case KindWeb:
			l.validateWeb(at, a.Web)
		case KindWeChat:
			l.validateWeChat(at, a.WeChat)
		case KindSMS:
			l.validateSMS(at, a.SMS)
		case "":
			l.report(at+".kind", "is missing; want web, wechat or sms")
		default:
			l.report(at+".kind", "want web, wechat or sms")
		}
	}
	seen = map[string]int{}
	for i := range c.Groups {
		g := &c.Groups[i]
		at := fmt.Sprintf("groups[%d]", i)
		l.validateID(at, g.ID, seen, i)
		l.oneOf(at+".assign", g.Assign, "claim", "auto")
		if _, err := time.LoadLocation(g.Hours.TZ); err != nil || g.Hours.TZ == "Local" {
			l.report(at+".hours.tz", "is not an IANA time zone such as Asia/Shanghai")
		}
		weekly, err := normalWeekly(g.Hours.Weekly)
		if err != nil {
			l.report(at+".hours.weekly", "%s", err)
		}
		g.Hours.Weekly = weekly
	}
}

func (l *loader) validateTop(c *Config) {
	host, port, err := net.SplitHostPort(c.Listen)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 || strings.ContainsAny(host, " /") {
		l.report("listen", "want host:port, such as 127.0.0.1:8080")
	}
	if c.PublicURL != "" && !isOrigin(c.PublicURL) {
		l.report("public_url", "want http:// or https:// and a host, without a path")
	}
	if c.Data == "" {
		l.report("data", "want a directory")
	}
	l.scheme("redis.url", c.Redis.URL, "redis", "rediss", "unix", "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster")
	l.oneOf("redis.appendfsync", c.Redis.AppendFsync, "always", "everysec")
	l.scheme("database.url", c.Database.URL, "postgres", "postgresql")
	if c.Secrets.Key != "" && decodeKey(c.Secrets.Key) == nil {
		l.report("secrets.key", "want base64 of 32 bytes; make one with: openssl rand -base64 32")
	}
	for i, k := range c.Secrets.Older {
		if decodeKey(k) == nil {
			l.report(fmt.Sprintf("secrets.older[%d]", i), "want base64 of 32 bytes")
		}
	}
	if len(c.Secrets.Older) > 0 && c.Secrets.Key == "" {
		l.report("secrets.older", "needs secrets.key beside it")
	}
	l.oneOf("log.format", c.Log.Format, "json", "text")
	for _, x := range []struct {
		path     string
		v        float64
		min, max float64
	}{
		{"limits.visitor_burst", float64(c.Limits.VisitorBurst), 1, 1e6},
		{"limits.visitor_per_s", c.Limits.VisitorPerS, 0.001, 1e6},
		{"limits.sockets_per_ip", float64(c.Limits.SocketsPerIP), 1, 1e6},
		{"limits.logins_per_ip_min", float64(c.Limits.LoginsPerIPMin), 1, 1e6},
		{"limits.media_bytes", float64(c.Limits.MediaBytes), 1 << 10, 1 << 30},
		{"limits.sockets", float64(c.Limits.Sockets), 1, 1e7},
		{"handoff.queue_max", float64(c.Handoff.QueueMax), 1, 1e6},
	} {
		if x.v < x.min || x.v > x.max {
			l.report(x.path, "want %g to %g", x.min, x.max)
		}
	}
	for _, x := range []struct {
		path     string
		v        time.Duration
		min, max time.Duration
	}{
		{"handoff.lease", c.Handoff.Lease, 5 * time.Second, time.Hour},
		{"handoff.grace", c.Handoff.Grace, 0, time.Hour},
		{"handoff.accept", c.Handoff.Accept, time.Second, time.Hour},
		{"timeouts.turn", c.Timeouts.Turn, time.Second, 5 * time.Minute},
		{"timeouts.send", c.Timeouts.Send, time.Second, 5 * time.Minute},
		{"timeouts.shutdown", c.Timeouts.Shutdown, time.Second, 10 * time.Minute},
		{"timeouts.idle", c.Timeouts.Idle, time.Minute, 30 * 24 * time.Hour},
		{"timeouts.reopen", c.Timeouts.Reopen, 0, 30 * 24 * time.Hour},
	} {
		l.within(x.path, x.v, x.min, x.max)
	}
}

func (l *loader) validateWeb(at string, a WebAccount) {
	for i, o := range a.AllowedOrigins {
		if !isOrigin(o) {
			l.report(fmt.Sprintf("%s.allowed_origins[%d]", at, i), "want scheme and host as browsers send it, such as https://www.example.com")
		}
	}
}

func (l *loader) validateWeChat(at string, a WeChatAccount) {
	l.required(at+".app_id", a.AppID)
	switch n := len(a.Token); {
	case n == 0:
		l.report(at+".token", "is missing; without it anybody could sign callbacks")
	case n > 64 || strings.ContainsAny(a.Token.Reveal(), " \t\r\n"):
		l.report(at+".token", "want at most 64 characters without spaces, as in the console of the account")
	}
	l.oneOf(at+".mode", a.Mode, "plain", "compatible", "safe")
	if a.EncodingAESKey != "" {
		key, err := base64.StdEncoding.DecodeString(a.EncodingAESKey.Reveal() + "=")
		if err != nil || len(key) != 32 || len(a.EncodingAESKey) != 43 {
			l.report(at+".encoding_aes_key", "want the 43 letters and digits of the console of the account")
		}
	} else if a.Mode == "safe" || a.Mode == "compatible" {
		l.report(at+".encoding_aes_key", "is missing; mode %s needs it", a.Mode)
	}
	l.httpURL(at+".api_base", a.APIBase)
	if a.WindowMessages < 1 || a.WindowMessages > 100 {
		l.report(at+".window_messages", "want 1 to 100")
	}
	l.within(at+".window", a.Window, time.Minute, 30*24*time.Hour)
}

func (l *loader) validateSMS(at string, a SMSAccount) {
	l.oneOf(at+".provider", a.Provider, "aliyun", "tencent", "huawei", "twilio", "generic")
	for key, s := range map[string]Secret{"path_secret": a.PathSecret, "path_secret_old": a.PathSecretOld} {
		switch {
		case s == "" && key == "path_secret":
			l.report(at+"."+key, "is missing; want letters, digits, - or _, at least 16 of them")
		case s != "" && (len(s) > 128 || !alphanumeric(s.Reveal(), "-_")):
			l.report(at+"."+key, "want letters, digits, - or _, at most 128 of them")
		}
	}
	if a.PathSecret != "" && a.PathSecret == a.PathSecretOld {
		l.report(at+".path_secret_old", "is the same as path_secret")
	}
	if a.APIBase != "" {
		l.httpURL(at+".api_base", a.APIBase)
	}
	l.within(at+".merge_window", a.MergeWindow, 0, time.Minute)
	if a.Provider == "twilio" && a.AuthToken == "" {
		l.report(at+".auth_token", "is missing; twilio's callbacks are verified with it")
	}
	// What sending needs comes whole or not at all.
	need := map[string][]field{
		"aliyun":  {{"access_key_id", a.AccessKeyID}, {"access_key_secret", a.AccessSecret.Reveal()}, {"sign_name", a.SignName}, {"template_code", a.TemplateCode}},
		"tencent": {{"access_key_id", a.AccessKeyID}, {"access_key_secret", a.AccessSecret.Reveal()}, {"sdk_app_id", a.SDKAppID}, {"sign_name", a.SignName}, {"template_code", a.TemplateCode}},
		"huawei":  {{"app_key", a.AppKey.Reveal()}, {"app_secret", a.AppSecret.Reveal()}},
		"twilio":  {{"account_sid", a.AccountSID}, {"from", a.From}},
	}[a.Provider]
	l.allOrNone(at, "sending", need)
	if a.Provider == "huawei" {
		l.allOrNone(at, "sending", []field{{"from", a.From}, {"template_code", a.TemplateCode}})
		if a.From != "" && a.AppKey == "" {
			l.report(at+".app_key", "is missing; sending needs it")
		}
	}
	if a.Provider != "generic" {
		return
	}
	if a.APIBase != "" {
		l.report(at+".api_base", "does nothing: generic only receives")
	}
	m := a.Mapping
	l.oneOf(at+".mapping.format", m.Format, "json", "form", "get")
	l.required(at+".mapping.fields.from", m.Fields.From)
	l.required(at+".mapping.fields.text", m.Fields.Text)
	l.oneOf(at+".mapping.auth.kind", m.Auth.Kind, "none", "header", "hmac")
	if m.Auth.Kind == "header" || m.Auth.Kind == "hmac" {
		l.required(at+".mapping.auth.name", m.Auth.Name)
		l.required(at+".mapping.auth.secret", m.Auth.Secret.Reveal())
	}
	if m.Auth.Kind == "hmac" && m.Format == "get" {
		l.report(at+".mapping.auth.kind", "hmac signs a body, and get has none; use header")
	}
}

type field struct{ key, value string }

func (l *loader) allOrNone(at, what string, need []field) {
	set := ""
	for _, f := range need {
		if f.value != "" {
			set = f.key
			break
		}
	}
	if set == "" {
		return
	}
	for _, f := range need {
		if f.value == "" {
			l.report(at+"."+f.key, "is missing; %s needs it beside %s", what, set)
		}
	}
}

func (l *loader) validateID(at, id string, seen map[string]int, i int) {
	switch other, dup := seen[id]; {
	case id == "":
		l.report(at+".id", "is missing")
	case !validID(id):
		l.report(at+".id", "want a lower-case letter, then up to 31 letters, digits, - or _")
	case dup:
		list, _, _ := strings.Cut(at, "[")
		l.report(at+".id", "is already the id of %s[%d]", list, other)
	default:
		seen[id] = i
	}
}

func validID(id string) bool {
	if id == "" || len(id) > 32 || id[0] < 'a' || id[0] > 'z' {
		return false
	}
	return id == strings.ToLower(id) && alphanumeric(id, "-_")
}

func alphanumeric(s, more string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return true
}

func (l *loader) required(path, v string) {
	if v == "" {
		l.report(path, "is missing")
	}
}

func (l *loader) oneOf(path, v string, allowed ...string) {
	switch {
	case slices.Contains(allowed, v):
	case v == "":
		l.report(path, "is missing; want %s", orList(allowed))
	default:
		l.report(path, "want %s", orList(allowed))
	}
}

func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func (l *loader) within(path string, v, least, most time.Duration) {
	if v < least || v > most {
		l.report(path, "want %s to %s", least, most)
	}
}

// scheme checks a URL that may hold a password, so it is never quoted.
func (l *loader) scheme(path string, v Secret, allowed ...string) {
	if v == "" {
		return
	}
	u, err := url.Parse(v.Reveal())
	if err != nil || !slices.Contains(allowed, u.Scheme) || u.Host == "" && u.Path == "" {
		l.report(path, "want a URL that starts with %s", orList(withSlashes(allowed)))
	}
}

func withSlashes(schemes []string) []string {
	out := make([]string, len(schemes))
	for i, s := range schemes {
		out[i] = s + "://"
	}
	return out
}

func (l *loader) httpURL(at, v string) {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil || u.Path != "" && path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") && u.Path != "/" {
		l.report(at, "want an address that starts with https:// or http://")
	}
}

// isOrigin reports whether s is scheme://host[:port] as a browser writes it.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil &&
		u.Scheme+"://"+u.Host == s && s == strings.ToLower(s) && !strings.Contains(s, "*")
}
