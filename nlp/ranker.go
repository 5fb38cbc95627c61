package nlp

import (
	"context"
	"math"
	"slices"
	"sort"
)

// ranker is what is learned from one set of examples.
type ranker struct {
	v        *vocab
	nets     []*network
	nb       *neighbours
	wordings []wording            // by example
	content  []map[int32]struct{} // by label: the ids of the words it uses
	syn      *synonyms
	places   [][]float32 // by network: the examples' directions in its hidden space
}

// prepare builds everything but the networks.
func prepare(texts []featureText, ys []int32, labels int, syn *synonyms) (*ranker, [][]term) {
	rk := &ranker{
		v: newVocab(texts), content: make([]map[int32]struct{}, labels),
		wordings: make([]wording, len(texts)), syn: syn,
	}
	for i := range rk.content {
		rk.content[i] = map[int32]struct{}{}
	}
	xs := make([][]term, len(texts))
	for i := range texts {
		xs[i] = rk.v.vector(&texts[i])
		rk.wordings[i] = rk.v.wording(&texts[i])
		rk.learnContent(rk.content[ys[i]], &texts[i])
	}
	rk.nb = newNeighbours(xs, ys, len(rk.v.names), labels)
	return rk, xs
}

// learnContent adds the words, characters and synonyms a text uses.
func (rk *ranker) learnContent(ids map[int32]struct{}, f *featureText) {
	add := func(name string) {
		if id, ok := rk.v.id[name]; ok {
			ids[id] = struct{}{}
		}
	}
	for _, w := range f.tokens {
		add(kindWord + w)
		for _, r := range w {
			add(kindChars + string(r))
		}
		if g := rk.syn.of(w); g != "" {
			add(kindSynonym + g)
		}
	}
}

// trainRanker trains a ranker of so many networks, one after the other.
func trainRanker(ctx context.Context, texts []featureText, ys []int32, labels, nets int, syn *synonyms, seed uint64, progress func()) (*ranker, error) {
	rk, xs := prepare(texts, ys, labels, syn)
	sp := rk.v.spelledOf(texts, xs)
	trained := make([]*network, nets)
	for i := range trained {
		m, err := fit(ctx, xs, sp, ys, len(rk.v.names), labels, netSeed(seed, i), progress)
		if err != nil {
			return nil, err
		}
		trained[i] = m
	}
	rk.take(trained, xs)
	return rk, nil
}

func netSeed(seed uint64, i int) uint64 { return seed + uint64(i)<<32 }

// take puts trained networks to use.
func (rk *ranker) take(nets []*network, xs [][]term) {
	rk.nets = nets
	rk.places = make([][]float32, len(nets))
	for n, m := range nets {
		rk.places[n] = make([]float32, len(xs)*hidden)
		for i, x := range xs {
			h := rk.places[n][i*hidden : (i+1)*hidden]
			m.place(x, h)
			unit(h)
		}
	}
}

// unit brings a vector to length one and returns the length it had.
func unit(h []float32) float32 {
	length := root(dot(h, h))
	if length > 0 {
		for i := range h {
			h[i] /= length
		}
	}
	return length
}

// scores is the working memory of one ranking.
type scores struct {
	hidden  [][]float32 // by network: the text's direction
	logits  []float32   // by label, the networks' mean
	cosines []float32   // by example
	touched []int32
	near    []nearest // by label
	top     []int32
	list    []int32
	cands   []candidate
}

func (rk *ranker) newScores() *scores {
	sc := &scores{
		logits:  make([]float32, len(rk.nb.byLabel)),
		near:    make([]nearest, len(rk.nb.byLabel)),
		cosines: make([]float32, len(rk.nb.labels)),
	}
	for range rk.nets {
		sc.hidden = append(sc.hidden, make([]float32, hidden))
	}
	return sc
}

// depth is how many labels by the networks are compared closely, nearDepth how
// many by the nearest wording.
const depth, nearDepth = 12, 4

// candidate is one label that may win, with its evidence.
type candidate struct {
	label int32
	parts Parts
	nearest
	// logit is the networks' score, toward the same for the text's length in
	// the hidden space.
	logit, toward float64
	// share is of the fused score among the candidates.
	share float64
}

// score finds the candidates for a text. They are valid until the next call.
func (rk *ranker) score(f *featureText, x []term, sc *scores) []candidate {
	clear(sc.logits)
	length := float32(0)
	for n, m := range rk.nets {
		m.place(x, sc.hidden[n])
		m.logits(sc.hidden[n], sc.logits)
		v := unit(sc.hidden[n])
		length += v * v / float32(len(rk.nets))
	}
	for l := range sc.logits {
		sc.logits[l] /= float32(len(rk.nets))
		if len(rk.nb.byLabel[l]) == 0 {
			sc.logits[l] = never // it was not taught; what is there means nothing
		}
	}
	sc.touched = rk.nb.search(x, sc.cosines, sc.near, sc.touched[:0])
	sc.top = best(len(sc.logits), depth, sc.top, func(l int32) float32 { return sc.logits[l] })
	sc.list = best(len(sc.logits), nearDepth, sc.list, func(l int32) float32 { return sc.near[l].cosine })
	for _, l := range sc.list {
		if sc.near[l].example >= 0 && !slices.Contains(sc.top, l) {
			sc.top = append(sc.top, l)
		}
	}
	whole := logSum(sc.logits)
	said := rk.v.wording(f)
	sc.cands = sc.cands[:0]
	for _, l := range sc.top {
		if sc.logits[l] <= never {
			continue
		}
		c := candidate{label: l, nearest: sc.near[l], logit: float64(sc.logits[l])}
		c.toward = c.logit / math.Sqrt(float64(length)+0.1)
		c.parts = rk.compare(&said, l, sc)
		c.parts.Network = max(float64(sc.logits[l])-whole, leastShare)
		sc.cands = append(sc.cands, c)
	}
	for _, e := range sc.touched {
		sc.cosines[e] = 0
	}
	return sc.cands
}

const (
	never = -1e4
	// leastShare is the logarithm below which a network's share says no more.
	leastShare = -12
)

func logSum(z []float32) float64 {
	top := z[0]
	for _, v := range z {
		top = max(top, v)
	}
	sum := 0.0
	for _, v := range z {
		if v > top-16 {
			sum += math.Exp(float64(v - top))
		}
	}
	return float64(top) + math.Log(sum)
}

// best returns the n of 0..count-1 with the highest value, best first.
func best(count, n int, top []int32, value func(int32) float32) []int32 {
	top = top[:0]
	for l := range int32(count) {
		v := value(l)
		if len(top) == n && v <= value(top[n-1]) {
			continue
		}
		at := sort.Search(len(top), func(i int) bool { return value(top[i]) < v })
		if len(top) == n {
			top = top[:n-1]
		}
		top = slices.Insert(top, at, l)
	}
	return top
}

// coverage is the share, by weight, of a text's content words that a label's
// wordings use; a word whose characters they all use counts half, one whose
// synonym they use counts whole.
func (rk *ranker) coverage(f *featureText, label int32) float64 {
	known := rk.content[label]
	has := func(name string) bool {
		id, ok := rk.v.id[name]
		if !ok {
			return false
		}
		_, ok = known[id]
		return ok
	}
	var sum, got float64
	for _, w := range f.content() {
		weight := 2.5 // a word nobody used weighs as much as a rare one
		if id, ok := rk.v.id[kindWord+w]; ok {
			weight = float64(rk.v.idf[id])
		}
		sum += weight
		g := rk.syn.of(w)
		switch {
		case has(kindWord + w), g != "" && has(kindSynonym+g):
			got += weight
		case rk.hasChars(w, known):
			got += weight / 2
		}
	}
	if sum == 0 {
		return 0.5 // nothing about a subject: neither for nor against
	}
	return got / sum
}

func (rk *ranker) hasChars(w string, known map[int32]struct{}) bool {
	for _, r := range w {
		id, ok := rk.v.id[kindChars+string(r)]
		if !ok {
			return false
		}
		if _, has := known[id]; !has {
			return false
		}
	}
	return true
}

// explain names the features that spoke most for a label: how much the
// networks' score of it would fall, to first order, without each.
func (rk *ranker) explain(x []term, label int32) []Feature {
	toward := make([][]float32, len(rk.nets))
	h := make([]float32, hidden)
	for n, m := range rk.nets {
		m.place(x, h)
		toward[n] = slices.Clone(m.row(label))
		for k := range h {
			toward[n][k] *= 1 - h[k]*h[k]
		}
	}
	out := make([]Feature, 0, len(x))
	for _, t := range x {
		var w float32
		for n, m := range rk.nets {
			w += t.w * dot(m.in[int(t.id)*hidden:(int(t.id)+1)*hidden], toward[n])
		}
		if w > 0 {
			out = append(out, Feature{Name: rk.v.names[t.id], Weight: float64(w) / float64(len(rk.nets))})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Weight > out[j].Weight })
	return out[:min(len(out), maxFeatures)]
}
