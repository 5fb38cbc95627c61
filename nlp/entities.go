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
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"wensheng/internal/pii"
)

// Entity is a fact found in a text.
type Entity struct {
	// Kind is amount, date, rate, period, card_tail, contract, case_no, agency,
	// product, platform, or one of the kinds of personal data: phone, id_card,
	// bank_card, email …
	Kind string `json:"kind"`
	// Text is what was written; Start and End are its bytes in the text given.
	Text  string `json:"text"`
	Start int    `json:"start"`
	End   int    `json:"end"`
	// Value is the normal form: an amount in yuan, exact to the fen ("12000",
	// "1234.5") or as the two ends of a range ("5000-6000"); digits without
	// spaces; a date as 2026-03-01 or 2026-03, or, where it needs a day to count from (see Resolve), as --03-01 or --03
	// without its year, ---15 for a day alone, D-1 for yesterday, W-1-3 for
	// Wednesday of last week, W-1 for that week, M-1-15 for the 15th of last
	// month, M-1 for that month, Y-1-12-03 and Y-1-12 for December of last year.
	Value string `json:"value"`
}

// Mask hides whatever in a text identifies a person or is secret, for screens
// and stored explanations.
func Mask(s string) string { return pii.Mask(s) }

// MaskEntity is an entity's value as it may be shown.
func MaskEntity(e Entity) string {
	switch e.Kind {
	case "amount", "date", "rate", "period", "card_tail", "case_no", "agency", "contract", "product", "platform":
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
	words    map[string][]wordValue // kind → words with their normal forms
	replies  []entityPattern        // what is a value only as the whole reply
	days     map[string]int
	units    map[string]string // a word for a stretch of time: D7, M1
	numbers  map[rune]float64
}

type entityPattern struct {
	kind, form string
	re         *regexp.Regexp
}

type wordValue struct{ word, value string }

var entityData = sync.OnceValue(func() *entityRules {
	d := &entityRules{
		patterns: patterns("data/entities.txt"), replies: patterns("data/replies.txt"),
		words: map[string][]wordValue{
			"agency": pairs("data/agencies.txt"), "product": pairs("data/products.txt"), "platform": pairs("data/platforms.txt"),
		},
		days: map[string]int{}, units: map[string]string{}, numbers: map[rune]float64{},
	}
	for _, w := range pairs("data/units.txt") {
		d.units[w.word] = w.value
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

func patterns(file string) []entityPattern {
	var out []entityPattern
	for _, line := range wordList(file) {
		if f := strings.SplitN(line, "\t", 3); len(f) == 3 {
			out = append(out, entityPattern{f[0], f[1], regexp.MustCompile(f[2])}) // embedded: the tests compile them all
		}
	}
	return out
}

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
			if !p.whole() && len(loc) > 2 && loc[2] >= 0 {
				g0, g1 = loc[2], loc[3]
			}
			start, end := at[g0], at[g1]
			if !free(start, end) {
				continue
			}
			if v, ok := d.value(p, groups(folded, loc)); ok {
				out = append(out, Entity{Kind: p.kind, Text: s[start:end], Start: start, End: end, Value: v})
			}
		}
	}
	for _, kind := range []string{"agency", "platform", "product"} {
		for _, w := range d.words[kind] {
			for from := 0; ; {
				i := strings.Index(folded[from:], w.word)
				if i < 0 {
					break
				}
				start, end := at[from+i], at[from+i+len(w.word)]
				if free(start, end) {
					out = append(out, Entity{Kind: kind, Text: s[start:end], Start: start, End: end, Value: w.value})
				}
				from += i + len(w.word)
			}
		}
	}
	out = slices.DeleteFunc(out, func(e Entity) bool {
		return e.Kind == noEntity || slices.Contains(secrets, e)
	})
	sort.SliceStable(out, func(i, j int) bool { return out[i].Start < out[j].Start })
	return out
}

// noEntity is the kind of a pattern for what only looks like a fact ("a hundred
// times" is no amount): it takes the place and is dropped.
const noEntity = "-"

// whole reports whether the entity is all that the pattern matched, its groups
// being the parts.
func (p entityPattern) whole() bool {
	switch p.form {
	case "ymd", "md", "month_day", "year_month", "ago", "week", "change":
		return true
	}
	return false
}

func groups(s string, loc []int) []string {
	out := make([]string, 0, 4)
	for i := 2; i+1 < len(loc); i += 2 {
		g := ""
		if loc[i] >= 0 {
			g = s[loc[i]:loc[i+1]]
		}
		out = append(out, g)
	}
	return out
}

// EntitiesOn is Entities with dates counted from the day they were written;
// see Resolve.
func EntitiesOn(s string, day time.Time) []Entity {
	out := Entities(s)
	for i := range out {
		if out[i].Kind == "date" {
			out[i].Value = Resolve(out[i].Value, day, false)
		}
	}
	return out
}

// ReadReply reads a short message as the answer to a question for one kind of
// entity: the entity of that kind in it, or a bare value that means nothing
// elsewhere ("4444" for a card's tail, "15" for a day). Dates are relative; see
// Resolve. ok is false when the message does not hold one.
func ReadReply(kind, s string) (e Entity, ok bool) {
	s = clip(strings.ToValidUTF8(s, " "), MaxRunes)
	d := entityData()
	folded, at := foldWidth(s)
	for _, p := range d.replies {
		loc := p.re.FindStringSubmatchIndex(folded)
		if p.kind != kind || loc == nil {
			continue
		}
		if v, ok := d.value(p, groups(folded, loc)); ok {
			start, end := at[loc[2]], at[loc[3]]
			return Entity{Kind: kind, Text: s[start:end], Start: start, End: end, Value: v}, true
		}
	}
	for _, e := range Entities(s) {
		if e.Kind == kind {
			return e, true
		}
	}
	return Entity{}, false
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
func (d *entityRules) value(p entityPattern, g []string) (v string, ok bool) {
	switch p.form {
	case "skip":
		return "", true
	case "text":
		return strings.TrimSpace(g[0]), true
	case "upper":
		// A contract's number has digits in it, whatever else.
		return strings.ToUpper(g[0]), p.kind != "contract" || strings.ContainsAny(g[0], "0123456789")
	case "digits":
		return strings.Map(dropSpaces, g[0]), true
	case "number":
		n, ok := d.number(g[0])
		return strconv.FormatFloat(n, 'f', -1, 64), ok
	case "amount":
		n, ok := d.number(g[0])
		return yuan(n), ok && n > 0 && n < maxYuan
	case "change": // 12 and 5 for twelve and a half
		n, ok1 := d.number(g[0])
		jiao, ok2 := d.number(g[1])
		return yuan(n + jiao/10), ok1 && ok2 && n < maxYuan && jiao < 10
	case "range": // two figures and their unit: five, six thousand
		first, size := utf8.DecodeRuneInString(g[0])
		_, next := utf8.DecodeRuneInString(g[0][size:])
		low, ok1 := d.number(string(first) + g[0][size+next:])
		high, ok2 := d.number(g[0][size:])
		return yuan(low) + "-" + yuan(high), ok1 && ok2 && low < high && high < maxYuan
	case "period":
		n, ok := d.number(g[0])
		return strconv.Itoa(int(n)), ok && n > 0
	}
	return d.date(p.form, g)
}

// maxYuan bounds an amount; up to here a fen is exact in a float64.
const maxYuan = 1e12

func yuan(n float64) string {
	return strconv.FormatFloat(math.Round(n*100)/100, 'f', -1, 64)
}

// date is value for the forms of a date.
func (d *entityRules) date(form string, g []string) (v string, ok bool) {
	switch form {
	case "day":
		n, ok := d.days[g[0]]
		return fmt.Sprintf("D%+d", n), ok
	case "ago": // a number, a unit, a direction
		n, ok1 := d.number(g[0])
		way, ok2 := d.days[g[2]]
		unit := d.units[g[1]]
		if !ok1 || !ok2 || unit == "" || n < 1 || n > 999 {
			return "", false
		}
		times, err := strconv.Atoi(unit[1:])
		return fmt.Sprintf("%c%+d", unit[0], int(n)*times*way), err == nil
	case "week":
		n, ok := d.days[g[0]]
		if g[1] == "" {
			return fmt.Sprintf("W%+d", n), ok
		}
		day, ok2 := d.days[g[1]]
		return fmt.Sprintf("W%+d-%d", n, day), ok && ok2
	case "ymd":
		m, ok1 := d.inRange(g[1], 12)
		if g[2] == "" {
			return fmt.Sprintf("%s-%02d", g[0], m), ok1
		}
		day, ok2 := d.inRange(g[2], 31)
		return fmt.Sprintf("%s-%02d-%02d", g[0], m, day), ok1 && ok2 && day <= longest(m)
	case "md":
		m, ok1 := d.inRange(g[0], 12)
		if len(g) < 2 || g[1] == "" {
			return fmt.Sprintf("--%02d", m), ok1
		}
		day, ok2 := d.inRange(g[1], 31)
		return fmt.Sprintf("--%02d-%02d", m, day), ok1 && ok2 && day <= longest(m)
	case "month_day":
		n, ok1 := d.days[g[0]]
		if g[1] == "" {
			return fmt.Sprintf("M%+d", n), ok1
		}
		day, ok2 := d.inRange(g[1], 31)
		return fmt.Sprintf("M%+d-%02d", n, day), ok1 && ok2
	case "year_month":
		n, ok1 := d.days[g[0]]
		m, ok2 := d.inRange(g[1], 12)
		if g[2] == "" {
			return fmt.Sprintf("Y%+d-%02d", n, m), ok1 && ok2
		}
		day, ok3 := d.inRange(g[2], 31)
		return fmt.Sprintf("Y%+d-%02d-%02d", n, m, day), ok1 && ok2 && ok3 && day <= longest(m)
	case "day_only":
		day, ok := d.inRange(g[0], 31)
		return fmt.Sprintf("---%02d", day), ok
	}
	return "", false
}

// longest is how many days a month can have.
func longest(month int) int {
	return time.Date(2000, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
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
			if digit != 0 {
				return 0, false // "three or four thousand" is no amount
			}
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
