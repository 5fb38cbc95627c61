package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Redacted returns the whole configuration in force as YAML, with three stars
// for every secret.
func (c *Config) Redacted() string {
	var b strings.Builder
	writeTable(&b, reflect.ValueOf(c).Elem(), "", 0)
	return b.String()
}

// String is Redacted, so that a Config printed by mistake shows no secret.
func (c *Config) String() string { return c.Redacted() }

func writeTable(b *strings.Builder, v reflect.Value, kind string, indent int) {
	f := fieldsOf(v, kind)
	pad := strings.Repeat("  ", indent)
	for _, key := range f.order {
		x := f.byKey[key]
		switch {
		case isTable(x.Type()):
			b.WriteString(pad + key + ":\n")
			writeTable(b, x, "", indent+1)
		case x.Kind() == reflect.Slice && isTable(x.Type().Elem()):
			b.WriteString(pad + key + ":\n")
			for i := range x.Len() {
				var item strings.Builder
				of := ""
				if a, ok := x.Index(i).Interface().(Account); ok {
					of = a.Kind
				}
				writeTable(&item, x.Index(i), of, indent+2)
				b.WriteString(pad + "  - " + strings.TrimPrefix(item.String(), pad+"    "))
			}
		default:
			b.WriteString(pad + key + ": " + yamlValue(x) + "\n")
		}
	}
}

// yamlValue writes a scalar or a list of scalars on one line.
func yamlValue(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		items := make([]string, v.Len())
		for i := range items {
			items[i] = yamlValue(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	switch x := v.Interface().(type) {
	case time.Duration:
		return shortDuration(x)
	case fmt.Stringer:
		return strconv.Quote(x.String())
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			return `""`
		}
		return string(text)
	case string:
		return strconv.Quote(x)
	}
	return fmt.Sprint(v.Interface())
}

// shortDuration writes 48h0m0s as 48h.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
