package sms

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// What Inbound.Event says of a text message that is more than a text.
const (
	// EventOptOut: the person wants no more messages. Silent.
	EventOptOut = "optout"
	// EventOptIn: the person takes an opt-out back. Silent.
	EventOptIn = "optin"
	// EventPart: the text looks like a piece of a longer message that was cut
	// on the way; its continuation usually follows within three seconds. It is
	// stored like any other, so nothing acknowledged can be lost; whoever runs
	// the turn should wait a little and read the pieces as one.
	EventPart = "part"
)

// optOut are the words that end messages, when they are the whole message: what
// mainland footers ask for and what carriers abroad reserve.
var optOut = map[string]bool{
	"r": true, "t": true, "td": true, "n": true, "qx": true,
	"stop": true, "stopall": true, "unsubscribe": true, "cancel": true, "end": true, "quit": true,
	"退订": true, "退訂": true, "取消": true, "拒收": true, //nolint:gosmopolitan // vendor wire text
	"退订回t": true, "回t退订": true, "td退订": true, "t退订": true, //nolint:gosmopolitan // vendor wire text
}

// optIn are the words that take it back.
var optIn = map[string]bool{
	"start": true, "unstop": true, "yes": true,
	"开通": true, "恢复": true, "開通": true, "恢復": true, //nolint:gosmopolitan // vendor wire text
}

func isOptOut(s string) bool { return optOut[folded(s)] }
func isOptIn(s string) bool  { return optIn[folded(s)] }

// folded brings a whole message to the form of the tables: full-width to
// half-width, lower case, without spaces, quotes and sentence ends around it.
func folded(s string) string {
	if len(s) > 64 {
		return ""
	}
	return strings.ToLower(strings.TrimFunc(norm.NFKC.String(s), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(".!,\"'\u3002\u3001\u201c\u201d", r)
	}))
}
