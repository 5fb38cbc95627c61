package exchange

import (
	"maps"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"

	"wensheng/intents"
)

// Case is one row of a test sheet: what is asked and what must follow.
type Case struct {
	Row  int    `json:"row"`
	Text string `json:"text"`
	// Topic is the id of the one that must be answered, Action what the
	// decision must be; one of them may be empty and is not looked at.
	Topic  string `json:"topic"`
	Action string `json:"action"`
	// Channel is web, wechat or sms; "" is web.
	Channel string `json:"channel"`
}

// Rows reads a table as it stands: a csv file, or the first sheet of a
// workbook.
func Rows(data []byte, format string) ([][]string, []intents.Problem) {
	p := &problems{}
	var out [][]string
	eachOf(data, format, p, func(_ int, row []string) bool {
		out = append(out, row)
		return true
	})
	return out, p.list
}

// eachOf gives the rows of a csv file or of a workbook's first sheet to fn.
func eachOf(data []byte, format string, p *problems, fn func(n int, row []string) bool) {
	switch {
	case len(data) > MaxInput:
		p.errorf(0, "is %d bytes; the limit is %d", len(data), MaxInput)
	case format == CSV:
		eachCSV(data, p, fn)
	case format == XLSX:
		withXLSX(data, p, func(f *excelize.File) {
			if sheets := f.GetSheetList(); len(sheets) > 0 {
				eachRow(f, sheets[0], p, fn)
			}
		})
	default:
		p.errorf(0, "format must be %s or %s", XLSX, CSV)
	}
}

// Cases reads a test sheet (csv, or the first sheet of a workbook): a column
// for the question and one or both of topic and action, with headers in either
// language. The cases are only good when no problem is worse than a warning.
func Cases(data []byte, format string) ([]Case, []intents.Problem) {
	p := &problems{}
	r := caseReader{problems: p}
	eachOf(data, format, p, func(n int, row []string) bool {
		if r.cols == nil {
			return r.begin(n, row)
		}
		r.row(n, row)
		return true
	})
	if len(r.cases) == 0 && len(p.list) == 0 {
		p.errorf(0, "holds no cases")
	}
	return r.cases, p.list
}

type caseReader struct {
	*problems
	cols  []string // what each column is; "" is not read
	cases []Case
}

func (r *caseReader) begin(n int, row []string) bool {
	have := map[string]bool{}
	for i, name := range row {
		what := ""
		for key, names := range theLayout().Cases {
			if slices.ContainsFunc(names, func(s string) bool { return strings.EqualFold(s, strings.TrimSpace(name)) }) {
				what = key
			}
		}
		switch {
		case what == "" && strings.TrimSpace(name) != "":
			r.warnf(n, "column %d, %q, is not known and not read", i+1, clip(name))
		case have[what] && what != "":
			r.errorf(n, "column %q is there twice", clip(name))
			return false
		}
		have[what] = true
		r.cols = append(r.cols, what)
	}
	names := theLayout().Cases
	if !have["text"] || !have["topic"] && !have["action"] {
		r.errorf(n, "the columns %q and %q (or %q) are needed", names["text"][0], names["topic"][0], names["action"][0])
		return false
	}
	return true
}

func (r *caseReader) row(n int, cells []string) {
	c := Case{Row: n}
	for i, cell := range cells {
		if i >= len(r.cols) {
			break
		}
		switch cell = unguard(strings.TrimSpace(clean(cell))); r.cols[i] {
		case "text":
			c.Text = cell
		case "topic":
			c.Topic = cell
		case "action":
			c.Action = strings.ToLower(cell)
			for action, shown := range theLayout().Actions {
				if cell == shown {
					c.Action = action
				}
			}
		case "channel":
			c.Channel = strings.ToLower(cell)
		}
	}
	channels := []string{"", intents.ChannelWeb, intents.ChannelWeChat, intents.ChannelSMS}
	_, action := theLayout().Actions[c.Action]
	switch {
	case c == Case{Row: n}:
	case c.Text == "":
		r.errorf(n, "the question is missing")
	case c.Topic == "" && c.Action == "":
		r.errorf(n, "neither a topic nor an action is wanted")
	case c.Topic != "" && !intents.ValidID(c.Topic):
		r.errorf(n, "%q is no id of a topic", clip(c.Topic))
	case c.Action != "" && !action:
		r.errorf(n, "action %q is not one of %s", clip(c.Action), strings.Join(slices.Sorted(maps.Keys(theLayout().Actions)), ", "))
	case !slices.Contains(channels, c.Channel):
		r.errorf(n, "channel %q is not one of %s", clip(c.Channel), strings.Join(channels[1:], ", "))
	default:
		r.cases = append(r.cases, c)
	}
}
