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

// calibration turns evidence into an order and a probability. It is learned on
// examples, and on whole labels, that the models it judges have not seen, so
// that a question the knowledge base has no answer to gets a low probability.
type calibration struct {
	// Fuse weighs the parts of a candidate's evidence against each other.
	Fuse [weighed]float64
	// Weights are of the logistic regression over the evidence for the winner.
	Weights [evidences]float64
	// Curve maps what that says to how often it was right.
	Curve curve
	// High and Low are the thresholds; Even is the one above which, of questions
	// whose label is known, the share [precision] is right.
	High, Low, Even float64
}

// evidences: a constant; the log odds of the fused share; the margin; the
// coverage; how nearly the text lies in the label's direction whatever its
// length, because a text about something new has features enough but they pull
// many ways; the cosine of the nearest wording in the hidden space. Others were
// tried and told nothing beside these.
const evidences = 6

// uncalibrated is for sets too small to hold anything out.
func uncalibrated() calibration {
	c := calibration{
		High: 0.75, Low: 0.25, Even: 0.75,
		Weights: [evidences]float64{-4, 0.5, 0.5, 3, 0.2, 3},
	}
	c.Fuse, c.Curve = startFuse(), straight()
	return c
}

func startFuse() [weighed]float64 { return [weighed]float64{0: 1, 1: 3, 4: 1} }

// fuse fills the shares of the candidates and puts the best first.
func (c *calibration) fuse(cands []candidate) {
	if len(cands) == 0 {
		return
	}
	top := math.Inf(-1)
	for i := range cands {
		z := 0.0
		x := cands[i].parts.weighed()
		for k, w := range c.Fuse {
			z += w * x[k]
		}
		cands[i].share = z
		top = max(top, z)
	}
	sum := 0.0
	for i := range cands {
		cands[i].share = math.Exp(cands[i].share - top)
		sum += cands[i].share
	}
	for i := range cands {
		cands[i].share /= sum
	}
	slices.SortStableFunc(cands, func(a, b candidate) int {
		switch {
		case a.share > b.share:
			return -1
		case a.share < b.share:
			return 1
		}
		return int(a.label - b.label)
	})
}

// evidence is for one candidate, the first or one put first.
func (c *candidate) evidence(margin, coverage float64) [evidences]float64 {
	return [evidences]float64{1, logOdds(c.share), margin, coverage, c.toward, c.parts.Sense}
}

func logOdds(p float64) float64 {
	p = min(max(p, 1e-4), 1-1e-4)
	return math.Log(p / (1 - p))
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// Bounds of a probability: nothing is certain, and nothing is impossible.
const (
	leastP = 0.001
	mostP  = 0.996
)

// probability grows with the evidence everywhere, so that it orders questions as
// the evidence does.
func (c *calibration) probability(x [evidences]float64) float64 {
	return leastP + (mostP-leastP)*sigmoid(c.Curve.at(dotProduct(c.Weights, x)))
}

func dotProduct(w, x [evidences]float64) float64 {
	z := 0.0
	for i := range w {
		z += w[i] * x[i]
	}
	return z
}

// fold is one split: what a trial model learns from and what it is asked.
type fold struct {
	train, ask []int
	seed       uint64
	// nets is how many networks it trains. A fold that leaves labels out makes
	// do with one: what it shows is the difference between known and unknown.
	nets int
	// whole says that no label is left out, so that the questions are as hard
	// as in truth.
	whole bool
}

// How calibration splits. Every other fold leaves whole labels out. Small sets
// are split more often, because each fold is cheap and gives few samples.
const (
	smallSet    = 3500 // examples
	bigFolds    = 2
	smallFolds  = 4
	askShare    = 0.16 // of a label's examples
	mostAsked   = 2000 // examples a fold asks about, beside those of left-out labels
	dropLabels  = 0.2  // labels left out whole, in every other fold
	unknownPart = 0.3  // of the questions asked there, at most, are of those labels
	minLeft     = 2    // examples a label keeps at least
	fewLabels   = 8    // with fewer labels none is left out
)

func folds(ys []int32, labels int, seed uint64) []fold {
	n := smallFolds
	if len(ys) > smallSet {
		n = bigFolds
	}
	byLabel := make([][]int, labels)
	for i, y := range ys {
		byLabel[y] = append(byLabel[y], i)
	}
	share := min(askShare, mostAsked/float64(len(ys)))
	out := make([]fold, 0, n)
	for k := range n {
		f := fold{seed: seed + uint64(k) + 1, nets: nets, whole: true}
		if k%2 == 1 && labels >= fewLabels {
			f.nets, f.whole = 1, false
		}
		rng := rand.New(rand.NewPCG(f.seed, 0x666f6c64))
		var unknown []int
		for _, list := range byLabel {
			if !f.whole && rng.Float64() < dropLabels {
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

// sample is one question asked of a trial model.
type sample struct {
	cands    []candidate
	coverage map[int32]float64 // by label
	right    int32             // the right label; -1: the model does not know it
	far      bool              // made up, about something else altogether
	whole    bool              // of a fold that leaves no label out
}

// asked runs one fold and returns its samples.
func asked(ctx context.Context, f fold, texts []featureText, ys []int32, labels int, syn *synonyms, progress func()) ([]sample, error) {
	tx, ty := make([]featureText, len(f.train)), make([]int32, len(f.train))
	for i, at := range f.train {
		tx[i], ty[i] = texts[at], ys[at]
	}
	rk, err := trainRanker(ctx, tx, ty, labels, f.nets, syn, f.seed, progress)
	if err != nil {
		return nil, err
	}
	out := make([]sample, 0, len(f.ask)+len(f.ask)/farEvery)
	sc := rk.newScores()
	ask := func(text *featureText, y int32, far bool) {
		x := rk.v.vector(text)
		if len(x) == 0 {
			return
		}
		s := sample{cands: slices.Clone(rk.score(text, x, sc)), right: y, coverage: map[int32]float64{}, far: far, whole: f.whole}
		if y >= 0 && len(rk.nb.byLabel[y]) == 0 {
			s.right = -1
		}
		for _, c := range s.cands {
			s.coverage[c.label] = rk.coverage(text, c.label)
		}
		out = append(out, s)
	}
	for i, at := range f.ask {
		ask(&texts[at], ys[at], false)
		if i%farEvery == 0 {
			far := offTopic(&texts[at])
			ask(&far, -1, true)
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
	c := calibration{Fuse: fitFuse(samples)}
	all := c.judge(samples)
	c.Weights = logistic(all)
	for i := range all {
		all[i].z = dotProduct(c.Weights, all[i].x)
	}
	c.Curve = fitCurve(all)
	for i := range all {
		all[i].p = c.probability(all[i].x)
	}
	c.thresholds(all)
	return c
}

// judged is a sample's winner.
type judged struct {
	x         [evidences]float64
	z, p      float64
	known, ok bool // the model knows the label; the winner is right
	third     bool // the right label is among the first three
	far       bool
	whole     bool
	weight    float64
}

func (c *calibration) judge(samples []sample) []judged {
	out := make([]judged, 0, len(samples))
	for i := range samples {
		s := &samples[i]
		if len(s.cands) == 0 {
			continue
		}
		c.fuse(s.cands)
		first := &s.cands[0]
		margin := first.share
		if len(s.cands) > 1 {
			margin -= s.cands[1].share
		}
		j := judged{
			x:     first.evidence(margin, s.coverage[first.label]),
			known: s.right >= 0, ok: first.label == s.right, far: s.far, whole: s.whole,
		}
		for _, o := range s.cands[:min(3, len(s.cands))] {
			j.third = j.third || o.label == s.right
		}
		out = append(out, j)
	}
	return out
}

// fitFuse finds the weights under which the right candidates win: a conditional
// logit, by AdaGrad over numbers brought to one scale.
func fitFuse(samples []sample) [weighed]float64 {
	type question struct {
		x     [][weighed]float64
		right int
	}
	var qs []question
	var n float64
	var sum, squares, scale [weighed]float64
	for i := range samples {
		s := &samples[i]
		q := question{right: -1}
		for k := range s.cands {
			x := s.cands[k].parts.weighed()
			q.x = append(q.x, x)
			if s.cands[k].label == s.right {
				q.right = k
			}
		}
		if q.right < 0 {
			continue
		}
		qs = append(qs, q)
		for _, x := range q.x {
			n++
			for k, v := range x {
				sum[k] += v
				squares[k] += v * v
			}
		}
	}
	w := startFuse()
	if len(qs) < 30 {
		return w
	}
	for k := range scale {
		scale[k] = math.Sqrt(max(0, squares[k]/n-sum[k]/n*sum[k]/n)) + 1e-9
		w[k] *= scale[k]
	}
	for i := range qs {
		for k := range qs[i].x {
			for j := range scale {
				qs[i].x[k][j] /= scale[j]
			}
		}
	}
	const rounds, rate, ridge = 30, 0.3, 1e-5
	rng := rand.New(rand.NewPCG(uint64(len(qs)), 0x66757365))
	var size [weighed]float64
	p := make([]float64, 0, depth+nearDepth)
	for round := range rounds {
		rng.Shuffle(len(qs), func(i, j int) { qs[i], qs[j] = qs[j], qs[i] })
		for i := range qs {
			p = shares(qs[i].x, &w, p[:0])
			p[qs[i].right]--
			var g [weighed]float64
			for k, x := range qs[i].x {
				for j := range g {
					g[j] += p[k] * x[j]
				}
			}
			for j := range w {
				g[j] += ridge * w[j]
				size[j] += g[j] * g[j]
				w[j] -= rate * (1 - float64(round)/rounds) * g[j] / math.Sqrt(size[j]+1e-3)
			}
		}
	}
	for k := range w {
		w[k] /= scale[k]
	}
	return w
}

// shares appends the softmax of w·x.
func shares(xs [][weighed]float64, w *[weighed]float64, p []float64) []float64 {
	top := math.Inf(-1)
	for i := range xs {
		z := 0.0
		for k := range w {
			z += w[k] * xs[i][k]
		}
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

// How much questions of left-out labels, and made-up ones about
// something else, weigh against those of known ones when the evidence is weighed, whatever their number. It is more
// than they are asked, because telling them apart is what is hardest.
const (
	unknownWeight = 0.6
	farWeight     = 0.1
)

// logistic weighs the evidence. None may count against: where it seems to, two
// kinds of evidence say the same, and outside the samples it would mislead.
func logistic(all []judged) [evidences]float64 {
	var known, unknown, far float64
	for i := range all {
		switch {
		case all[i].known:
			known++
		case all[i].far:
			far++
		default:
			unknown++
		}
	}
	for i := range all {
		switch j := &all[i]; {
		case j.known:
			j.weight = 1
		case j.far:
			j.weight = farWeight * known / far
		default:
			j.weight = unknownWeight * known / unknown
		}
	}
	return rising(all, [evidences]float64{}, 1e-2)
}

// rising weighs by Newton's method. What would count against is left out, all
// but the constant, and the rest weighed again.
func rising(all []judged, usual [evidences]float64, ridge float64) [evidences]float64 {
	var use [evidences]bool
	for i := range use {
		use[i] = true
	}
	for {
		w := newton(all, use, usual, ridge)
		worst := 0
		for i := 1; i < evidences; i++ {
			if w[i] < 0 && (worst == 0 || w[i] < w[worst]) {
				worst = i
			}
		}
		if worst == 0 {
			return w
		}
		use[worst], usual[worst] = false, 0
	}
}

// newton fits the weights of the evidence in use, drawn by the ridge to what is
// usual; the others are 0. It starts at nothing, where its steps are safe.
//
//nolint:gosec // G602: every index runs over arrays of one size
func newton(all []judged, use [evidences]bool, usual [evidences]float64, ridge float64) [evidences]float64 {
	var w [evidences]float64
	const rounds = 12
	for range rounds {
		var g [evidences]float64
		var h [evidences][evidences]float64
		for i := range all {
			j := &all[i]
			p := sigmoid(dotProduct(w, j.x))
			d, r := -p, p*(1-p)*j.weight
			if j.ok {
				d++
			}
			for a, x := range j.x {
				g[a] += d * j.weight * x
				for b := range a + 1 {
					h[a][b] += r * x * j.x[b]
				}
			}
		}
		for a := range h {
			for b := range a {
				h[b][a] = h[a][b]
			}
			h[a][a] += ridge
			g[a] -= ridge * (w[a] - usual[a])
		}
		for a, used := range use {
			if used {
				continue
			}
			g[a] = 0
			for b := range h {
				h[a][b], h[b][a] = 0, 0
			}
			h[a][a] = 1
		}
		step := solve(h, g)
		size := 0.0
		for a := range w {
			w[a] += step[a]
			size = max(size, math.Abs(step[a]))
		}
		if size < 1e-6 {
			break
		}
	}
	return w
}

// solve returns h⁻¹·g for a positive definite h.
func solve(h [evidences][evidences]float64, g [evidences]float64) [evidences]float64 {
	for i := range g {
		for k := i + 1; k < evidences; k++ {
			f := h[k][i] / h[i][i]
			for j := i; j < evidences; j++ {
				h[k][j] -= f * h[i][j]
			}
			g[k] -= f * g[i]
		}
	}
	for i := evidences - 1; i >= 0; i-- {
		for j := i + 1; j < evidences; j++ {
			g[i] -= h[i][j] * g[j]
		}
		g[i] /= h[i][i]
	}
	return g
}

// curve is how likely the winner is right at a value of the evidence, among
// questions whose label is known: log odds that rise in straight pieces, joined
// at knots.
type curve struct {
	Base  float64
	Knots [pieces - 1]float64
	Rise  [pieces]float64 // of the log odds for one of evidence
}

// The lowest tenth of the questions has most of the mistakes, and the next fifth
// most of the rest: each has its own piece where it holds leastSamples. More
// pieces follow the chance of the samples, fewer miss the bend.
const (
	pieces       = 3
	leastSamples = 40
	// leastRise keeps questions with different evidence apart.
	leastRise = 0.05
)

// straight takes the evidence as log odds.
func straight() curve { return curve{Rise: [pieces]float64{1, 1, 1}} }

func fitCurve(all []judged) curve {
	var known []judged
	for _, j := range all {
		if j.known && j.whole {
			known = append(known, j)
		}
	}
	c := straight()
	if len(known) < 2*leastSamples {
		return c
	}
	sort.SliceStable(known, func(i, j int) bool { return known[i].z < known[j].z })
	for i, share := range [pieces - 1]float64{0.1, 0.3} {
		// Without a knot of its own a piece has no length: it ends where all begin.
		at := int(share * float64(len(known)))
		if at < leastSamples {
			at = 0
		}
		c.Knots[i] = known[at].z
	}
	for i := range known {
		known[i].weight, known[i].x = 1, c.spread(known[i].z)
	}
	w := rising(known, [evidences]float64{1: 1, 2: 1, 3: 1}, 1)
	c.Base = w[0]
	for i := range c.Rise {
		c.Rise[i] = max(w[1+i], leastRise)
	}
	return c
}

// spread is a constant and how far the evidence reaches into each piece.
func (c *curve) spread(z float64) [evidences]float64 {
	x := [evidences]float64{1, min(z, c.Knots[0])}
	for i, from := range c.Knots {
		to := math.Inf(1)
		if i+1 < len(c.Knots) {
			to = c.Knots[i+1]
		}
		x[2+i] = max(0, min(z, to)-from)
	}
	return x
}

// at returns log odds.
func (c *curve) at(z float64) float64 {
	x := c.spread(z)
	o := c.Base
	for i, rise := range c.Rise {
		o += rise * x[1+i]
	}
	return o
}

// What the thresholds aim at.
const (
	// precision is the share of what is answered that shall be right, one
	// question in ten being about something near that the examples do not know.
	precision = 0.95
	strangers = 0.1
	highFloor = 0.5
	highCeil  = 0.88
	// useful is the share of the least likely offers that shall have the right
	// label among three; window how many samples that is judged on.
	useful   = 0.55
	window   = 60
	lowFloor = 0.1
	lowCeil  = 0.45
)

func (c *calibration) thresholds(all []judged) {
	sort.SliceStable(all, func(i, j int) bool { return all[i].p > all[j].p })
	known, unknown := 0.0, 0.0
	for _, j := range all {
		switch {
		case j.known:
			known++
		case !j.far:
			unknown++
		}
	}
	weight := 1.0 // of an unknown one
	if unknown > 0 {
		weight = strangers / (1 - strangers) * known / unknown
	}
	c.High, c.Low, c.Even = highCeil, lowCeil, mostP
	right, asked, n := 0.0, 0.0, 0.0
	for _, j := range all {
		if j.ok {
			right++
		}
		switch {
		case j.known:
			n++
			asked++
		case !j.far: // what is made up is too easily told to say anything here
			asked += weight
		}
		if n >= 20 && right >= precision*asked {
			c.High = j.p
		}
		if n >= 20 && right >= precision*n {
			c.Even = j.p
		}
	}
	near := 0
	for i, j := range all {
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
