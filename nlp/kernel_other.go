//go:build !amd64

package nlp

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

// dot is the inner product. Both have the same length. Four sums, so that one
// addition need not wait for the last.
func dot(x, y []float32) float32 {
	n := len(x)
	y = y[:n]
	var a, b, c, d float32
	i := 0
	for ; i+8 <= n; i += 8 {
		u, v := x[i:i+8:i+8], y[i:i+8:i+8]
		a += u[0]*v[0] + u[4]*v[4]
		b += u[1]*v[1] + u[5]*v[5]
		c += u[2]*v[2] + u[6]*v[6]
		d += u[3]*v[3] + u[7]*v[7]
	}
	for ; i < n; i++ {
		a += x[i] * y[i]
	}
	return a + b + c + d
}
