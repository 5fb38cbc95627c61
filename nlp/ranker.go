package nlp

import (
	"context"
	"sort"
)

// ranker is what is learned from one set of examples.
type ranker struct {
	v       *vocab
	m       *softmax
	nb      *neighbours
	content []map[int32]struct{} // by label: the ids of the words it uses
}

// prepare builds everything but the regression.
func prepare(texts []featureText, ys []int32, labels int) (*ranker, [][]term) {
	rk := &ranker{v: newVocab(texts), content: make([]map[int32]struct{}, labels)}
	for i := range rk.content {
		rk.content[i] = map[int32]struct{}{}
	}
	xs := make([][]term, len(texts))
	for i := range texts {
		xs[i] = rk.v.vector(&texts[i])
		for _, w := range texts[i].tokens {
			if id, ok := rk.v.id[kindWord+w]; ok {
				rk.content[ys[i]][id] = struct{}{}
			}
			for _, r := range w {
				if id, ok := rk.v.id[kindChars+string(r)]; ok {
					rk.content[ys[i]][id] = struct{}{}
				}
			}
		}
	}
	rk.nb = newNeighbours(xs, ys, len(rk.v.names))
	return rk, xs
}

func trainRanker(ctx context.Context, texts []featureText, ys []int32, labels int, seed uint64, progress func()) (*ranker, error) {
	rk, xs := prepare(texts, ys, labels)
	m, err := fit(ctx, xs, ys, len(rk.v.names), labels, seed, progress)
	if err != nil {
		return nil, err
	}
	rk.m = m
	return rk, nil
}

func (rk *ranker) newScores() *scores {
	return &scores{
		logits:  make([]float32, rk.m.labels),
		near:    make([]nearest, rk.m.labels),
		scratch: make([]float32, len(rk.nb.labels)),
		p:       make([]float64, rk.m.labels),
	}
}

func (rk *ranker) score(x []term, sc *scores) {
	rk.m.logits(x, sc.logits)
	rk.nb.search(x, sc.scratch, sc.near)
}

// coverage is the share, by weight, of a text's content words that a label's
// wordings use; a word whose characters they all use counts half.
func (rk *ranker) coverage(f *featureText, label int32) float64 {
	known := rk.content[label]
	var sum, got float64
	for _, w := range f.content() {
		weight := 2.5 // a word nobody used weighs as much as a rare one
		id, ok := rk.v.id[kindWord+w]
		if ok {
			weight = float64(rk.v.idf[id])
		}
		sum += weight
		if _, has := known[id]; ok && has {
			got += weight
			continue
		}
		if rk.hasChars(w, known) {
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

// explain names the features that spoke most for a label.

func (rk *ranker) explain(x []term, label int32) []Feature {
	out := make([]Feature, 0, len(x))
	for _, t := range x {
		row := rk.m.row(t.id)
		if w := float64(t.w * row[label]); w > 0 {
			out = append(out, Feature{Name: rk.v.names[t.id], Weight: w})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Weight > out[j].Weight })
	return out[:min(len(out), maxFeatures)]
}
