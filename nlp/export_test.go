package nlp

// The inner loops of training, for their test.
var (
	Axpy = axpy
	Dot  = dot
)

// CurveOf is the curve learned from winners with evidence z that were right or not.
func CurveOf(z []float64, right []bool) func(z float64) float64 {
	all := make([]judged, len(z))
	for i := range z {
		all[i] = judged{z: z[i], ok: right[i], known: true, whole: true}
	}
	c := fitCurve(all)
	return c.at
}
