package nlp

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// synonyms finds the members of groups of words that mean the same. The nil
// value has no groups.
type synonyms struct {
	// byRune holds, by first character, the members, the longest first.
	byRune map[rune][]synonym
	// group is the first word of a member's group.
	group map[string]string
	// silent are words that are read over.
	silent *synonyms
}

// Silent is, as the first word of a group of synonyms, what makes the others words
// that say nothing about the question, such as the names of products: a text is
// compared without them, unless it says nothing else.
const Silent = "-"

type synonym struct {
	text, first string
}

// newSynonyms takes groups of words, the first of each its name. A word that
// stands in two groups belongs to the earlier one; one that is empty once
// normalised is passed over, and so is a group of one.
func newSynonyms(groups [][]string) *synonyms {
	s := &synonyms{byRune: map[rune][]synonym{}, group: map[string]string{}}
	for _, g := range groups {
		if len(g) > 1 && g[0] == Silent {
			s.silent = newSynonyms([][]string{append([]string{""}, g[1:]...)})
			continue
		}
		first := ""
		for _, w := range g {
			w = Normalize(w)
			if w == "" || len(g) < 2 {
				continue
			}
			if first == "" {
				first = w
			}
			if _, taken := s.group[w]; taken {
				continue
			}
			s.group[w] = first
			r, _ := utf8.DecodeRuneInString(w)
			s.byRune[r] = append(s.byRune[r], synonym{w, first})
		}
	}
	for _, list := range s.byRune {
		slices.SortFunc(list, func(a, b synonym) int {
			if d := len(b.text) - len(a.text); d != 0 {
				return d
			}
			return strings.Compare(a.text, b.text)
		})
	}
	return s
}

// find returns the groups that stand in a normalised text, in order, each once.
// At every place the longest member counts, and what it covers is not read
// again. A member in letters must stand as a word of its own.
func (s *synonyms) find(norm string) []string {
	if s == nil || len(s.group) == 0 {
		return nil
	}
	var out []string
	s.walk(norm, func(_ string, m synonym) {
		if m.first != "" && !slices.Contains(out, m.first) {
			out = append(out, m.first)
		}
	})
	return out
}

// drop takes the silent words out of a normalised text, unless fewer than two
// characters would be left.
func (s *synonyms) drop(norm string) string {
	if s == nil || s.silent == nil {
		return norm
	}
	var b strings.Builder
	s.silent.walk(norm, func(other string, _ synonym) { b.WriteString(other) })
	if out := words().core(b.String()); utf8.RuneCountInString(Squash(out)) >= 2 {
		return out
	}
	return norm
}

// walk calls fn for every member found, and for every stretch between two, with
// the stretch or the member.
func (s *synonyms) walk(norm string, fn func(other string, m synonym)) {
	prev, from := ' ', 0
	for at := 0; at < len(norm); {
		r, size := utf8.DecodeRuneInString(norm[at:])
		for _, m := range s.byRune[r] {
			rest, ok := strings.CutPrefix(norm[at:], m.text)
			if !ok || (isLatin(r) && isLatin(prev)) {
				continue
			}
			last, _ := utf8.DecodeLastRuneInString(m.text)
			if next, _ := utf8.DecodeRuneInString(rest); isLatin(last) && isLatin(next) {
				continue
			}
			if at > from {
				fn(norm[from:at], synonym{})
			}
			fn("", m)
			size, r = len(m.text), last
			from = at + size
			break
		}
		prev = r
		at += size
	}
	if from < len(norm) {
		fn(norm[from:], synonym{})
	}
}

// has reports whether a word stands in a group or is read over.
func (s *synonyms) has(word string) bool {
	if s == nil {
		return false
	}
	_, ok := s.group[word]
	return ok || s.silent.has(word)
}

// of returns the group of a word, "" when it has none.
func (s *synonyms) of(word string) string {
	if s == nil {
		return ""
	}
	return s.group[word]
}
