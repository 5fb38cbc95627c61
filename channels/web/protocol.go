package web

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"wensheng/internal/chat"
)

// Subprotocol is the WebSocket subprotocol of this version of the frames.
const Subprotocol = "wensheng.v1"

// Bounds of a frame and of what it may hold.
const (
	// MaxFrame is the largest frame in bytes, in both directions.
	MaxFrame = 16 << 10
	// MaxText is the longest message in characters (Unicode code points).
	MaxText = 2000
	// MaxCID is the longest client id in bytes.
	MaxCID = 64
	// MaxPick is the longest option id in bytes.
	MaxPick = 128
)

// Close codes. 4000–4099 tell the peer to come back with jitter, 4400–4499 not to.
const (
	CloseShutdown    = 4000 // the server is going down
	CloseSlow        = 4001 // the peer does not read what it is sent
	CloseUnavailable = 4002 // the store cannot be read now
	CloseSilent      = 4003 // the peer answers no ping
	CloseBadHello    = 4400 // the first frame cannot be parsed
	CloseHelloFirst  = 4401 // a frame came before hello
	CloseHelloLate   = 4408 // no hello within ten seconds
	CloseTooLarge    = 4413 // a frame over MaxFrame
	CloseFlood       = 4429 // frames without end, or nothing but bad ones
)

// Codes of error frames.
const (
	ErrorBadFrame    = "bad_frame"
	ErrorEmpty       = "empty"
	ErrorTooLong     = "too_long"
	ErrorRateLimited = "rate_limited"
	ErrorUnavailable = "unavailable"
	ErrorBadIdentity = "bad_identity"
)

// Frame is what a visitor sends: the union of all its kinds, told apart by T.
type Frame struct {
	T string `json:"t"`
	// Hello.
	Session  string `json:"session"`
	Epoch    string `json:"epoch"`
	Seq      int64  `json:"seq"` // also read
	Identity string `json:"identity"`
	Locale   string `json:"locale"`
	// Msg, pick, rate, end.
	CID     string `json:"cid"`
	Text    string `json:"text"`
	ID      string `json:"id"`
	Score   int    `json:"score"`
	Comment string `json:"comment"`
}

// FrameError says why a frame is refused: the code and cid of the error frame
// that answers it. CID is empty when the frame had none that can be echoed.
type FrameError struct {
	Code, CID, Reason string
}

func (e *FrameError) Error() string { return e.Code + ": " + e.Reason }

// Parse decodes and checks one frame of a visitor. Text loses its control
// characters except line breaks and tabs. The error is a *FrameError.
func Parse(b []byte) (Frame, error) {
	var f Frame
	if !utf8.Valid(b) {
		return Frame{}, &FrameError{Code: ErrorBadFrame, Reason: "not UTF-8"}
	}
	// Unmarshal goes on after a field of the wrong type, so the cid is there to echo.
	err := json.Unmarshal(b, &f)
	refuse := func(code, reason string) (Frame, error) {
		e := &FrameError{Code: code, Reason: reason}
		if validCID(f.CID) {
			e.CID = f.CID
		}
		return Frame{T: f.T}, e
	}
	if err != nil {
		return refuse(ErrorBadFrame, "not a JSON object of the expected shape")
	}
	switch f.T {
	case "hello":
		if f.Seq < 0 {
			return refuse(ErrorBadFrame, "seq is negative")
		}
		return f, nil
	case "typing", "ping":
		return f, nil
	case "read":
		if f.Seq < 0 {
			return refuse(ErrorBadFrame, "seq is negative")
		}
		return f, nil
	case "msg", "pick", "rate", "end":
	default:
		return refuse(ErrorBadFrame, "unknown t")
	}
	if !validCID(f.CID) {
		return refuse(ErrorBadFrame, "cid must be 1 to 64 printable ASCII characters")
	}
	switch f.T {
	case "msg":
		if utf8.RuneCountInString(f.Text) > MaxText {
			return refuse(ErrorTooLong, "text is longer than 2000 characters")
		}
		if f.Text = clean(f.Text); f.Text == "" {
			return refuse(ErrorEmpty, "text is empty")
		}
	case "pick":
		if f.ID == "" || len(f.ID) > MaxPick || clean(f.ID) != f.ID {
			return refuse(ErrorBadFrame, "id must be 1 to 128 bytes")
		}
	case "rate":
		if f.Score < 1 || f.Score > 5 {
			return refuse(ErrorBadFrame, "score must be 1 to 5")
		}
		if utf8.RuneCountInString(f.Comment) > MaxText {
			return refuse(ErrorTooLong, "comment is longer than 2000 characters")
		}
		f.Comment = clean(f.Comment)
	}
	return f, nil
}

func validCID(s string) bool {
	if s == "" || len(s) > MaxCID {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// clean drops control characters and the space around the text.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ' || (r >= 0x7f && r < 0xa0):
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// What the server sends. Each type is one kind of frame; encode turns it to bytes.
type (
	welcomeFrame struct {
		T       string      `json:"t"`
		Session string      `json:"session"`
		Conv    chat.ConvID `json:"conv"`
		Epoch   string      `json:"epoch"`
		Seq     int64       `json:"seq"`
		State   chat.State  `json:"state"`
	}
	ackFrame struct {
		T   string         `json:"t"`
		CID string         `json:"cid"`
		ID  chat.MessageID `json:"id"`
		Seq int64          `json:"seq"`
	}
	speaker struct {
		Role chat.Role `json:"role"`
		Name string    `json:"name,omitempty"`
	}
	msgFrame struct {
		T    string         `json:"t"`
		ID   chat.MessageID `json:"id"`
		Seq  int64          `json:"seq"`
		From speaker        `json:"from"`
		// Kind is left out for text.
		Kind    chat.Kind     `json:"kind,omitempty"`
		Text    string        `json:"text"`
		Options []chat.Option `json:"options,omitempty"`
		Score   int           `json:"score,omitempty"`
		At      string        `json:"at"`
		// CID is the visitor's own id of a message of role contact, so that a
		// page that never saw the ack knows its message arrived.
		CID string `json:"cid,omitempty"`
	}
	stateFrame struct {
		T        string     `json:"t"`
		State    chat.State `json:"state"`
		Position int        `json:"position,omitempty"`
		ETA      []int64    `json:"eta,omitempty"` // seconds, from and to
	}
	typingFrame struct {
		T    string    `json:"t"`
		Role chat.Role `json:"role"`
	}
	bareFrame struct {
		T string `json:"t"`
	}
	errorFrame struct {
		T       string `json:"t"`
		Code    string `json:"code"`
		CID     string `json:"cid,omitempty"`
		Message string `json:"message,omitempty"`
	}
)

// cidPrefix keeps visitors' ids apart from those of vendors in the store.
const cidPrefix = "cid:"

// message makes the frame of one visible transcript message.
func message(m *chat.Message) msgFrame {
	f := msgFrame{
		T: "msg", ID: m.ID, Seq: m.VSeq,
		From:    speaker{Role: m.Role, Name: m.Name},
		Text:    m.Text,
		Options: m.Options,
		Score:   m.Score,
		At:      m.At.UTC().Format(time.RFC3339Nano),
	}
	if m.Kind != chat.KindText {
		f.Kind = m.Kind
	}
	if m.Role == chat.RoleContact {
		f.CID, _ = strings.CutPrefix(m.ClientID, cidPrefix)
		if m.Kind == chat.KindPick && f.Text == "" {
			f.Text = m.Pick
		}
	}
	return f
}

func state(s chat.State, position int, low, high time.Duration) stateFrame {
	f := stateFrame{T: "state", State: s}
	if s == chat.StateWaiting {
		f.Position = position
		if high > 0 {
			f.ETA = []int64{int64(low / time.Second), int64(high / time.Second)}
		}
	}
	return f
}

// encode makes the bytes of a server frame. A msg that would be over MaxFrame
// has its text cut on a character's border.
func encode(v any) ([]byte, error) {
	b, err := marshal(v)
	m, ok := v.(msgFrame)
	for ok && err == nil && len(b) > MaxFrame {
		// Escapes may be spread unevenly, so one cut in proportion may not do.
		keep := max(0, len(m.Text)*MaxFrame/len(b)-64)
		for keep > 0 && !utf8.RuneStart(m.Text[keep]) {
			keep--
		}
		if keep == 0 {
			m.Text, m.Options, ok = "", nil, false // what is left fits
		} else {
			m.Text = m.Text[:keep] + "…"
		}
		b, err = marshal(m)
	}
	return b, err
}

func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}
