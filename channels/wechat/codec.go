package wechat

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/silenceper/wechat/v2/util"
)

// What the codec may answer. The handler maps them to statuses.
var (
	errMalformed = errors.New("malformed body")
	errForged    = errors.New("the signature does not match")
	errStale     = errors.New("the timestamp is too far from now")
	errPlaintext = errors.New("plaintext to an account in safe mode")
)

// format is how an account's callbacks are written: a choice in the vendor's console.
type format int

const (
	formatXML format = iota
	formatJSON
)

// text is a value that JSON callbacks write as a string or as a number; ids
// beyond 2^63 keep every digit.
type text string

// UnmarshalJSON takes a string, a number or null.
func (v *text) UnmarshalJSON(b []byte) error {
	switch {
	case bytes.Equal(b, []byte("null")):
		return nil
	case len(b) > 0 && b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*v = text(s)
		return nil
	case len(b) > 0 && (b[0] == '-' || b[0] >= '0' && b[0] <= '9'):
		*v = text(b)
		return nil
	}
	return errMalformed
}

// payload is every field of a callback we read, of all message types. The
// library's MixMessage would lose a whole message for a MsgId it cannot parse,
// and lacks fields; names follow the vendor's pages.
type payload struct {
	XMLName xml.Name `json:"-" xml:"xml"`

	ToUserName   text `json:"ToUserName"   xml:"ToUserName"`
	FromUserName text `json:"FromUserName" xml:"FromUserName"`
	CreateTime   text `json:"CreateTime"   xml:"CreateTime"`
	MsgType      text `json:"MsgType"      xml:"MsgType"`
	MsgID        text `json:"MsgId"        xml:"MsgId"`
	// MsgIDAlt is the same under the spelling that some sources use.
	MsgIDAlt text `json:"MsgID"   xml:"MsgID"`
	Encrypt  text `json:"Encrypt" xml:"Encrypt"`

	Content     text `json:"Content"      xml:"Content"`
	MenuID      text `json:"bizmsgmenuid" xml:"bizmsgmenuid"`
	PicURL      text `json:"PicUrl"       xml:"PicUrl"`
	MediaID     text `json:"MediaId"      xml:"MediaId"`
	Recognition text `json:"Recognition"  xml:"Recognition"`
	LocationX   text `json:"Location_X"   xml:"Location_X"`
	LocationY   text `json:"Location_Y"   xml:"Location_Y"`
	Label       text `json:"Label"        xml:"Label"`
	Title       text `json:"Title"        xml:"Title"`
	URL         text `json:"Url"          xml:"Url"`

	Event     text `json:"Event"     xml:"Event"`
	EventKey  text `json:"EventKey"  xml:"EventKey"`
	Latitude  text `json:"Latitude"  xml:"Latitude"`
	Longitude text `json:"Longitude" xml:"Longitude"`
}

// formatOf decides how a body is written. The content type decides; where it
// names neither, the first byte does. JSON chosen by a forger wins nothing: the
// signature is checked over what either parser read.
func formatOf(contentType string, body []byte) format {
	ct, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	switch {
	case strings.HasSuffix(strings.TrimSpace(ct), "json"):
		return formatJSON
	case strings.HasSuffix(strings.TrimSpace(ct), "xml"):
		return formatXML
	case bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")):
		return formatJSON
	}
	return formatXML
}

// parse reads one document. NUL, control characters and invalid UTF-8 are
// dropped first, so they can neither break the parser nor reach a reader.
func parse(f format, body []byte) (payload, error) {
	var p payload
	clean := clean(string(body))
	if f == formatJSON {
		if !strings.HasPrefix(strings.TrimSpace(clean), "{") {
			return p, errMalformed
		}
		if err := json.Unmarshal([]byte(clean), &p); err != nil {
			return p, fmt.Errorf("%w: not JSON", errMalformed)
		}
		return p, nil
	}
	d := xml.NewDecoder(strings.NewReader(clean))
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("%w: not XML", errMalformed)
	}
	for { // nothing may follow the root
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return p, fmt.Errorf("%w: not XML", errMalformed)
		}
		if c, ok := tok.(xml.CharData); !ok || len(bytes.TrimSpace(c)) > 0 {
			return p, fmt.Errorf("%w: data after the document", errMalformed)
		}
	}
}

// clean drops what XML 1.0 cannot carry: invalid UTF-8, NUL and the other
// control characters but tab, line feed and carriage return.
func clean(s string) string {
	if strings.IndexFunc(s, illegal) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if illegal(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

func illegal(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

// signed reports whether got is the hex SHA-1 of the sorted parts. Constant
// time in got.
func signed(got string, parts ...string) bool {
	return subtle.ConstantTimeCompare([]byte(got), []byte(util.Signature(parts...))) == 1
}

// aesKey decodes an EncodingAESKey of 43 characters to its 32 bytes.
func aesKey(encoding string) ([]byte, error) {
	if len(encoding) != 43 {
		return nil, errors.New("encoding_aes_key must have 43 characters")
	}
	key, err := base64.StdEncoding.DecodeString(encoding + "=")
	if err != nil || len(key) != 32 {
		return nil, errors.New("encoding_aes_key is not Base64 of 32 bytes")
	}
	return key, nil
}

// open decrypts the Encrypt field and checks that it was meant for appID. A
// message for somebody else is a forgery; anything unreadable is malformed.
func open(key []byte, appID, encrypted string) ([]byte, error) {
	sealed, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil {
		return nil, fmt.Errorf("%w: Encrypt is not Base64", errMalformed)
	}
	_, msg, forID, err := util.AESDecryptMsg(sealed, key)
	if err != nil {
		return nil, fmt.Errorf("%w: Encrypt cannot be decrypted", errMalformed)
	}
	if subtle.ConstantTimeCompare(forID, []byte(appID)) != 1 {
		return nil, fmt.Errorf("%w: the message is for another app", errForged)
	}
	return msg, nil
}

// envelope seals a reply. random is 16 fresh bytes, nonce any fresh text.
func envelope(f format, key, random []byte, token, appID, nonce string, timestamp int64, msg []byte) ([]byte, error) {
	sealed := base64.StdEncoding.EncodeToString(util.AESEncryptMsg(random, msg, appID, key))
	sig := util.Signature(token, strconv.FormatInt(timestamp, 10), nonce, sealed)
	if f == formatJSON {
		return encodeJSON(struct {
			Encrypt      string
			MsgSignature string
			TimeStamp    int64
			Nonce        string
		}{sealed, sig, timestamp, nonce})
	}
	return fmt.Appendf(nil, "<xml><Encrypt>%s</Encrypt><MsgSignature>%s</MsgSignature><TimeStamp>%d</TimeStamp><Nonce>%s</Nonce></xml>",
		cdata(sealed), cdata(sig), timestamp, cdata(nonce)), nil
}

// textReply writes a passive text reply. The same arguments give the same
// bytes: a redelivery is answered byte for byte.
func textReply(f format, to, from string, at int64, content string) ([]byte, error) {
	content = clean(content)
	if f == formatJSON {
		return encodeJSON(struct {
			ToUserName   string
			FromUserName string
			CreateTime   int64
			MsgType      string
			Content      string
		}{to, from, at, "text", content})
	}
	return fmt.Appendf(nil, "<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>%d</CreateTime><MsgType><![CDATA[text]]></MsgType><Content>%s</Content></xml>",
		cdata(to), cdata(from), at, cdata(content)), nil
}

// cdata wraps text that may itself hold the end mark, which is split over two sections.
func cdata(s string) string {
	return "<![CDATA[" + strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>") + "]]>"
}

// encodeJSON writes raw UTF-8: the vendor shows \u escapes as they stand (40033).
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
