package nlp

// barrier stands in squashed text where a sentence ends. No phrase crosses it.
const barrier = ' '

// Squash brings a normalised text to the form rules are matched on: only
// letters, numbers and Chinese characters stay, so that a phrase written with
// spaces, dots or dashes between its characters reads as the phrase. A sentence
// mark between two longer pieces stays as one space, so that the end of one
// sentence and the start of the next make no phrase together. Homophones and
// pinyin are not changed here, because that would lose the exact spelling; the
// [Matcher] compares sounds.
func Squash(norm string) string {
	runes, _ := squash(norm)
	return string(runes)
}

// squash is Squash that also says before which characters something was
// dropped, which is where a word or a number may begin.
func squash(norm string) (runes []rune, gap []bool) {
	runes = make([]rune, 0, len(norm))
	gap = make([]bool, 0, len(norm))
	dropped, mark := true, false
	prev, from := 0, 0 // length of the last piece; where the current one starts
	for _, r := range norm {
		if !isWord(r) {
			dropped = true
			if sentenceMark(r) && len(runes) > from {
				prev, from, mark = len(runes)-from, len(runes), true
			}
			continue
		}
		runes = append(runes, r)
		gap = append(gap, dropped)
		dropped = false
		// A piece of one or two characters is how somebody spaces a word out
		// with punctuation; between longer ones the mark ends a sentence.
		if mark && len(runes)-from > 2 {
			mark = false
			if prev > 2 {
				runes = append(runes, 0)
				gap = append(gap, false)
				copy(runes[from+1:], runes[from:])
				copy(gap[from+1:], gap[from:])
				runes[from], gap[from] = barrier, true
				from++
			}
		}
	}
	return runes, gap
}

func sentenceMark(r rune) bool {
	switch r {
	case '.', '!', '?', ';', ',', ':', '~', 0x3001, 0x3002: // NFKC made the full-width ones ASCII
		return true
	}
	return false
}
