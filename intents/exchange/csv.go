package exchange

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"wensheng/intents"
)

// bom makes a spreadsheet read a table as UTF-8.
const bom = "\ufeff"

func exportCSV(w io.Writer, topics []intents.Topic) error {
	if _, err := io.WriteString(w, bom); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true // what spreadsheets write; the reader takes both
	cols := theLayout().Columns
	row := make([]string, len(cols))
	for i, c := range cols {
		row[i] = c.Name
	}
	err := out.Write(row)
	for i := range topics {
		for j, c := range cols {
			row[j] = guard(get(&topics[i], c))
		}
		err = errors.Join(err, out.Write(row))
	}
	out.Flush()
	return errors.Join(err, out.Error())
}

func importCSV(data []byte, p *problems) Sheet {
	r := newReader(p)
	eachCSV(data, p, func(n int, row []string) bool {
		if !r.header {
			return r.begin(n, row)
		}
		r.row(n, row)
		return true
	})
	if !r.header && len(p.list) == 0 {
		p.errorf(0, "is empty")
	}
	return r.sheet
}

// eachCSV gives every row to fn with the line it begins at, until fn returns
// false.
func eachCSV(data []byte, p *problems, fn func(n int, row []string) bool) {
	text, ok := plainText(data, p)
	if !ok {
		return
	}
	in := csv.NewReader(strings.NewReader(text))
	in.FieldsPerRecord = -1
	in.Comma = separator(text)
	for rows := 1; ; rows++ {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			p.errorf(bad.StartLine, "is not csv: %s", bad.Err)
			return
		}
		if err != nil {
			p.errorf(0, "is not csv: %s", err)
			return
		}
		n, _ := in.FieldPos(0)
		if rows > maxRows || len(row) > maxColumns {
			p.errorf(n, "the table is larger than %d rows of %d columns", maxRows, maxColumns)
			return
		}
		if !fn(n, row) {
			return
		}
	}
}

// plainText decodes what spreadsheets save: UTF-8, UTF-16 with its mark, and
// the Chinese editions' GB 18030.
func plainText(data []byte, p *problems) (string, bool) {
	if rest, ok := bytes.CutPrefix(data, []byte(bom)); ok {
		data = rest
	} else if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		text, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(data)
		if err != nil {
			p.errorf(0, "is not UTF-16: %s", err)
			return "", false
		}
		data = text
	}
	if !utf8.Valid(data) {
		text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data)
		if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
			p.errorf(0, "is neither UTF-8 nor GB 18030; save it as UTF-8")
			return "", false
		}
		p.warnf(0, "is not UTF-8 and was read as GB 18030")
		data = text
	}
	if bytes.IndexByte(data, 0) >= 0 {
		p.errorf(0, "is not text")
		return "", false
	}
	return string(data), true
}

// separator is the one the first line uses most.
func separator(text string) rune {
	line, _, _ := strings.Cut(text, "\n")
	best, most := ',', 0
	for _, c := range []rune{',', '\t', ';'} {
		if n := strings.Count(line, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}
