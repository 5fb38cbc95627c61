package pii

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxGap is how many characters may stand between a secret's word and its digits.
const maxGap = 6

// secrets finds class C3 values: digits behind a word such as "verification
// code", a password of any characters behind "password is", digits before "is
// the code". Only the value is found, not the word.
func (f folded) secrets(found []Finding) []Finding {
	s := f.s
	for _, w := range secretWords {
		for i := index(s, w, 0); i >= 0; i = index(s, w, i+len(w)) {
			if isLetter(w[0]) && i > 0 && isLetter(s[i-1]) {
				continue // inside a longer word
			}
			found = f.secretAfter(found, w, i+len(w))
		}
	}
	if !strings.ContainsAny(s, "0123456789") {
		return found
	}
	for _, m := range isSecret.FindAllStringSubmatchIndex(s, -1) {
		if m[2] > 0 && (isDigit(s[m[2]-1]) || s[m[2]-1] == '*' || s[m[2]-1] == '.') {
			continue
		}
		found = add(found, Finding{Kind: KindSecret, Start: m[2], End: m[3], Secret: true})
	}
	return found
}

func (f folded) secretAfter(found []Finding, word string, from int) []Finding {
	s := f.s
	for _, w := range valueWords {
		if w != word {
			continue
		}
		if m := assigned.FindStringSubmatchIndex(s[from:]); m != nil {
			return add(found, Finding{Kind: KindSecret, Start: from + m[2], End: from + m[3], Secret: true})
		}
		if m := bare.FindStringSubmatchIndex(s[from:]); m != nil && mixed(s[from+m[2]:from+m[3]]) {
			return add(found, Finding{Kind: KindSecret, Start: from + m[2], End: from + m[3], Secret: true})
		}
	}
	i := from
	for range maxGap + 1 {
		if i >= len(s) || isDigit(s[i]) {
			break
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == '\n' || r == '\t' || r == '!' || r == '?' || r == 0x3002 || r == '*' {
			return found
		}
		i += n
	}
	if i >= len(s) || !isDigit(s[i]) || i > 0 && s[i-1] == '.' {
		return found
	}
	if containsAny(s[from:i], otherNumbers) {
		return found
	}
	// Several values may stand in a row: "code and password are 123456, 888888".
	for {
		end, ok := f.secretDigits(i, word == expiryWord)
		if !ok {
			return found
		}
		found = add(found, Finding{Kind: KindSecret, Start: i, End: end, Secret: true})
		for i = end; i < len(s) && (s[i] == ' ' || s[i] == ',' || s[i] == '/'); i++ {
		}
		if i == end || i >= len(s) || !isDigit(s[i]) || word == expiryWord {
			return found
		}
	}
}

// mixed reports whether there are both letters and digits in it, as in a
// password and seldom in a word.
func mixed(s string) bool {
	return strings.ContainsAny(s, "0123456789") && strings.ContainsFunc(s, func(r rune) bool { return r < 0x80 && isLetter(byte(r)) })
}

// secretDigits reads the value that starts at i: three to eight digits that are
// no amount, date or part of a longer number; or a card's expiry, 12/27.
func (f folded) secretDigits(i int, expiry bool) (end int, ok bool) {
	s := f.s
	j := i
	for j < len(s) && isDigit(s[j]) {
		j++
	}
	n := j - i
	if expiry && n == 2 && j+2 < len(s) && (s[j] == '/' || s[j] == '-') && isDigit(s[j+1]) && isDigit(s[j+2]) {
		k := j + 1
		for k < len(s) && isDigit(s[k]) {
			k++
		}
		return k, (k-j == 3 || k-j == 5) && (k >= len(s) || s[k] != '/' && s[k] != '-')
	}
	if n == 1 { // spelt out: 1 2 3 4 5 6
		for j+1 < len(s) && s[j] == ' ' && isDigit(s[j+1]) && (j+2 >= len(s) || !isDigit(s[j+2])) {
			j += 2
			n++
		}
	}
	if n == 2 { // in pairs: 58 29 13
		for j+2 < len(s) && s[j] == ' ' && isDigit(s[j+1]) && isDigit(s[j+2]) && (j+3 >= len(s) || !isDigit(s[j+3])) {
			j += 3
			n += 2
		}
	}
	if n < 3 || n > 8 || j < len(s) && s[j] == '*' {
		return 0, false
	}
	if rest := s[j:]; rest != "" {
		if hasPrefixAny(strings.TrimLeft(rest, " "), units) {
			return 0, false
		}
		// A decimal, a full date, or a number that goes on behind a dash.
		if len(rest) > 1 && (rest[0] == '.' || rest[0] == '-' || expiry && rest[0] == '/') && isDigit(rest[1]) {
			return 0, false
		}
	}
	return j, true
}

// emails finds addresses around every '@'.
func (f folded) emails(found []Finding) []Finding {
	s := f.s
	for at := strings.IndexByte(s, '@'); at >= 0; {
		i := at
		for i > 0 && (isLetter(s[i-1]) || isDigit(s[i-1]) || strings.IndexByte("._%+-", s[i-1]) >= 0) {
			i--
		}
		j, dot := at+1, -1
		for j < len(s) && (isLetter(s[j]) || isDigit(s[j]) || s[j] == '-' || s[j] == '.') {
			if s[j] == '.' {
				dot = j
			}
			j++
		}
		for j > at && (s[j-1] == '.' || s[j-1] == '-') {
			j--
			if dot >= j {
				dot = strings.LastIndexByte(s[:j], '.')
			}
		}
		if i < at && dot > at+1 && j-dot > 2 && isLetter(s[dot+1]) && (i == 0 || s[i-1] != '*') {
			found = add(found, Finding{Kind: KindEmail, Start: i, End: j})
		}
		next := strings.IndexByte(s[at+1:], '@')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return found
}

func (f folded) plates(found []Finding) []Finding {
	if !strings.ContainsAny(f.s, plateProvinces) || !strings.ContainsAny(f.s, "0123456789") {
		return found
	}
	for _, m := range plate.FindAllStringIndex(f.s, -1) {
		if m[1] < len(f.s) && (isDigit(f.s[m[1]]) || f.s[m[1]] == '*') {
			continue
		}
		found = add(found, Finding{Kind: KindPlate, Start: m[0], End: m[1]})
	}
	return found
}

// handles finds QQ numbers and WeChat ids behind their keyword.
func (f folded) handles(found []Finding) []Finding {
	found = f.handle(found, digitHandleWords, func(v string) bool {
		return len(v) >= 5 && len(v) <= 11 && v[0] != '0' && allDigits(v)
	})
	return f.handle(found, letterHandleWords, func(v string) bool {
		return len(v) >= 6 && len(v) <= 20 && isLetter(v[0])
	})
}

func (f folded) handle(found []Finding, words []string, valid func(string) bool) []Finding {
	s := f.s
	for _, w := range words {
		for i := index(s, w, 0); i >= 0; i = index(s, w, i+len(w)) {
			ascii := isLetter(w[len(w)-1])
			if isLetter(w[0]) && i > 0 && isLetter(s[i-1]) {
				continue
			}
			start := i + len(w)
			gaps := 0
			for j := start; gaps < 3; gaps++ {
				for _, g := range handleGap {
					if len(s)-j >= len(g) && equalFold(s[j:j+len(g)], g) {
						j += len(g)
						break
					}
				}
				if j == start {
					break
				}
				start = j
			}
			end := start
			for end < len(s) && (isLetter(s[end]) || isDigit(s[end]) || s[end] == '_' || s[end] == '-') {
				end++
			}
			if end < len(s) && s[end] == '*' || !valid(s[start:end]) {
				continue
			}
			if ascii && gaps == 0 && isLetter(s[start]) {
				continue // "wxba5f…" is one word
			}
			found = add(found, Finding{Kind: KindIM, Start: start, End: end})
		}
	}
	return found
}

// addressScore is how many levels (districts, streets, doors, a word such as
// "live at") an address must show: a street with a number alone is not enough.
const addressScore = 3

// addresses finds the part of a postal address below the district.
func (f folded) addresses(found []Finding) []Finding {
	s := f.s
	if !containsAny(s, doorWords) || !containsAny(s, streetWords) {
		return found
	}
	for _, m := range address.FindAllStringIndex(s, -1) {
		text := s[m[0]:m[1]]
		admins := admin.FindAllStringIndex(text, -1)
		start := 0
		if len(admins) > 0 {
			start = admins[len(admins)-1][1]
		}
		fine := text[start:]
		streets := len(streetOne.FindAllStringIndex(fine, -1))
		doors := len(doorOne.FindAllStringIndex(fine, -1))
		context := containsAny(before(s, m[0], 6)+text[:start], addressWords)
		if start == 0 {
			for _, w := range addressWords {
				if i := strings.LastIndex(fine, w); i >= 0 && i+len(w) > start && i+len(w) < len(fine) {
					start, context = i+len(w), true
				}
			}
		}
		score := len(admins) + streets + doors
		if context {
			score++
		}
		if score >= addressScore && start < len(text) {
			found = add(found, Finding{Kind: KindAddress, Start: m[0] + start, End: m[1]})
		}
	}
	return found
}

// names finds a name behind a word that introduces one.
func (f folded) names(found []Finding) []Finding {
	s := f.s
	for _, w := range nameWords {
		formal := w == nameWords[len(nameWords)-1]
		for i := strings.Index(s, w); i >= 0; {
			start := i + len(w)
			strict := true
			for range 3 {
				for _, g := range nameGap {
					if strings.HasPrefix(s[start:], g) {
						start += len(g)
						strict = strict && (g == " " || g == nameGap[0])
					}
				}
			}
			if start == i+len(w) && hasPrefixAny(w, roleWords) {
				start = len(s) // "the payee includes …": a role needs a colon behind it
			}
			if end, ok := nameEnd(s, start, strict && w != nameWords[0], formal && strict); ok {
				found = add(found, Finding{Kind: KindName, Start: start, End: end})
			}
			next := strings.Index(s[i+len(w):], w)
			if next < 0 {
				break
			}
			i += len(w) + next
		}
	}
	return found
}

// nameEnd returns where a name that starts at start ends: a surname and one or
// two characters. When strict, the surname must be no everyday word; when
// formal, something must also show that the name is over.
func nameEnd(s string, start int, strict, formal bool) (end int, ok bool) {
	end = start
	if !hasPrefixAny(s[start:], compoundName) {
		r, n := utf8.DecodeRuneInString(s[start:])
		if n < 2 || !strings.ContainsRune(surnames, r) || strict && strings.ContainsRune(looseSurnames, r) {
			return 0, false
		}
		end += n
	} else {
		_, n := utf8.DecodeRuneInString(s[start:])
		_, m := utf8.DecodeRuneInString(s[start+n:])
		end += n + m
	}
	for given := range 2 {
		if hasPrefixAny(s[end:], afterName) {
			return end, given > 0
		}
		r, n := utf8.DecodeRuneInString(s[end:])
		if !unicode.Is(unicode.Han, r) {
			return end, given > 0
		}
		end += n
	}
	if formal {
		r, _ := utf8.DecodeRuneInString(s[end:])
		return end, !unicode.Is(unicode.Han, r) || hasPrefixAny(s[end:], afterName)
	}
	return end, true
}
