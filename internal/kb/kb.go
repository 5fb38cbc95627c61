// Package kb is the leaf of knowledge editing, as chat is the leaf of
// conversations: versions and their states, runs, test sets, what is learned
// from use. Its types are what the API shows (docs/protocol.md) and what the
// record keeps, so that archive, knowledge and web mean the same without
// knowing each other.
//
// People are named by their user ids; web puts the names beside them.
package kb

import (
	"encoding/json"
	"slices"
	"time"
)

// State is where a version stands.
type State string

// The states. Every change of a version's text happens in draft.
const (
	Draft     State = "draft"
	Review    State = "review"
	Approved  State = "approved"
	Rejected  State = "rejected"
	Published State = "published"
	// Replaced was published once, and another one is now.
	Replaced State = "replaced"
)

// from is the table of the workflow: the states each state is reached from.
var from = map[State][]State{
	Review:    {Draft},
	Approved:  {Review},
	Rejected:  {Review},
	Draft:     {Review, Approved, Rejected},
	Published: {Approved, Replaced}, // a replaced one again is a rollback
	Replaced:  {Published},
}

// May reports whether a version may go from one state to another.
func (s State) May(to State) bool { return slices.Contains(from[to], s) }

// Version is one snapshot of the knowledge files on its way to being published.
type Version struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Note  string `json:"note"`
	State State  `json:"state"`
	// Base is the version that was published when this one was begun, or "".
	Base string `json:"base"`
	// Hash is the knowledge base's content hash; "" while the files do not load.
	Hash      string    `json:"version"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at"`
	// Authors are all who have written in it, the creator first.
	Authors     []string `json:"authors"`
	SubmittedBy string   `json:"submitted_by"`
	ReviewedBy  string   `json:"reviewed_by"`
	ReviewNote  string   `json:"review_note"`
	PublishedBy string   `json:"published_by"`
	// PublishedAt is when it was last put in force; absent when it never was.
	PublishedAt time.Time `json:"published_at,omitzero"`
	// Override is why it was published against the gate; "" when it was not.
	Override string `json:"override"`
	Gate     *Gate  `json:"gate"`
	// Check is the run of the gate that was started last on this content; "" is
	// none. Where Gate is nil it says how that stands.
	Check string `json:"check"`
	// Revision counts every change, for optimistic concurrency.
	Revision int64 `json:"revision"`
}

// Own reports whether a person has had a hand in the version, so that he may
// not be the one who reviews it.
func (v Version) Own(user string) bool {
	return user == v.CreatedBy || user == v.SubmittedBy || slices.Contains(v.Authors, user)
}

// Pointer says which version is in force, and which one every replica should
// have ready because it may be next. Serial grows with every change.
type Pointer struct {
	Published string
	Next      string
	Serial    int64
}

// TopicLine is a Topic in a list.
type TopicLine struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	Category  string `json:"category"`
	Kind      string `json:"kind"`
	Phrasings int    `json:"phrasings"`
	Owner     string `json:"owner"`
	Review    string `json:"review"`
	Until     string `json:"until"`
	Problems  int    `json:"problems"`
	// Changed is added or changed against the version it was begun from, or "".
	Changed string `json:"changed"`
}

// Edited is the answer to a change of a draft. Problems are intents.Problem.
type Edited struct {
	Version  Version `json:"version"`
	Problems any     `json:"problems"`
}

// Imported is the answer to an import.
type Imported struct {
	Edited
	Added   int `json:"added"`
	Changed int `json:"changed"`
	Removed int `json:"removed"`
}

// Rebased is the answer to a rebase.
type Rebased struct {
	Edited
	// Conflicts are Topics and files that were changed on both sides; the
	// draft's text stands, and a person has to look.
	Conflicts []string `json:"conflicts"`
}

// File is a file to download.
type File struct {
	Name, Type string
	Body       []byte
}

// TryInput is one message for the test tool.
type TryInput struct {
	Text    string `json:"text"`
	Pick    string `json:"pick"`
	Channel string `json:"channel"`
	Version string `json:"version"`
	// Memory is what the decision before returned; nil begins afresh.
	Memory json.RawMessage `json:"memory"`
}

// The sources of the knowledge in force.
const (
	SourceEmbedded  = "embedded"
	SourceDirectory = "directory"
	SourcePublished = "published"
)

// Overview is what is in force, and what waits for the editors.
type Overview struct {
	Hash      string   `json:"version"`
	Source    string   `json:"source"`
	Dir       string   `json:"dir"`
	Editable  bool     `json:"editable"`
	Why       string   `json:"why"`
	Topics    int      `json:"topics"`
	Phrasings int      `json:"phrasings"`
	Published *InForce `json:"published"`
	Open      int      `json:"open"`
	LearnNew  int      `json:"learn_new"`
	Problem   string   `json:"problem"`
}

// InForce names the published version.
type InForce struct {
	ID    string    `json:"id"`
	Title string    `json:"title"`
	By    string    `json:"by"`
	At    time.Time `json:"at"`
}
