// Package telemetry is how the gateway tells about itself: a log that cannot
// leak personal data, Prometheus metrics whose labels cannot, and build
// information. Tracing is not here yet.
package telemetry

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"wensheng/internal/pii"
)

// hidden replaces the value of a denied key.
const hidden = "***"

// denied are the keys whose values are never logged, whatever they hold;
// deniedEnds are the ends of such keys. They are compared in lower case.
var (
	denied = map[string]bool{
		"text": true, "body": true, "content": true, "message": true, "preview": true, "summary": true, "comment": true,
		"phone": true, "mobile": true, "email": true, "id_card": true, "bank_card": true, "openid": true, "unionid": true,
		"address": true, "contact": true, "visitor": true, "identity": true, "subject": true,
		"token": true, "secret": true, "password": true, "passwd": true, "authorization": true, "cookie": true, "set-cookie": true,
		"csrf": true, "session": true, "ticket": true, "signature": true, "echostr": true, "jwt": true, "dsn": true,
	}
	deniedEnds = []string{"_token", "_secret", "_password", "_key", "_cookie", "_phone", "_openid", "_text", "_body"}
)

// Secrets that errors of HTTP clients and drivers carry in an address.
var (
	queryCredential = regexp.MustCompile(`(?i)((?:token|secret|password|passwd|pwd|signature|ticket|api_?key|appkey)=)[^&\s"'<>]+`)
	userCredential  = regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]+@`)
)

// mask hides personal data and credentials in a text.
func mask(s string) string {
	if strings.Contains(s, "=") {
		s = queryCredential.ReplaceAllString(s, "${1}"+hidden)
	}
	if strings.Contains(s, "://") {
		s = userCredential.ReplaceAllString(s, "${1}"+hidden+"@")
	}
	return pii.Mask(s)
}

// NewLogger returns a logger that writes lines of JSON, or of text when format
// is "text", to w. Personal data in messages and values is masked, errors and
// nested values included; keys that name something secret show stars.
func NewLogger(w io.Writer, level slog.Leveler, format string) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: redact}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// redact is slog's ReplaceAttr. It sees every attribute but the groups, whose
// members it sees, after LogValuers are resolved; the message is one, too.
func redact(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return a
	}
	if isDenied(a.Key) || slices.ContainsFunc(groups, isDenied) {
		return slog.String(a.Key, hidden)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, mask(a.Value.String()))
	case slog.KindInt64:
		return number(a, strconv.FormatInt(a.Value.Int64(), 10))
	case slog.KindUint64:
		return number(a, strconv.FormatUint(a.Value.Uint64(), 10))
	case slog.KindFloat64:
		return number(a, strconv.FormatFloat(a.Value.Float64(), 'f', 0, 64))
	case slog.KindAny:
		if a.Value.Any() == nil {
			return a
		}
		return slog.String(a.Key, mask(text(a.Value.Any())))
	case slog.KindBool, slog.KindDuration, slog.KindTime, slog.KindGroup, slog.KindLogValuer:
	}
	return a
}

// number hides a number that is a phone, a card or an identity number.
func number(a slog.Attr, digits string) slog.Attr {
	if len(digits) >= 11 && pii.Mask(digits) != digits {
		return slog.String(a.Key, hidden)
	}
	return a
}

// text gives any value a form that can be masked.
func text(v any) string {
	switch v := v.(type) {
	case error:
		return v.Error()
	case fmt.Stringer:
		return v.String()
	case []byte:
		return hidden // nobody knows what is in it
	case encoding.TextMarshaler:
		if b, err := v.MarshalText(); err == nil {
			return string(b)
		}
		return hidden
	}
	if b, err := json.Marshal(v); err == nil {
		// A type of string, such as a conversation's id, prints as itself.
		if s := ""; len(b) > 0 && b[0] == '"' && json.Unmarshal(b, &s) == nil {
			return s
		}
		return string(b)
	}
	return fmt.Sprintf("%+v", v)
}

func isDenied(key string) bool {
	key = strings.ToLower(key)
	if denied[key] {
		return true
	}
	return slices.ContainsFunc(deniedEnds, func(end string) bool { return strings.HasSuffix(key, end) })
}
