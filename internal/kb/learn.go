package kb

import "time"

// Source is why a message is worth learning from.
type Source string

// The sources.
const (
	// SourceRefused was answered with the fallback, or all options declined.
	SourceRefused Source = "refused"
	// SourceDown was answered, and the contact said it did not help.
	SourceDown Source = "down"
	// SourcePicked was asked back, and the contact picked a Topic: a label.
	SourcePicked Source = "picked"
	// SourceTransferred was answered, and the contact's next word asked for a person.
	SourceTransferred Source = "transferred"
	// SourceUp was answered, and the contact said it helped: a label.
	SourceUp Source = "up"
)

// LearnState is where something learned stands.
type LearnState string

// The states of what is learned.
const (
	LearnNew       LearnState = "new"
	LearnPending   LearnState = "pending" // stands in a draft
	LearnApplied   LearnState = "applied" // that draft was published
	LearnDismissed LearnState = "dismissed"
	// LearnLabel is only a labelled example, for replays.
	LearnLabel LearnState = "label"
)

// LearnStates are those an editor sees.
func LearnStates() []LearnState {
	return []LearnState{LearnNew, LearnPending, LearnApplied, LearnDismissed}
}

// Item is one message worth learning from, masked.
type Item struct {
	// ID is made of the message and the source: collecting twice changes nothing.
	ID string
	// Key is the same for messages that say the same.
	Key     string
	At      time.Time
	Source  Source
	Channel string
	// Text is what the contact wrote, masked.
	Text string
	// Topic is the label of a picked or an up, the answered Topic of a down or
	// a transferred, "" of a refused.
	Topic string
	State LearnState
	// Cluster is the cluster it was dealt with in; "" while it is new.
	Cluster string
	// By, Changed, Version and Reason say who dealt with it, when, in which
	// version, and why it was dismissed.
	By      string
	Changed time.Time
	Version string
	Reason  string
}

// Cluster is messages that ask the same.
type Cluster struct {
	ID       string         `json:"id"`
	State    LearnState     `json:"state"`
	Count    int            `json:"count"`
	Sources  map[Source]int `json:"sources"`
	Example  string         `json:"example"`
	Messages []Heard        `json:"messages"`
	Suggest  *Suggestion    `json:"suggest"`
	By       string         `json:"by"`
	At       time.Time      `json:"at,omitzero"`
	Version  string         `json:"version"`
	Reason   string         `json:"reason"`
}

// Heard is one wording of a cluster.
type Heard struct {
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
	Channel string    `json:"channel"`
	Source  Source    `json:"source"`
	Topic   string    `json:"topic"`
	// Count is how often it was said.
	Count int `json:"count"`
}

// Suggestion is the Topic a cluster may belong to.
type Suggestion struct {
	Topic      string  `json:"topic"`
	Title      string  `json:"title"`
	Confidence float64 `json:"confidence"`
}

// Learned is the clusters in a state, and how many wordings stand in each state.
type Learned struct {
	Items  []Cluster          `json:"items"`
	Counts map[LearnState]int `json:"counts"`
}

// DealInput says what to do with a cluster.
type DealInput struct {
	// Do is add (phrasings to Topic), topic (start one), dismiss or restore.
	Do string `json:"do"`
	// Topic is the Topic to add to; for a new one it may propose the id.
	Topic    string   `json:"topic"`
	Title    string   `json:"title"`
	Category string   `json:"category"`
	Texts    []string `json:"texts"`
	// Version is the draft to write to; "" is the caller's own newest, or a new one.
	Version string `json:"version"`
	Reason  string `json:"reason"`
}

// Dealt is the cluster afterwards, and the draft that was written to.
type Dealt struct {
	Cluster Cluster  `json:"cluster"`
	Version *Version `json:"version"`
}
