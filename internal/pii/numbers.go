package pii

import (
	"strconv"
	"strings"
)

// run is a sequence of digits with at most one space or dash between any two.
type run struct {
	start  int
	d      [20]byte // the digits; the last may be 'X' when there are 18
	end    [20]int  // offset after digit i
	groups [20]int  // number of unseparated groups up to digit i
	n      int
}

// collect reads the run that starts at i.
func collect(s string, i int) run {
	r := run{start: i}
	groups := 1
	for i < len(s) && r.n < len(r.d) {
		c := s[i]
		switch {
		case isDigit(c):
			r.d[r.n], r.end[r.n], r.groups[r.n] = c, i+1, groups
			r.n++
		case (c == 'x' || c == 'X') && r.n == 17:
			r.d[r.n], r.end[r.n], r.groups[r.n] = 'X', i+1, groups
			r.n++
			return r
		case (c == ' ' || c == '-') && i+1 < len(s) && (isDigit(s[i+1]) || r.n == 17 && s[i+1]|0x20 == 'x'):
			groups++
		default:
			return r
		}
		i++
	}
	return r
}

// ends reports whether the first k digits of the run stand alone: no further
// digit and no star of an earlier mask follows, and they are not scattered over
// more than max groups (single digits spelt out are fine).
func (r *run) ends(s string, k, most int) bool {
	if r.n < k {
		return false
	}
	e := r.end[k-1]
	if e < len(s) && (isDigit(s[e]) || s[e] == '*') {
		return false
	}
	g := r.groups[k-1]
	return g <= most || g == k
}

func (r *run) digits(k int) string { return string(r.d[:k]) }

// numbers finds everything that is made of digits, left to right; at each start
// the surest kind wins: identity number before card before phone.
func (f folded) numbers(found []Finding) []Finding {
	s := f.s
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !isDigit(c) && (c < 'A' || c > 'Z') {
			continue
		}
		if i > 0 && (s[i-1] == '*' || isDigit(s[i-1])) {
			continue
		}
		var x Finding
		if isDigit(c) {
			x = f.numberAt(i)
		}
		if x.Kind == "" {
			x = f.letteredAt(i)
		}
		if x.Kind != "" {
			n := len(found)
			found = add(found, x)
			if len(found) > n {
				i = x.End - 1
			}
		}
	}
	return found
}

func (f folded) numberAt(i int) Finding {
	s := f.s
	r := collect(s, i)
	if r.n < 11 {
		if r.n == 10 && r.ends(s, 10, 2) && isLandline(r.digits(10)) {
			return Finding{Kind: KindLandline, Start: i, End: r.end[9]}
		}
		return Finding{}
	}
	context := before(s, i, 14)
	if r.ends(s, 18, 4) {
		id := r.digits(18)
		if idShape(id) && (idCheck(id) || containsAny(context, idWords)) {
			return Finding{Kind: KindIDCard, Start: i, End: r.end[17]}
		}
		if r.d[17] != 'X' && r.groups[17] == 1 && creditCheck(id) && !cardBIN(id) && !containsAny(context, cardWords) {
			return Finding{Kind: KindCreditCode, Start: i, End: r.end[17]}
		}
	}
	if r.ends(s, 15, 3) && oldID(r.digits(15)) {
		return Finding{Kind: KindIDCard, Start: i, End: r.end[14]}
	}
	for k := min(r.n, 19); k >= 13; k-- {
		if !r.ends(s, k, 5) || r.d[k-1] == 'X' {
			continue
		}
		pan := r.digits(k)
		if luhn(pan) && cardBIN(pan) || k >= 15 && containsAny(context, cardWords) || luhn(pan) && containsAny(context, cardWords) {
			return Finding{Kind: KindBankCard, Start: i, End: r.end[k-1]}
		}
	}
	// A mobile number may stand behind a country code or a trunk zero.
	for _, skip := range [...]int{0, 1, 2, 4} {
		if !r.ends(s, 11+skip, 4) {
			continue
		}
		switch lead := r.digits(skip); lead {
		case "", "0", "86", "0086":
		default:
			continue
		}
		if r.d[skip] == '1' && r.d[skip+1] >= '3' {
			start := r.end[skip] - 1
			return Finding{Kind: KindPhone, Start: start, End: r.end[skip+10]}
		}
	}
	for k := 12; k >= 11; k-- {
		if r.ends(s, k, 3) && isLandline(r.digits(k)) {
			return Finding{Kind: KindLandline, Start: i, End: r.end[k-1]}
		}
	}
	return Finding{}
}

// letteredAt finds what starts with a letter or mixes letters and digits:
// credit codes, and passports and permits by their context word.
func (f folded) letteredAt(i int) Finding {
	s := f.s
	if i > 0 && isLetter(s[i-1]) {
		return Finding{}
	}
	j := i
	for j < len(s) && j-i < 19 && (isDigit(s[j]) || isLetter(s[j])) {
		j++
	}
	if j < len(s) && s[j] == '*' {
		return Finding{}
	}
	w := strings.ToUpper(s[i:j])
	switch {
	case len(w) == 18 && creditCheck(w):
		return Finding{Kind: KindCreditCode, Start: i, End: j}
	case len(w) < 8 || len(w) > 11 || !isDigit(w[len(w)-1]):
		return Finding{}
	}
	context := before(s, i, 14)
	digits := strings.TrimLeft(w, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	letters := w[:len(w)-len(digits)]
	if !allDigits(digits) {
		return Finding{}
	}
	switch {
	case len(letters) <= 2 && len(digits) >= 7 && len(digits) <= 9 && containsAny(context, passportWords):
		return Finding{Kind: KindPassport, Start: i, End: j}
	case len(letters) <= 1 && (len(digits) == 8 || len(digits) == 10) && containsAny(context, permitWords):
		return Finding{Kind: KindPermit, Start: i, End: j}
	}
	return Finding{}
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// idShape checks region, date and form of an 18-character identity number.
func idShape(id string) bool {
	if id[0] == '0' || !allDigits(id[:17]) {
		return false
	}
	switch id[6:8] {
	case "18", "19", "20":
	default:
		return false
	}
	return monthDay(id[10:14])
}

// idCheck verifies the check character of GB 11643-1999.
func idCheck(id string) bool {
	sum := 0
	for i, w := range [...]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(id[i]-'0') * w
	}
	return id[17] == "10X98765432"[sum%11]
}

// oldID accepts a 15-digit identity number: a province that exists and a date.
func oldID(id string) bool {
	switch p := id[:2]; p {
	case "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37",
		"41", "42", "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71", "81", "82":
	default:
		return false
	}
	return monthDay(id[8:12])
}

func monthDay(s string) bool {
	m, err := strconv.Atoi(s[:2])
	if err != nil || m < 1 || m > 12 {
		return false
	}
	d, err := strconv.Atoi(s[2:])
	return err == nil && d >= 1 && d <= 31
}

func luhn(s string) bool {
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// cardBIN reports whether a number's length and first digits are those of a
// card scheme; without it, one order number in ten would pass for a card.
func cardBIN(s string) bool {
	n := len(s)
	switch {
	case strings.HasPrefix(s, "62"):
		return n >= 16
	case hasPrefixAny(s, []string{"9558", "6858", "6907", "6033", "9400", "9843"}): // older UnionPay ranges
		return n >= 16
	case s[0] == '4', s[0] == '5' && s[1] >= '1' && s[1] <= '5', s[:2] == "35", s[:4] == "6011", s[:2] == "65",
		s[:4] >= "2221" && s[:4] <= "2720":
		return n == 16
	case s[:2] == "34", s[:2] == "37":
		return n == 15
	}
	return false
}

// creditCheck verifies a unified social credit code of GB 32100-2015.
func creditCheck(s string) bool {
	const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	if strings.IndexByte("159ANY", s[0]) < 0 || strings.IndexByte("1239", s[1]) < 0 || !allDigits(s[2:8]) {
		return false
	}
	sum, w := 0, 1
	for i := range 17 {
		v := strings.IndexByte(alphabet, s[i])
		if v < 0 {
			return false
		}
		sum += v * w
		w = w * 3 % 31
	}
	return s[17] == alphabet[(31-sum%31)%31]
}

// isLandline accepts an area code and seven or eight digits. Service numbers
// (400, 12378 …) are nobody's personal data and are left alone.
func isLandline(d string) bool {
	switch {
	case d[0] != '0':
		return false
	case d[1] == '1':
		return d[2] == '0' && len(d) == 11 && d[3] != '0' && d[3] != '1'
	case d[1] == '2':
		return (len(d) == 11 || len(d) == 10) && d[3] != '0' && d[3] != '1'
	case d[1] >= '3':
		return (len(d) == 11 || len(d) == 12) && d[4] != '0' && d[4] != '1'
	}
	return false
}
