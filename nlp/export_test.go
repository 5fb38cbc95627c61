package nlp

// The inner loops of training, for their test.
var (
	Axpy = axpy
	Dot  = dot
)
