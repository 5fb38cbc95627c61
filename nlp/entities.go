package nlp

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"wensheng/internal/pii"
)

// Entity is a fact found in a text.
type Entity struct {
	// Kind is amount, date, rate, period, card_tail, contract, case_no, agency,
	// or one of the kinds of personal data: phone, id_card, bank_card, email …
	Kind string `json:"kind"`
	// Text is what was written; Start and End are its bytes in the text given.
	Text  string `json:"text"`
	Start int    `json:"start"`
	End   int    `json:"end"`
	// Value is the normal form: an amount in yuan ("12000", "1234.5"); a date
	// as 2026-03-01, --03-01 without its year, M-1-15 for the 15th of last
	// month, D-1 for yesterday, ---15 for a day alone; digits without spaces.
	Value string `json:"value"`
}

// Mask hides whatever in a text identifies a person or is secret, for screens
// and stored explanations.
func Mask(s string) string { return pii.Mask(s) }

// MaskEntity is an entity's value as it may be shown.
func MaskEntity(e Entity) string {
	switch e.Kind {
	case "amount", "date", "rate", "period", "card_tail", "case_no", "agency", "contract":
		return e.Value
	}
	return pii.MaskAs(pii.Kind(e.Kind), e.Value)
}

// stoodIn is what a redacted secret is taken for when asking whether there was
// one: any digits a one-time code could have.
const stoodIn = "482913"

// HasSecret reports whether a text holds a password, a one-time code or a card's
// security code, or held one before it was blanked out by pii.Redact.
func HasSecret(s string) bool {
	s = clip(s, MaxRunes)
	return pii.HasSecret(s) || (strings.Contains(s, "***") && pii.HasSecret(strings.ReplaceAll(s, "***", stoodIn)))
}

// entityRules is what data/ says of entities.
type entityRules struct {
	patterns []entityPattern
	agencies []wordValue
	days     map[string]int
	numbers  map[rune]float64
}

type entityPattern struct {
	kind, form string
	re         *regexp.Regexp
}

type wordValue struct{ word, value string }

var entityData = sync.OnceValue(func() *entityRules {
	d := &entityRules{agencies: pairs("data/agencies.txt"), days: map[string]int{}, numbers: map[rune]float64{}}
	for _, line := range wordList("data/entities.txt") {
		if f := strings.SplitN(line, "\t", 3); len(f) == 3 {
			if re, err := regexp.Compile(f[2]); err == nil { // the test compiles them all
				d.patterns = append(d.patterns, entityPattern{f[0], f[1], re})
			}
		}
	}
	for _, w := range pairs("data/days.txt") {
		if n, err := strconv.Atoi(w.value); err == nil {
			d.days[w.word] = n
		}
	}
	for _, w := range pairs("data/numbers.txt") {
		if n, err := strconv.ParseFloat(w.value, 64); err == nil {
			r, _ := utf8.DecodeRuneInString(w.word)
			d.numbers[r] = n
		}
	}
	return d
})

func pairs(file string) []wordValue {
	var out []wordValue
	for _, line := range wordList(file) {
		if w, v, ok := strings.Cut(line, "\t"); ok {
			out = append(out, wordValue{w, v})
		}
	}
	return out
}

// Entities finds facts in a text as it was written, in order, without overlap.
// Secrets (passwords, one-time codes) are never returned.
func Entities(s string) []Entity {
	s = clip(strings.ToValidUTF8(s, " "), MaxRunes)
	var out []Entity
	free := func(start, end int) bool {
		return !slices.ContainsFunc(out, func(e Entity) bool { return start < e.End && e.Start < end })
	}
	var secrets []Entity
	for _, f := range pii.Detect(s) {
		e := Entity{Kind: string(f.Kind), Text: s[f.Start:f.End], Start: f.Start, End: f.End}
		e.Value = strings.Map(dropSpaces, Normalize(e.Text))
		if f.Kind == pii.KindIDCard {
			e.Value = strings.ToUpper(e.Value)
		}
		out = append(out, e)
		if f.Secret {
			secrets = append(secrets, e)
		}
	}
	folded, at := foldWidth(s)
	d := entityData()
	for _, p := range d.patterns {
		for _, loc := range p.re.FindAllStringSubmatchIndex(folded, 32) {
			g0, g1 := loc[0], loc[1]
			if p.form != "ymd" && p.form != "md" && p.form != "month_day" && len(loc) > 2 && loc[2] >= 0 {
				g0, g1 = loc[2], loc[3]
			}
			start, end := at[g0], at[g1]
			if !free(start, end) {
				continue
			}
			groups := make([]string, 0, 3)
			for i := 2; i+1 < len(loc); i += 2 {
				groups = append(groups, folded[loc[i]:loc[i+1]])
			}
			if v, ok := d.value(p.form, groups); ok {
				out = append(out, Entity{Kind: p.kind, Text: s[start:end], Start: start, End: end, Value: v})
			}
		}
	}
	for _, a := range d.agencies {
		for from := 0; ; {
			i := strings.Index(folded[from:], a.word)
			if i < 0 {
				break
			}
			start, end := at[from+i], at[from+i+len(a.word)]
			if free(start, end) {
				out = append(out, Entity{Kind: "agency", Text: s[start:end], Start: start, End: end, Value: a.value})
			}
			from += i + len(a.word)
		}
	}
	out = slices.DeleteFunc(out, func(e Entity) bool {
		return slices.Contains(secrets, e)
	})
	sort.SliceStable(out, func(i, j int) bool { return out[i].Start < out[j].Start })
	return out
}

func dropSpaces(r rune) rune {
	if r == ' ' || r == '-' {
		return -1
	}
	return r
}

// foldWidth folds a text character by character, so that places can be mapped
// back: at[i] is the byte of s that byte i of the folded text came from.
func foldWidth(s string) (folded string, at []int) {
	var b strings.Builder
	t2s := toSimplified()
	for i, r := range s {
		t := string(r)
		if r >= 0x80 {
			if n := norm.NFKC.String(t); utf8.RuneCountInString(n) == 1 {
				t = n
			}
			t = t2s.convert(t)
		}
		t = strings.ToLower(t)
		b.WriteString(t)
		for range len(t) {
			at = append(at, i)
		}
	}
	return b.String(), append(at, len(s))
}

// value brings what was found to its normal form; ok is false when it is none.
func (d *entityRules) value(form string, g []string) (v string, ok bool) {
	switch form {
	case "upper":
		return strings.ToUpper(g[0]), true
	case "digits", "number":
		return g[0], true
	case "amount":
		n, ok := d.number(g[0])
		return strconv.FormatFloat(n, 'f', -1, 64), ok && n > 0 && n < 1e12
	case "period":
		n, ok := d.number(g[0])
		return strconv.Itoa(int(n)), ok && n > 0
	case "day":
		n, ok := d.days[g[0]]
		return fmt.Sprintf("D%+d", n), ok
	case "ymd":
		m, ok1 := d.inRange(g[1], 12)
		day, ok2 := d.inRange(g[2], 31)
		return fmt.Sprintf("%s-%02d-%02d", g[0], m, day), ok1 && ok2
	case "md":
		m, ok1 := d.inRange(g[0], 12)
		day, ok2 := d.inRange(g[1], 31)
		return fmt.Sprintf("--%02d-%02d", m, day), ok1 && ok2
	case "month_day":
		n, ok1 := d.days[g[0]]
		day, ok2 := d.inRange(g[1], 31)
		return fmt.Sprintf("M%+d-%02d", n, day), ok1 && ok2
	case "day_only":
		day, ok := d.inRange(g[0], 31)
		return fmt.Sprintf("---%02d", day), ok
	}
	return "", false
}

func (d *entityRules) inRange(s string, most int) (int, bool) {
	n, ok := d.number(s)
	return int(n), ok && n >= 1 && n <= float64(most)
}

// number reads figures with or without a unit, and number words, also in the
// short form that leaves out the last unit (one myriad two for 12,000).
func (d *entityRules) number(s string) (float64, bool) {
	s = strings.NewReplacer(",", "", " ", "").Replace(s)
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		return n, !math.IsInf(n, 0)
	}
	var total, section, digit float64
	last := 1.0 // the unit just read, for the short form
	seen := false
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && (isDigit(rune(s[j])) || s[j] == '.') {
			j++
		}
		if j > i {
			n, err := strconv.ParseFloat(s[i:j], 64)
			if err != nil {
				return 0, false
			}
			digit, seen = n, true
			if j-i > 1 {
				last = 1
			}
			i = j
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		n, ok := d.numbers[r]
		switch {
		case !ok:
			return 0, false
		case n == 0:
			last = 1
		case n < 10:
			digit = n
		case n < 10000:
			if digit == 0 {
				digit = 1
			}
			section += digit * n
			digit, last = 0, n
		default:
			if section+digit == 0 {
				return 0, false
			}
			total = (total + section + digit) * n
			section, digit, last = 0, 0, n
		}
		seen = true
		i += size
	}
	if digit != 0 && digit < 10 && last > 10 {
		digit *= last / 10
	}
	return total + section + digit, seen
}
