package nlp

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxPasses bounds the search for a fixed point in Normalize. Two passes are
// enough for all but contrived input; the bound keeps the work linear.
const maxPasses = 6

// Normalize brings a text to the form everything else compares: valid UTF-8
// without control and zero-width characters, NFKC (full-width digits become
// ASCII, ligatures open), lower case, simplified script, runs of white space as
// one space, no space at either end. It looks at the first [MaxRunes]
// characters only. It is idempotent and safe for concurrent use.
func Normalize(s string) string {
	s = clip(strings.ToValidUTF8(s, ""), MaxRunes)
	for range maxPasses {
		t := normalizeOnce(s)
		if t == s {
			break
		}
		s = t
	}
	return s
}

func normalizeOnce(s string) string {
	if plainASCII(s) {
		return s
	}
	s = norm.NFKC.String(strip(s))
	s = strings.ToLower(s)
	s = simplify(s)
	return clip(norm.NFKC.String(strip(s)), MaxRunes)
}

// plainASCII reports whether there is nothing to do: the common case of the
// second pass over an ASCII text.
func plainASCII(s string) bool {
	prev := byte(' ')
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf || c < ' ' || c == 0x7f || (c >= 'A' && c <= 'Z') || (c == ' ' && prev == ' ') {
			return false
		}
		prev = c
	}
	return s == "" || prev != ' '
}

// strip drops what nobody sees and collapses white space.
func strip(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case invisible(r):
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// invisible reports whether a character leaves no mark of its own: controls,
// format characters (zero-width, bidirectional), variation selectors, fillers,
// private use.
func invisible(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0:
		return true
	case r < 0xad:
		return false
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef:
		return true
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0, r == 0x2800:
		return true
	case r == utf8.RuneError:
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Cc, unicode.Co, unicode.Cs)
}

// clip keeps the first n characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count := 0
	for i := range s {
		if count == n {
			return s[:i]
		}
		count++
	}
	return s
}

// isHan reports whether a character is a Chinese one.
func isHan(r rune) bool {
	return r >= 0x3400 && unicode.Is(unicode.Han, r)
}

// isLatin reports whether a character is a lower-case ASCII letter. Normalised
// text has no other case.
func isLatin(r rune) bool { return r >= 'a' && r <= 'z' }

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// isWord reports whether a character carries meaning, as opposed to spaces,
// punctuation and symbols.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return isLatin(r) || isDigit(r) || (r >= 'A' && r <= 'Z')
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}
