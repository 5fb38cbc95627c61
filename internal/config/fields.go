package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()
	levelType    = reflect.TypeFor[slog.Level]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
)

// isTable reports whether t is a mapping in YAML.
func isTable(t reflect.Type) bool { return t.Kind() == reflect.Struct && t != prefixType }

// typeName says in the reader's words what a type wants.
func typeName(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case t == secretType:
		return "secret"
	case t == levelType:
		return "level"
	case t == prefixType:
		return "network"
	case isTable(t):
		return "table"
	case t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem())
	case t.Kind() == reflect.Int:
		return "integer"
	case t.Kind() == reflect.Float64:
		return "number"
	}
	return t.Kind().String()
}

// fields are the keys of one table.
type fields struct {
	byKey map[string]reflect.Value
	order []string
	other map[string]string // keys of other kinds of account → the kind
}

// fieldsOf returns the keys of v that apply to the kind of account.
func fieldsOf(v reflect.Value, kind string) fields {
	f := fields{byKey: map[string]reflect.Value{}, other: map[string]string{}}
	t := v.Type()
	for i := range t.NumField() {
		key, inline := tagged(t.Field(i))
		switch {
		case inline:
			sub := fieldsOf(v.Field(i), "")
			of := t.Field(i).Tag.Get("kind")
			for _, k := range sub.order {
				if of == kind {
					f.byKey[k] = sub.byKey[k]
					f.order = append(f.order, k)
				} else {
					f.other[k] = of
				}
			}
		case key != "":
			f.byKey[key] = v.Field(i)
			f.order = append(f.order, key)
		}
	}
	return f
}

// tagged reads a field's yaml tag; an unexported or left-out field has neither.
func tagged(f reflect.StructField) (key string, inline bool) {
	switch tag := f.Tag.Get("yaml"); tag {
	case "-", "":
		return "", false
	case ",inline":
		return "", true
	default:
		return tag, false
	}
}

// unknown words the problem of a key that is not there.
func (f fields) unknown(key, kind string) string {
	if of, ok := f.other[strings.TrimSuffix(key, "_file")]; ok {
		if kind == "" {
			return "the account needs a kind: web, wechat or sms"
		}
		return fmt.Sprintf("belongs to accounts of kind %s, not %s", of, kind)
	}
	best, least := "", 3
	for _, k := range f.order {
		if d := distance(key, k); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return "unknown key; did you mean " + best + "?"
	}
	return "unknown key"
}

// distance is the number of single-character edits from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j], diagonal = min(row[j]+1, row[j-1]+1, diagonal+cost), row[j]
		}
	}
	return row[len(b)]
}

// setDefaults fills v from the default tags, tables included.
func setDefaults(v reflect.Value) {
	if !isTable(v.Type()) {
		return
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if isTable(f.Type) {
			setDefaults(v.Field(i))
			continue
		}
		if d := f.Tag.Get("default"); d != "" {
			if err := set(v.Field(i), d); err != nil {
				panic("config: default of " + f.Name + ": " + err.Error()) // a typo in this package, found by its tests
			}
		}
	}
}

// set parses text into v: a scalar, or a list of scalars separated by commas.
// The error says what is wanted, never what was given: it may be a secret.
func set(v reflect.Value, text string) error {
	switch t := v.Type(); {
	case t == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("want a duration such as 30s, 5m or 48h")
		}
		v.SetInt(int64(d))
	case t == levelType:
		var level slog.Level
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return errors.New("want debug, info, warn or error")
		}
		v.SetInt(int64(level))
	case t == prefixType:
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return errors.New("want a network such as 10.0.0.0/8")
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		v.Set(reflect.ValueOf(p.Masked()))
	case t.Kind() == reflect.String:
		v.SetString(text)
	case t.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("want a whole number")
		}
		v.SetInt(int64(n))
	case t.Kind() == reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || x != x || x > 1e15 || x < -1e15 {
			return errors.New("want a number")
		}
		v.SetFloat(x)
	case t.Kind() == reflect.Slice && !isTable(t.Elem()):
		list := reflect.MakeSlice(t, 0, 4)
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			item := reflect.New(t.Elem()).Elem()
			if err := set(item, part); err != nil {
				return err
			}
			list = reflect.Append(list, item)
		}
		v.Set(list)
	default:
		return fmt.Errorf("want %s", typeName(t))
	}
	return nil
}
