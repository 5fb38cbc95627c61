package nlp

import (
	"strings"
	"sync"

	"github.com/longbridgeapp/opencc"
)

// The two converters are read-only once loaded and cost tens of milliseconds
// to load, so the process shares one of each.
var (
	toSimplified  = sync.OnceValue(func() *converter { return newConverter("t2s") })
	toTraditional = sync.OnceValue(func() *converter { return newConverter("s2t") })
)

// converter turns one script into the other. touched holds the characters that
// change by themselves, so that text without any takes no conversion at all.
type converter struct {
	cc      *opencc.OpenCC
	touched map[rune]struct{}
}

func newConverter(name string) *converter {
	cc, err := opencc.New(name)
	if err != nil {
		// The dictionaries are embedded in the library; a build without them
		// leaves text as it is rather than refusing to serve.
		return &converter{}
	}
	c := &converter{cc: cc, touched: make(map[rune]struct{}, 4096)}
	for r := rune(0x3400); r <= 0x9fff; r++ {
		if out, err := cc.Convert(string(r)); err == nil && out != string(r) {
			c.touched[r] = struct{}{}
		}
	}
	return c
}

func (c *converter) convert(s string) string {
	if c.cc == nil || !c.needs(s) {
		return s
	}
	out, err := c.cc.Convert(s)
	if err != nil {
		return s
	}
	return out
}

func (c *converter) needs(s string) bool {
	for _, r := range s {
		if r < 0x3400 {
			continue
		}
		if _, ok := c.touched[r]; ok {
			return true
		}
	}
	return false
}

func simplify(s string) string {
	if !strings.ContainsFunc(s, isHan) {
		return s
	}
	return toSimplified().convert(s)
}

// Traditional turns simplified Chinese into traditional, for a reply to
// somebody who writes it. The first call loads the dictionary (about 0.3 s).
// It is safe for concurrent use.
func Traditional(s string) string {
	if !strings.ContainsFunc(s, isHan) {
		return s
	}
	return toTraditional().convert(s)
}

// IsTraditional reports whether a text, as it was written, is in traditional
// script: at least one character exists only there, and such characters are not
// outnumbered by those that exist only in simplified script.
func IsTraditional(raw string) bool {
	raw = clip(raw, MaxRunes)
	if !strings.ContainsFunc(raw, isHan) {
		return false
	}
	t2s := toSimplified()
	trad := 0
	for _, r := range raw {
		if _, ok := t2s.touched[r]; ok {
			trad++
		}
	}
	if trad == 0 {
		return false
	}
	s2t, simp := toTraditional(), 0
	for _, r := range raw {
		if _, ok := s2t.touched[r]; ok {
			simp++
		}
	}
	return trad >= simp
}
