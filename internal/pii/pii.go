// Package pii finds personal data in free text, masks it for the screen and the
// log, removes secrets before anything is stored, and seals what must be kept.
//
// The detectors follow RULES §6.1: formats, check digits and context words; the
// masks follow §6.3. Detection is a safety net, not a proof: what is known to
// be personal by its field is masked with MaskAs and sealed with a Sealer.
//
// All functions are pure and safe for concurrent use.
package pii

import (
	"cmp"
	"slices"
	"strings"
)

// Kind says what a Finding is.
type Kind string

// The kinds of personal data that are detected.
const (
	KindIDCard     Kind = "id_card"     // resident identity number, 18 or old 15 digits
	KindPhone      Kind = "phone"       // mainland mobile number, without its country code
	KindLandline   Kind = "landline"    // fixed line with area code
	KindBankCard   Kind = "bank_card"   // PAN, 13 to 19 digits
	KindCreditCode Kind = "credit_code" // unified social credit code
	KindPassport   Kind = "passport"    // by context word
	KindPermit     Kind = "permit"      // travel permit of Hong Kong, Macao, Taiwan; by context word
	KindEmail      Kind = "email"
	KindPlate      Kind = "plate"   // vehicle registration
	KindIM         Kind = "im"      // QQ or WeChat id after its keyword
	KindSecret     Kind = "secret"  // class C3: password, one-time code, CVV, card expiry
	KindName       Kind = "name"    // after a word that introduces a name
	KindAddress    Kind = "address" // the part below the district
)

// Finding is one piece of personal data in a text.
type Finding struct {
	Kind Kind
	// Start and End are byte offsets into the text given to Detect.
	Start, End int
	// Secret is set for class C3 data, which may not even be stored.
	Secret bool
}

// Detect returns the personal data in s, in order and without overlaps. s may
// be any bytes; full-width digits, single spaces or dashes between digits and
// zero-width characters do not hide a number.
func Detect(s string) []Finding {
	f := fold(s)
	found := f.secrets(nil)
	found = f.numbers(found)
	found = f.emails(found)
	found = f.plates(found)
	found = f.handles(found)
	found = f.addresses(found)
	found = f.names(found)
	return f.original(found)
}

// maxRounds bounds the repetition in Mask and Redact; a second round is only
// needed when a mask changed what stands next to something else.
const maxRounds = 8

// Mask returns s with everything Detect finds masked for display. Masking a
// masked text changes nothing.
func Mask(s string) string { return rewrite(s, Detect) }

// Redact returns s with its secrets (class C3) replaced by three stars. It is
// applied before a text is stored anywhere (DESIGN §5, G6).
func Redact(s string) string { return rewrite(s, secretsOnly) }

// HasSecret reports whether s holds a password, a one-time code, a CVV or a
// card's expiry date.
func HasSecret(s string) bool { return len(secretsOnly(s)) > 0 }

func secretsOnly(s string) []Finding {
	f := fold(s)
	return f.original(f.secrets(nil))
}

func rewrite(s string, find func(string) []Finding) string {
	for range maxRounds {
		found := find(s)
		if len(found) == 0 {
			return s
		}
		var b strings.Builder
		b.Grow(len(s))
		last := 0
		for _, x := range found {
			b.WriteString(s[last:x.Start])
			b.WriteString(MaskAs(x.Kind, s[x.Start:x.End]))
			last = x.End
		}
		b.WriteString(s[last:])
		if b.String() == s {
			return s
		}
		s = b.String()
	}
	return s
}

// add appends x unless it overlaps what is already found: the earlier detector
// is the surer one.
func add(found []Finding, x Finding) []Finding {
	for _, y := range found {
		if x.Start < y.End && y.Start < x.End {
			return found
		}
	}
	return append(found, x)
}

// original translates offsets of the folded text to those of the given one.
func (f folded) original(found []Finding) []Finding {
	slices.SortFunc(found, func(a, b Finding) int { return cmp.Compare(a.Start, b.Start) })
	if f.at == nil {
		return found
	}
	for i := range found {
		found[i].Start, found[i].End = int(f.at[found[i].Start]), int(f.at[found[i].End])
	}
	return found
}
