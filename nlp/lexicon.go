package nlp

import (
	"bufio"
	"bytes"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// lexicon is the package's own word lists, from data/*.txt.
type lexicon struct {
	stop      map[string]struct{}
	want      []string // "I do not want …"
	fact      []string // "… is not so"
	absent    []string // a wording that is about something missing
	questions *strings.Replacer
	fillers   []string // what only wraps a question
	unheard   string   // characters that are not taken for others
}

// words is read-only once built.
var words = sync.OnceValue(func() *lexicon {
	l := &lexicon{
		stop:   map[string]struct{}{},
		want:   wordList("data/denials_want.txt"),
		fact:   wordList("data/denials_fact.txt"),
		absent: wordList("data/absent.txt"),
	}
	l.fillers = wordList("data/fillers.txt")
	l.unheard = strings.Join(wordList("data/unheard.txt"), "")
	for _, w := range wordList("data/stopwords.txt") {
		l.stop[w] = struct{}{}
	}
	var pairs []string
	for _, q := range wordList("data/questions.txt") {
		pairs = append(pairs, q, " ")
	}
	l.questions = strings.NewReplacer(pairs...)
	return l
})

// minCore is how many characters a question keeps at least when what wraps it
// is taken away.
const minCore = 3

// core is a normalised text without the greetings and phrases of asking around
// it, so that "hello, I would like to ask whether …, thanks" ranks as "whether …".
func (l *lexicon) core(norm string) string {
	for {
		s := strings.TrimFunc(norm, func(r rune) bool { return !isWord(r) })
		best := s
		for _, f := range l.fillers {
			if t, ok := strings.CutPrefix(s, f); ok && len(t) < len(best) {
				best = t
			}
			if t, ok := strings.CutSuffix(s, f); ok && len(t) < len(best) {
				best = t
			}
		}
		if best == s || utf8.RuneCountInString(Squash(best)) < minCore {
			return s
		}
		norm = best
	}
}

// denial is how a text, or all wordings of a label together, deny what they
// speak of.
type denial struct {
	// want holds the beginnings of what is not wanted; "" for a denial that
	// nothing follows.
	want []string
	// fact says that something is denied as not so.
	fact bool
	// lack and texts count the wordings about something missing, and all.
	lack, texts int
}

// objectRunes is how much of what follows a denial tells what is denied.
const objectRunes = 2

// denial finds the denials of a normalised text. Questions such as "is it or
// is it not" deny nothing.
func (l *lexicon) denial(norm string) denial {
	norm = l.questions.Replace(norm)
	d := denial{texts: 1, fact: containsAny(norm, l.fact)}
	if containsAny(norm, l.absent) {
		d.lack = 1
	}
	rest := norm
	for rest != "" {
		at, size := firstOf(rest, l.want)
		if at < 0 {
			break
		}
		rest = rest[at+size:]
		d.want = append(d.want, clip(strings.TrimLeft(rest, " "), objectRunes))
	}
	return d
}

// add joins a wording's denials to a label's.
func (d *denial) add(o denial) {
	d.want = append(d.want, o.want...)
	d.fact = d.fact || o.fact
	d.lack += o.lack
	d.texts += o.texts
}

// lackShare is which part of a label's wordings must be about something missing
// for a text that says that something is not so to be one of them.
const lackShare = 0.2

// contradicts reports whether a question denies what the wordings of a label
// affirm.
func (d denial) contradicts(label denial) bool {
	for _, object := range d.want {
		if object == "" && len(label.want) > 0 {
			continue
		}
		if !slices.Contains(label.want, object) {
			return true
		}
	}
	return d.fact && float64(label.lack) < lackShare*float64(label.texts)
}

// firstOf finds the earliest, and there the longest, of some words.
func firstOf(s string, list []string) (at, size int) {
	at = -1
	for _, w := range list {
		i := strings.Index(s, w)
		if i < 0 {
			continue
		}
		if at < 0 || i < at || (i == at && len(w) > size) {
			at, size = i, len(w)
		}
	}
	return at, size
}

func containsAny(s string, list []string) bool {
	for _, w := range list {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// wordList reads an embedded list: one entry a line, # comments.
func wordList(name string) []string {
	raw, err := dataFS.ReadFile(name)
	if err != nil {
		return nil // embedded: cannot happen in a program that was built
	}
	var out []string
	for sc := bufio.NewScanner(bytes.NewReader(raw)); sc.Scan(); {
		if line := strings.TrimSpace(sc.Text()); line != "" && line[0] != '#' {
			out = append(out, line)
		}
	}
	return out
}

// content reports whether a word says something about the subject.
func (l *lexicon) content(w string) bool {
	if _, ok := l.stop[w]; ok {
		return false
	}
	return strings.ContainsFunc(w, isWord)
}
