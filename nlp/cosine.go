package nlp

import "slices"

// neighbours finds the examples nearest to a text by cosine, over an inverted
// index of unit vectors.
type neighbours struct {
	labels  []int32   // by example
	byLabel [][]int32 // the examples of a label
	norms   []float32 // length of the sum of a label's examples
	lists   [][]posting
}

type posting struct {
	example int32
	w       float32
}

// maxShare is the share of examples a feature may stand in and still be looked
// up: commoner ones cost most of the time and tell least.
const maxShare = 0.25

func newNeighbours(xs [][]term, ys []int32, features, labels int) *neighbours {
	n := &neighbours{
		labels: ys, lists: make([][]posting, features),
		byLabel: make([][]int32, labels), norms: make([]float32, labels),
	}
	for i, x := range xs {
		for _, t := range x {
			n.lists[t.id] = append(n.lists[t.id], posting{int32(i), t.w})
		}
		n.byLabel[ys[i]] = append(n.byLabel[ys[i]], int32(i))
	}
	sum := make([]float32, features)
	for l, list := range n.byLabel {
		var size float32
		for _, e := range list {
			for _, t := range xs[e] {
				sum[t.id] += t.w
			}
		}
		for _, e := range list {
			for _, t := range xs[e] {
				size += sum[t.id] * sum[t.id]
				sum[t.id] = 0
			}
		}
		n.norms[l] = root(size)
	}
	limit := int(maxShare * float64(len(n.labels)))
	for i, list := range n.lists {
		if len(list) > limit && len(n.labels) > 200 {
			n.lists[i] = nil
		}
	}
	return n
}

// nearest is, for one label, its best example.
type nearest struct {
	example int32 // -1: none shares anything
	cosine  float32
}

// search fills the cosines of all examples, which must be zero before, the best
// of every label, and returns the examples it touched.
func (n *neighbours) search(x []term, cosines []float32, best []nearest, touched []int32) []int32 {
	for i := range best {
		best[i] = nearest{example: -1}
	}
	for _, t := range x {
		for _, p := range n.lists[t.id] {
			if cosines[p.example] == 0 {
				touched = append(touched, p.example)
			}
			cosines[p.example] += t.w * p.w
		}
	}
	for _, e := range touched {
		c := cosines[e]
		b := &best[n.labels[e]]
		if b.example < 0 || c > b.cosine || (c == b.cosine && e < b.example) {
			*b = nearest{e, c}
		}
	}
	return touched
}

// closest is how many wordings of a label are compared closely.
const closest = 3

// of returns the examples of a label nearest to the text searched for, best
// first, and the cosine to the middle of all of them.
func (n *neighbours) of(label int32, cosines []float32, out []int32) (top []int32, middle float32) {
	out = out[:0]
	for _, e := range n.byLabel[label] {
		c := cosines[e]
		middle += c
		if len(out) == closest && c <= cosines[out[closest-1]] {
			continue
		}
		at, _ := slices.BinarySearchFunc(out, c, func(o int32, c float32) int {
			if cosines[o] >= c {
				return -1
			}
			return 1
		})
		out = slices.Insert(out, at, e)
		out = out[:min(len(out), closest)]
	}
	if n.norms[label] > 0 {
		middle /= n.norms[label]
	}
	return out, middle
}
