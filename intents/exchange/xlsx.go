package exchange

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"

	"wensheng/intents"
)

func exportXLSX(w io.Writer, topics []intents.Topic) (err error) {
	l := theLayout()
	f := excelize.NewFile()
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.SetSheetName(f.GetSheetName(0), l.Sheets.Topics); err != nil {
		return err
	}
	for _, name := range []string{l.Sheets.Phrasings, l.Sheets.Notes} {
		if _, err := f.NewSheet(name); err != nil {
			return err
		}
	}
	// Text format, so that a date or a number somebody types stays what it is.
	text, err := f.NewStyle(&excelize.Style{NumFmt: 49, Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}})
	if err != nil {
		return err
	}
	head, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, NumFmt: 49})
	if err != nil {
		return err
	}
	var cols []column
	for _, c := range l.Columns {
		if c.Key != "phrasings" {
			cols = append(cols, c)
		}
	}
	one := &writer{file: f, text: text, head: head}
	one.table(l.Sheets.Topics, cols, func(add func(cells ...string)) {
		for i := range topics {
			row := make([]string, len(cols))
			for j, c := range cols {
				row[j] = get(&topics[i], c)
			}
			add(row...)
		}
	})
	id, _ := l.column("id")
	title, _ := l.column("title")
	phrasing, _ := l.column("phrasings")
	one.table(l.Sheets.Phrasings, []column{id, phrasing, title}, func(add func(cells ...string)) {
		for _, t := range topics {
			for _, p := range t.Phrasings {
				add(t.ID, p, t.Title)
			}
		}
	})
	notes := []column{{Name: l.Sheets.Notes, Width: 16}, {Width: 90}}
	one.table(l.Sheets.Notes, notes, func(add func(cells ...string)) {
		for _, n := range l.Notes {
			add("", n)
		}
		for _, c := range l.Columns {
			add(c.Name, c.Note)
		}
	})
	if one.err != nil {
		return one.err
	}
	return f.Write(w)
}

// writer fills the sheets of a workbook; the first error stays.
type writer struct {
	file       *excelize.File
	text, head int
	err        error
}

func (w *writer) table(sheet string, cols []column, rows func(add func(cells ...string))) {
	if w.err != nil {
		return
	}
	s, err := w.file.NewStreamWriter(sheet)
	if err != nil {
		w.err = err
		return
	}
	for i, c := range cols {
		err = errors.Join(err, s.SetColWidth(i+1, i+1, c.Width))
	}
	err = errors.Join(err, s.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}))
	n := 0
	write := func(style int, cells []string) {
		n++
		row := make([]any, len(cells))
		for i, c := range cells {
			c = guard(c)
			err = errors.Join(err, fits(fmt.Sprintf("%s, row %d", sheet, n), c))
			row[i] = excelize.Cell{StyleID: style, Value: c}
		}
		if err == nil {
			err = s.SetRow(fmt.Sprintf("A%d", n), row)
		}
	}
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.Name
	}
	write(w.head, names)
	rows(func(cells ...string) { write(w.text, cells) })
	if err == nil {
		err = s.Flush()
	}
	w.err = err
}

func importXLSX(data []byte, p *problems) (out Sheet) {
	l := theLayout()
	r := newReader(p)
	withXLSX(data, p, func(f *excelize.File) {
		known := false
		for _, sheet := range f.GetSheetList() {
			p.sheet = sheet
			switch sheet {
			case l.Sheets.Topics:
				known = true
				r.header = false
				eachRow(f, sheet, p, func(n int, row []string) bool {
					if !r.header {
						return r.begin(n, row)
					}
					r.row(n, row)
					return true
				})
				if r.sheet.Fields["phrasings"] {
					p.errorf(1, "phrasings belong into the sheet %s", l.Sheets.Phrasings)
				}
			case l.Sheets.Phrasings, l.Sheets.Notes:
			default:
				p.warnf(0, "the sheet is not known and not read; known are %s and %s", l.Sheets.Topics, l.Sheets.Phrasings)
			}
		}
		if p.sheet = l.Sheets.Phrasings; hasSheet(f, p.sheet) {
			r.phrasings(f, !known)
			known = true
		}
		if p.sheet = ""; !known {
			p.errorf(0, "there is no sheet %s", l.Sheets.Topics)
		}
	})
	return r.sheet
}

func hasSheet(f *excelize.File, name string) bool {
	i, err := f.GetSheetIndex(name)
	return err == nil && i >= 0
}

// phrasings reads the sheet of phrasings. Alone, it names Topics that are known
// elsewhere.
func (r *reader) phrasings(f *excelize.File, alone bool) {
	id, text := -1, -1
	r.sheet.Fields["phrasings"] = true
	eachRow(f, r.problems.sheet, r.problems, func(n int, row []string) bool {
		if id < 0 {
			for i, name := range row {
				switch c, _ := r.layout.column(name); c.Key {
				case "id":
					id = i
				case "phrasings":
					text = i
				}
			}
			if id < 0 || text < 0 {
				r.errorf(n, "the columns %q and %q are needed", r.layout.Columns[0].Name, r.layout.Sheets.Phrasings)
				return false
			}
			return true
		}
		cell := func(i int) string {
			if i < len(row) {
				return unguard(strings.TrimSpace(clean(row[i])))
			}
			return ""
		}
		topic, phrasing := cell(id), cell(text)
		at, known := r.index[topic]
		switch {
		case phrasing == "":
			return true
		case !known && !alone:
			r.errorf(n, "topic %q is not in the sheet %s", clip(topic), r.layout.Sheets.Topics)
			return true
		case !known:
			at = len(r.sheet.Topics)
			if r.addTopic(n, intents.Topic{ID: topic}); at == len(r.sheet.Topics) {
				return true
			}
		}
		t := &r.sheet.Topics[at]
		t.Phrasings = append(t.Phrasings, intents.Tidy(intents.Topic{Title: phrasing}).Title)
		return true
	})
}

// withXLSX opens a workbook. The library is not ours: what makes it panic is a
// bad file.
func withXLSX(data []byte, p *problems, fn func(*excelize.File)) {
	defer func() {
		if v := recover(); v != nil {
			p.errorf(0, "is not a workbook that can be read")
		}
	}()
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{
		UnzipSizeLimit: maxUnzipped, UnzipXMLSizeLimit: maxUnzipped, RawCellValue: false,
	})
	if err != nil {
		p.errorf(0, "is not a workbook that can be read: %s", err)
		return
	}
	defer f.Close() //nolint:errcheck // read only, nothing is left on disk
	fn(f)
}

// eachRow gives every row of a sheet to fn until it returns false.
func eachRow(f *excelize.File, sheet string, p *problems, fn func(n int, row []string) bool) {
	rows, err := f.Rows(sheet)
	if err != nil {
		p.errorf(0, "cannot be read: %s", err)
		return
	}
	defer rows.Close() //nolint:errcheck // read only
	for n := 1; rows.Next(); n++ {
		row, err := rows.Columns()
		if err != nil {
			p.errorf(n, "cannot be read: %s", err)
			return
		}
		if n > maxRows || len(row) > maxColumns {
			p.errorf(n, "the sheet is larger than %d rows of %d columns", maxRows, maxColumns)
			return
		}
		if !fn(n, row) {
			return
		}
	}
	if err := rows.Error(); err != nil {
		p.errorf(0, "cannot be read: %s", err)
	}
}
