package nlp

import (
	"strings"
)

// Feature names carry their kind: "w:" a word, "p:" a pair of neighbouring
// words in a text with spaces, "c:" a piece of 1 to 3 Chinese characters, "l:" a
// piece of a word in letters, with ^ and $ for its ends, "s:" a group of
// synonyms by its first word.
const (
	kindWord    = "w:"
	kindPair    = "p:"
	kindChars   = "c:"
	kindLetts   = "l:"
	kindSynonym = "s:"
)

// extractor turns normalised texts into features.
type extractor struct {
	seg *Segmenter
	syn *synonyms
}

// featureText is one utterance prepared for ranking.
type featureText struct {
	norm   string
	tokens []string
	names  []string // distinct
	// product says that silent words were taken out: the text names a product.
	product bool
}

// maxFeatureRunes bounds what of a text is ranked; a longer one is a story, and
// its first part is as good as all of it.
const maxFeatureRunes = 400

func (e *extractor) extract(norm string) featureText {
	whole := words().core(clip(norm, maxFeatureRunes))
	norm = e.syn.drop(whole)
	f := featureText{norm: norm, tokens: e.seg.cut(norm), product: norm != whole}
	seen := make(map[string]struct{}, 64)
	prev := ""
	for _, w := range f.tokens {
		if !strings.ContainsFunc(w, isWord) {
			continue
		}
		f.add(seen, kindWord, w)
		letters := isLatin(rune(w[0])) || isDigit(rune(w[0]))
		if letters && prev != "" {
			f.add(seen, kindPair, prev+"_"+w)
		}
		prev = ""
		if letters {
			prev = w
		}
	}
	f.grams(seen)
	for _, s := range e.syn.find(norm) {
		f.add(seen, kindSynonym, s)
	}
	return f
}

func (f *featureText) add(seen map[string]struct{}, kind, text string) {
	name := kind + text
	if _, ok := seen[name]; !ok {
		seen[name] = struct{}{}
		f.names = append(f.names, name)
	}
}

// grams adds the pieces of the text's words.
func (f *featureText) grams(seen map[string]struct{}) {
	add := func(kind, text string) { f.add(seen, kind, text) }
	runes := []rune(f.norm)
	for i := 0; i < len(runes); {
		r := runes[i]
		j := i + 1
		switch {
		case !isWord(r):
			i++
			continue
		case isLatin(r):
			for j < len(runes) && isLatin(runes[j]) {
				j++
			}
			letterGrams(string(runes[i:j]), add)
		default:
			for j < len(runes) && isWord(runes[j]) && !isLatin(runes[j]) {
				j++
			}
			charGrams(runes[i:j], add)
		}
		i = j
	}
}

func charGrams(run []rune, add func(kind, text string)) {
	for i := range run {
		for n := 1; n <= 3 && i+n <= len(run); n++ {
			add(kindChars, string(run[i:i+n]))
		}
	}
}

func letterGrams(word string, add func(kind, text string)) {
	w := "^" + word + "$"
	for n := 3; n <= 5; n++ {
		for i := 0; i+n <= len(w); i++ {
			add(kindLetts, w[i:i+n])
		}
	}
}

// content returns the words that say something about the subject.
func (f *featureText) content() []string {
	l := words()
	var out []string
	for _, w := range f.tokens {
		if l.content(w) {
			out = append(out, w)
		}
	}
	return out
}
