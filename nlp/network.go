package nlp

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// network is a regression of low rank: every feature has a place in a small
// space, a text is the sum of its features there, and a label is a direction.
// Labels so share what they learn about words, which a plain regression, with
// one weight for every feature and label, cannot.
type network struct {
	labels  int
	in      []float32 // [feature][hidden]
	inBias  []float32
	out     []float32 // [label][hidden]
	outBias []float32
}

// How a network is trained: one text at a time, steps by AdaGrad with one sum
// for every row, falling linearly to nothing; part of the features, of the words
// in letters and of the hidden places is left out at every step. Found by cross-validation; see
// docs/understanding.md.
const (
	hidden     = 128
	epochs     = 10
	inStep     = 0.1
	outStep    = 0.2
	inSpread   = 0.2
	dropIn     = 0.25
	dropWord   = 0.1
	dropHidden = 0.2
	// minGrad is the error below which a label is not moved; minShare the share
	// below which it is not even looked at in the passes between full ones.
	minGrad  = 1e-4
	minShare = 3e-5
)

// fullPass reports whether a pass looks at all labels. In the others a text
// only meets the labels that had a share of it in the last full pass: nothing
// else would move, and most of the time would go into finding that out.
func fullPass(epoch int) bool { return epoch < 2 || epoch%3 == 2 }

// trainer is the working memory of one training.
type trainer struct {
	*network
	rng        *rand.Rand
	inSum      []float32 // squared errors so far, by feature
	outSum     []float32 // and by label
	h, dh      []float32
	mask       []float32
	p          []float32
	kept       []term
	active     [][]int32 // by text, the labels that matter; nil: all
	everything []int32
	labelled   []int32 // room for those of one step
}

// fit trains on vectors and their labels. progress is called after every epoch.
func fit(ctx context.Context, xs [][]term, sp []spelled, ys []int32, features, labels int, seed uint64, progress func()) (*network, error) {
	t := newTrainer(features, labels, len(xs), seed)
	order := make([]int, len(xs))
	for i := range order {
		order[i] = i
	}
	total, seen := float64(epochs*len(xs)), 0.0
	for epoch := range epochs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		full := fullPass(epoch)
		t.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			if full {
				t.active[i] = nil
			}
			t.learn(i, t.some(xs[i], &sp[i]), ys[i], float32(1-seen/total))
			seen++
		}
		progress()
	}
	return t.network, nil
}

func newTrainer(features, labels, texts int, seed uint64) *trainer {
	t := &trainer{
		network: &network{
			labels: labels,
			in:     make([]float32, features*hidden), inBias: make([]float32, hidden),
			out: make([]float32, labels*hidden), outBias: make([]float32, labels),
		},
		rng:   rand.New(rand.NewPCG(seed, 0x77656e)),
		inSum: make([]float32, features), outSum: make([]float32, labels),
		h: make([]float32, hidden), dh: make([]float32, hidden), mask: make([]float32, hidden),
		p: make([]float32, labels), active: make([][]int32, texts), everything: make([]int32, labels),
		labelled: make([]int32, labels),
	}
	for i := range t.everything {
		t.everything[i] = int32(i)
	}
	spread(t.rng, t.in, inSpread)
	spread(t.rng, t.out, 1/math.Sqrt(hidden))
	return t
}

func spread(rng *rand.Rand, w []float32, size float64) {
	for i := range w {
		w[i] = float32((rng.Float64()*2 - 1) * size)
	}
}

// learn takes one step for text i, of which x is left.
func (t *trainer) learn(i int, x []term, y int32, rate float32) {
	t.place(x, t.h)
	const scale = 1 / (1 - dropHidden)
	for k := range t.mask {
		t.mask[k] = 0
		if t.rng.Float32() >= dropHidden {
			t.mask[k] = scale
		}
		t.h[k] *= t.mask[k]
	}
	at := t.active[i]
	full := at == nil
	if full {
		at = t.everything
	}
	p := t.p[:len(at)]
	for k, l := range at {
		p[k] = t.outBias[l] + dot(t.h, t.row(l))
	}
	at, p = t.normalise(at, p, y)
	if full {
		t.active[i] = among(at, p, y, t.labels)
	}
	clear(t.dh)
	for k, l := range at {
		e := p[k]
		if l == y {
			e--
		}
		if e < minGrad && e > -minGrad {
			continue
		}
		row := t.row(l)
		axpy(t.dh, row, e)
		t.outSum[l] += e * e
		step := outStep * rate * e / root(t.outSum[l]+1e-2)
		axpy(row, t.h, -step)
		t.outBias[l] -= biasStep * step
	}
	t.spreadBack(x, rate)
}

// biasStep slows the bias, which would otherwise learn the label counts of the
// knowledge base, and those say nothing about what people ask.
const biasStep = 0.02

// spreadBack moves the features of a text by the error in the hidden places.
func (t *trainer) spreadBack(x []term, rate float32) {
	var size float32
	for k, v := range t.h {
		// A place left out has neither value nor error.
		if t.mask[k] != 0 {
			v /= t.mask[k]
		}
		t.dh[k] *= t.mask[k] * (1 - v*v)
		size += t.dh[k] * t.dh[k]
	}
	size /= hidden
	if size < 1e-12 {
		return
	}
	for _, f := range x {
		t.inSum[f.id] += size * f.w * f.w
		step := inStep * rate * f.w / root(t.inSum[f.id]+1e-6)
		axpy(t.in[int(f.id)*hidden:(int(f.id)+1)*hidden], t.dh, -step)
	}
	axpy(t.inBias, t.dh, -inStep*rate*0.01)
}

// some leaves out a part of a text's features, and some words whole.
func (t *trainer) some(x []term, s *spelled) []term {
	scale := float32(1 / math.Sqrt(1-dropIn))
	gone := uint64(0)
	for w := range s.words {
		if t.rng.Float32() < dropWord {
			gone |= 1 << w
		}
	}
	t.kept = t.kept[:0]
	for i, f := range x {
		if gone != 0 && s.of[i]&gone != 0 {
			continue
		}
		if t.rng.Float32() >= dropIn {
			t.kept = append(t.kept, term{f.id, f.w * scale})
		}
	}
	return t.kept
}

// spelled says which words in letters the features of a text come from. Such a
// word has so many pieces that to leave out some of them hides nothing: what the
// rest of the text means is only learned when the word is gone whole.
type spelled struct {
	words int
	of    []uint64 // by term, a bit for each word; nil when there are too few
}

// In a text of fewer words each is needed; a longer text than maxSpelled keeps
// what comes later.
const leastSpelled, maxSpelled = 3, 64

// spelled finds the words of a text whose vector is x.
func (v *vocab) spelled(f *featureText, x []term) spelled {
	list := strings.FieldsFunc(f.norm, func(r rune) bool { return !isLatin(r) })
	if len(list) < leastSpelled {
		return spelled{}
	}
	list = list[:min(len(list), maxSpelled)]
	s := spelled{words: len(list), of: make([]uint64, len(x))}
	for i, w := range list {
		add := func(kind, text string) {
			id, ok := v.id[kind+text]
			if !ok {
				return
			}
			at, ok := slices.BinarySearchFunc(x, id, func(t term, id int32) int { return int(t.id - id) })
			if ok && (s.of[at] == 0 || kind == kindPair) {
				s.of[at] |= 1 << i
			}
		}
		add(kindWord, w)
		letterGrams(w, add)
		if i > 0 {
			add(kindPair, list[i-1]+"_"+w)
		}
		if i+1 < len(list) {
			add(kindPair, w+"_"+list[i+1])
		}
	}
	return s
}

func (v *vocab) spelledOf(texts []featureText, xs [][]term) []spelled {
	out := make([]spelled, len(texts))
	for i := range texts {
		out[i] = v.spelled(&texts[i], xs[i])
	}
	return out
}

// among returns the labels with a share worth looking at, and the right one; nil
// when they are so many of all that nothing is saved.
func among(at []int32, p []float32, y int32, all int) []int32 {
	n := 1
	for _, v := range p {
		if v >= minShare {
			n++
		}
	}
	if n > all/2 {
		return nil
	}
	out := make([]int32, 0, n)
	for k, v := range p {
		if v >= minShare || at[k] == y {
			out = append(out, at[k])
		}
	}
	return out
}

func (m *network) row(label int32) []float32 {
	return m.out[int(label)*hidden : (int(label)+1)*hidden]
}

// place fills h with a text's place in the hidden space.
func (m *network) place(x []term, h []float32) {
	copy(h, m.inBias)
	for _, t := range x {
		axpy(h, m.in[int(t.id)*hidden:(int(t.id)+1)*hidden], t.w)
	}
	for i, v := range h {
		h[i] = tanh(v)
	}
}

// logits adds the unnormalised scores of all labels to sum.
func (m *network) logits(h, sum []float32) {
	for l := range sum {
		sum[l] += m.outBias[l] + dot(h, m.row(int32(l)))
	}
}

// fits reports whether a network from a file belongs to the features and labels.
func (m *network) fits(features, labels int) bool {
	return m.labels == labels && len(m.in) == features*hidden && len(m.out) == labels*hidden &&
		len(m.inBias) == hidden && len(m.outBias) == labels
}

func root(v float32) float32 { return float32(math.Sqrt(float64(v))) }

// nothing is how far below the first a logit says nothing any more: a share
// under [minGrad].
const nothing = 12

// normalise turns the logits of labels into probabilities, in place, and returns
// the labels whose share is worth a look and the right one, and their shares.
func (t *trainer) normalise(at []int32, p []float32, y int32) ([]int32, []float32) {
	top := p[0]
	for _, v := range p {
		top = max(top, v)
	}
	kept, n, sum := t.labelled[:len(at)], 0, float32(0)
	for k, v := range p {
		if v < top-nothing && at[k] != y {
			continue
		}
		e := exp(max(v-top, -80))
		kept[n], p[n] = at[k], e
		n++
		sum += e
	}
	p = p[:n]
	for k := range p {
		p[k] /= sum
	}
	return kept[:n], p
}

// exp is e to the x for x from -80 to 80, to six digits: a power of two by the
// exponent of the number, the rest by a polynomial. The library's, to sixteen
// digits, took a fifth of the training.
func exp(x float32) float32 {
	const log2e, ln2 = 1.44269504, 0.693147181
	n := int32(x*log2e + 256.5) // +256: rounding down, also below zero
	n -= 256
	r := x - float32(n)*ln2
	e := 1 + r*(1+r*(1.0/2+r*(1.0/6+r*(1.0/24+r*(1.0/120)))))
	return e * math.Float32frombits(uint32(n+127)<<23)
}

// tanh is the hyperbolic tangent, to six digits.
func tanh(x float32) float32 {
	x = min(max(x, -9), 9)
	return 1 - 2/(exp(2*x)+1)
}
