package intents

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"iter"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"wensheng/nlp"
)

const (
	topicsDir    = "topics"
	signalsFile  = "signals.yaml"
	builtinsFile = "builtins.yaml"
	phrasesFile  = "phrases.yaml"
	wordsFile    = "words.txt"

	synonymsFile = "synonyms.txt"

	minPhrasings = 10
	maxPhrasings = 500
	maxTopics    = 10000
	maxPhrasing  = 200  // runes
	maxAnswer    = 2000 // runes
	maxSMS       = 140  // runes: two segments
	maxWeChat    = 600  // bytes
)

// Load reads a knowledge base and everything that is wrong with it. The Base is
// nil when any problem is not a warning.
func Load(fsys fs.FS) (*Base, []Problem) {
	b, problems := Draft(fsys)
	for _, p := range problems {
		if !p.Warning {
			return nil, problems
		}
	}
	return b, problems
}

// Draft is Load for a knowledge base that is being written: it returns what
// could be read although there are problems. Nothing may be answered from it.
func Draft(fsys fs.FS) (*Base, []Problem) {
	return load(fsys)
}

// Check returns every problem of the knowledge base, and, where facts or groups
// is not nil, warnings for what config lacks (see CheckFacts, CheckGroups).
func Check(fsys fs.FS, facts map[string]string, groups []string) []Problem {
	b, problems := Load(fsys)
	if b == nil {
		return problems
	}
	if facts != nil {
		problems = append(problems, b.CheckFacts(facts)...)
	}
	if groups != nil {
		problems = append(problems, b.CheckGroups(groups)...)
	}
	return problems
}

// loader is one run of Load.
type loader struct {
	report
	fsys fs.FS
	base *Base
	hash []byte

	seen map[string]seen // folded phrasing → where it stands
}

type seen struct {
	topic string
	at    position
}

func load(fsys fs.FS) (*Base, []Problem) {
	l := &loader{
		fsys: fsys,
		base: &Base{index: map[string]int{}, phrases: map[string]phrase{}, facts: map[string]texts{}, uses: map[string][]position{}, places: map[string]places{}},
		seen: map[string]seen{},
	}
	l.loadPhrases()
	l.loadSignals()
	l.loadBuiltins()
	l.loadWords()
	l.loadSynonyms()
	l.loadForms()
	l.loadTopics()
	l.namedForms()
	sum := sha256.Sum256(l.hash)
	l.base.Version = hex.EncodeToString(sum[:6])
	return l.base, l.sorted()
}

// read returns the file's text and counts it into the version. A file the
// directory lacks is taken from the embedded base.
func (l *loader) read(name string) ([]byte, bool) {
	fsys := l.fsys
	if _, err := fs.Stat(fsys, name); errors.Is(err, fs.ErrNotExist) {
		fsys = Embedded()
	}
	text, ok := readFile(&l.report, fsys, name)
	l.count(name, text)
	return text, ok
}

func (l *loader) count(name string, text []byte) {
	sum := sha256.Sum256(text)
	l.hash = append(l.hash, name...)
	l.hash = append(l.hash, 0)
	l.hash = append(l.hash, sum[:]...)
}

var idPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{1,63}$`)

func (l *loader) id(d doc, what string) string {
	id := d.text("id")
	if !idPattern.MatchString(id) {
		l.errorf(d.at, "%s: id %q must be 2 to 64 small letters, digits and _, beginning with a letter", what, id)
		return ""
	}
	return id
}

func (l *loader) oneOf(d doc, what, def string, allowed ...string) string {
	v := d.text(what)
	if v == "" {
		return def
	}
	if !slices.Contains(allowed, v) {
		l.add(d.at, RuleValue, false, "%s %q is not one of %s", what, v, strings.Join(allowed, ", "))
	}
	return v
}

func (l *loader) texts(lines []line) []string {
	out := make([]string, len(lines))
	for i, x := range lines {
		out[i] = x.text
		if utf8.RuneCountInString(x.text) > maxPhrasing {
			l.add(x.at, RuleValue, false, "is longer than %d characters", maxPhrasing)
		}
	}
	return out
}

// placeholders checks that text asks only for facts and vars, and remembers
// which facts are used.
func (l *loader) placeholders(text string, at position, vars []string) {
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		switch name := m[1]; {
		case slices.Contains(Facts(), name):
			l.base.uses[name] = append(l.base.uses[name], at)
		case slices.Contains(vars, name):
		default:
			l.add(at, RulePlaceholder, false, "unknown placeholder {{%s}}; known are %s", name, strings.Join(append(Facts(), vars...), ", "))
		}
	}
	rest := placeholder.ReplaceAllString(text, "")
	if strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
		l.add(at, RulePlaceholder, false, "a placeholder is not closed: write {{name}}")
	}
}

func (l *loader) loadTopics() {
	var files []string
	err := fs.WalkDir(l.fsys, topicsDir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			l.errorf(position{file: name}, "cannot read: %s", plain(err))
			return nil
		}
		base := path.Base(name)
		switch {
		case d.IsDir():
			if name != topicsDir && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
		case strings.HasPrefix(base, "."), strings.HasSuffix(base, "~"): // editors' files
		case strings.HasSuffix(base, ".yaml"), strings.HasSuffix(base, ".yml"):
			files = append(files, name)
		default:
			l.warnf(position{file: name}, "is not a .yaml file and is not read")
		}
		return nil
	})
	if err != nil {
		l.errorf(position{file: topicsDir}, "cannot read: %s", plain(err))
	}
	if len(files) > maxFiles {
		l.errorf(position{file: topicsDir}, "holds %d files; the limit is %d", len(files), maxFiles)
		return
	}
	for _, name := range files {
		text, ok := readFile(&l.report, l.fsys, name)
		l.count(name, text)
		if !ok {
			continue
		}
		if root, ok := parse(&l.report, name, text); ok {
			l.topicFile(root)
		}
	}
	if len(l.base.Topics) == 0 && !l.failed() {
		l.errorf(position{file: topicsDir}, "there is no topic; put at least one file with topics here")
	}
	for i := range l.base.Topics {
		t := &l.base.Topics[i]
		l.report.topic = t.ID
		for _, f := range t.FollowUps {
			switch _, ok := l.base.index[f]; {
			case f == t.ID:
				l.add(position{t.File, t.Line}, RuleDeadLink, false, "topic %s: follows up on itself", t.ID)
			case !ok:
				l.add(position{t.File, t.Line}, RuleDeadLink, false, "topic %s: follow-up %q does not exist", t.ID, f)
			}
		}
	}
	l.report.topic = ""
}

// topicFile reads the Topics of one file. It returns what the file says for all
// of them, and how many there should have been.
func (l *loader) topicFile(root doc) (def defaults, items int) {
	top := root.fields("category", "owner", "review", "topics")
	if top == nil {
		return def, 0
	}
	category := top["category"].text("category")
	if category == "" {
		l.add(root.at, RuleMissing, false, "category is missing")
	}
	list, ok := top["topics"]
	if !ok {
		l.errorf(root.at, "topics is missing")
		return def, 0
	}
	def = defaults{category: category, owner: top["owner"].text("owner")}
	if r, ok := top["review"]; ok {
		def.review = l.review(r)
	}
	all := list.items("topics")
	for _, d := range all {
		if len(l.base.Topics) >= maxTopics {
			l.errorf(d.at, "there are more than %d topics", maxTopics)
			break
		}
		l.topic(d, def)
	}
	return def, len(all)
}

// defaults are what a file says for all its Topics.
type defaults struct {
	category, owner string
	review          Review
}

func (l *loader) review(d doc) Review {
	f := d.fields("state", "by", "on")
	return Review{
		State: l.oneOf(f["state"], "state", "", ReviewDraft, ReviewReviewed),
		By:    f["by"].text("by"),
		On:    l.day(f["on"], "on"),
	}
}

// day reads a date, kept as it is written: years that sort as text.
func (l *loader) day(d doc, what string) string {
	s := d.text(what)
	if s == "" {
		return ""
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		l.errorf(d.at, "%s: %q is not a day like 2026-11-20", what, s)
		return ""
	}
	return s
}

func (l *loader) topic(d doc, def defaults) {
	f := d.fields("id", "title", "kind", "form", "phrasings", "answer", "answers", "follow_ups", "group", "priority",
		"sources", "effective", "owner", "review")
	if f == nil {
		return
	}
	id := f["id"]
	if id.node == nil {
		l.errorf(d.at, "topic: id is missing")
		return
	}
	t := Topic{
		ID: l.id(id, "topic"), Title: f["title"].text("title"), Category: def.category,
		Owner: def.owner, Review: def.review, File: d.at.file, Line: d.at.line,
	}
	if t.ID == "" {
		return
	}
	l.report.topic = t.ID
	defer func() { l.report.topic = "" }()
	if i, twice := l.base.index[t.ID]; twice {
		o := l.base.Topics[i]
		l.errorf(d.at, "topic %s: the id is taken at %s:%d", t.ID, o.File, o.Line)
		return
	}
	if t.Title == "" {
		l.add(d.at, RuleMissing, false, "topic %s: title is missing", t.ID)
	}
	t.Kind = l.oneOf(f["kind"], "kind", KindAnswer, KindAnswer, KindHandoff, KindComplaint, KindUrgent)
	t.Priority = l.oneOf(f["priority"], "priority", "", "P0", "P1", "P2")
	if o := f["owner"].text("owner"); o != "" {
		t.Owner = o
	}
	if r, ok := f["review"]; ok {
		t.Review = l.review(r)
	}
	if x, ok := f["form"]; ok {
		t.Form = l.id(x, "form")
	}
	for _, x := range f["sources"].lines("sources") {
		t.Sources = append(t.Sources, x.text)
	}
	if x, ok := f["effective"]; ok {
		e := x.fields("from", "until")
		t.From, t.Until = l.day(e["from"], "from"), l.day(e["until"], "until")
		if t.From != "" && t.Until != "" && t.Until < t.From {
			l.add(x.at, RuleValue, false, "topic %s: ends before it begins", t.ID)
		}
	}
	if g, ok := f["group"]; ok {
		t.Group = l.id(g, "group")
	}
	for _, x := range f["follow_ups"].lines("follow_ups") {
		t.FollowUps = append(t.FollowUps, x.text)
	}

	phrasings := f["phrasings"].lines("phrasings")
	t.Phrasings = l.texts(phrasings)
	if n := len(phrasings); n == 0 {
		l.add(d.at, RuleMissing, false, "topic %s: phrasings are missing", t.ID)
	} else if n < minPhrasings {
		l.add(d.at, RuleFewPhrasings, true, "topic %s: %d phrasings; at least %d are needed to be understood well", t.ID, n, minPhrasings)
	} else if n > maxPhrasings {
		l.add(d.at, RuleValue, false, "topic %s: %d phrasings; the limit is %d", t.ID, n, maxPhrasings)
	}
	where := places{answers: map[string]int{}}
	for _, p := range phrasings {
		where.phrasings = append(where.phrasings, p.at.line)
		key := fold(p.text)
		if key == "" {
			l.add(p.at, RuleValue, false, "topic %s: phrasing %q says nothing", t.ID, p.text)
			continue
		}
		if o, twice := l.seen[key]; twice {
			l.add(p.at, RuleDuplicate, false, "topic %s: phrasing %q stands already at %s:%d (topic %s)", t.ID, p.text, o.at.file, o.at.line, o.topic)
			continue
		}
		l.seen[key] = seen{t.ID, p.at}
		l.private(p.text, p.at)
	}

	answer, ok := f["answer"]
	where.answers[""] = answer.at.line
	l.base.places[t.ID] = where
	if t.Answer = answer.text("answer"); t.Answer == "" {
		l.add(d.at, RuleMissing, false, "topic %s: answer is missing", t.ID)
	} else if ok {
		l.answer(&t, t.Answer, answer.at, maxAnswer)
	}
	if a, ok := f["answers"]; ok {
		t.Answers = map[string]string{}
		for ch, v := range a.fields(ChannelWeb, ChannelWeChat, ChannelSMS) {
			s := v.text(ch)
			if s == "" {
				l.add(v.at, RuleMissing, false, "topic %s: the answer for %s is empty; leave the key out to use the common answer", t.ID, ch)
				continue
			}
			t.Answers[ch] = s
			where.answers[ch] = v.at.line
			l.answer(&t, s, v.at, maxAnswer)
			if n := utf8.RuneCountInString(s); ch == ChannelSMS && n > maxSMS {
				l.add(v.at, RuleLength, true, "topic %s: the SMS answer has %d characters; more than %d is costly", t.ID, n, maxSMS)
			}
			if ch == ChannelWeChat && len(s) > maxWeChat {
				l.add(v.at, RuleLength, true, "topic %s: the WeChat answer has %d bytes; keep it under %d", t.ID, len(s), maxWeChat)
			}
		}
	}
	l.base.index[t.ID] = len(l.base.Topics)
	l.base.Topics = append(l.base.Topics, t)
}

// invented finds amounts, rates and delays, which belong in config or need a
// source.
var invented = regexp.MustCompile(`[0-9一二三四五六七八九十百千万]+(?:\.[0-9]+)?\s*(?:%|%|‰|元|块钱|万元|个?工作日|个?自然日|小时|分钟|天内|日内|倍)|百分之|日息万|年化[0-9]`) //nolint:gosmopolitan // words the lint looks for, not copy

var promises = []string{"保证能", "一定能", "肯定能", "百分之百", "100%", "绝对没问题"} //nolint:gosmopolitan // words the lint looks for, not copy

var private = regexp.MustCompile(`(?:^|[^0-9])(?:1[3-9][0-9]{9}|[1-9][0-9]{16}[0-9Xx]|[0-9]{16,19})(?:$|[^0-9])|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z]{2,}`)

func (l *loader) private(text string, at position) {
	if private.MatchString(text) {
		l.add(at, RulePersonalData, false, "holds what looks like personal data (a phone, identity or card number, an address); use a placeholder or leave it out")
	}
}

func (l *loader) answer(t *Topic, text string, at position, limit int) {
	if n := utf8.RuneCountInString(text); n > limit {
		l.add(at, RuleLength, false, "topic %s: the answer has %d characters; the limit is %d", t.ID, n, limit)
	}
	l.placeholders(text, at, nil)
	l.private(text, at)
	if m := invented.FindString(text); m != "" && len(t.Sources) == 0 {
		l.add(at, RuleInvented, true, "topic %s: the answer says %q without a source; name the law, or use a placeholder", t.ID, m)
	}
	for _, p := range promises {
		if strings.Contains(text, p) {
			l.add(at, RulePromise, true, "topic %s: the answer promises %q", t.ID, p)
		}
	}
}

// fold reduces a phrasing to what tells it from another: two that fold alike
// are the same for a reader.
func fold(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsNumber(c) {
			return c
		}
		return -1
	}, nlp.Normalize(s))
}

// lists yields the words of every line of a plain list, comments left out.
func (l *loader) lists(name string) iter.Seq2[position, []string] {
	return func(yield func(position, []string) bool) {
		text, ok := l.read(name)
		if !ok {
			return
		}
		for i, s := range strings.Split(string(text), "\n") {
			if s = strings.TrimSpace(s); s == "" || strings.HasPrefix(s, "#") {
				continue
			}
			if !yield(position{name, i + 1}, strings.Fields(s)) {
				return
			}
		}
	}
}

// loadWords reads the segmenter's words, one a line.
func (l *loader) loadWords() {
	have := map[string]int{}
	for at, parts := range l.lists(wordsFile) {
		if len(parts) < 1 || len(parts) > 3 {
			l.errorf(at, "must be: word [frequency [tag]]")
			continue
		}
		w := nlp.Word{Text: parts[0], Freq: 2000, Tag: "n"}
		if len(parts) > 1 {
			n, err := strconv.Atoi(parts[1])
			if err != nil || n < 1 || n > 10_000_000 {
				l.errorf(at, "frequency %q must be a number from 1 to 10000000", parts[1])
				continue
			}
			w.Freq = n
		}
		if len(parts) > 2 {
			w.Tag = parts[2]
		}
		if n := utf8.RuneCountInString(w.Text); n > 10 {
			l.errorf(at, "%q has %d characters; a word has at most 10", w.Text, n)
			continue
		}
		if o, twice := have[w.Text]; twice {
			l.errorf(at, "%q stands already in line %d", w.Text, o)
			continue
		}
		have[w.Text] = at.line
		l.base.words = append(l.base.words, w)
	}
}

// loadSynonyms reads groups of words, one a line, blanks between them.
func (l *loader) loadSynonyms() {
	have := map[string]int{}
	for at, group := range l.lists(synonymsFile) {
		if len(group) < 2 {
			l.errorf(at, "must be two words or more that mean the same")
			continue
		}
		words := group
		if group[0] == nlp.Silent {
			words = group[1:]
		}
		for _, w := range words {
			key := fold(w)
			switch o := have[key]; {
			case key == "" || utf8.RuneCountInString(w) > maxPhrasing:
				l.errorf(at, "%q is not a word", w)
			case o > 0:
				l.errorf(at, "%q stands already in line %d", w, o)
			default:
				have[key] = at.line
			}
		}
		l.base.synonyms = append(l.base.synonyms, group)
	}
}
