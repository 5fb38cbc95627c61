// Package handoff brings waiting conversations to people: groups and their
// hours, one queue a group ordered by priority then age, exclusive leases with
// fencing tokens, agent presence, and automatic assignment. It knows queues and
// agents, not transcripts; internal/intake ties the two together.
package handoff

import (
	"encoding/json"
	"time"

	"wensheng/internal/chat"
)

// Priority orders a queue: P0 before P1 before P2, then the older first.
type Priority string

// The priorities.
const (
	P0 Priority = "P0" // danger to life or money: skip the queue
	P1 Priority = "P1" // complaint, regulator, media, lawsuit, special care
	P2 Priority = "P2" // everybody else
)

// Candidate is a Topic the bot considered.
type Candidate struct {
	Topic      string  `json:"topic"`
	Title      string  `json:"title,omitempty"`
	Confidence float64 `json:"confidence"`
}

// Entity is a fact found in the contact's words, masked for the screen.
type Entity struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// Package is what an agent needs to pick a conversation up without asking again.
type Package struct {
	Conv    chat.ConvID    `json:"conv"`
	Account chat.AccountID `json:"account"`
	Channel string         `json:"channel"`
	Group   string         `json:"group"`
	// Generation is the conversation's at the handoff: a second Enqueue with
	// the same one is the same handoff.
	Generation int64       `json:"generation"`
	Priority   Priority    `json:"priority"`
	Reason     string      `json:"reason"` // stable code: human, complaint, signal:<name>, miss, …
	Intent     string      `json:"intent,omitempty"`
	Topic      string      `json:"topic,omitempty"`
	Candidates []Candidate `json:"candidates,omitempty"`
	Entities   []Entity    `json:"entities,omitempty"`
	Signals    []string    `json:"signals,omitempty"`
	// Form is what the contact answered to a form's questions; nil without one.
	Form    *Form  `json:"form,omitempty"`
	Summary string `json:"summary"`
	// Preview is the contact's last words, masked and cut to 60 characters.
	Preview string `json:"preview"`
	Receipt string `json:"receipt"` // the number the contact was given
	// Noted is set once the contact was told that what he adds is read.
	Noted bool      `json:"noted,omitempty"`
	At    time.Time `json:"at"`
	// Avoid is the agent who must not get it: the one the contact was
	// dissatisfied with.
	Avoid string `json:"avoid,omitempty"`
}

// Form is a form's answers, masked.
type Form struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// State is asking, done, cancelled or stopped.
	State string `json:"state"`
	Slots []Slot `json:"slots"`
	// Note is the same as a sentence; the Summary ends with it.
	Note string `json:"note,omitempty"`
}

// Slot is one answer of a Form; Value is empty when there is none.
type Slot struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	Value string `json:"value"`
}

// Item is one waiting conversation in a queue.
type Item struct {
	Package
	Position int           `json:"position"` // 1 is next
	Waited   time.Duration `json:"-"`
}

// Lease is an agent's exclusive, expiring hold on a conversation.
type Lease struct {
	Conv  chat.ConvID `json:"conv"`
	Group string      `json:"group"`
	Agent string      `json:"agent"`
	// Token fences everything the holder does. Generation grows with every claim.
	Token      string          `json:"lease"`
	Generation int64           `json:"generation"`
	Expires    time.Time       `json:"expires"`
	Package    json.RawMessage `json:"-"`
	// Auto is set when the desk assigned it; the agent must renew it within
	// the accept timeout.
	Auto bool `json:"auto,omitempty"`
}

// Status is an agent's presence.
type Status string

// The statuses.
const (
	Online  Status = "online"
	Busy    Status = "busy" // keeps his conversations, gets no new ones
	Away    Status = "away"
	Offline Status = "offline"
)

// Agent is one agent's presence and load.
type Agent struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Status   Status   `json:"status"`
	Groups   []string `json:"groups"`
	Capacity int      `json:"capacity"`
	Load     int      `json:"load"`
	// Seen is the last heartbeat.
	Seen time.Time `json:"seen"`
}

// Note is a change the console shows: {"t":"queue|assigned|presence|lost", …}.
type Note struct {
	T     string      `json:"t"`
	Conv  chat.ConvID `json:"conv,omitempty"`
	Group string      `json:"group,omitempty"`
	Agent string      `json:"agent,omitempty"`
}

// View is everything about one conversation an agent may need on one screen.
type View struct {
	Conversation chat.Conversation
	// Package is the newest handoff's; zero if there was none.
	Package  Package
	Messages []chat.Message
	// Archived is set when it was read from SQL, not from the live state.
	Archived bool
}
