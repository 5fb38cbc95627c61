package nlp

import (
	"bufio"
	"bytes"
	"strings"
	"sync"
)

// lexicon is the package's own word lists, from data/*.txt.
type lexicon struct {
	stop      map[string]struct{}
	want      []string // "I do not want …"
	fact      []string // "… is not so"
	absent    []string // a wording that is about something missing
	questions *strings.Replacer
}

// words is read-only once built.
var words = sync.OnceValue(func() *lexicon {
	l := &lexicon{
		stop:   map[string]struct{}{},
		want:   wordList("data/denials_want.txt"),
		fact:   wordList("data/denials_fact.txt"),
		absent: wordList("data/absent.txt"),
	}
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

// denial says how a text denies what it speaks of.
type denial uint8

const (
	deniesWant denial = 1 << iota // the person does not want it
	deniesFact                    // it is not so
	tellsLack                     // something is missing or does not work
)

// denial finds the denials of a normalised text. Questions such as "is it or
// is it not" deny nothing.
func (l *lexicon) denial(norm string) denial {
	norm = l.questions.Replace(norm)
	var d denial
	if containsAny(norm, l.want) {
		d |= deniesWant
	}
	if containsAny(norm, l.fact) {
		d |= deniesFact
	}
	if containsAny(norm, l.absent) {
		d |= tellsLack
	}
	return d
}

// contradicts reports whether a question denies what every wording of a label,
// whose denials are given together, affirms.
func (d denial) contradicts(label denial) bool {
	if d&deniesWant != 0 && label&deniesWant == 0 {
		return true
	}
	return d&deniesFact != 0 && label&tellsLack == 0
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
