package knowledge

import (
	"bytes"
	"encoding/csv"
	"fmt"

	"wensheng/intents"
	"wensheng/internal/kb"
)

// sheet reads the rows of a sheet; the first names the columns.
func sheet(format string, raw []byte) ([][]string, error) {
	if format != "csv" {
		return nil, fmt.Errorf("format %q is not csv", format)
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))))
	r.FieldsPerRecord = -1
	return r.ReadAll()
}

// export writes the Topics of a base as a file.
func export(_ *intents.Base, _, format string) (File, error) {
	return File{}, kb.Refuse(kb.CodeBadRequest, fmt.Sprintf("format %q is not yaml", format))
}
