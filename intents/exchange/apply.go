package exchange

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wensheng/intents"
)

// The modes of Apply.
const (
	// Merge writes the Topics of a sheet over those with the same ids and keeps
	// the others; a field the sheet has no column for stays.
	Merge = "merge"
	// Replace takes out what the sheet does not hold.
	Replace = "replace"
)

// Result says what Apply did.
type Result struct {
	Added   int                `json:"added"`
	Changed int                `json:"changed"`
	Removed int                `json:"removed"`
	Diff    intents.Difference `json:"diff"`
}

// Apply writes a Sheet into a snapshot. All of it is written, or f stays as it
// was and the error, which is an intents.ErrNotTopic, says why. A new Topic
// without a category goes to one for imports.
func Apply(f intents.Files, s Sheet, mode string) (Result, error) {
	if mode != Merge && mode != Replace {
		return Result{}, fmt.Errorf("mode must be %s or %s", Merge, Replace)
	}
	have := map[string]intents.Topic{}
	var ids []string
	for _, t := range f.Topics() {
		have[t.ID] = t
		ids = append(ids, t.ID)
	}
	put := make([]intents.Topic, 0, len(s.Topics))
	given := map[string]bool{}
	for _, t := range s.Topics {
		given[t.ID] = true
		old, known := have[t.ID]
		if known {
			t = s.over(old, t)
		}
		if t.Category == "" {
			t.Category = theLayout().Category
		}
		put = append(put, t)
	}
	var remove []string
	if mode == Replace {
		remove = slices.DeleteFunc(ids, func(id string) bool { return given[id] })
	}
	after := f.Clone()
	if err := after.Edit(put, remove); err != nil {
		return Result{}, err
	}
	d := intents.DiffFiles(f, after)
	clear(f)
	maps.Copy(f, after)
	return Result{Added: len(d.Added), Changed: len(d.Changed), Removed: len(d.Removed), Diff: d}, nil
}

// over returns t with the fields that the sheet did not give taken from old.
func (s *Sheet) over(old, t intents.Topic) intents.Topic {
	for _, c := range theLayout().Columns {
		if s.Fields[c.Key] {
			continue
		}
		if list := listField(&t, c.Key); list != nil {
			*list = *listField(&old, c.Key)
		} else if ch, ok := strings.CutPrefix(c.Key, "answers."); ok {
			set(&t, c, old.Answers[ch])
		} else if c.Key != "id" {
			*textField(&t, c.Key) = *textField(&old, c.Key)
		}
	}
	return t
}
