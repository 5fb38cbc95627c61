package web

import (
	"time"

	"wensheng/internal/chat"
)

// Frames returns the wire form of the messages, then of one frame of
// every other kind.
func Frames(msgs []chat.Message) []string {
	var frames []any
	for i := range msgs {
		frames = append(frames, message(&msgs[i]))
	}
	frames = append(frames,
		welcomeFrame{T: "welcome", Session: "token", Conv: "c1", Epoch: "c1", Seq: 7, State: chat.StateBot},
		ackFrame{T: "ack", CID: "7", ID: "m2", Seq: 3},
		state(chat.StateWaiting, 3, 3*time.Minute, 5*time.Minute),
		state(chat.StateClosed, 3, time.Minute, time.Minute),
		typingFrame{T: "typing", Role: chat.RoleAgent},
		bareFrame{T: "resync"},
		errorFrame{T: "error", Code: ErrorTooLong, CID: "9", Message: "text is too long"},
	)
	out := make([]string, len(frames))
	for i, f := range frames {
		b, err := encode(f)
		if err != nil {
			panic(err)
		}
		out[i] = string(b)
	}
	return out
}

// GaveUp reports whether a socket is being closed as slow.
func (c *Channel) GaveUp() bool {
	c.hub.mu.RLock()
	defer c.hub.mu.RUnlock()
	for k := range c.hub.conns {
		k.mu.Lock()
		code := k.closing
		k.mu.Unlock()
		if code == CloseSlow {
			return true
		}
	}
	return false
}
