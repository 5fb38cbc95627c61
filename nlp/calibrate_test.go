package nlp_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"wensheng/nlp"
)

// bent is a truth that no single line in log odds follows: the least likely are
// better than their evidence says.
func bent(z float64) float64 {
	return 1 / (1 + math.Exp(-(min(z, 0)/3 + 0.4 + 1.5*max(z, 0))))
}

func TestCurve_ClaimsWhatComesTrue(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	n := 4000
	z, right := make([]float64, n), make([]bool, n)
	for i := range z {
		z[i] = rng.NormFloat64()*2 + 2
		right[i] = rng.Float64() < bent(z[i])
	}
	at := nlp.CurveOf(z, right)
	claimed := func(z float64) float64 { return 1 / (1 + math.Exp(-at(z))) }
	for _, from := range []float64{-4, -2, -1, 0, 1, 2, 3, 5} {
		sum, n := 0.0, 0.0
		for x := from; x < from+1; x += 0.1 {
			sum += claimed(x) - bent(x)
			n++
		}
		if off := sum / n; math.Abs(off) > 0.05 {
			t.Errorf("evidence from %v: claimed is off by %+.3f", from, off)
		}
	}
	for x := -8.0; x < 12; x += 0.1 {
		if at(x+0.1) <= at(x) {
			t.Fatalf("more evidence at %.1f is not more likely", x)
		}
	}
}

// More evidence is never taken for less likely, whatever chance says of a set.
func TestCurve_NeverFalls(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	z, right := make([]float64, 1000), make([]bool, 1000)
	for i := range z {
		z[i] = rng.NormFloat64()
		right[i] = rng.Float64() < 1/(1+math.Exp(z[i]))
	}
	at := nlp.CurveOf(z, right)
	for x := -5.0; x < 5; x += 0.1 {
		if at(x+0.1) <= at(x) {
			t.Fatalf("more evidence at %.1f is not more likely", x)
		}
	}
}

func TestCurve_TakesEvidenceAsItIsOfFewSamples(t *testing.T) {
	t.Parallel()
	z, right := make([]float64, 60), make([]bool, 60)
	for i := range z {
		z[i], right[i] = float64(i), i%2 == 0
	}
	at := nlp.CurveOf(z, right)
	for _, x := range []float64{-3, 0, 0.5, 70} {
		if got := at(x); math.Abs(got-x) > 1e-9 {
			t.Errorf("at(%v) = %v, want it as it is", x, got)
		}
	}
}
