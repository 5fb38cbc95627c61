package nlp

// neighbours finds the examples nearest to a text by cosine, over an inverted
// index of unit vectors.
type neighbours struct {
	labels []int32 // by example
	lists  [][]posting
}

type posting struct {
	example int32
	w       float32
}

// maxShare is the share of examples a feature may stand in and still be looked
// up: commoner ones cost most of the time and tell least.
const maxShare = 0.25

func newNeighbours(xs [][]term, ys []int32, features int) *neighbours {
	n := &neighbours{labels: ys, lists: make([][]posting, features)}
	for i, x := range xs {
		for _, t := range x {
			n.lists[t.id] = append(n.lists[t.id], posting{int32(i), t.w})
		}
	}
	return n
}

// nearest is, for one label, its best example.
type nearest struct {
	example int32 // -1: none shares anything
	cosine  float32
}

// search fills best, by label, and uses scratch, by example, which it leaves
// zeroed.
func (n *neighbours) search(x []term, scratch []float32, best []nearest) {
	for i := range best {
		best[i] = nearest{example: -1}
	}
	limit := int(maxShare * float64(len(n.labels)))
	touched := make([]int32, 0, 1024)
	for _, t := range x {
		list := n.lists[t.id]
		if len(list) > limit && len(n.labels) > 200 {
			continue
		}
		for _, p := range list {
			if scratch[p.example] == 0 {
				touched = append(touched, p.example)
			}
			scratch[p.example] += t.w * p.w
		}
	}
	for _, e := range touched {
		c := scratch[e]
		scratch[e] = 0
		b := &best[n.labels[e]]
		if b.example < 0 || c > b.cosine || (c == b.cosine && e < b.example) {
			*b = nearest{e, c}
		}
	}
}
