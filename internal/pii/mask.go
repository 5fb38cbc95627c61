package pii

import (
	"strings"
	"unicode/utf8"
)

// secretMask stands for any secret, whatever its length.
const secretMask = "***"

// MaskAs masks v as the kind it is known to be, by the conventions of RULES
// §6.3: identity number 3+4, card 6+4, phone 3+4, name by surname, e-mail by
// first letter, address by district, passport 2+2, the rest first and last
// third. Separators inside a number are dropped.
func MaskAs(k Kind, v string) string {
	switch k {
	case KindSecret:
		return secretMask
	case KindIDCard:
		return keep(compact(v), 3, 4)
	case KindPhone:
		return keep(compact(v), 3, 4)
	case KindBankCard:
		return keep(compact(v), 6, 4)
	case KindPassport, KindPermit:
		return keep(compact(v), 2, 2)
	case KindLandline:
		return thirds(compact(v))
	case KindCreditCode:
		// A company's code is public; a sole trader's (category 92) leads to a person.
		if strings.HasPrefix(fold(v).s, "92") {
			return keep(v, 6, 4)
		}
		return v
	case KindEmail:
		return maskEmail(v)
	case KindPlate:
		return maskPlate(v)
	case KindName:
		return maskName(v)
	case KindAddress:
		return maskAddress(v)
	case KindIM:
		return thirds(v)
	}
	return thirds(v)
}

// compact folds v and drops spaces and dashes between its digits.
func compact(v string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, fold(v).s)
}

// keep shows the first and last characters and a star for each between; too
// short a text is all stars.
func keep(v string, first, last int) string {
	n := utf8.RuneCountInString(v)
	if n <= first+last {
		return strings.Repeat("*", n)
	}
	var b strings.Builder
	i := 0
	for _, r := range v {
		if i < first || i >= n-last {
			b.WriteRune(r)
		} else {
			b.WriteByte('*')
		}
		i++
	}
	return b.String()
}

func thirds(v string) string {
	third := utf8.RuneCountInString(v) / 3
	if third == 0 {
		return strings.Repeat("*", utf8.RuneCountInString(v))
	}
	return keep(v, third, third)
}

func maskEmail(v string) string {
	s := fold(v).s
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" {
		return thirds(v)
	}
	_, n := utf8.DecodeRuneInString(local)
	return local[:n] + "***@" + domain
}

func maskPlate(v string) string {
	n := utf8.RuneCountInString(v)
	head := 2
	if r, _ := utf8.DecodeRuneInString(v[runeOffset(v, 2):]); r == '.' || r == ' ' || r == 0xB7 || r == 0x2022 {
		head = 3
	}
	if n <= head+2 {
		return strings.Repeat("*", n)
	}
	return keep(v, head, 2)
}

// runeOffset returns the byte offset of rune n, or the length.
func runeOffset(s string, n int) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		_, w := utf8.DecodeRuneInString(s[i:])
		i += w
	}
	return i
}

func maskName(v string) string {
	n := utf8.RuneCountInString(v)
	first := 1
	if n > 2 && hasPrefixAny(v, compoundName) {
		first = 2
	}
	if n <= first {
		return strings.Repeat("*", n)
	}
	return keep(v, first, 0)
}

// maskAddress keeps province, city and district where v starts with them.
func maskAddress(v string) string {
	end := 0
	for _, m := range admin.FindAllStringIndex(v, -1) {
		if m[0] != end {
			break
		}
		end = m[1]
	}
	if end == len(v) {
		return v
	}
	return v[:end] + secretMask
}
