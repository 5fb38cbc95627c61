package nlp

// The inner loops of training, four numbers at a time. Every amd64 processor has
// these instructions (SSE), so that all of them compute the same.

// axpyBlocks adds a·x to y; n is a multiple of [block] and not 0.
//
//go:noescape
func axpyBlocks(y, x *float32, a float32, n int)

// dotBlocks is the inner product; n is a multiple of [block] and not 0.
//
//go:noescape
func dotBlocks(x, y *float32, n int) float32

const block = 16

// axpy adds a·x to y. Both have the same length.
func axpy(y, x []float32, a float32) {
	n := len(y)
	x = x[:n]
	whole := n - n%block
	if whole > 0 {
		axpyBlocks(&y[0], &x[0], a, whole)
	}
	for i := whole; i < n; i++ {
		y[i] += a * x[i]
	}
}

// dot is the inner product. Both have the same length.
func dot(x, y []float32) float32 {
	n := len(x)
	y = y[:n]
	whole := n - n%block
	sum := float32(0)
	if whole > 0 {
		sum = dotBlocks(&x[0], &y[0], whole)
	}
	for i := whole; i < n; i++ {
		sum += x[i] * y[i]
	}
	return sum
}
