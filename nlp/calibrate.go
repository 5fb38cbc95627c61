package nlp

import (
	"context"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// calibration turns scores into probabilities. It is learned on examples, and on
// whole labels, that the model it judges has not seen, so that a question the
// knowledge base has no answer to gets a low probability.
type calibration struct {
	// Scale and Cosine fuse the regression's logits with the cosine to the
	// nearest wording.
	Scale, Cosine float64
	// Weights are of the logistic regression over the evidence.
	Weights [evidences]float64
	// High and Low are the thresholds.
	High, Low float64
}

// evidences: a constant, the log odds of the fused share, the margin, the cosine
// of the label's nearest wording, the coverage, the log odds times the coverage.
const evidences = 6

// uncalibrated is for sets too small to hold anything out.
func uncalibrated() calibration {
	return calibration{
		Scale: 1, Cosine: 6, High: 0.75, Low: 0.25,
		Weights: [evidences]float64{-4, 0.4, 0.5, 4, 2, 0.1},
	}
}

// fuse fills the shares of all labels.
func (c *calibration) fuse(sc *scores) {
	top := math.Inf(-1)
	for l := range sc.p {
		z := c.Scale*float64(sc.logits[l]) + c.Cosine*float64(sc.near[l].cosine)
		sc.p[l] = z
		top = max(top, z)
	}
	sum := 0.0
	for l, z := range sc.p {
		e := math.Exp(z - top)
		sc.p[l] = e
		sum += e
	}
	for l := range sc.p {
		sc.p[l] /= sum
	}
}

func (sc *scores) evidence(label int32, margin, coverage float64) [evidences]float64 {
	odds := logOdds(sc.p[label])
	return [evidences]float64{1, odds, margin, float64(sc.near[label].cosine), coverage, odds * coverage}
}

func logOdds(p float64) float64 {
	p = min(max(p, 1e-4), 1-1e-4)
	return math.Log(p / (1 - p))
}

func (c *calibration) probability(x [evidences]float64) float64 {
	z := 0.0
	for i, w := range c.Weights {
		z += w * x[i]
	}
	return min(max(1/(1+math.Exp(-z)), 0.001), 0.985)
}

// fold is one split: what a trial model learns from and what it is asked.
type fold struct {
	train, ask []int
	seed       uint64
}

// How calibration splits. Small sets are split several times, because each fold
// is cheap and gives few samples.
const (
	smallSet    = 4000 // examples
	smallFolds  = 4
	askShare    = 0.2  // of a label's examples, small sets
	askShareBig = 0.12 //
	dropLabels  = 0.15 // labels left out whole
	unknownPart = 0.2  // of the questions asked, at most, are of those labels
	minLeft     = 2    // examples a label keeps at least
)

func folds(ys []int32, labels int, seed uint64) []fold {
	n, share := smallFolds, askShare
	if len(ys) > smallSet {
		n, share = 1, askShareBig
	}
	byLabel := make([][]int, labels)
	for i, y := range ys {
		byLabel[y] = append(byLabel[y], i)
	}
	out := make([]fold, 0, n)
	for k := range n {
		f := fold{seed: seed + uint64(k) + 1}
		rng := rand.New(rand.NewPCG(f.seed, 0x666f6c64))
		var unknown []int
		for _, list := range byLabel {
			if labels >= 8 && rng.Float64() < dropLabels {
				unknown = append(unknown, list...)
				continue
			}
			order := rng.Perm(len(list))
			ask := min(int(math.Round(share*float64(len(list))+rng.Float64()-0.5)), len(list)-minLeft)
			for i, at := range order {
				if i < ask {
					f.ask = append(f.ask, list[at])
				} else {
					f.train = append(f.train, list[at])
				}
			}
		}
		rng.Shuffle(len(unknown), func(i, j int) { unknown[i], unknown[j] = unknown[j], unknown[i] })
		most := int(float64(len(f.ask)) * unknownPart / (1 - unknownPart))
		f.ask = append(f.ask, unknown[:min(most, len(unknown))]...)
		sort.Ints(f.train)
		out = append(out, f)
	}
	return out
}

// sample is one question asked of a trial model. Only the labels that may win
// are kept.
type sample struct {
	labels   []int32
	logits   []float64
	cosines  []float64
	coverage []float64
	right    int // place of the right label in labels; -1: the model does not know it
}

// keep is how many labels by either score a sample keeps.
const keep = 12

// asked runs one fold and returns its samples.
func asked(ctx context.Context, f fold, texts []featureText, ys []int32, labels int, progress func()) ([]sample, error) {
	tx, ty := make([]featureText, len(f.train)), make([]int32, len(f.train))
	seen := make([]bool, labels)
	for i, at := range f.train {
		tx[i], ty[i] = texts[at], ys[at]
		seen[ys[at]] = true
	}
	rk, err := trainRanker(ctx, tx, ty, labels, f.seed, progress)
	if err != nil {
		return nil, err
	}
	out := make([]sample, 0, len(f.ask)+len(f.ask)/farEvery)
	sc := rk.newScores()
	ask := func(text *featureText, y int32) {
		x := rk.v.vector(text)
		if len(x) == 0 {
			return
		}
		rk.score(x, sc)
		for l, ok := range seen {
			if !ok {
				sc.logits[l] = -50 // it was never taught; its bias means nothing
			}
		}
		s := sample{right: -1}
		for l := range sc.p {
			sc.p[l] = float64(sc.logits[l])
		}
		s.labels = sc.best(keep)
		for l := range sc.p {
			sc.p[l] = float64(sc.near[l].cosine)
		}
		for _, l := range sc.best(keep) {
			if !slices.Contains(s.labels, l) {
				s.labels = append(s.labels, l)
			}
		}
		for i, l := range s.labels {
			s.logits = append(s.logits, float64(sc.logits[l]))
			s.cosines = append(s.cosines, float64(sc.near[l].cosine))
			s.coverage = append(s.coverage, rk.coverage(text, l))
			if l == y && seen[l] {
				s.right = i
			}
		}
		out = append(out, s)
	}
	for i, at := range f.ask {
		ask(&texts[at], ys[at])
		if i%farEvery == 0 {
			far := offTopic(&texts[at])
			ask(&far, -1)
		}
	}
	return out, nil
}

// farEvery: one question in so many is asked again about something else.
const farEvery = 6

// offTopic keeps of a question the words that say nothing about its subject and
// puts unknown ones in place of the rest: what somebody says who talks of
// something no example speaks of.
func offTopic(f *featureText) featureText {
	l := words()
	var b strings.Builder
	strange := 0
	var tokens []string
	for _, w := range f.tokens {
		if l.content(w) {
			strange++
			tokens = append(tokens, "\x00"+strconv.Itoa(strange))
			continue
		}
		b.WriteString(w)
		tokens = append(tokens, w)
	}
	out := featureText{norm: b.String(), tokens: tokens}
	seen := map[string]struct{}{}
	out.grams(seen)
	for _, w := range tokens {
		out.add(seen, kindWord, w)
		if w[0] == 0 {
			for i := range 4 { // two characters, their pair, and what joins them to the rest
				out.add(seen, kindChars, "\x00"+string(rune('a'+i))+w[1:])
			}
		}
	}
	return out
}

// shares fuses a sample's scores.
func (s *sample) shares(scale, cosine float64, p []float64) []float64 {
	p = p[:0]
	top := math.Inf(-1)
	for i := range s.labels {
		z := scale*s.logits[i] + cosine*s.cosines[i]
		p = append(p, z)
		top = max(top, z)
	}
	sum := 0.0
	for i, z := range p {
		p[i] = math.Exp(z - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// calibrate learns from samples.
func calibrate(samples []sample) calibration {
	known := 0
	for i := range samples {
		if samples[i].right >= 0 {
			known++
		}
	}
	if known < 30 {
		return uncalibrated()
	}
	c := calibration{}
	best := math.Inf(1)
	var p []float64
	for _, scale := range []float64{0.5, 0.7, 0.85, 1, 1.2, 1.4} {
		for _, cosine := range []float64{0, 1, 2, 4, 6, 8, 10, 13, 16} {
			loss := 0.0
			for i := range samples {
				if s := &samples[i]; s.right >= 0 {
					p = s.shares(scale, cosine, p)
					loss -= math.Log(max(p[s.right], 1e-6))
				}
			}
			if loss < best {
				best, c.Scale, c.Cosine = loss, scale, cosine
			}
		}
	}
	xs, ok, third := c.outcomes(samples)
	c.Weights = logistic(xs, ok)
	c.thresholds(xs, ok, third)
	return c
}

// outcomes returns, by sample, the evidence of its winner, whether that is
// right, and whether the right label is among the first three.
func (c *calibration) outcomes(samples []sample) (xs [][evidences]float64, ok, third []bool) {
	var p []float64
	for i := range samples {
		s := &samples[i]
		p = s.shares(c.Scale, c.Cosine, p)
		first, second := 0, -1
		for j := 1; j < len(p); j++ {
			if p[j] > p[first] {
				first, second = j, first
			} else if second < 0 || p[j] > p[second] {
				second = j
			}
		}
		margin := p[first]
		if second >= 0 {
			margin -= p[second]
		}
		rank := 0
		if s.right >= 0 {
			for _, v := range p {
				if v > p[s.right] {
					rank++
				}
			}
		}
		odds := logOdds(p[first])
		xs = append(xs, [evidences]float64{1, odds, margin, s.cosines[first], s.coverage[first], odds * s.coverage[first]})
		ok = append(ok, first == s.right)
		third = append(third, s.right >= 0 && rank < 3)
	}
	return xs, ok, third
}

// logistic fits by gradient descent with momentum; a few thousand samples of six
// numbers take milliseconds. No evidence may count against: where it seems to,
// two kinds of evidence say the same, and outside the samples it would mislead.
func logistic(xs [][evidences]float64, ok []bool) [evidences]float64 {
	var w, v [evidences]float64
	const rounds, rate, momentum, ridge = 3000, 0.3, 0.9, 1e-4
	n := float64(len(xs))
	for range rounds {
		var g [evidences]float64
		for i, x := range xs {
			z := 0.0
			for j := range w {
				z += w[j] * x[j]
			}
			d := 1 / (1 + math.Exp(-z))
			if ok[i] {
				d--
			}
			for j := range g {
				g[j] += d * x[j] / n
			}
		}
		for j := range w {
			v[j] = momentum*v[j] - rate*0.1*(g[j]+ridge*w[j])
			w[j] += v[j]
			if j > 0 && w[j] < 0 {
				w[j], v[j] = 0, 0
			}
		}
	}
	return w
}

// What the thresholds aim at.
const (
	// precision is the share of what is answered that shall be right, one
	// question in four being about something the examples do not know.
	precision = 0.9
	highFloor = 0.55
	highCeil  = 0.85
	// useful is the share of the least likely offers that shall have the right
	// label among three; window how many samples that is judged on.
	useful   = 0.45
	window   = 60
	lowFloor = 0.12
	lowCeil  = 0.35
)

func (c *calibration) thresholds(xs [][evidences]float64, ok, third []bool) {
	type judged struct {
		p         float64
		ok, third bool
	}
	all := make([]judged, len(xs))
	for i, x := range xs {
		all[i] = judged{c.probability(x), ok[i], third[i]}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].p > all[j].p })
	c.High, c.Low = highCeil, lowCeil
	right, near := 0, 0
	for i, j := range all {
		if j.ok {
			right++
		}
		if i >= 20 && float64(right) >= precision*float64(i+1) {
			c.High = j.p
		}
		if j.third {
			near++
		}
		if i >= window && all[i-window].third {
			near--
		}
		if i >= window && float64(near) >= useful*window {
			c.Low = j.p
		}
	}
	c.High = min(max(c.High, highFloor), highCeil)
	c.Low = min(max(c.Low, lowFloor), lowCeil)
}

// hash64 seeds what must depend on nothing but the content.
func hash64(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}
