package wechat

import (
	"time"

	"wensheng/channels"
	"wensheng/internal/chat"
)

// What the golden vectors, the golden files and the fuzzer need of the codec.
var (
	Signed = signed
	AESKey = aesKey
	Open   = open
)

// The formats.
const (
	FormatXML  = formatXML
	FormatJSON = formatJSON
)

// Envelope is envelope.
var Envelope = envelope

// DecodePlain parses a plaintext and turns it into an Inbound; nil when it is
// only acknowledged.
func DecodePlain(contentType string, body []byte, now time.Time) (*chat.Inbound, error) {
	p, err := parse(formatOf(contentType, body), body)
	if err != nil {
		return nil, err
	}
	d, err := decode("mp", "wx1", p, now)
	if err != nil || d.skip {
		return nil, err
	}
	return &d.in, nil
}

// Requests are the bodies Send posts for out.
func Requests(out channels.Outbound) ([]string, error) {
	requests, err := sendRequests(out)
	var bodies []string
	for _, r := range requests {
		b, err := encodeJSON(r)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, string(b))
	}
	return bodies, err
}

// RenderInline is renderInline.
var RenderInline = renderInline

// TextReply is textReply.
var TextReply = textReply
