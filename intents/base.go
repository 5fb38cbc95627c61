package intents

import (
	"embed"
	"io/fs"
	"maps"
	"slices"
	"time"

	"wensheng/nlp"
)

// The kinds of Topic.
const (
	// KindAnswer is answered with its text.
	KindAnswer = "answer"
	// KindHandoff is answered with a lead-in and then given to a person.
	KindHandoff = "handoff"
	// KindComplaint is a grievance: it is taken down and given to a person,
	// never argued with.
	KindComplaint = "complaint"
	// KindUrgent is a handoff that cannot wait: money, identity, safety.
	KindUrgent = "urgent"
)

// The channels an answer may have a wording of its own for. The plain answer
// serves web and every channel that has none.
const (
	ChannelWeb    = "web"
	ChannelWeChat = "wechat"
	ChannelSMS    = "sms"
)

// The languages Say speaks. Any other language is answered in Simplified.
const (
	LangHans = "zh-Hans"
	LangHant = "zh-Hant"
	LangEn   = "en"
)

// Topic is one approved answer with the ways people ask for it.
type Topic struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Category string `json:"category"`
	// Kind is one of the Kind constants.
	Kind string `json:"kind"`
	// Phrasings are what people write, as written; the first is the clearest.
	Phrasings []string `json:"phrasings"`
	// Answer is the web wording, with placeholders; never empty in a Base that
	// Load gave.
	Answer string `json:"answer"`
	// Answers holds the wordings of channels that have their own.
	Answers map[string]string `json:"answers"`
	// FollowUps are ids of Topics worth offering next.
	FollowUps []string `json:"follow_ups"`
	// Group and Priority apply when the Topic is handed off; Group may name
	// one the config lacks.
	Group    string `json:"group"`
	Priority string `json:"priority"`
	// Form is the id of the form that collects what a person will need; or "".
	Form string `json:"form"`
	// Sources are the laws with their articles, or the rules, that the answer
	// rests on.
	Sources []string `json:"sources"`
	// From and Until are the first and the last day the answer is in force, as
	// 2006-01-02; "" is without a bound.
	From  string `json:"from"`
	Until string `json:"until"`
	// Owner is the department that answers for the text, Review its standing.
	Owner  string `json:"owner"`
	Review Review `json:"review"`
	// File and Line say where the Topic is written.
	File string `json:"file"`
	Line int    `json:"-"`
}

// The states of a Topic's review. Both are answered: a knowledge base is
// reviewed as a whole before it is published; the state is the editors' own.
const (
	ReviewDraft    = "draft"
	ReviewReviewed = "reviewed"
)

// Review says who has read an answer, and when.
type Review struct {
	// State is one of the Review constants.
	State string `json:"state"`
	By    string `json:"by"`
	// On is the day, as 2006-01-02.
	On string `json:"on"`
}

// InForce reports whether the Topic's answer holds on a day.
func (t *Topic) InForce(day time.Time) bool {
	d := day.Format(time.DateOnly)
	return (t.From == "" || t.From <= d) && (t.Until == "" || d <= t.Until)
}

// Signal is a rule that raises priority (RULES §8.3).
type Signal struct {
	ID    string
	Title string
	// Priority is P0, P1 or P2; Group the one that takes it.
	Priority string
	Group    string
	// Reply is the id of the fixed phrase said at once; empty says nothing.
	Reply string
	// Questions are wordings that only ask about the matter ("会被起诉吗"). They
	// are in Rule.Except as well.
	Questions []string
	Rule      nlp.Rule
}

// Builtin is an intent every knowledge base has.
type Builtin struct {
	ID    string
	Title string
	// Reply is the id of the phrase said; empty leaves it to the bot.
	Reply string
	// Whole are messages that mean this only when nothing else is said; they
	// are in Rule.Patterns as well.
	Whole []string
	Rule  nlp.Rule
	// Phrasings are freer wordings, to train an index on.
	Phrasings []string
}

// Base is one loaded knowledge base. It is immutable and safe for concurrent
// use; callers must not change what its methods return.
type Base struct {
	// Version is a short hash of the content: equal content, equal version.
	Version string
	// Topics in file order.
	Topics []Topic

	index    map[string]int
	signals  []Signal
	builtins []Builtin
	words    []nlp.Word
	synonyms [][]string
	forms    []Form
	phrases  map[string]phrase
	facts    map[string]texts
	uses     map[string][]position // fact → where a placeholder asks for it
	places   map[string]places     // by Topic
}

// places are the lines where the parts of a Topic stand.
type places struct {
	phrasings []int
	answers   map[string]int // by channel; "" is the common answer
}

//go:embed knowledge
var knowledge embed.FS

// Embedded is the knowledge base that ships with the program.
func Embedded() fs.FS {
	sub, err := fs.Sub(knowledge, "knowledge")
	if err != nil {
		return knowledge // cannot happen: the name is a valid path
	}
	return sub
}

// Topic returns the Topic with the id.
func (b *Base) Topic(id string) (*Topic, bool) {
	i, ok := b.index[id]
	if !ok {
		return nil, false
	}
	return &b.Topics[i], true
}

// On returns the knowledge base as it holds on a day: without the Topics whose
// dates exclude it. It is b itself when there are none.
func (b *Base) On(day time.Time) *Base {
	gone := false
	for i := range b.Topics {
		gone = gone || !b.Topics[i].InForce(day)
	}
	if !gone {
		return b
	}
	out := *b
	out.Topics, out.index = nil, make(map[string]int, len(b.Topics))
	for i := range b.Topics {
		if t := &b.Topics[i]; t.InForce(day) {
			out.index[t.ID] = len(out.Topics)
			out.Topics = append(out.Topics, *t)
		}
	}
	return &out
}

// Examples are all phrasings with their Topic's id as label, titles included.
func (b *Base) Examples() []nlp.Example {
	var out []nlp.Example
	for i := range b.Topics {
		t := &b.Topics[i]
		if !slices.Contains(t.Phrasings, t.Title) {
			out = append(out, nlp.Example{Text: t.Title, Label: t.ID})
		}
		for _, p := range t.Phrasings {
			out = append(out, nlp.Example{Text: p, Label: t.ID})
		}
	}
	return out
}

// Words is the dictionary for the segmenter.
func (b *Base) Words() []nlp.Word { return slices.Clone(b.words) }

// Synonyms are groups of words that mean the same, the canonical one first; a
// group that begins with [nlp.Silent] holds words that say nothing.
func (b *Base) Synonyms() [][]string { return slices.Clone(b.synonyms) }

// Signals are the rules that raise priority, in file order.
func (b *Base) Signals() []Signal { return slices.Clone(b.signals) }

// Builtins are the intents every base has, in file order.
func (b *Base) Builtins() []Builtin { return slices.Clone(b.builtins) }

// Builtin returns the builtin intent with the id.
func (b *Base) Builtin(id string) (Builtin, bool) {
	for _, x := range b.builtins {
		if x.ID == id {
			return x, true
		}
	}
	return Builtin{}, false
}

// PhraseIDs are the ids Say knows, sorted.
func (b *Base) PhraseIDs() []string { return slices.Sorted(maps.Keys(b.phrases)) }
