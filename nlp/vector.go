package nlp

import (
	"math"
	"sort"
	"unicode/utf8"
)

// vocab gives every known feature a number and a weight.
type vocab struct {
	id    map[string]int32
	names []string
	idf   []float32
	df    []int32 // how many examples hold it
	words float64 // how many words the examples have, once for each example
	// strange is the idf of a feature no example has.
	strange float64
}

// term is one feature of a vector.
type term struct {
	id int32
	w  float32
}

// kindWeight is how much a kind of feature weighs beside the others, found by
// cross-validation on the measuring sets: in Chinese single characters carry
// most of what is asked, in English pairs and pieces of words only help.
func kindWeight(name string) float64 {
	switch name[:2] {
	case kindWord:
		return 1
	case kindSynonym:
		return synonymWeight
	case kindPair:
		return 0.7
	case kindLetts:
		return 0.5
	}
	switch utf8.RuneCountInString(name[2:]) {
	case 1:
		return 2
	case 2:
		return 1
	}
	return 0.5
}

// synonymWeight is a word's: a group stands beside its words, not for them.
const synonymWeight = 1

// minCount is how many examples must hold a feature for it to be learned. Long
// pieces seen once say nothing about another wording.
func minCount(name string, examples int) int {
	long := name[:2] == kindLetts || (name[:2] == kindChars && len(name) > 2+2*3)
	if long && examples > 2000 {
		return 2
	}
	return 1
}

func newVocab(texts []featureText) *vocab {
	df := map[string]int{}
	for i := range texts {
		for _, n := range texts[i].names {
			df[n]++
		}
	}
	v := &vocab{id: make(map[string]int32, len(df))}
	for n, c := range df {
		if c >= minCount(n, len(texts)) {
			v.names = append(v.names, n)
		}
	}
	sort.Strings(v.names) // the order must not depend on the map
	v.strange = math.Sqrt(math.Log(float64(len(texts)+1)) + 1)
	v.idf, v.df = make([]float32, len(v.names)), make([]int32, len(v.names))
	for i, n := range v.names {
		v.id[n], v.df[i] = int32(i), int32(df[n])
		if n[:2] == kindWord {
			v.words += float64(df[n])
		}
		idf := math.Log(float64(len(texts)+1)/float64(df[n]+1)) + 1
		// The root, because question words are common and still decide.
		v.idf[i] = float32(math.Sqrt(idf) * kindWeight(n))
	}
	return v
}

// vector weighs the known features of a text, in order of id. With nothing
// unknown in the text it is a unit vector; words and short pieces that no
// example has make it shorter, so that every score of a text about something
// else is lower.
func (v *vocab) vector(f *featureText) []term {
	out := make([]term, 0, len(f.names))
	var sum float64
	for _, n := range f.names {
		id, ok := v.id[n]
		if !ok {
			if w := v.strange * strangeWeight(n); w > 0 {
				sum += w * w
			}
			continue
		}
		w := v.idf[id]
		out = append(out, term{id, w})
		sum += float64(w) * float64(w)
	}
	if len(out) == 0 {
		return nil
	}
	k := float32(1 / math.Sqrt(sum))
	for i := range out {
		out[i].w *= k
	}
	sort.Slice(out, func(i, j int) bool { return out[i].id < out[j].id })
	return out
}

// strangeWeight is how much an unknown feature counts. Long pieces do not: they
// are unknown in most texts, and in large sets rare ones are dropped.
func strangeWeight(name string) float64 {
	switch name[:2] {
	case kindWord:
		return kindWeight(name)
	case kindChars:
		if utf8.RuneCountInString(name[2:]) <= 2 {
			return kindWeight(name)
		}
	}
	return 0
}
