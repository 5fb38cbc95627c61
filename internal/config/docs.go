package config

import (
	"fmt"
	"reflect"
	"strings"
)

const docsHead = `# Configuration

` + "`wensheng serve --config wensheng.yaml`" + ` reads one YAML file. Everything has a default: without a file
there is one web account, an embedded Redis and SQLite under ` + "`./data`" + `. ` + "`wensheng check --config F`" + `
tells every problem at once with its key path and line; ` + "`wensheng.example.yaml`" + ` is a file to start from.

- **Strict.** An unknown key, a key set twice, a wrong type or a contradiction fails the start.
- **Environment.** The variable ` + "`WENSHENG_A_B`" + ` overrides the key ` + "`a.b`" + `; a list is separated by commas. A key of
  an account in the file is reached by the account's id, with ` + "`-`" + ` as ` + "`_`" + `: ` + "`WENSHENG_ACCOUNTS_MP_APP_SECRET`" + `.
  Accounts and groups themselves are made in the file only. A variable that starts with
  ` + "`WENSHENG_`" + ` and names no key fails.
- **Secrets.** A key of type *secret* prints as ` + "`***`" + ` everywhere. Beside it, the same key with ` + "`_file`" + ` appended
  names a file that holds the value; space at its end is dropped. Setting both fails.
- **Durations** are written ` + "`30s`, `5m`, `48h`" + `. Relative paths start from the working directory.

This page is generated from ` + "`internal/config`" + ` by ` + "`go test ./internal/config -update`" + `; a test keeps it true.
`

// Docs returns docs/config.md: every key with its type, default, variable and
// meaning.
func Docs() string {
	var b strings.Builder
	b.WriteString(docsHead)
	c := Config{}
	setDefaults(reflect.ValueOf(&c).Elem())
	docTable(&b, "Top level", "", envPrefix, reflect.ValueOf(c), "")
	return b.String()
}

func docTable(b *strings.Builder, title, intro, env string, v reflect.Value, kind string) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if intro != "" {
		b.WriteString(intro + "\n\n")
	}
	b.WriteString("| key | type | default | variable | meaning |\n|---|---|---|---|---|\n")
	var later []func()
	docRows(b, v, "", env, kind, &later)
	for _, section := range later {
		section()
	}
}

func docRows(b *strings.Builder, v reflect.Value, path, env, kind string, later *[]func()) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		key, inline := tagged(f)
		doc := strings.ReplaceAll(f.Tag.Get("doc"), "|", `\|`)
		at := join(path, key)
		name := env + strings.ToUpper(strings.ReplaceAll(at, ".", "_"))
		switch {
		case inline && f.Tag.Get("kind") == kind:
			docRows(b, v.Field(i), path, env, "", later)
		case key == "":
		case isTable(f.Type) && path == "" && env == envPrefix:
			*later = append(*later, func() { docTable(b, "`"+key+"`", doc, name+"_", v.Field(i), "") })
		case isTable(f.Type):
			docRows(b, v.Field(i), at, env, "", later)
		case f.Type.Kind() == reflect.Slice && isTable(f.Type.Elem()):
			item := reflect.New(f.Type.Elem()).Elem()
			setDefaults(item)
			*later = append(*later, func() { docList(b, key, doc, item) })
		default:
			value := ""
			if f.Tag.Get("default") != "" {
				value = "`" + strings.Trim(yamlValue(v.Field(i)), `"`) + "`"
			}
			variable := ""
			if env != "" && (env == envPrefix || at != "id" && at != "kind") {
				variable = "`" + name + "`"
			}
			fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", at, typeName(f.Type), value, variable, doc)
		}
	}
}

func docList(b *strings.Builder, key, doc string, item reflect.Value) {
	if item.Type() != reflect.TypeFor[Account]() {
		docTable(b, "`"+key+"[]`", doc, "", item, "")
		return
	}
	for _, kind := range []string{KindWeb, KindWeChat, KindSMS} {
		docTable(b, "`"+key+"[]` of kind "+kind, doc, envPrefix+"ACCOUNTS_<ID>_", item, kind)
		doc = ""
	}
}
