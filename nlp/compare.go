package nlp

import (
	"math"
	"slices"
	"unicode/utf8"
)

// Parts are the kinds of evidence for one label, before they are weighed.
type Parts struct {
	// Network is the logarithm of the networks' share, at most 0.
	Network float64 `json:"network"`
	// Cosine is of the nearest wording, Three the mean of the nearest three,
	// Middle of the sum of all wordings; 0 to 1.
	Cosine float64 `json:"cosine"`
	Three  float64 `json:"three"`
	Middle float64 `json:"middle"`
	// Sense is the cosine of the nearest wording in the networks' hidden space,
	// where what is said alike of other labels lies near too; -1 to 1.
	Sense float64 `json:"sense"`
	// Said is the share, by weight, of the text's words and characters that one
	// wording holds, Held of a wording's that the text holds; 0 to 1, the best
	// of the nearest three.
	Said float64 `json:"said"`
	Held float64 `json:"held"`
	// Order is how much of the two texts stands in the same order; 0 to 1.
	Order float64 `json:"order"`
	// Size is the logarithm of how many wordings the label has.
	Size float64 `json:"size"`
}

// wording is a text prepared for a close comparison.
type wording struct {
	ids   []int32 // its known words and characters, sorted
	known float64 // their weight
	all   float64 // with the unknown ones
	runes []rune
}

// maxOrderRunes bounds the comparison of order, whose time grows with the
// product of the lengths.
const maxOrderRunes = 48

func (v *vocab) wording(f *featureText) wording {
	var out wording
	for _, n := range f.names {
		if !single(n) {
			continue
		}
		id, ok := v.id[n]
		if !ok {
			out.all += v.strange * v.strange
			continue
		}
		out.ids = append(out.ids, id)
		out.known += v.square(id)
	}
	out.all += out.known
	slices.Sort(out.ids)
	out.runes = []rune(clip(f.norm, maxOrderRunes))
	return out
}

// single reports whether a feature is a word or one Chinese character.
func single(name string) bool {
	return name[:2] == kindWord || (name[:2] == kindChars && utf8.RuneCountInString(name[2:]) == 1)
}

func (v *vocab) square(id int32) float64 { return float64(v.idf[id]) * float64(v.idf[id]) }

// compare weighs a text against the nearest wordings of a label.
func (rk *ranker) compare(said *wording, label int32, sc *scores) Parts {
	p := Parts{Cosine: min(1, float64(sc.near[label].cosine)), Size: math.Log1p(float64(len(rk.nb.byLabel[label])))}
	var middle float32
	sc.list, middle = rk.nb.of(label, sc.cosines, sc.list)
	p.Middle = min(1, float64(middle))
	for i, e := range sc.list {
		if v := rk.sense(e, sc); i == 0 || v > p.Sense {
			p.Sense = v
		}
		p.Three += min(1, float64(sc.cosines[e])) / closest
		w := &rk.wordings[e]
		common := rk.v.common(said.ids, w.ids)
		if said.all > 0 {
			p.Said = max(p.Said, common/said.all)
		}
		if w.all > 0 {
			p.Held = max(p.Held, common/w.all)
		}
		if n := len(said.runes) + len(w.runes); n > 0 {
			p.Order = max(p.Order, 2*float64(inOrder(said.runes, w.runes))/float64(n))
		}
	}
	return p
}

// sense is the mean cosine of the text and an example in the hidden spaces.
func (rk *ranker) sense(example int32, sc *scores) float64 {
	sum := float32(0)
	for n := range rk.nets {
		at := int(example) * hidden
		sum += dot(sc.hidden[n], rk.places[n][at:at+hidden])
	}
	return float64(sum) / float64(len(rk.nets))
}

// common is the weight of what two sorted lists share.
func (v *vocab) common(a, b []int32) float64 {
	sum := 0.0
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			sum += v.square(a[0])
			a, b = a[1:], b[1:]
		}
	}
	return sum
}

// inOrder is the length of the longest common subsequence. Both are at most
// maxOrderRunes long.
func inOrder(a, b []rune) int {
	var above, row [maxOrderRunes + 1]uint8
	for _, x := range a {
		for j, y := range b {
			if x == y {
				row[j+1] = above[j] + 1
			} else {
				row[j+1] = max(above[j+1], row[j])
			}
		}
		above = row
	}
	return int(above[len(b)])
}

// weighed are the numbers the fused score is a weighted sum of: the parts, and
// products of parts where one strengthens the other.
const weighed = 13

func (p *Parts) weighed() [weighed]float64 {
	return [weighed]float64{
		p.Network, p.Cosine, p.Three, p.Middle, p.Said, p.Held, p.Order, p.Size,
		p.Said * p.Held, p.Network * p.Cosine, p.Cosine * p.Cosine * p.Cosine, math.Exp(p.Network), p.Sense,
	}
}
