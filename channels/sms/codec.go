package sms

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// request is a callback as a codec sees it.
type request struct {
	method string
	// url is the public one.
	url    *url.URL
	header http.Header
	body   []byte
	now    time.Time
}

// incoming is one message a person sent.
type incoming struct {
	// phone is in E.164 where the number allows it.
	phone string
	text  string
	// id is unique on the account.
	id string
	at time.Time
	// split is set for vendors that hand over a long message in pieces.
	split bool
	// in and out are set when the vendor itself says that this is an opt-in or
	// an opt-out.
	in, out bool
}

// shanghai is the zone of times that come without one.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// timeLayouts are tried in order.
var timeLayouts = []string{"2006-01-02 15:04:05", time.RFC3339, "2006-01-02T15:04:05Z", "20060102150405", "2006/01/02 15:04:05"}

// parseTime reads a vendor's time; one that cannot be is now, because the
// message matters more than its clock.
func parseTime(s string, now time.Time) time.Time {
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, strings.TrimSpace(s), shanghai); err == nil {
			return plausible(t, now)
		}
	}
	return now
}

// parseUnix reads seconds, or milliseconds, since the epoch.
func parseUnix(s string, milli bool, now time.Time) time.Time {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n <= 0 {
		return now
	}
	if milli {
		return plausible(time.UnixMilli(n), now)
	}
	if n > 1<<40 {
		return now
	}
	return plausible(time.Unix(n, 0), now)
}

// plausible is t, or now when t cannot be when a message was sent.
func plausible(t, now time.Time) time.Time {
	if t.Year() < 2000 || t.After(now.Add(24*time.Hour)) {
		return now
	}
	return t.UTC()
}

// clean drops what no text needs: broken UTF-8 and NUL.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}

// decodeJSON reads a whole body, broken UTF-8 dropped.
func decodeJSON(body []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(body, nil)))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		return errMalformed
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errMalformed
	}
	return nil
}

// text is a JSON string or number; vendors send either for the same field.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] != '"' {
		switch raw[0] {
		case '{', '[':
			return errMalformed
		case 'n':
			return nil
		}
		*t = text(raw)
		return nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return errMalformed
	}
	*t = text(s)
	return nil
}

// parseForm reads a form body.
func parseForm(body []byte) (url.Values, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form) == 0 {
		return nil, errMalformed
	}
	return form, nil
}

// hashID is the id of a message whose vendor gives none: the same facts are
// the same message.
func hashID(facts ...string) string {
	h := sha256.New()
	for _, f := range facts {
		h.Write([]byte(strconv.Itoa(len(f)) + ":" + f))
	}
	return "h" + hex.EncodeToString(h.Sum(nil)[:16])
}

// normalizePhone brings a number to E.164 where it can: mainland mobiles with
// or without 86, others by their nation code. Short numbers stay as they are.
// ok is false when it is not a number.
func normalizePhone(nation, raw string) (phone string, ok bool) {
	var digits strings.Builder
	plus := false
	for _, r := range strings.TrimSpace(raw) {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case r == '+' && digits.Len() == 0 && !plus:
			plus = true
		case r == ' ' || r == '-' || r == '(' || r == ')':
		default:
			return "", false
		}
	}
	d := digits.String()
	if !plus && strings.HasPrefix(d, "00") {
		plus, d = true, d[2:]
	}
	if len(d) < 3 || len(d) > 20 {
		return "", false
	}
	nation = strings.TrimLeft(strings.TrimSpace(nation), "+0")
	for _, r := range nation {
		if r < '0' || r > '9' {
			nation = ""
			break
		}
	}
	mobile := func(s string) bool { return len(s) == 11 && s[0] == '1' && s[1] >= '3' }
	switch {
	case plus:
		return "+" + d, true
	case nation != "" && nation != "86" && len(nation) <= 4:
		return "+" + nation + d, true
	case mobile(d):
		return "+86" + d, true
	case strings.HasPrefix(d, "86") && mobile(d[2:]):
		return "+" + d, true
	default:
		return d, true
	}
}

// The lengths at which carriers cut a message, in UTF-16 units: a whole one,
// and a piece of a longer one.
const (
	wideWhole, widePiece   = 70, 67
	plainWhole, plainPiece = 160, 153
	// slack is by how much a piece may be shorter than its limit.
	slack = 3
)

// Segments is how many messages a text is charged as in mainland China: up to
// 70 characters one, beyond that one for every 67 begun.
func Segments(s string) int {
	n := units(s)
	if n <= wideWhole {
		return 1
	}
	return (n + widePiece - 1) / widePiece
}

func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// IsPart reports whether a text looks like a piece of a longer message that was
// cut on the way: as long as a piece can be, and, where it is not exactly that
// long, not ending like a sentence.
func IsPart(s string) bool {
	n := units(s)
	whole, piece := wideWhole, widePiece
	if plain(s) {
		whole, piece = plainWhole, plainPiece
	}
	switch {
	case n == whole || n == piece:
		return true
	case n < piece-slack || n > whole:
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(strings.TrimSpace(s))
	return !strings.ContainsRune(".!?~…\u3002\uff01\uff1f\uff5e\u201d\u300d", last)
}

// plain reports whether the text fits carriers' seven-bit alphabet, nearly: ASCII.
func plain(s string) bool {
	for _, r := range s {
		if r >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
