package knowledge

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"wensheng/internal/kb"
	"wensheng/nlp"
)

// Bounds of what is clustered and shown.
const (
	itemsRead     = 3000
	clustersShown = 200
	messagesShown = 50
)

// similar is the least cosine to a cluster's first wording to join it. Wordings
// of one question were seen from 0.26 up, those of two below 0.25.
const similar = 0.3

// wording is all items that say the same.
type wording struct {
	key   string
	items []kb.Item // the oldest first
	vec   []piece
}

// piece is a character or a pair of them, and what it weighs.
type piece struct {
	text   string
	weight float64
}

func (w *wording) first() kb.Item { return w.items[0] }

// wordings puts items that say the same together, the oldest wording first, so
// that the same items always give the same clusters.
func wordings(items []kb.Item) []*wording {
	byKey := map[string]*wording{}
	var out []*wording
	items = slices.Clone(items)
	slices.SortFunc(items, older)
	for _, it := range items {
		w := byKey[it.Key]
		if w == nil {
			w = &wording{key: it.Key}
			byKey[it.Key] = w
			out = append(out, w)
		}
		w.items = append(w.items, it)
	}
	return out
}

func older(a, b kb.Item) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) }

// group is a cluster before it is shown.
type group struct {
	id       string
	wordings []*wording
	count    int
	last     time.Time
}

// cluster groups wordings around the oldest of them: each joins the nearest
// earlier leader it is similar to, or leads a group of its own. Items that were
// dealt with stay in the cluster they were dealt with in.
func cluster(items []kb.Item) []*group {
	list := wordings(items)
	weigh(list)
	byID := map[string]*group{}
	var out []*group
	open := func(id string) *group {
		g := &group{id: id}
		byID[id] = g
		out = append(out, g)
		return g
	}
	// leading says which groups' leaders have a piece, so that only those with
	// something in common are compared.
	leading := map[string][]lead{}
	for _, w := range list {
		g := byID[w.first().Cluster]
		if w.first().Cluster == "" {
			g = nearest(w, leading)
		}
		if g == nil {
			g = open(cmp.Or(w.first().Cluster, w.first().ID))
			if w.first().Cluster == "" {
				for _, p := range w.vec {
					leading[p.text] = append(leading[p.text], lead{g, p.weight})
				}
			}
		}
		g.wordings = append(g.wordings, w)
		g.count += len(w.items)
		if at := w.items[len(w.items)-1].At; at.After(g.last) {
			g.last = at
		}
	}
	slices.SortStableFunc(out, func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.count, a.count), b.last.Compare(a.last), cmp.Compare(a.id, b.id))
	})
	return out
}

// lead is a group whose first wording has a piece of that weight.
type lead struct {
	g      *group
	weight float64
}

func nearest(w *wording, leading map[string][]lead) *group {
	cosine := map[*group]float64{}
	for _, p := range w.vec {
		for _, l := range leading[p.text] {
			cosine[l.g] += p.weight * l.weight
		}
	}
	var best *group
	for g, c := range cosine {
		if c >= similar && (best == nil || c > cosine[best] || (c == cosine[best] && g.id < best.id)) {
			best = g
		}
	}
	return best
}

// weigh gives every wording its vector: characters and pairs of characters,
// weighed by how rare they are among the wordings, of length 1.
func weigh(list []*wording) {
	df := map[string]int{}
	for _, w := range list {
		r := []rune(nlp.Squash(nlp.Normalize(w.first().Text)))
		weights := map[string]float64{}
		for i := range r {
			weights[string(r[i:i+1])] = 1
			if i+1 < len(r) {
				weights[string(r[i:i+2])] = 1
			}
		}
		for _, text := range slices.Sorted(maps.Keys(weights)) {
			w.vec = append(w.vec, piece{text, weights[text]})
			df[text]++
		}
	}
	for _, w := range list {
		sum := 0.0
		for i := range w.vec {
			p := &w.vec[i]
			p.weight *= math.Log(1 + float64(len(list))/float64(df[p.text]))
			sum += p.weight * p.weight
		}
		for i := range w.vec {
			w.vec[i].weight /= math.Sqrt(sum)
		}
	}
}
