package nlp

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Rule is a set of wordings that mean one thing, found wherever they stand in a
// text.
type Rule struct {
	// ID names the rule in a [Hit].
	ID string
	// Phrases are found in simplified and traditional script, spaced out,
	// punctuated, in pinyin, and with some characters replaced by homophones
	// (see [Matcher]).
	Phrases []string
	// Except are false friends: a phrase found inside, or overlapping, one of
	// them does not count. An entry that starts with "re:" is a regular
	// expression on the squashed text.
	Except []string
	// Loose lets one of two characters be a homophone as well. It is for rules
	// that count only when they are the whole message.
	Loose bool
	// Patterns are RE2 expressions, tried on the normalised text and again on
	// the squashed one.
	Patterns []string
}

// Hit is one rule found in a text.
type Hit struct {
	Rule string `json:"rule"`
	// Phrase is the rule's own wording or pattern that was found.
	Phrase string `json:"phrase"`
	// Text is what stood in the squashed text.
	Text string `json:"text"`
}

// Matcher finds rules in texts. It works on the normalised text, not on words,
// so that no segmenter can hide a phrase.
//
// A phrase of three or more Chinese characters is also found when fewer than
// half of them are replaced by homophones (tones and zh/z, ch/c, sh/s, ing/in,
// eng/en are not told apart), and when it is spelled in pinyin. A phrase of two
// is found by homophones only where the rule is Loose, and in pinyin only as it
// is usually read, spelled in full, and cut where a reader would cut: too many
// ordinary words sound alike.
//
// It is immutable and safe for concurrent use.
type Matcher struct {
	rules   []compiledRule
	byRune  map[rune][]int32   // first character → phrases
	bySound map[uint16][]int32 // first sound → phrases of three and more
	phrases []phrase
}

type compiledRule struct {
	id       string
	loose    bool
	except   []*regexp.Regexp
	patterns []*regexp.Regexp
}

type phrase struct {
	rule   int
	except bool
	text   string // as the rule has it
	runes  []rune // squashed
	sounds [][]uint16
	han    int
	// spelled are the usual spellings of a phrase of two Chinese characters.
	spelled []string
}

// NewMatcher compiles rules. It names the rule whose phrase is empty once
// squashed or whose pattern does not compile.
func NewMatcher(rules []Rule) (*Matcher, error) {
	m := &Matcher{byRune: map[rune][]int32{}, bySound: map[uint16][]int32{}}
	var errs []error
	for i, r := range rules {
		c := compiledRule{id: r.ID, loose: r.Loose}
		for _, p := range r.Phrases {
			if err := m.add(i, p, false); err != nil {
				errs = append(errs, fmt.Errorf("rule %s: %w", r.ID, err))
			}
		}
		for _, p := range r.Except {
			if expr, ok := strings.CutPrefix(p, "re:"); ok {
				re, err := regexp.Compile(expr)
				if err != nil {
					errs = append(errs, fmt.Errorf("rule %s: except %q: %w", r.ID, p, err))
					continue
				}
				c.except = append(c.except, re)
				continue
			}
			if err := m.add(i, p, true); err != nil {
				errs = append(errs, fmt.Errorf("rule %s: except: %w", r.ID, err))
			}
		}
		for _, p := range r.Patterns {
			re, err := regexp.Compile(p)
			if err != nil {
				errs = append(errs, fmt.Errorf("rule %s: pattern %q: %w", r.ID, p, err))
				continue
			}
			c.patterns = append(c.patterns, re)
		}
		m.rules = append(m.rules, c)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return m, nil
}

var errEmptyPhrase = errors.New("nothing is left of the phrase once punctuation is dropped")

func (m *Matcher) add(rule int, text string, except bool) error {
	sq := strings.ReplaceAll(Squash(Normalize(text)), " ", "")
	if sq == "" {
		return fmt.Errorf("%w: %q", errEmptyPhrase, text)
	}
	snd := pronunciations()
	p := phrase{rule: rule, except: except, text: text, runes: []rune(sq)}
	p.sounds = make([][]uint16, len(p.runes))
	for i, r := range p.runes {
		if isHan(r) {
			p.sounds[i] = snd.of(r)
			p.han++
		}
	}
	if p.han == 2 && len(p.runes) == 2 {
		p.spelled = []string{spelling(p.runes[0]), spelling(p.runes[1])}
	}
	id := int32(len(m.phrases))
	m.phrases = append(m.phrases, p)
	m.byRune[p.runes[0]] = append(m.byRune[p.runes[0]], id)
	for _, s := range p.sounds[0] {
		m.bySound[s] = append(m.bySound[s], id)
	}
	return nil
}

// Match finds the rules in a text as it was written. Each rule is reported once,
// by its longest wording, in the order the rules were given.
func (m *Matcher) Match(raw string) []Hit {
	return m.MatchNorm(Normalize(raw))
}

// MatchNorm is Match for a text that is already normalised.
func (m *Matcher) MatchNorm(norm string) []Hit {
	t := newRuleText(norm)
	var spans []span
	for i := range t.runes {
		spans = m.at(t, i, spans)
	}
	return m.patternHits(norm, t.text, m.settle(t, spans))
}

type span struct {
	phrase     int32
	start, end int
	changed    int // characters replaced by homophones
	letters    bool
}

// excuses reports whether a false friend, found at o, voids a phrase found at s.
// One that had to be read more freely than the phrase does not; one in pinyin,
// which says less, must hold the whole phrase.
func (o span) excuses(s span) bool {
	if o.start >= s.end || s.start >= o.end || o.changed > s.changed {
		return false
	}
	return !o.letters || (o.start <= s.start && s.end <= o.end && o.end-o.start > s.end-s.start)
}

// at finds the phrases that start at one character.
func (m *Matcher) at(t *ruleText, i int, spans []span) []span {
	r := t.runes[i]
	try := func(ids []int32) {
		for _, id := range ids {
			p := &m.phrases[id]
			if f, ok := t.matches(p, i, m.rules[p.rule].loose); ok {
				spans = append(spans, span{phrase: id, start: i, end: f.end, changed: p.han - f.same, letters: f.letters})
			}
		}
	}
	try(m.byRune[r])
	for _, s := range t.sounds[i] {
		for _, id := range m.bySound[s] {
			if m.phrases[id].runes[0] != r { // those are done
				try([]int32{id})
			}
		}
	}
	if isLatin(r) && t.border[i] {
		snd := pronunciations()
		for l := 1; l <= maxSyllable && i+l <= len(t.runes) && t.letters(i, l); l++ {
			if id, ok := snd.raw[string(t.runes[i:i+l])]; ok && t.border[i+l] {
				try(m.bySound[id])
			}
		}
	}
	return spans
}

// settle drops what overlaps a false friend and keeps one hit a rule.
func (m *Matcher) settle(t *ruleText, spans []span) map[int]Hit {
	hits, excluded := map[int][]span{}, map[int][]span{}
	for _, s := range spans {
		if p := &m.phrases[s.phrase]; p.except {
			excluded[p.rule] = append(excluded[p.rule], s)
		} else {
			hits[p.rule] = append(hits[p.rule], s)
		}
	}
	best := map[int]Hit{}
	for rule, list := range hits {
		bad := append(excluded[rule], exceptSpans(t.text, m.rules[rule].except)...)
		longest := 0
		for _, s := range list {
			p := &m.phrases[s.phrase]
			if len(p.runes) <= longest || slices.ContainsFunc(bad, func(o span) bool { return o.excuses(s) }) {
				continue
			}
			longest = len(p.runes)
			best[rule] = Hit{Rule: m.rules[rule].id, Phrase: p.text, Text: string(t.runes[s.start:s.end])}
		}
	}
	return best
}

// exceptSpans returns where expressions match, in characters.
func exceptSpans(text string, res []*regexp.Regexp) []span {
	var out []span
	for _, re := range res {
		for _, loc := range re.FindAllStringIndex(text, 16) {
			out = append(out, span{
				start: utf8.RuneCountInString(text[:loc[0]]),
				end:   utf8.RuneCountInString(text[:loc[1]]),
			})
		}
	}
	return out
}

func (m *Matcher) patternHits(norm, sq string, best map[int]Hit) []Hit {
	var hits []Hit
	for i := range m.rules {
		if h, ok := best[i]; ok {
			hits = append(hits, h)
			continue
		}
		if h, ok := m.rules[i].pattern(norm, sq); ok {
			hits = append(hits, h)
		}
	}
	return hits
}

func (c *compiledRule) pattern(norm, sq string) (Hit, bool) {
	texts := []string{norm, sq}
	if norm == sq {
		texts = texts[:1]
	}
	for _, re := range c.patterns {
		for _, text := range texts {
			loc := re.FindStringIndex(text)
			if loc == nil || c.excepted(text, loc) {
				continue
			}
			return Hit{Rule: c.id, Phrase: re.String(), Text: text[loc[0]:loc[1]]}, true
		}
	}
	return Hit{}, false
}

func (c *compiledRule) excepted(text string, loc []int) bool {
	for _, ex := range c.except {
		for _, e := range ex.FindAllStringIndex(text, 16) {
			if loc[0] < e[1] && e[0] < loc[1] {
				return true
			}
		}
	}
	return false
}

// ruleText is a squashed text with what the comparison needs of it.
type ruleText struct {
	text   string
	runes  []rune
	sounds [][]uint16
	// gap[i] says that something was dropped before character i.
	gap []bool
	// border[i] says that pinyin may be cut before character i, proper[i] that
	// it is where the syllables are fewest, which is how it is read.
	border, proper []bool
}

func newRuleText(norm string) *ruleText {
	snd := pronunciations()
	t := &ruleText{}
	t.runes, t.gap = squash(norm)
	t.text = string(t.runes)
	t.sounds = make([][]uint16, len(t.runes))
	t.border, t.proper = make([]bool, len(t.runes)+1), make([]bool, len(t.runes)+1)
	for i := 0; i < len(t.runes); {
		if !isLatin(t.runes[i]) {
			t.sounds[i] = snd.of(t.runes[i])
			i++
			continue
		}
		j := i
		for j < len(t.runes) && isLatin(t.runes[j]) {
			j++
		}
		may, proper := snd.cuts(string(t.runes[i:j]))
		for k := range may {
			t.border[i+k] = t.border[i+k] || may[k]
			t.proper[i+k] = t.proper[i+k] || proper[k]
		}
		i = j
	}
	return t
}

func (t *ruleText) letters(i, n int) bool {
	return isLatin(t.runes[i+n-1])
}

// found is how a phrase was found.
type found struct {
	end     int  // after its last character
	same    int  // Chinese characters found as written, or in pinyin
	letters bool // some were in pinyin
}

// matches reports whether a phrase starts at character i.
func (t *ruleText) matches(p *phrase, i int, loose bool) (found, bool) {
	if !t.edge(p.runes[0], i) {
		return found{}, false
	}
	f, ok := t.rest(p, 0, found{end: i}, loose || p.han >= 3)
	if ok && p.spelled != nil && isLatin(t.runes[i]) && isLatin(t.runes[f.end-1]) {
		return t.plainly(p, i)
	}
	return f, ok
}

// plainly reports whether a phrase of two is spelled at i as a reader would read
// it there: not of the end of one word and the beginning of the next, nor of
// letters that belong to other syllables.
func (t *ruleText) plainly(p *phrase, i int) (found, bool) {
	mid := i + len(p.spelled[0])
	end := mid + len(p.spelled[1])
	if end > len(t.runes) || string(t.runes[i:mid]) != p.spelled[0] || string(t.runes[mid:end]) != p.spelled[1] {
		return found{}, false
	}
	first, last := t.wordEdge(i), t.wordEdge(end)
	whole, cut := first && last, t.proper[i] && t.proper[mid] && t.proper[end]
	halves := t.gap[mid] && !first && !last
	if halves || !whole && !cut {
		return found{}, false
	}
	return found{end: end, same: 2, letters: true}, true
}

// wordEdge reports whether no letters are joined at border i.
func (t *ruleText) wordEdge(i int) bool {
	return i == 0 || i == len(t.runes) || t.gap[i] || !isLatin(t.runes[i-1]) || !isLatin(t.runes[i])
}

// rest matches a phrase from its character k on, where f ends. Pinyin can be cut
// in several ways, so each is tried.
func (t *ruleText) rest(p *phrase, k int, f found, homophones bool) (found, bool) {
	for ; k < len(p.runes); k++ {
		if f.end >= len(t.runes) {
			return f, false
		}
		want, got := p.runes[k], t.runes[f.end]
		switch {
		case got == want:
			if isHan(want) {
				f.same++
			}
			f.end++
		case p.sounds[k] == nil:
			return f, false
		case isLatin(got):
			if p.han < 2 || !t.border[f.end] {
				return f, false
			}
			for n := maxSyllable; n > 0; n-- {
				if !t.spells(p.sounds[k], f.end, n) {
					continue
				}
				if out, ok := t.rest(p, k+1, found{f.end + n, f.same + 1, true}, homophones); ok {
					return out, true
				}
			}
			return f, false
		case homophones && sameSound(t.sounds[f.end], p.sounds[k]):
			f.end++
		default:
			return f, false
		}
	}
	return f, t.edge(p.runes[len(p.runes)-1], f.end) && 2*f.same >= p.han
}

// spells reports whether n letters at i are one of the sounds.
func (t *ruleText) spells(ids []uint16, i, n int) bool {
	if i+n > len(t.runes) || !t.border[i+n] {
		return false
	}
	id, ok := pronunciations().raw[string(t.runes[i:i+n])]
	return ok && slices.Contains(ids, id)
}

// edge reports whether a phrase that begins or ends with a letter or digit at
// border i of the text does so where a word or number does: "12378" is not
// found in "1123785", nor "agent" in "reagent".
func (t *ruleText) edge(r rune, i int) bool {
	if i == 0 || i == len(t.runes) || t.gap[i] {
		return true
	}
	a, b := t.runes[i-1], t.runes[i]
	inNumber := isDigit(r) && isDigit(a) && isDigit(b)
	inWord := isLatin(r) && isLatin(a) && isLatin(b)
	return !inNumber && !inWord
}
