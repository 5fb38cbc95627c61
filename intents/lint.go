package intents

import (
	_ "embed" // the words looked for
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
)

// The rules a Problem may name. They are stable: scripts and screens tell
// problems apart by them.
const (
	// RuleForm is a file that is not what Load reads: YAML, keys, ids, limits.
	RuleForm = "form"
	// RuleMissing is a part every Topic needs, RuleValue one that says what it
	// may not: a kind there is not, a phrasing without a letter.
	RuleMissing = "missing"
	RuleValue   = "value"
	// RuleDuplicate is a phrasing that stands twice, RuleNearDuplicate one that
	// asks the same as another Topic's.
	RuleDuplicate     = "duplicate_phrasing"
	RuleNearDuplicate = "near_duplicate"
	RuleFewPhrasings  = "few_phrasings"
	// RuleSameTitle and RuleSameAnswer are two Topics that look like one.
	RuleSameTitle  = "same_title"
	RuleSameAnswer = "same_answer"
	RuleMissingSMS = "missing_sms"
	RuleLength     = "answer_length"
	// RulePromise is a promise nobody may make, RuleWording any other wording
	// that may not be said to a contact.
	RulePromise      = "promise"
	RuleWording      = "wording"
	RuleInvented     = "number_without_source"
	RuleLaw          = "law_without_source"
	RulePersonalData = "personal_data"
	// RuleDeadLink is a follow-up to a Topic that is not there, or not in force.
	RuleDeadLink    = "dead_link"
	RulePlaceholder = "placeholder"
	RuleExpired     = "expired"
	RuleExpiresSoon = "expires_soon"
	RuleOwner       = "no_owner"
	RuleReview      = "no_review"
	// RuleUnused is a sentence nothing says.
	RuleUnused = "unused"
	// RuleConfig is something config lacks.
	RuleConfig = "config"
)

// soon is how long before its last day a Topic is called to mind.
const soon = 30 * 24 * time.Hour

// LintOptions say what Lint needs to know beside the knowledge base.
type LintOptions struct {
	// Day is the one that dates are compared with.
	Day time.Time
	// Wording checks a text that is said to contacts: it returns the class of
	// the rule the text breaks, or "", the words that break it, and whether it
	// may not be said at all. Nil checks nothing.
	Wording func(text string) (class, words string, forbidden bool)
}

// Lint finds what a reader of the knowledge base would find, beyond what Load
// refuses. Problems come by file and line; nearly all are warnings.
func Lint(b *Base, o LintOptions) []Problem {
	l := &linter{base: b, o: o, words: lintWords(), unread: map[string][]*Topic{}}
	for i := range b.Topics {
		t := &b.Topics[i]
		l.topic = t.ID
		l.answers(t)
		l.standing(t)
		l.links(t)
	}
	l.topic = ""
	l.unreviewed()
	l.twins()
	l.nearDuplicates()
	l.sentences()
	return l.sorted()
}

//go:embed data/lint.yaml
var lintYAML []byte

// lintData is data/lint.yaml, ready for use.
type lintData struct {
	function *strings.Replacer
	law      *regexp.Regexp
	quoted   *regexp.Regexp
	ends     string
	breaks   string
	refusals []string
	never    []string // classes that no refusal excuses
	ignored  []string // classes that are not looked for
}

var lintWords = sync.OnceValue(func() lintData {
	var raw struct {
		Function string   `yaml:"function_words"`
		Law      []string `yaml:"law"`
		Quotes   []string `yaml:"quotes"`
		Ends     string   `yaml:"sentence_ends"`
		Breaks   string   `yaml:"breaks"`
		Refusals string   `yaml:"refusals"`
		Never    string   `yaml:"never_excused"`
		Ignored  string   `yaml:"ignored"`
	}
	if err := yaml.UnmarshalWithOptions(lintYAML, &raw, yaml.Strict()); err != nil {
		panic("intents: data/lint.yaml: " + err.Error()) // a test reads it
	}
	var pairs []string
	for w := range strings.FieldsSeq(raw.Function) {
		pairs = append(pairs, w, "")
	}
	return lintData{
		function: strings.NewReplacer(pairs...),
		law:      regexp.MustCompile(strings.Join(raw.Law, "|")),
		quoted:   regexp.MustCompile(raw.Quotes[0] + "[^" + raw.Quotes[1] + "]*" + raw.Quotes[1]),
		ends:     raw.Ends + "\n",
		breaks:   raw.Breaks,
		refusals: strings.Fields(raw.Refusals),
		never:    strings.Fields(raw.Never),
		ignored:  strings.Fields(raw.Ignored),
	}
})

type linter struct {
	report
	base  *Base
	o     LintOptions
	words lintData
	// unread are the Topics nobody has reviewed, by file.
	unread map[string][]*Topic
}

func (l *linter) warn(at position, rule, format string, args ...any) {
	l.add(at, rule, true, format, args...)
}

// at is where a Topic's answer for a channel stands; "" is the common one.
func (l *linter) at(t *Topic, channel string) position {
	if n := l.base.places[t.ID].answers[channel]; n > 0 {
		return position{t.File, n}
	}
	return position{t.File, t.Line}
}

func (l *linter) answers(t *Topic) {
	texts := maps.Clone(t.Answers)
	if texts == nil {
		texts = map[string]string{}
	}
	texts[""] = t.Answer
	for _, ch := range slices.Sorted(maps.Keys(texts)) {
		l.wording(l.at(t, ch), "topic "+t.ID+": the answer", texts[ch])
		if m := l.words.law.FindString(texts[ch]); m != "" && len(t.Sources) == 0 {
			l.warn(l.at(t, ch), RuleLaw, "topic %s: the answer speaks of the law (%q) without a source; name law and article", t.ID, m)
		}
	}
	if t.Answers[ChannelSMS] == "" {
		l.warn(position{t.File, t.Line}, RuleMissingSMS, "topic %s: there is no SMS answer; write one of at most 120 characters", t.ID)
	}
	if n := len(t.Answer); t.Answers[ChannelWeChat] == "" && n > maxWeChat {
		l.warn(l.at(t, ""), RuleLength, "topic %s: the answer has %d bytes; write one for WeChat of at most %d", t.ID, n, maxWeChat)
	}
}

// wording checks a text sentence by sentence. What stands in quotes others say,
// and a sentence that warns of a thing does not say it.
func (l *linter) wording(at position, what, text string) {
	if l.o.Wording == nil {
		return
	}
	among := func(set string) func(rune) bool { return func(c rune) bool { return strings.ContainsRune(set, c) } }
	for sentence := range strings.FieldsFuncSeq(l.words.quoted.ReplaceAllString(text, ""), among(l.words.ends)) {
		warns := slices.ContainsFunc(l.words.refusals, func(w string) bool { return strings.Contains(sentence, w) })
		for part := range strings.FieldsFuncSeq(sentence, among(l.words.breaks)) {
			switch class, words, forbidden := l.o.Wording(part); {
			case class == "" || slices.Contains(l.words.ignored, class) || warns && !slices.Contains(l.words.never, class):
			case class == "promise":
				l.warn(at, RulePromise, "%s promises %q", what, words)
			default:
				l.add(at, RuleWording, !forbidden, "%s holds wording that may not be said to a contact (%s): %q", what, class, words)
			}
		}
	}
}

func (l *linter) standing(t *Topic) {
	at := position{t.File, t.Line}
	day := l.o.Day.Format(time.DateOnly)
	switch {
	case t.Until == "":
	case t.Until < day:
		l.warn(at, RuleExpired, "topic %s: its last day was %s and it is not answered any more; write it anew or take it out", t.ID, t.Until)
	case t.Until <= l.o.Day.Add(soon).Format(time.DateOnly):
		l.warn(at, RuleExpiresSoon, "topic %s: its last day is %s", t.ID, t.Until)
	}
	if t.Owner == "" {
		l.warn(at, RuleOwner, "topic %s: nobody owns it; name the department that answers for the text", t.ID)
	}
	switch r := t.Review; {
	case r.State != ReviewReviewed:
		l.unread[t.File] = append(l.unread[t.File], t)
	case r.By == "" || r.On == "":
		l.warn(at, RuleReview, "topic %s: it is reviewed, but not by whom or when", t.ID)
	case r.On > day:
		l.warn(at, RuleReview, "topic %s: it is reviewed on %s, which is to come", t.ID, r.On)
	}
}

// unreviewed warns once a file: a review is of files, and a whole base of drafts
// would hide what else is wrong.
func (l *linter) unreviewed() {
	for file, topics := range l.unread {
		at, ids := position{file, topics[0].Line}, make([]string, 0, 3)
		for _, t := range topics[:min(len(topics), 3)] {
			ids = append(ids, t.ID)
		}
		switch more := len(topics) - len(ids); {
		case len(topics) == 1:
			l.topic = ids[0]
			l.warn(at, RuleReview, "topic %s: it is not reviewed", ids[0])
			l.topic = ""
		case more > 0:
			l.warn(at, RuleReview, "%d topics are not reviewed: %s and %d more", len(topics), strings.Join(ids, ", "), more)
		default:
			l.warn(at, RuleReview, "%d topics are not reviewed: %s", len(topics), strings.Join(ids, ", "))
		}
	}
}

func (l *linter) links(t *Topic) {
	for _, id := range t.FollowUps {
		if o, ok := l.base.Topic(id); ok && !o.InForce(l.o.Day) && t.InForce(l.o.Day) {
			l.warn(position{t.File, t.Line}, RuleDeadLink, "topic %s: follow-up %s is not in force on %s", t.ID, id, l.o.Day.Format(time.DateOnly))
		}
	}
}

// twins finds Topics with one title or one answer.
func (l *linter) twins() {
	titles, answers := map[string]*Topic{}, map[string]*Topic{}
	for i := range l.base.Topics {
		t := &l.base.Topics[i]
		l.topic = t.ID
		at := position{t.File, t.Line}
		if o := first(titles, fold(t.Title), t); o != t {
			l.warn(at, RuleSameTitle, "topic %s: %s:%d (topic %s) has the same title", t.ID, o.File, o.Line, o.ID)
		}
		if o := first(answers, fold(t.Answer), t); o != t {
			l.warn(at, RuleSameAnswer, "topic %s: %s:%d (topic %s) has the same answer; make them one", t.ID, o.File, o.Line, o.ID)
		}
	}
	l.topic = ""
}

// first returns the Topic that had the key first, t where nobody had.
func first(seen map[string]*Topic, key string, t *Topic) *Topic {
	if o, ok := seen[key]; ok && key != "" {
		return o
	}
	seen[key] = t
	return t
}

// sentences checks the fixed sentences.
func (l *linter) sentences() {
	said := map[string]bool{}
	for _, s := range l.base.signals {
		said[s.Reply] = true
	}
	for _, x := range l.base.builtins {
		said[x.Reply] = true
	}
	for _, id := range l.base.PhraseIDs() {
		p := l.base.phrases[id]
		l.wording(p.at, "phrase "+id, p.hans)
		if p.own && !said[id] {
			l.warn(p.at, RuleUnused, "phrase %s: no rule says it, and the program does not know it", id)
		}
	}
}

// alike is the share of character pairs two phrasings must have in common to
// be called nearly the same.
const alike = 0.9

// asked is a phrasing as nearDuplicates compares it.
type asked struct {
	topic int
	text  string
	line  int
	pairs []string // rarest first, each once
}

// nearDuplicates finds phrasings of different Topics that a reader would take
// for one: equal but for function words, or with nearly all pairs of
// characters in common. Two texts that share so much share one of their rarest
// pairs, so only those are looked up.
func (l *linter) nearDuplicates() {
	var all []asked
	count := map[string]int{}
	for i := range l.base.Topics {
		t := &l.base.Topics[i]
		for j, p := range t.Phrasings {
			a := asked{topic: i, text: p, line: t.Line, pairs: pairs(fold(p))}
			if lines := l.base.places[t.ID].phrasings; j < len(lines) {
				a.line = lines[j]
			}
			for _, g := range a.pairs {
				count[g]++
			}
			all = append(all, a)
		}
	}
	cores, rare := map[string]int{}, map[string][]int{}
	for i := range all {
		a := &all[i]
		slices.SortFunc(a.pairs, func(x, y string) int {
			if d := count[x] - count[y]; d != 0 {
				return d
			}
			return strings.Compare(x, y)
		})
		twin := -1
		full := fold(a.text)
		core := l.words.function.Replace(full)
		if len([]rune(core)) >= 2 {
			if j, ok := cores[core]; !ok {
				cores[core] = i
			} else if all[j].topic != a.topic {
				twin = j
			}
		}
		probe := len(a.pairs) - int(alike*float64(len(a.pairs))) // one more than may differ
		for _, g := range a.pairs[:min(len(a.pairs), probe+1)] {
			for _, j := range rare[g] {
				if twin < 0 && all[j].topic != a.topic && similar(a.pairs, all[j].pairs) {
					twin = j
				}
			}
			rare[g] = append(rare[g], i)
		}
		if twin < 0 || fold(all[twin].text) == full { // Load has said that one
			continue
		}
		t, o := &l.base.Topics[a.topic], &l.base.Topics[all[twin].topic]
		l.topic = t.ID
		l.warn(position{t.File, a.line}, RuleNearDuplicate, "topic %s: phrasing %q asks nearly the same as %q at %s:%d (topic %s)",
			t.ID, a.text, all[twin].text, o.File, all[twin].line, o.ID)
	}
	l.topic = ""
}

// pairs are the distinct neighbouring characters of a text.
func pairs(s string) []string {
	r := []rune(s)
	var out []string
	for i := 1; i < len(r); i++ {
		if g := string(r[i-1 : i+1]); !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}

// similar reports whether two sets have a Jaccard similarity of at least alike.
func similar(a, b []string) bool {
	if len(a) == 0 || float64(min(len(a), len(b))) < alike*float64(max(len(a), len(b))) {
		return false
	}
	both := 0
	for _, g := range a {
		if slices.Contains(b, g) {
			both++
		}
	}
	return float64(both) >= alike*float64(len(a)+len(b)-both)
}
