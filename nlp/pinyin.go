package nlp

import (
	"slices"
	"strings"
	"sync"

	"github.com/mozillazg/go-pinyin"
)

// sounds knows how characters are read, without tones.
type sounds struct {
	ids   map[string]uint16 // folded syllable → id, from 1
	raw   map[string]uint16 // spelled syllable → id of its folded form
	chars map[rune][]uint16 // character → ids of its readings
}

// pronunciations is read-only once built (about 20 ms), so the process shares one.
var pronunciations = sync.OnceValue(newSounds)

func newSounds() *sounds {
	s := &sounds{
		ids:   make(map[string]uint16, 400),
		raw:   make(map[string]uint16, 420),
		chars: make(map[rune][]uint16, 21000),
	}
	args := pinyin.NewArgs()
	args.Heteronym = true
	for r := rune(0x4e00); r <= 0x9fff; r++ {
		var ids []uint16
		for _, p := range pinyin.SinglePinyin(r, args) {
			p = strings.ReplaceAll(p, "ü", "v")
			if !spellable(p) {
				continue
			}
			id := s.learn(p)
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		s.chars[r] = ids
	}
	return s
}

// spellable leaves out the interjections, such as "m" and "ng", that would make
// every run of letters look like pinyin.
func spellable(p string) bool {
	if p == "" || p == "ng" || p == "hng" || p == "hm" {
		return false
	}
	if !strings.ContainsAny(p, "aeiouv") {
		return false
	}
	for i := range len(p) {
		if !isLatin(rune(p[i])) {
			return false
		}
	}
	return true
}

func (s *sounds) learn(p string) uint16 {
	f := foldSound(p)
	id, ok := s.ids[f]
	if !ok {
		id = uint16(len(s.ids) + 1)
		s.ids[f] = id
	}
	if _, ok := s.raw[p]; !ok {
		s.raw[p] = id
	}
	return id
}

// spelling is how a character is usually spelled; "" for one that is not read.
func spelling(r rune) string {
	args := pinyin.NewArgs()
	args.Heteronym = true
	for _, p := range pinyin.SinglePinyin(r, args) {
		if p = strings.ReplaceAll(p, "ü", "v"); spellable(p) {
			return p
		}
	}
	return ""
}

// foldSound joins what southern speakers and input methods confuse: zh z, ch c,
// sh s, and the final n and ng after i and e.
func foldSound(p string) string {
	if len(p) > 1 && p[1] == 'h' {
		p = p[:1] + p[2:]
	}
	if strings.HasSuffix(p, "ing") || strings.HasSuffix(p, "eng") {
		p = p[:len(p)-1]
	}
	return p
}

// of returns the readings of a character; none for anything but a Chinese one.
func (s *sounds) of(r rune) []uint16 {
	return s.chars[r]
}

// sameSound reports whether two characters are homophones by their first, usual
// readings; rare ones would join words nobody confuses.
func sameSound(a, b []uint16) bool {
	return len(a) > 0 && len(b) > 0 && a[0] == b[0]
}

// maxSyllable is the length of the longest spelling, zhuang.
const maxSyllable = 6

// syllables marks where a run of letters may be cut into pinyin. It returns, for
// every border 0..len, whether a complete cut of the whole run has a border
// there; all false when the run is not pinyin.
func (s *sounds) syllables(run string) []bool {
	may, _ := s.cuts(run)
	return may
}

// cuts is syllables that also marks the borders of the cuts with the fewest
// syllables.
func (s *sounds) cuts(run string) (may, fewest []bool) {
	n := len(run)
	far := n + 1 // more syllables than letters: there is no cut
	fwd, back := make([]int, n+1), make([]int, n+1)
	for i := range fwd {
		fwd[i], back[i] = far, far
	}
	fwd[0], back[n] = 0, 0
	for i := range n {
		if fwd[i] == far {
			continue
		}
		for l := 1; l <= maxSyllable && i+l <= n; l++ {
			if _, ok := s.raw[run[i:i+l]]; ok {
				fwd[i+l] = min(fwd[i+l], fwd[i]+1)
			}
		}
	}
	for i := n - 1; i >= 0; i-- {
		for l := 1; l <= maxSyllable && i+l <= n; l++ {
			if _, ok := s.raw[run[i:i+l]]; ok {
				back[i] = min(back[i], back[i+l]+1)
			}
		}
	}
	may, fewest = make([]bool, n+1), make([]bool, n+1)
	for i := range may {
		may[i] = fwd[i] < far && back[i] < far
		fewest[i] = may[i] && fwd[i]+back[i] == fwd[n]
	}
	return may, fewest
}

// IsPinyin reports whether a normalised text in letters is Chinese spelled out:
// every word of it can be cut into syllables, at least three in all. Few English
// sentences can.
func IsPinyin(norm string) bool {
	snd := pronunciations()
	syllables := 0
	for w := range strings.FieldsFuncSeq(norm, func(r rune) bool { return !isLatin(r) }) {
		borders := snd.syllables(w)
		if !borders[len(w)] {
			return false
		}
		longest := 0
		for i, at := 0, 0; i <= len(w); i++ {
			if borders[i] && i > at {
				longest++
				at = i
			}
		}
		syllables += longest
	}
	return syllables >= 3
}
