package bot

import (
	"time"

	"wensheng/internal/chat"
	"wensheng/nlp"
)

// Action is what a Decision does.
type Action string

// The actions.
const (
	Answer   Action = "answer"   // say an approved text
	Clarify  Action = "clarify"  // offer up to three Topics
	Ask      Action = "ask"      // put a form's next question
	Handoff  Action = "handoff"  // give the conversation to people
	Refuse   Action = "refuse"   // say why this cannot be done here
	Fallback Action = "fallback" // say honestly that there is no answer yet
)

// Input is one message, with what the channel knows of it.
type Input struct {
	Text string
	Kind chat.Kind
	// Pick is the id of the Option chosen; Event and EventKey what happened.
	Pick, Event, EventKey string
	// Channel is the account's kind: web, wechat, sms. It chooses wordings.
	Channel string
	// Day is when it was written, in the contacts' own time: dates are counted
	// from it. Zero leaves them relative.
	Day time.Time
	// Waiting says that the contact is in a queue for a person already.
	Waiting bool
}

// Memory is what the bot keeps of a conversation between messages. The zero
// value is a fresh conversation. It holds no personal data but masked words.
type Memory struct {
	// Turns counts the contact's messages.
	Turns int `json:"turns,omitempty"`
	// Misses counts messages in a row that got no answer, Streak those and the
	// ones asked back, Downs the answers in a row that did not help; Missed
	// counts all misses.
	Misses int `json:"misses,omitempty"`
	Streak int `json:"streak,omitempty"`
	Downs  int `json:"downs,omitempty"`
	Missed int `json:"missed,omitempty"`
	// Judge is what a word like "useless" would be about, if it came now: the
	// Topic just answered, or JudgeService.
	Judge string `json:"judge,omitempty"`
	// Insults counts insults in a row.
	Insults int `json:"insults,omitempty"`
	// LastTopic is the Topic answered last; Answered all of them, in order.
	LastTopic string   `json:"last_topic,omitempty"`
	Answered  []string `json:"answered,omitempty"`
	// Offered are the options under the last reply, in order.
	Offered []chat.Option `json:"offered,omitempty"`
	// Lang is zh-Hans, zh-Hant or en; Signals every signal so far.
	Lang    string   `json:"lang,omitempty"`
	Signals []string `json:"signals,omitempty"`
	// Phone is the contact's own number where he gave it as his, masked.
	Phone string `json:"phone,omitempty"`
	// Complaint says that a complaint was registered.
	Complaint bool `json:"complaint,omitempty"`
	// Form is the form under way, or the last one.
	Form *FormState `json:"form,omitempty"`
	// First is the first thing said, masked; Entities what was found, masked.
	First    string   `json:"first,omitempty"`
	Entities []Masked `json:"entities,omitempty"`
}

// Masked is an entity as it may be shown.
type Masked struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// Candidate is a Topic that was considered.
type Candidate struct {
	Topic      string  `json:"topic"`
	Title      string  `json:"title,omitempty"`
	Confidence float64 `json:"confidence"`
}

// Decision is what the bot does with one message.
type Decision struct {
	Action Action `json:"action"`
	// Topic is the id of the Topic answered or handed over; empty otherwise.
	Topic string `json:"topic"`
	// Confidence is the calibrated probability, 1 for a rule.
	Confidence float64     `json:"confidence"`
	Candidates []Candidate `json:"candidates"`
	// Intent is a Topic's id or the name of a built-in one: human, complaint …
	Intent string `json:"intent"`
	// Signals are the ids found in this message.
	Signals []string `json:"signals"`
	// Group, Priority and Reason are set for a Handoff. Reason is stable:
	// human, complaint, signal:<id>, topic, miss, declined, feedback, media,
	// insult, form:<id>.
	Group    string `json:"group"`
	Priority string `json:"priority"`
	Reason   string `json:"reason,omitempty"`
	// Reply is what the contact is told. It is empty for silent events only.
	Reply string `json:"reply"`
	// Notice is, for a Handoff, the phrase with the receipt that must follow
	// the Reply once there is one: handoff_queued (or what the desk's hours
	// call for in its place) or complaint_received.
	Notice string `json:"notice,omitempty"`
	// Then is what is asked after the Notice: the first question of a form
	// that is filled in while the contact waits. Options are then its options.
	Then string `json:"then,omitempty"`
	// Form is what a form has brought so far.
	Form *Form `json:"form,omitempty"`
	// Plain says that the Notice alone says all the Reply does, so whoever
	// says the Notice may leave the Reply out.
	Plain   bool          `json:"-"`
	Options []chat.Option `json:"options"`
	// Entities are the facts in this message, unmasked.
	Entities []nlp.Entity `json:"-"`
	Evidence Evidence     `json:"evidence"`
	Memory   Memory       `json:"-"`
	Lang     string       `json:"lang,omitempty"`
	// Summary is one masked paragraph for the agent, for a Handoff.
	Summary string `json:"summary,omitempty"`
}

// Evidence explains a Decision: stored with the message, shown to the agent,
// printed by the test tool. Personal data in it is masked.
type Evidence struct {
	// Action, Intent and Topic are the Decision's: the explanation stands by
	// itself beside the message it explains.
	Action Action `json:"action"`
	Intent string `json:"intent"`
	Topic  string `json:"topic"`
	// Norm and Tokens are the text as it was compared.
	Norm   string   `json:"norm"`
	Tokens []string `json:"tokens,omitempty"`
	// Heard is what of the text was read as words that sound the same; Norm is
	// then the text with those.
	Heard []nlp.Heard `json:"heard,omitempty"`
	// Rules are the rules found, whether or not they decided.
	Rules []nlp.Hit `json:"rules,omitempty"`
	// Because is the step that decided, in one stable word.
	Because string `json:"because"`
	// Top are the best Topics with each part's score, best first.
	Top []Scored `json:"top,omitempty"`
	// Features spoke most for the first of them; Nearest is its nearest wording.
	Features []nlp.Feature `json:"features,omitempty"`
	Nearest  string        `json:"nearest,omitempty"`
	Margin   float64       `json:"margin,omitempty"`
	Coverage float64       `json:"coverage,omitempty"`
	Negated  bool          `json:"negated,omitempty"`
	Exact    bool          `json:"exact,omitempty"`
	// Context is the Topic a follow-up was read with.
	Context    string          `json:"context,omitempty"`
	Thresholds *nlp.Thresholds `json:"thresholds,omitempty"`
	// Knowledge is the version of the knowledge base.
	Knowledge string `json:"knowledge"`
	// Parts are the requests found in a message that holds two.
	Parts []Part `json:"parts,omitempty"`
	// Form is what the message was to a form under way.
	Form *FormStep `json:"form,omitempty"`
}

// FormStep is what one message was to a form.
type FormStep struct {
	ID string `json:"id"`
	// Did is asked, filled, skipped, corrected, not_understood, interrupted or
	// cancelled.
	Did string `json:"did"`
	// Slot is the one open after it, Tries how often it was not understood;
	// State is the form's.
	Slot  string `json:"slot,omitempty"`
	Tries int    `json:"tries,omitempty"`
	State string `json:"state"`
}

// Scored is one Topic with the parts of its score, each a number beside p.
type Scored struct {
	Topic string  `json:"topic"`
	Title string  `json:"title,omitempty"`
	P     float64 `json:"p"`
	Model float64 `json:"model"`
	nlp.Parts
}

// Signal is a rule that raises priority, found in a text.
type Signal struct {
	ID       string `json:"id"`
	Title    string `json:"title,omitempty"`
	Priority string `json:"priority"`
	Group    string `json:"group"`
	// Reply is the id of the fixed phrase said at once; empty says nothing.
	Reply string `json:"-"`
}
