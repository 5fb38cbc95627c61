package channels

import (
	"strings"
	"unicode/utf8"
)

// Split cuts text into parts within the limits, on rune borders: after a line
// break or a sentence end where one lies in the part's last half, anywhere
// otherwise. What is beyond limits.MaxParts is replaced by an ellipsis. An
// empty text is one empty part.
func Split(text string, limits Limits) []string {
	var parts []string
	for {
		n := fit(text, limits)
		if n == len(text) {
			return append(parts, text)
		}
		if limits.MaxParts > 0 && len(parts) == limits.MaxParts-1 {
			return append(parts, ellipsis(text[:n], limits))
		}
		n = sentenceEnd(text, n)
		parts = append(parts, strings.TrimRight(text[:n], "\n"))
		text = strings.TrimLeft(text[n:], "\n")
	}
}

// fit returns how many leading bytes of text fit the limits; at least one rune.
func fit(text string, limits Limits) int {
	runes := 0
	for i, r := range text {
		end := i + utf8.RuneLen(r)
		if r == utf8.RuneError {
			_, w := utf8.DecodeRuneInString(text[i:])
			end = i + w
		}
		runes++
		over := limits.TextBytes > 0 && end > limits.TextBytes || limits.TextRunes > 0 && runes > limits.TextRunes
		if over && i > 0 {
			return i
		}
	}
	return len(text)
}

func sentenceEnd(text string, n int) int {
	for i := n; i > n/2; {
		r, w := utf8.DecodeLastRuneInString(text[:i])
		if strings.ContainsRune("\n。！？；!?;", r) {
			return i
		}
		i -= w
	}
	return n
}

func ellipsis(text string, limits Limits) string {
	const dots = "…"
	for len(text) > 0 {
		if fit(text+dots, limits) == len(text)+len(dots) {
			return text + dots
		}
		_, w := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-w]
	}
	return dots
}
