package kb

import (
	"encoding/json"
	"time"
)

// The kinds of run.
const (
	RunCheck  = "check"  // the gate
	RunEval   = "eval"   // cross-validation
	RunBatch  = "batch"  // one test set on one version
	RunReplay = "replay" // labelled logs, before and after
)

// The states of a run.
const (
	Running = "running"
	Done    = "done"
	Failed  = "failed"
)

// Run is a long work in the background and what came of it.
type Run struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	State string `json:"state"`
	// Done of Total steps; Total is 0 until it is known.
	Done  int    `json:"done"`
	Total int    `json:"total"`
	Error string `json:"error"`
	// Version is what was run on, Hash its content; Set the test set of a batch.
	Version string    `json:"version"`
	Hash    string    `json:"hash"`
	Set     string    `json:"set"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	// Beat is the last sign of life of whoever runs it.
	Beat   time.Time       `json:"-"`
	Report json.RawMessage `json:"report"`
}

// Score counts cases.
type Score struct {
	Cases  int `json:"cases"`
	Passed int `json:"passed"`
}

// Gate is what the tests say about a version beside what is in force.
type Gate struct {
	Run string    `json:"run"`
	OK  bool      `json:"ok"`
	At  time.Time `json:"at"`
	// Hash is the content that was checked, Against what was in force, Tests
	// the test sets: with any of them different the gate says nothing.
	Hash    string  `json:"version"`
	Against string  `json:"against"`
	Tests   string  `json:"tests"`
	Before  Score   `json:"before"`
	After   Score   `json:"after"`
	Worse   []Worse `json:"worse"`
	// Better counts the cases that failed and now pass.
	Better int `json:"better"`
}

// Worse is a case that passed and fails now.
type Worse struct {
	Set       string `json:"set"`
	Text      string `json:"text"`
	Want      string `json:"want"`
	GotBefore string `json:"got_before"`
	GotAfter  string `json:"got_after"`
}

// Case is one line of a test set. Topic or Action says what is wanted; with
// both, both are.
type Case struct {
	Text    string `json:"text"`
	Topic   string `json:"topic"`
	Action  string `json:"action"`
	Channel string `json:"channel"`
}

// TestSet is a sheet of cases.
type TestSet struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	By    string    `json:"by"`
	At    time.Time `json:"at"`
	Cases []Case    `json:"cases"`
	// Shipped is set for the one that comes with the program.
	Shipped bool `json:"shipped"`
}

// SetLine is a test set in a list.
type SetLine struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Cases   int       `json:"cases"`
	By      string    `json:"by"`
	At      time.Time `json:"at,omitzero"`
	Shipped bool      `json:"shipped"`
	Last    *Outcome  `json:"last"`
}

// SetView is a test set with what its runs gave, the newest first.
type SetView struct {
	TestSet
	History []Outcome `json:"history"`
}

// Outcome is one run of a test set.
type Outcome struct {
	Run     string    `json:"run"`
	Set     string    `json:"-"`
	Version string    `json:"version"`
	Hash    string    `json:"hash"`
	Passed  int       `json:"passed"`
	Cases   int       `json:"cases"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
}

// BatchReport is the report of a batch.
type BatchReport struct {
	Cases  int          `json:"cases"`
	Passed int          `json:"passed"`
	Failed []FailedCase `json:"failed"`
	// More counts failed cases that are not listed.
	More int `json:"more"`
}

// FailedCase is a case whose decision was not the wanted one.
type FailedCase struct {
	Text string `json:"text"`
	Want string `json:"want"`
	Got  string `json:"got"`
	// Decision is as `ask --json` prints it.
	Decision json.RawMessage `json:"decision"`
}

// ReplayReport says what labelled logs get before and after.
type ReplayReport struct {
	N      int      `json:"n"`
	Before Verdicts `json:"before"`
	After  Verdicts `json:"after"`
	Better []Moved  `json:"better"`
	Worse  []Moved  `json:"worse"`
}

// Verdicts counts decisions on labelled messages: answered right or wrong,
// asked with the right Topic among the options, or missed.
type Verdicts struct {
	Right  int `json:"right"`
	Wrong  int `json:"wrong"`
	Asked  int `json:"asked"`
	Missed int `json:"missed"`
}

// Verdict is how good a decision is for a labelled message; a greater one is
// better.
type Verdict int

// The verdicts, the worst first: a wrong answer harms more than none.
const (
	Wrong Verdict = iota
	Missed
	Asked
	Right
)

// Count adds one.
func (v *Verdicts) Count(x Verdict) {
	switch x {
	case Right:
		v.Right++
	case Asked:
		v.Asked++
	case Missed:
		v.Missed++
	case Wrong:
		v.Wrong++
	}
}

// Moved is a labelled message that is decided otherwise now.
type Moved struct {
	Text   string `json:"text"`
	Want   string `json:"want"`
	Before string `json:"before"`
	After  string `json:"after"`
}
