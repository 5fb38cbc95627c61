package nlp

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Heard is a piece of a text that was read as words of the examples that sound
// the same.
type Heard struct {
	// From is what stood in the normalised text, To what it was read as.
	From string `json:"from"`
	To   string `json:"to"`
}

// ear reads by sound: it finds the likeliest words for a text, as an input method
// does, where every word of the examples may also be written in pinyin or with
// other characters that sound the same. How likely words are, and one after the
// other, is counted in the examples; ordinary words that no example has explain
// themselves, as often as everyday Chinese uses them.
//
// It is immutable and safe for concurrent use.
type ear struct {
	snd   *sounds
	usual *everyday
	syn   *synonyms
	words []earWord
	ids   map[string]int32
	// next leads from a node of the tree of sounds and a sound to the next
	// node; ends are the words whose sounds end at a node.
	next map[uint32]int32
	ends map[int32][]int32
	// pairs counts neighbours: the word before, the word.
	pairs map[[2]int32]int32
	total float64
}

// earWord is a word of the examples.
type earWord struct {
	runes []rune
	count int32
	han   bool // all its characters are Chinese
}

const (
	// noWord is the word before the first and after a sentence mark, and stands
	// for every word that no example has.
	noWord = int32(0)
	// soundBits hold the id of a sound: there are about 400.
	soundBits = 10
	// usualReadings is how many readings of a character are used: later ones are
	// of names and old books. maxReadings bounds in how many ways one word is read.
	usualReadings, maxReadings = 2, 8
	// maxAlike is how many words that sound the same are known, the commonest.
	maxAlike = 8
	// maxHeardRunes is how long a text may be: who types more types what he means.
	maxHeardRunes = 120
	// earBeam is how many readings of a text's beginning are kept.
	earBeam = 6
	// leastSpaced is how many characters must stand apart to be put together.
	leastSpaced = 3
	// leastAlone is how many letters a word in pinyin has that is all of a text,
	// leastOften how many examples use it.
	leastAlone, leastOften = 4, 10
	// leastLetters is how long pinyin among Chinese characters must be.
	leastLetters = 3
)

// The costs of reading, as logarithms of probabilities with the sign turned.
const (
	// pairShare is how much the word before counts beside the word alone.
	pairShare = 0.6
	// otherCost is added to words no example has, oddCost is that of a
	// character no word explains, bareCost that of a character of the examples
	// which is no word there, letterCost that of a letter left as it is.
	otherCost, oddCost, bareCost, letterCost = 1.5, 12.0, 10.0, 4.0
	// changeCost is that of a character taken for another, evenCost what is
	// added where what is written is a word itself.
	// crossCost where it is a part of another word. namedCost is that of the
	// name of a product, and of any other member of a group of synonyms.
	// A character that sounds so only in its second reading costs rareCost more.
	changeCost, evenCost, crossCost, namedCost, rareCost = 5.0, 2.0, 4.0, 4.0, 3.0
	// leastHeard is how many examples must use a word for it to be heard in
	// other characters.
	leastHeard = 2
)

// newEar learns the words of prepared examples.
func newEar(texts []featureText, usual *everyday, syn *synonyms) *ear {
	e := &ear{
		snd: pronunciations(), usual: usual, syn: syn, words: make([]earWord, 1), ids: map[string]int32{},
		next: map[uint32]int32{}, ends: map[int32][]int32{}, pairs: map[[2]int32]int32{},
	}
	for i := range texts {
		before := noWord
		for _, w := range texts[i].tokens {
			if !strings.ContainsFunc(w, isWord) {
				before = noWord
				continue
			}
			id := e.learn(w)
			e.words[id].count++
			e.pairs[[2]int32{before, id}]++
			e.words[before].count += b2i(before == noWord)
			e.total++
			before = id
		}
	}
	for id := range e.words {
		for _, r := range e.words[id].runes {
			if isHan(r) {
				e.learn(string(r)) // heard in pinyin, where nothing better is
			}
		}
	}
	for node, list := range e.ends {
		slices.SortFunc(list, func(a, b int32) int {
			return cmp.Or(cmp.Compare(e.words[b].count, e.words[a].count), cmp.Compare(a, b))
		})
		e.ends[node] = slices.Clip(list[:min(len(list), maxAlike)])
	}
	return e
}

func b2i(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

func (e *ear) learn(text string) int32 {
	id, ok := e.ids[text]
	if ok {
		return id
	}
	id = int32(len(e.words))
	w := earWord{runes: []rune(text), han: true}
	for _, r := range w.runes {
		w.han = w.han && len(e.snd.of(r)) > 0
	}
	e.words, e.ids[text] = append(e.words, w), id
	if w.han {
		left := maxReadings
		e.plant(id, w.runes, 0, &left)
	}
	return id
}

// plant puts a word into the tree of sounds, by its usual reading first.
func (e *ear) plant(id int32, rest []rune, node int32, left *int) {
	if *left == 0 {
		return
	}
	if len(rest) == 0 {
		*left--
		e.ends[node] = append(e.ends[node], id)
		return
	}
	of := e.snd.of(rest[0])
	for _, s := range of[:min(len(of), usualReadings)] {
		key := uint32(node)<<soundBits | uint32(s)
		to, ok := e.next[key]
		if !ok {
			to = int32(len(e.next) + 1)
			e.next[key] = to
		}
		e.plant(id, rest[1:], to, left)
	}
}

// cost is how unlikely a word of the examples is after another.
func (e *ear) cost(before, id int32) float64 {
	alone := float64(e.words[id].count) / (e.total + 1)
	if alone == 0 {
		return bareCost
	}
	p := (1 - pairShare) * alone
	if n := e.pairs[[2]int32{before, id}]; n > 0 {
		p += pairShare * float64(n) / float64(e.words[before].count)
	}
	return -math.Log(p)
}

// Hear reads a normalised text by its sound and returns it with what was read as
// what; nothing was, and the text is as it came, where it is best understood as
// it is written. What stands in digits, or in letters beside digits, is never
// read, nor letters that are not pinyin from the first to the last.
func (ix *Index) Hear(norm string) (string, []Heard) {
	t := hearing{ear: ix.ear, runes: []rune(norm)}
	if len(t.runes) == 0 || len(t.runes) > maxHeardRunes {
		return norm, nil
	}
	t.han = slices.ContainsFunc(t.runes, isHan)
	t.spelled = !t.han
	pieces := t.read()
	if t.spelled && !IsPinyin(norm) && !t.one(pieces) {
		return norm, nil
	}
	return t.text(pieces)
}

// one reports whether a text is one word that the examples often use, and no
// other: two syllables alone are pinyin then, but else may be English.
func (t *hearing) one(pieces []step) bool {
	pieces = slices.DeleteFunc(slices.Clone(pieces), func(p step) bool { return !isWord(t.runes[p.start]) })
	return len(pieces) == 1 && t.word(pieces[0]) && pieces[0].end-pieces[0].start >= leastAlone && t.words[pieces[0].word].count >= leastOften
}

// hearing is the work on one text.
type hearing struct {
	*ear
	runes []rune
	// han says that there are Chinese characters in it, spelled that there are
	// none and all of it is pinyin.
	han, spelled bool
	// spaced says that all its Chinese characters stand apart.
	spaced bool
	runs   []run
	known  []span // words of two and more characters, as they are written
	steps  []step
	at     [][]int32 // steps by where they end
}

// step is one piece of a reading and what was before it.
type step struct {
	cost       float64
	before     int32 // step
	word       int32
	start, end int
	read       bool // as the word, in place of what is written
}

// read returns the pieces of the best reading.
func (t *hearing) read() []step {
	t.at = make([][]int32, len(t.runes)+1)
	t.spell()
	t.findRuns()
	t.steps = append(t.steps, step{before: -1})
	t.at[0] = []int32{0}
	for i := range t.runes {
		t.at[i] = t.best(t.at[i])
		if len(t.at[i]) > 0 {
			t.from(i)
		}
	}
	last := t.best(t.at[len(t.runes)])
	if len(last) == 0 {
		return nil
	}
	var out []step
	for s := last[0]; s > 0; s = t.steps[s].before {
		out = append(out, t.steps[s])
	}
	slices.Reverse(out)
	return out
}

// spell finds the words that stand in the text as they are written, and whether
// its characters are spaced out.
func (t *hearing) spell() {
	apart := 0
	for i, r := range t.runes {
		if !isHan(r) {
			continue
		}
		apart++
		for n := 2; n <= maxWritten && i+n <= len(t.runes) && isHan(t.runes[i+n-1]); n++ {
			apart = -len(t.runes)
			if t.is(string(t.runes[i : i+n])) {
				t.known = append(t.known, span{start: i, end: i + n})
			}
		}
	}
	t.spaced = apart >= leastSpaced
}

// best keeps the best steps, one for each word they end with.
func (t *hearing) best(list []int32) []int32 {
	slices.SortFunc(list, func(a, b int32) int {
		return cmp.Or(cmp.Compare(t.steps[a].cost, t.steps[b].cost), cmp.Compare(a, b))
	})
	var out []int32
	for _, s := range list {
		if len(out) == earBeam {
			break
		}
		if !slices.ContainsFunc(out, func(o int32) bool { return t.steps[o].word == t.steps[s].word }) {
			out = append(out, s)
		}
	}
	return out
}

// from goes on from character i in all ways.
func (t *hearing) from(i int) {
	switch r := t.runes[i]; {
	case isHan(r):
		t.written(i)
		t.listen(i)
	case isLatin(r) || isDigit(r):
		t.letters(i)
	case r == ' ':
		for _, s := range t.at[i] {
			t.add(s, i+1, t.steps[s].word, 0, false) // it parts no words
		}
	default:
		t.all(i, i+1, noWord, 0, false)
	}
}

// all adds a piece after every reading of what is before it.
func (t *hearing) all(i, end int, word int32, cost float64, read bool) {
	for _, s := range t.at[i] {
		c := cost
		if word != noWord {
			c += t.cost(t.steps[s].word, word)
		}
		t.add(s, end, word, c, read)
	}
}

func (t *hearing) add(before int32, end int, word int32, cost float64, read bool) {
	b := t.steps[before]
	t.at[end] = append(t.at[end], int32(len(t.steps)))
	t.steps = append(t.steps, step{b.cost + cost, before, word, b.end, end, read})
}

// maxWritten is how long words are looked for as they are written.
const maxWritten = 5

// written takes the Chinese characters from i on as they are.
func (t *hearing) written(i int) {
	explained := false
	for n := 1; n <= maxWritten && i+n <= len(t.runes) && isHan(t.runes[i+n-1]); n++ {
		w := string(t.runes[i : i+n])
		if id, ok := t.ids[w]; ok && t.words[id].count > 0 {
			t.all(i, i+n, id, 0, false)
			explained = true
		} else if c := t.strangeCost(w); c > 0 {
			t.all(i, i+n, noWord, c, false)
			explained = true
		}
		if n == 1 && !explained {
			t.all(i, i+1, noWord, oddCost, false)
		}
	}
}

// is reports whether a text is a word.
func (e *ear) is(w string) bool {
	if id, ok := e.ids[w]; ok && e.words[id].count > 0 {
		return true
	}
	return e.strangeCost(w) > 0
}

// strangeCost is that of a word no example has; 0 where it is none.
func (e *ear) strangeCost(w string) float64 {
	if e.syn.has(w) {
		return namedCost
	}
	if _, ok := e.usual.counts[w]; ok {
		return otherCost - e.usual.share(w)
	}
	return 0
}

// letters takes the letters and digits from i on: as they are, or as pinyin.
func (t *hearing) letters(i int) {
	r := t.runs[i]
	if r.start == i {
		w := string(t.runes[i:r.end])
		if id, ok := t.ids[w]; ok {
			t.all(i, r.end, id, 0, false)
		} else {
			t.all(i, r.end, noWord, letterCost*float64(r.end-i), false)
		}
	}
	if r.plain && (t.spelled || r.end-r.start >= leastLetters) {
		t.listen(i)
	}
}

// run is a run of letters and digits; plain says that it is pinyin by itself: no
// digit, nor what joins an address or a name, stands in it or beside it.
type run struct {
	start, end int
	plain      bool
}

// findRuns finds the run around every letter and digit.
func (t *hearing) findRuns() {
	t.runs = make([]run, len(t.runes))
	letter := func(i int) bool { return i < len(t.runes) && (isLatin(t.runes[i]) || isDigit(t.runes[i])) }
	joins := func(i int) bool {
		return i >= 0 && i < len(t.runes) && strings.ContainsRune("@._-/:#&=+", t.runes[i])
	}
	for i := 0; i < len(t.runes); i++ {
		r := run{start: i, end: i}
		for letter(r.end) {
			r.end++
		}
		// A digit is no syllable.
		r.plain = r.end > i && !joins(i-1) && !joins(r.end) && t.snd.syllables(string(t.runes[i:r.end]))[0]
		for ; i < r.end; i++ {
			t.runs[i] = r
		}
	}
}

// listen reads what sounds from i on like words of the examples.
func (t *hearing) listen(i int) { t.walk(i, i, 0, make([]syllable, 0, 8)) }

// syllable is one of a text: the Chinese character at a place, or 0 for letters
// from there on.
type syllable struct {
	r     rune
	at    int
	sound uint16
}

// walk goes down the tree of sounds from character k of the text; said is what
// was on the way.
func (t *hearing) walk(i, k int, node int32, said []syllable) {
	if len(said) > 0 {
		for _, id := range t.ends[node] {
			t.heard(i, k, id, said)
		}
		if k < len(t.runes) && t.parts(t.runes[k], said[len(said)-1].r) {
			k++
		}
	}
	if k >= len(t.runes) {
		return
	}
	down := func(s uint16, n int, r rune) {
		if to, ok := t.next[uint32(node)<<soundBits|uint32(s)]; ok {
			t.walk(i, k+n, to, append(said, syllable{r, k, s}))
		}
	}
	switch r := t.runes[k]; {
	case isHan(r):
		if of := t.snd.of(r); len(of) > 0 {
			down(of[0], 1, r)
		}
	case isLatin(r):
		for n := 1; t.runs[k].plain && n <= maxSyllable && k+n <= t.runs[k].end; n++ {
			if s, ok := t.snd.raw[string(t.runes[k:k+n])]; ok {
				down(s, n, 0)
			}
		}
	}
}

// parts reports whether r stands between the syllables of a word: a blank, or
// the apostrophe of pinyin.
func (t *hearing) parts(r, before rune) bool {
	return r == ' ' && (t.spaced || before == 0) || r == '\'' && before == 0
}

// heard adds a word that sounds like characters i to end, unless it is what is
// written there.
func (t *hearing) heard(i, end int, id int32, said []syllable) {
	w := &t.words[id]
	changed, letters, cost := 0, 0, 0.0
	for k, c := range said {
		if c.r != w.runes[k] && t.snd.of(w.runes[k])[0] != c.sound {
			cost += rareCost
		}
		switch {
		case c.r == 0:
			letters++
		case c.r != w.runes[k]:
			changed++
			if t.fixed(c.r) || t.fixed(w.runes[k]) {
				return
			}
			cost += changeCost
			if t.crossed(c.at, i, end) {
				cost += crossCost
			}
		}
	}
	switch {
	case changed == 0 && letters == 0 && end-i == len(said):
		return // as it is written
	case len(said) == 1 && !t.spelled:
		return // one syllable sounds like too many things
	case changed > 0 && (w.count < leastHeard || 2*changed > len(said)):
		return
	}
	if letters == 0 && changed > 0 && t.is(string(t.runes[i:end])) {
		cost += evenCost
	}
	t.all(i, end, id, cost, true)
}

// fixed reports whether a character is never taken for another.
func (t *hearing) fixed(r rune) bool { return strings.ContainsRune(words().unheard, r) }

// crossed reports whether the character at k is part of a word, as it is
// written, that does not lie between i and end.
func (t *hearing) crossed(k, i, end int) bool {
	return slices.ContainsFunc(t.known, func(s span) bool {
		return s.start <= k && k < s.end && (s.start < i || s.end > end)
	})
}

// text puts a reading together.
func (t *hearing) text(pieces []step) (string, []Heard) {
	var b strings.Builder
	var out []Heard
	joined := false // the piece before was read, too
	for n, p := range pieces {
		written := string(t.runes[p.start:p.end])
		if written == " " {
			// Pinyin is spaced, Chinese is not.
			if !t.spaced && !joined && (n+1 == len(pieces) || !pieces[n+1].read) {
				b.WriteString(written)
			}
			continue
		}
		if !p.read {
			b.WriteString(written)
			joined = false
			continue
		}
		w := string(t.words[p.word].runes)
		b.WriteString(w)
		if last := len(out) - 1; joined {
			space := ""
			if t.runes[p.start-1] == ' ' {
				space = " "
			}
			out[last].From += space + written
			out[last].To += w
		} else {
			out = append(out, Heard{written, w})
		}
		joined = true
	}
	if len(out) == 0 || t.spelled && !slices.ContainsFunc(pieces, t.word) {
		return string(t.runes), nil
	}
	return b.String(), out
}

// word reports whether a piece was read as a word of more than one character:
// single ones can be made of any pinyin.
func (t *hearing) word(p step) bool { return p.read && len(t.words[p.word].runes) > 1 }
