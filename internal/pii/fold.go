package pii

import (
	"strings"
	"unicode/utf8"
)

// folded is a text with full-width and mathematical characters as ASCII, every
// dash as '-', every space as ' ' and zero-width characters dropped. at[i] is
// the offset in the original of byte i; nil means the texts are the same.
type folded struct {
	s  string
	at []int32
}

// fold builds the folded text. Bytes that are not valid UTF-8 are kept.
func fold(s string) folded {
	if !needsFold(s) {
		return folded{s: s}
	}
	var b strings.Builder
	b.Grow(len(s))
	at := make([]int32, 0, len(s)+1)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError || n > 1 {
			if to, ok := foldRune(r); ok {
				if to != 0 {
					b.WriteByte(to)
					at = append(at, int32(i))
				}
				i += n
				continue
			}
		}
		for j := range n {
			b.WriteByte(s[i+j])
			at = append(at, int32(i+j))
		}
		i += n
	}
	at = append(at, int32(len(s)))
	return folded{s: b.String(), at: at}
}

// needsFold looks for the lead bytes of what foldRune changes.
func needsFold(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case 0xEF, 0xE2, 0xC2, 0xF0:
			return true
		case 0xE3:
			if i+2 < len(s) && s[i+1] == 0x80 && s[i+2] == 0x80 {
				return true
			}
		}
	}
	return false
}

// foldRune returns the ASCII form of r; 0 means r is dropped, ok false that it
// stays as it is.
func foldRune(r rune) (to byte, ok bool) {
	switch {
	case r >= 0xFF01 && r <= 0xFF5E: // full-width forms
		return byte(r - 0xFF01 + '!'), true
	case r >= 0x1D7CE && r <= 0x1D7FF: // mathematical digits
		return byte('0' + (r-0x1D7CE)%10), true
	case r >= 0x2010 && r <= 0x2015, r == 0x2212: // dashes and minus
		return '-', true
	case r == 0x3000, r == 0xA0, r >= 0x2000 && r <= 0x200A, r == 0x202F, r == 0x205F:
		return ' ', true
	case r >= 0x200B && r <= 0x200F, r >= 0x2060 && r <= 0x2064, r == 0xFEFF, r == 0xAD:
		return 0, true
	}
	return 0, false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// lower returns c in lower case when it is an ASCII letter.
func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// index finds word, given in lower case, in s from offset from without regard
// to ASCII case; -1 when it is not there.
func index(s, word string, from int) int {
	if word == "" || from < 0 || len(s) < len(word) {
		return -1
	}
	if !isLetter(word[0]) {
		if k := strings.Index(s[min(from, len(s)):], word); k >= 0 {
			return from + k
		}
		return -1
	}
	for i := from; i+len(word) <= len(s); i++ {
		if lower(s[i]) == word[0] && equalFold(s[i:i+len(word)], word) {
			return i
		}
	}
	return -1
}

func equalFold(s, word string) bool {
	for i := range len(word) {
		if lower(s[i]) != word[i] {
			return false
		}
	}
	return true
}

// before returns at most n runes of s that end at offset end.
func before(s string, end, n int) string {
	i := end
	for ; n > 0 && i > 0; n-- {
		_, w := utf8.DecodeLastRuneInString(s[:i])
		i -= w
	}
	return s[i:end]
}

// containsAny reports whether s holds one of the lower-case words.
func containsAny(s string, words []string) bool {
	for _, w := range words {
		if index(s, w, 0) >= 0 {
			return true
		}
	}
	return false
}

// hasPrefixAny reports whether s starts with one of the words.
func hasPrefixAny(s string, words []string) bool {
	for _, w := range words {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}
