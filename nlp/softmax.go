package nlp

import (
	"context"
	"math"
	"math/rand/v2"
)

// softmax is a multinomial logistic regression. Weights lie feature by feature,
// so that one text touches a few contiguous rows.
type softmax struct {
	labels int
	w      []float32 // [feature][label]
	bias   []float32
}

// How the regression is trained: plain stochastic gradient descent over unit
// vectors, the step falling linearly to nothing; found by cross-validation.
const (
	epochs  = 8
	step    = 5.0
	minGrad = 1e-5
	// biasStep slows the bias, which would otherwise learn the label counts of
	// the knowledge base, and those say nothing about what people ask.
	biasStep = 0.01
)

// fit trains on vectors and their labels. progress is called after every epoch.
func fit(ctx context.Context, xs [][]term, ys []int32, features, labels int, seed uint64, progress func()) (*softmax, error) {
	m := &softmax{labels: labels, w: make([]float32, features*labels), bias: make([]float32, labels)}
	rng := rand.New(rand.NewPCG(seed, 0x77656e))
	order := make([]int, len(xs))
	for i := range order {
		order[i] = i
	}
	g := gradient{p: make([]float32, labels), at: make([]int32, 0, labels)}
	total := float64(epochs * len(xs))
	seen := 0.0
	for range epochs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			rate := float32(step * (1 - seen/total))
			seen++
			m.learn(xs[i], ys[i], rate, &g)
		}
		progress()
	}
	return m, nil
}

// gradient is the working memory of one step: the errors by label, and where
// they are large enough to matter.
type gradient struct {
	p  []float32
	at []int32
}

func (m *softmax) learn(x []term, y int32, rate float32, g *gradient) {
	p := g.p
	m.logits(x, p)
	normalise(p)
	p[y]--
	g.at = g.at[:0]
	for j, e := range p {
		if e < minGrad && e > -minGrad {
			p[j] = 0
			continue
		}
		g.at = append(g.at, int32(j))
	}
	// Once most labels are ruled out, few rows' places change.
	sparse := len(g.at) < len(p)/4
	for _, t := range x {
		row, a := m.row(t.id), -rate*t.w
		if !sparse {
			axpy(row, p, a)
			continue
		}
		for _, j := range g.at {
			row[j] += a * p[j]
		}
	}
	axpy(m.bias, p, -rate*biasStep)
}

func (m *softmax) row(id int32) []float32 {
	return m.w[int(id)*m.labels : (int(id)+1)*m.labels]
}

// logits fills out with the unnormalised scores.
func (m *softmax) logits(x []term, out []float32) {
	copy(out, m.bias)
	for _, t := range x {
		axpy(out, m.row(t.id), t.w)
	}
}

// axpy adds a·x to y. Both have the same length.
func axpy(y, x []float32, a float32) {
	n := len(y)
	x = x[:n]
	i := 0
	for ; i+8 <= n; i += 8 {
		u, v := y[i:i+8:i+8], x[i:i+8:i+8]
		u[0] += a * v[0]
		u[1] += a * v[1]
		u[2] += a * v[2]
		u[3] += a * v[3]
		u[4] += a * v[4]
		u[5] += a * v[5]
		u[6] += a * v[6]
		u[7] += a * v[7]
	}
	for ; i < n; i++ {
		y[i] += a * x[i]
	}
}

// normalise turns logits into probabilities in place.
func normalise(p []float32) {
	top := p[0]
	for _, v := range p {
		top = max(top, v)
	}
	var sum float32
	for i, v := range p {
		e := float32(math.Exp(float64(v - top)))
		p[i] = e
		sum += e
	}
	for i := range p {
		p[i] /= sum
	}
}
