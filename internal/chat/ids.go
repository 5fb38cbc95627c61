// Package chat is the leaf of the house: the nouns every other package speaks.
// It holds Address, Conversation, Message, the conversation states and the
// values that travel between a channel, the store, the intake and the desk.
// It imports nothing of ours and does no I/O.
package chat

import (
	"crypto/rand"
	"encoding/base32"
	"strconv"
	"strings"
)

// Shards is the number of slices the addresses are hashed into. All keys of one
// address live in one shard, so one script can touch them all (DESIGN §6).
const Shards = 1024

// AccountID names one configured endpoint of a channel, such as "web" or "mp".
type AccountID string

// Address is where a person can be reached: an account and the person's opaque
// id on it (openid, visitor id, phone number). The id is personal data: it is
// sealed before it is stored and never logged.
type Address struct {
	Account AccountID `json:"account"`
	ID      string    `json:"id"`
}

// Zero reports whether the address is empty.
func (a Address) Zero() bool { return a.Account == "" && a.ID == "" }

// String hides the personal part, so that an address printed by mistake says
// nothing about a person.
func (a Address) String() string { return string(a.Account) + ":***" }

// ConvID names a Conversation. It carries its shard, so whoever holds the id
// can find the keys without knowing the address. Outside this package it is
// opaque.
type ConvID string

// MessageID names a Message for ever.
type MessageID string

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

func randomID(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand.Read never fails since Go 1.24
	return idEncoding.EncodeToString(b)
}

// NewConvID makes an id in the given shard, 0 to Shards-1.
func NewConvID(shard int) ConvID {
	s := strconv.FormatInt(int64(shard), 36)
	return ConvID("c" + strings.Repeat("0", 2-len(s)) + s + randomID(15))
}

// Shard returns the shard the id was made in. ok is false when the text is not
// a conversation id; every id from outside is checked with it.
func (c ConvID) Shard() (shard int, ok bool) {
	if len(c) != 27 || c[0] != 'c' {
		return 0, false
	}
	for i := 1; i < len(c); i++ {
		if (c[i] < '0' || c[i] > '9') && (c[i] < 'a' || c[i] > 'z') {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(string(c[1:3]), 36, 32)
	if err != nil || n >= Shards {
		return 0, false
	}
	return int(n), true
}

// NewMessageID makes a message id.
func NewMessageID() MessageID { return MessageID("m" + randomID(15)) }

// NewToken makes an unguessable token of 160 bits: leases, tickets, sessions.
func NewToken() string { return randomID(20) }
