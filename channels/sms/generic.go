package sms

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // some vendors sign with it
	"crypto/sha1" //nolint:gosec // some vendors sign with it
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// The formats of a generic vendor's callback.
const (
	FormatJSON  = "json"
	FormatForm  = "form"
	FormatQuery = "query" // in the address; GET or POST
)

// Mapping describes how a vendor that has no codec of its own pushes messages.
type Mapping struct {
	// Format is FormatJSON (the default), FormatForm or FormatQuery.
	Format string
	// List is the path of the array of messages in a JSON body; empty when the
	// body itself is the message or the array. A path's steps are joined by dots.
	List string
	// From and Text name the fields of the sender's number and the words; both
	// are required. ID, Time, Dest and Nation are optional: without ID the
	// other fields together tell one message from another.
	From, Text, ID, Time, Dest, Nation string
	// TimeFormat is a Go layout, "unix" or "unix_ms"; empty tries the usual
	// ones. Times without a zone are Asia/Shanghai.
	TimeFormat string
	// TextEncoding is how the words are written: empty, "base64" or "hex".
	TextEncoding string
	// Charset of the words: empty or "utf-8", "gbk", "gb18030", "ucs2" (UTF-16
	// big endian). Plain words in JSON are UTF-8 always.
	Charset string
	// Auth is how a callback proves itself beside the secret path: empty,
	// "header" (Header equals Secret) or "hmac" (Header holds the HMAC of the
	// body, of the query for FormatQuery, with Secret).
	Auth, Header, Secret string
	// HMACHash is "sha256" (the default), "sha1" or "md5"; HMACEncoding "hex"
	// (the default) or "base64".
	HMACHash, HMACEncoding string
	// Ack and AckType are the success body and its type; "OK" as text/plain.
	Ack, AckType string
	// Whole is set for vendors that join long messages themselves.
	Whole bool
}

type generic struct {
	m       Mapping
	charset encoding.Encoding
	hash    func() hash.Hash
}

func newGeneric(m *Mapping) (*generic, error) {
	if m == nil || m.From == "" || m.Text == "" {
		return nil, errors.New("a generic account needs a mapping with at least from and text")
	}
	g := &generic{m: *m}
	if g.m.Format == "" {
		g.m.Format = FormatJSON
	}
	if g.m.Ack == "" {
		g.m.Ack = "OK"
	}
	if g.m.AckType == "" {
		g.m.AckType = "text/plain; charset=utf-8"
	}
	switch g.m.Format {
	case FormatJSON, FormatForm, FormatQuery:
	default:
		return nil, fmt.Errorf("mapping: unknown format %q", m.Format)
	}
	switch strings.ToLower(m.Charset) {
	case "", "utf-8", "utf8":
	case "gbk":
		g.charset = simplifiedchinese.GBK
	case "gb18030":
		g.charset = simplifiedchinese.GB18030
	case "ucs2", "utf-16be":
		g.charset = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	default:
		return nil, fmt.Errorf("mapping: unknown charset %q", m.Charset)
	}
	switch m.TextEncoding {
	case "", "base64", "hex":
	default:
		return nil, fmt.Errorf("mapping: unknown text encoding %q", m.TextEncoding)
	}
	switch m.HMACHash {
	case "", "sha256":
		g.hash = sha256.New
	case "sha1":
		g.hash = sha1.New
	case "md5":
		g.hash = md5.New
	default:
		return nil, fmt.Errorf("mapping: unknown hash %q", m.HMACHash)
	}
	switch {
	case m.Auth != "" && m.Auth != "header" && m.Auth != "hmac":
		return nil, fmt.Errorf("mapping: unknown auth %q", m.Auth)
	case m.Auth != "" && (m.Header == "" || m.Secret == ""):
		return nil, errors.New("mapping: auth needs a header and a secret")
	case m.HMACEncoding != "" && m.HMACEncoding != "hex" && m.HMACEncoding != "base64":
		return nil, fmt.Errorf("mapping: unknown hmac encoding %q", m.HMACEncoding)
	}
	return g, nil
}

func (g *generic) decode(r request) ([]incoming, error) {
	if !g.proven(r) {
		return nil, errForged
	}
	records, err := g.records(r)
	if err != nil {
		return nil, err
	}
	var in []incoming
	for _, field := range records {
		if m, ok := g.message(field, r.now); ok {
			in = append(in, m)
		}
	}
	if len(in) == 0 {
		return nil, errMalformed
	}
	return in, nil
}

func (g *generic) proven(r request) bool {
	got := r.header.Get(g.m.Header)
	switch g.m.Auth {
	case "header":
		a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(g.m.Secret))
		return subtle.ConstantTimeCompare(a[:], b[:]) == 1
	case "hmac":
		var sum []byte
		var err error
		if g.m.HMACEncoding == "base64" {
			sum, err = base64.StdEncoding.DecodeString(got)
		} else {
			sum, err = hex.DecodeString(got)
		}
		mac := hmac.New(g.hash, []byte(g.m.Secret))
		if g.m.Format == FormatQuery {
			mac.Write([]byte(r.url.RawQuery))
		} else {
			mac.Write(r.body)
		}
		return err == nil && hmac.Equal(sum, mac.Sum(nil))
	}
	return true
}

// lookup reads one field of one message; ok is false when it is not there.
type lookup func(name string) (value string, ok bool)

// records splits a callback into its messages.
func (g *generic) records(r request) ([]lookup, error) {
	if g.m.Format != FormatJSON {
		raw := string(r.body)
		if g.m.Format == FormatQuery {
			raw = r.url.RawQuery
		}
		form, err := url.ParseQuery(raw)
		if err != nil {
			return nil, errMalformed
		}
		return []lookup{func(name string) (string, bool) {
			v := form.Get(name)
			if name == g.m.Text && g.m.TextEncoding == "" {
				v = g.decoded(v)
			}
			return v, form.Has(name)
		}}, nil
	}
	var root any
	if err := decodeJSON(r.body, &root); err != nil {
		return nil, err
	}
	node, ok := walk(root, g.m.List)
	if !ok {
		return nil, errMalformed
	}
	list, isList := node.([]any)
	if !isList {
		list = []any{node}
	}
	records := make([]lookup, 0, len(list))
	for _, item := range list {
		records = append(records, func(name string) (string, bool) {
			v, ok := walk(item, name)
			if !ok {
				return "", false
			}
			switch v := v.(type) {
			case string:
				return v, true
			case json.Number:
				return v.String(), true
			}
			return "", false
		})
	}
	return records, nil
}

// walk follows a dotted path through objects.
func walk(node any, path string) (any, bool) {
	if path == "" {
		return node, true
	}
	for step := range strings.SplitSeq(path, ".") {
		object, ok := node.(map[string]any)
		if !ok {
			return nil, false
		}
		if node, ok = object[step]; !ok {
			return nil, false
		}
	}
	return node, true
}

func (g *generic) message(field lookup, now time.Time) (incoming, bool) {
	get := func(name string) string {
		if name == "" {
			return ""
		}
		v, _ := field(name)
		return clean(v)
	}
	raw, ok := field(g.m.Text)
	if !ok {
		return incoming{}, false
	}
	words, ok := g.words(raw)
	if !ok {
		return incoming{}, false
	}
	phone, ok := normalizePhone(get(g.m.Nation), get(g.m.From))
	if !ok {
		return incoming{}, false
	}
	id := get(g.m.ID)
	if id == "" {
		id = hashID(phone, get(g.m.Time), words, get(g.m.Dest))
	}
	return incoming{phone: phone, text: words, id: id, at: g.time(get(g.m.Time), now), split: !g.m.Whole}, true
}

// words undoes the vendor's way of writing the text.
func (g *generic) words(raw string) (string, bool) {
	var b []byte
	var err error
	switch g.m.TextEncoding {
	case "base64":
		b, err = base64.StdEncoding.DecodeString(strings.TrimSpace(raw))
	case "hex":
		b, err = hex.DecodeString(strings.TrimSpace(raw))
	default:
		return clean(raw), true
	}
	if err != nil {
		return "", false
	}
	return clean(g.decoded(string(b))), true
}

// decoded brings the words to UTF-8 from the vendor's charset.
func (g *generic) decoded(s string) string {
	if g.charset == nil {
		return s
	}
	b, err := g.charset.NewDecoder().Bytes([]byte(s))
	if err != nil {
		return s
	}
	return string(bytes.ReplaceAll(b, []byte("\ufffd"), nil))
}

func (g *generic) time(s string, now time.Time) time.Time {
	switch g.m.TimeFormat {
	case "":
		return parseTime(s, now)
	case "unix", "unix_ms":
		return parseUnix(s, g.m.TimeFormat == "unix_ms", now)
	}
	t, err := time.ParseInLocation(g.m.TimeFormat, s, shanghai)
	if err != nil {
		return now
	}
	return plausible(t, now)
}

func (g *generic) ack() (string, string) { return g.m.AckType, g.m.Ack }

func (*generic) freeText() bool { return false }

func (*generic) send(context.Context, wire, outgoing) error {
	return refused(Generic, "", "not_configured", false)
}
