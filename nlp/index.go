package nlp

import (
	"slices"
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
	ext      extractor
	labels   []string
	texts    []string           // the examples, normalised
	ys       []int32            // their labels
	exact    map[string][]int32 // wording without punctuation → labels
	denials  []denial           // by label, of all its wordings together
	rk       *ranker
	cal      calibration
	ear      *ear
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
	// Subject is how much more the text sounds like the examples than like
	// everyday talk: the sum over its words of the logarithm of how much more
	// often the examples use the word. A silent word counts like one of ours.
	Subject float64 `json:"subject"`
	// Negated says that the text denies what all wordings of the first
	// candidate affirm ("I do not want to repay early"). It is about that label as
	// likely as P says, but hardly asks for it.
	Negated bool `json:"negated"`
	// Exact says that the text is a wording of the first candidate.
	Exact bool `json:"exact"`
	// Thresholds are those in force for this text: Low is lower for one that
	// names a product.
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
	// Parts is all the evidence that was weighed.
	Parts Parts `json:"parts"`
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

// exactP is the probability of a label that has the very wording.
const exactP = 0.99

// productLow is what Low is multiplied with for a text that names a product. It is
// about our subject for certain, and Low is found among questions that may not be:
// of borrowers' texts between the two, seven in ten had what was meant among three.
const productLow = 0.65

// maxFeatures is how many features an explanation names.
const maxFeatures = 8

// Sure reports whether the first candidate reaches High and nothing is denied.
func (r *Ranking) Sure() bool {
	return len(r.Candidates) > 0 && r.Candidates[0].P >= r.Thresholds.High && !r.Negated
}

// Labels returns the labels in order. The caller must not change the slice.
func (ix *Index) Labels() []string { return ix.labels }

// Thresholds returns what calibration found.
func (ix *Index) Thresholds() Thresholds { return Thresholds{ix.cal.High, ix.cal.Low} }

// Rank returns the k best labels for a text. No candidate is returned for a
// text with nothing the examples know.
func (ix *Index) Rank(q string, k int) Ranking {
	f := ix.ext.extract(Normalize(q))
	out := Ranking{Norm: f.norm, Tokens: f.tokens, Thresholds: ix.Thresholds()}
	if f.product {
		out.Thresholds.Low *= productLow
	}
	x := ix.rk.v.vector(&f)
	if len(x) == 0 || k <= 0 || len(ix.labels) == 0 {
		return out
	}
	sc := ix.scores()
	defer ix.pool.Put(sc)
	cands := ix.rk.score(&f, x, sc)
	if len(cands) == 0 {
		return out
	}
	ix.cal.fuse(cands)
	exact := ix.exact[exactKey(f.norm)]
	if len(exact) > 0 {
		promote(cands, exact)
	}
	first := &cands[0]
	if len(cands) > 1 {
		out.Margin = first.share - cands[1].share
	}
	out.Coverage = ix.rk.coverage(&f, first.label)
	out.Subject = ix.rk.subject(&f, &ix.ext.seg.dict.everyday)
	p := ix.cal.probability(first.evidence(max(0, out.Margin), out.Coverage))
	switch {
	case len(exact) == 1:
		out.Exact, out.Margin, p = true, 1, exactP
	case len(exact) == 0 && words().denial(f.norm).contradicts(ix.denials[first.label]):
		out.Negated = true
	}
	for i := range cands[:min(k, len(cands))] {
		l := &cands[i]
		c := Candidate{Label: ix.labels[l.label], P: p, Model: l.share, Cosine: l.parts.Cosine, Parts: l.parts}
		if i > 0 {
			c.P = min(follow(p, l.share, first.share, out.Exact), out.Candidates[i-1].P)
		}
		if l.example >= 0 {
			c.Nearest = ix.examples[l.example].Text
		}
		out.Candidates = append(out.Candidates, c)
	}
	out.Candidates[0].Features = ix.rk.explain(x, first.label)
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

// promote puts the candidates of exact labels first.
func promote(cands []candidate, exact []int32) {
	slices.SortStableFunc(cands, func(a, b candidate) int {
		x, y := slices.Contains(exact, a.label), slices.Contains(exact, b.label)
		switch {
		case x && !y:
			return -1
		case y && !x:
			return 1
		}
		return 0
	})
}

func exactKey(norm string) string {
	return strings.ReplaceAll(Squash(norm), " ", "")
}

func (ix *Index) scores() *scores {
	if sc, ok := ix.pool.Get().(*scores); ok {
		return sc
	}
	return ix.rk.newScores()
}
