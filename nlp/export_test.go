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

// Spelled returns, for the text of the first example, which of its features go
// when each of its words in letters is left out in training.
func Spelled(seg *Segmenter, ex []Example) [][]string {
	ix, texts := newIndex(seg, newSynonyms(nil), ex)
	rk, xs := prepare(texts, ix.ys, len(ix.labels), ix.ext.syn)
	s := rk.v.spelledOf(texts, xs)[0]
	out := make([][]string, s.words)
	for w := range out {
		for i, t := range xs[0] {
			if s.of[i]&(1<<w) != 0 {
				out[w] = append(out[w], rk.v.names[t.id])
			}
		}
	}
	return out
}
