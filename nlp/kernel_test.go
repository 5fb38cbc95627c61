package nlp_test

import (
	"math"
	"testing"

	"wensheng/nlp"
)

// The lengths are those with whole blocks, with a rest, and with a rest only.
func TestKernels_AgreeWithOneNumberAtATime(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 15, 16, 17, 64, 100, 128} {
		x, y := make([]float32, n), make([]float32, n)
		sum := 0.0
		for i := range x {
			x[i], y[i] = float32(i%7)-2.5, float32(i%5)*0.75-1
			sum += float64(x[i]) * float64(y[i])
		}
		if got := nlp.Dot(x, y); math.Abs(float64(got)-sum) > 1e-3 {
			t.Errorf("%d numbers: dot = %g, want %g", n, got, sum)
		}
		// One more number than is asked for, which must stay.
		z := append(append([]float32(nil), y...), 42)
		nlp.Axpy(z[:n], x, -0.5)
		for i, v := range x {
			if want := y[i] - 0.5*v; math.Abs(float64(z[i]-want)) > 1e-6 {
				t.Errorf("%d numbers: axpy gave %g at %d, want %g", n, z[i], i, want)
			}
		}
		if z[n] != 42 {
			t.Errorf("%d numbers: axpy wrote past the end", n)
		}
	}
}
