package bot

import "wensheng/nlp"

// leastGain is how much likelier the first Topic must be for a text to be read
// by its sound. What letters in pinyin look like says nothing.
const leastGain = 0.05

// hear reads a text that is not understood as it is written by its sound:
// pinyin, and characters mistaken for others. It is kept as it was where that is
// no clearer. Rules, personal data and secrets were looked for before, in what
// was written.
func (t *turn) hear(r nlp.Ranking) nlp.Ranking {
	if len(r.Candidates) > 0 && t.sure(r) {
		return r
	}
	read, heard := t.e.index.Hear(t.norm)
	if len(heard) == 0 || nlp.Mask(t.norm) != t.norm {
		return r
	}
	h, norm := t.e.index.Rank(read, rankDepth), t.norm
	if len(h.Candidates) == 0 || !nlp.IsPinyin(norm) && probability(h) < probability(r)+leastGain {
		return r
	}
	t.norm = read
	if !t.sure(h) && !t.offerable(h) {
		t.norm = norm
		return r
	}
	t.d.Evidence.Heard = heard
	return h
}

// probability is the first candidate's.
func probability(r nlp.Ranking) float64 {
	if len(r.Candidates) == 0 {
		return 0
	}
	return r.Candidates[0].P
}
