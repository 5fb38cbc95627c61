package nlp

import (
	"slices"
	"sort"
	"strings"
	"sync"
)

// Example is one wording of a label.
type Example struct {
	Text  string
	Label string
}

// Index ranks the labels of a set of examples for a text. It is immutable and
// safe for concurrent use; a changed knowledge base means a new Index.
type Index struct {
	seg      *Segmenter
	labels   []string
	texts    []string           // the examples, normalised
	ys       []int32            // their labels
	exact    map[string][]int32 // wording without punctuation → labels
	denials  []denial           // by label, of all its wordings together
	rk       *ranker
	cal      calibration
	pool     sync.Pool // *scores
	examples []Example
}

// Thresholds are the calibrated probabilities an Index was found to need.
type Thresholds struct {
	// High and above: the answer may be given.
	High float64 `json:"high"`
	// Low and above: it may be offered in a question.
	Low float64 `json:"low"`
}

// Ranking is what an Index makes of one text.
type Ranking struct {
	// Norm is the text as it was compared, Tokens its words.
	Norm   string   `json:"norm"`
	Tokens []string `json:"tokens"`
	// Candidates are the labels, best first.
	Candidates []Candidate `json:"candidates"`
	// Margin is the model's probability of the first candidate less that of
	// the second.
	Margin float64 `json:"margin"`
	// Coverage is the share, by weight, of the words about the subject that
	// the wordings of the first candidate hold.
	Coverage float64 `json:"coverage"`
	// Negated says that the text denies what all wordings of the first
	// candidate affirm ("I do not want to repay early").
	Negated bool `json:"negated"`
	// Exact says that the text is a wording of the first candidate.
	Exact      bool       `json:"exact"`
	Thresholds Thresholds `json:"thresholds"`
}

// Candidate is one label with its evidence.
type Candidate struct {
	Label string `json:"label"`
	// P is the calibrated probability, 0 to 1, that the label is right.
	P float64 `json:"p"`
	// Model is the share of the fused model, before calibration.
	Model float64 `json:"model"`
	// Cosine is the similarity, 0 to 1, of the nearest wording.
	Cosine float64 `json:"cosine"`
	// Nearest is that wording, as the knowledge base has it.
	Nearest string `json:"nearest,omitempty"`
	// Features are what spoke most for the label, for the first candidate only.
	Features []Feature `json:"features,omitempty"`
}

// Feature is one part of a text and what it added to a label's score. The name
// starts with its kind: w: a word, p: two neighbouring words, c: characters, l:
// a piece of a word in letters.
type Feature struct {
	Name   string  `json:"name"`
	Weight float64 `json:"weight"`
}

// How far a denial lowers the probability: below any High, above most Lows, so
// that the person is asked.
const negatedFactor = 0.5

// exactP is the probability of a label that has the very wording.
const exactP = 0.99

// maxFeatures is how many features an explanation names.
const maxFeatures = 8

// Labels returns the labels in order. The caller must not change the slice.
func (ix *Index) Labels() []string { return ix.labels }

// Thresholds returns what calibration found.
func (ix *Index) Thresholds() Thresholds { return Thresholds{ix.cal.High, ix.cal.Low} }

// Rank returns the k best labels for a text. No candidate is returned for a
// text with nothing the examples know.
func (ix *Index) Rank(q string, k int) Ranking {
	f := extract(ix.seg, Normalize(q))
	out := Ranking{Norm: f.norm, Tokens: f.tokens, Thresholds: ix.Thresholds()}
	x := ix.rk.v.vector(&f)
	if len(x) == 0 || k <= 0 || len(ix.labels) == 0 {
		return out
	}
	sc := ix.scores()
	defer ix.pool.Put(sc)
	ix.rk.score(x, sc)
	ix.cal.fuse(sc)
	top := sc.best(max(k, 2))
	exact := ix.exact[exactKey(f.norm)]
	if len(exact) > 0 {
		top = promote(top, exact)
	}
	first := top[0]
	if len(top) > 1 {
		out.Margin = sc.p[first] - sc.p[top[1]]
	}
	out.Coverage = ix.rk.coverage(&f, first)
	p := ix.cal.probability(sc.evidence(first, out.Margin, out.Coverage))
	switch {
	case len(exact) == 1:
		out.Exact, out.Margin, p = true, 1, exactP
	case len(exact) == 0 && words().denial(f.norm).contradicts(ix.denials[first]):
		out.Negated = true
		p *= negatedFactor
	}
	for i, l := range top[:min(k, len(top))] {
		c := Candidate{Label: ix.labels[l], P: p, Model: sc.p[l], Cosine: min(1, float64(sc.near[l].cosine))}
		if i > 0 {
			c.P = follow(p, sc.p[l], sc.p[first], out.Exact)
		}
		if e := sc.near[l].example; e >= 0 {
			c.Nearest = ix.examples[e].Text
		}
		out.Candidates = append(out.Candidates, c)
	}
	out.Candidates[0].Features = ix.rk.explain(x, first)
	return out
}

// follow is the probability of a later candidate: its share beside the first,
// never more than what the first leaves.
func follow(p, share, first float64, exact bool) float64 {
	if first <= 0 {
		return 0
	}
	r := min(1, share/first)
	if exact {
		return min(1-exactP, r)
	}
	return min(p*r, 1-p+p*r*0.5)
}

// promote puts the exact labels first.
func promote(top, exact []int32) []int32 {
	out := make([]int32, 0, len(top)+len(exact))
	for _, l := range top {
		if slices.Contains(exact, l) {
			out = append(out, l)
		}
	}
	for _, l := range exact {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	for _, l := range top {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

func exactKey(norm string) string {
	return strings.ReplaceAll(Squash(norm), " ", "")
}

// scores is the working memory of one ranking.
type scores struct {
	logits  []float32
	near    []nearest
	scratch []float32
	p       []float64
}

func (ix *Index) scores() *scores {
	if sc, ok := ix.pool.Get().(*scores); ok {
		return sc
	}
	return ix.rk.newScores()
}

// best returns the n labels of the highest fused share, best first.
func (sc *scores) best(n int) []int32 {
	top := make([]int32, 0, n+1)
	for l, p := range sc.p {
		if len(top) == n && p <= sc.p[top[n-1]] {
			continue
		}
		at := sort.Search(len(top), func(i int) bool { return sc.p[top[i]] < p })
		top = append(top, 0)
		copy(top[at+1:], top[at:])
		top[at] = int32(l)
		if len(top) > n {
			top = top[:n]
		}
	}
	return top
}
