package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// target is what a variable sets: a key, or the file of a secret one.
type target struct {
	path string
	v    reflect.Value
	file bool
}

// readEnv applies the variables that start with WENSHENG_. Every single value
// has one: the key path in capitals with _ for dots; a list of values is
// separated by commas. The keys of an account in the file are reached by its
// id: WENSHENG_ACCOUNTS_MP_APP_SECRET. Accounts and groups themselves can only
// be made in the file.
func (l *loader) readEnv(c *Config, env []string) {
	targets := map[string]target{}
	add := func(name string, t target) {
		if other, ok := targets[name]; ok {
			l.report(t.path, "its variable %s is also that of %s; use another id", name, other.path)
			return
		}
		targets[name] = t
	}
	walk(reflect.ValueOf(c).Elem(), "", "", func(path string, v reflect.Value) {
		if v.Kind() == reflect.Slice && isTable(v.Type().Elem()) {
			return
		}
		addTarget(add, envName(path), path, v)
	})
	for i := range c.Accounts {
		a := &c.Accounts[i]
		if !validID(a.ID) {
			continue // reported by validate
		}
		prefix := envName("accounts." + strings.ReplaceAll(a.ID, "-", "_"))
		at := fmt.Sprintf("accounts[%d]", i)
		walk(reflect.ValueOf(a).Elem(), "", a.Kind, func(path string, v reflect.Value) {
			if path != "id" && path != "kind" {
				addTarget(add, prefix+strings.TrimPrefix(envName(path), strings.TrimSuffix(envPrefix, "_")), at+"."+path, v)
			}
		})
	}
	last := map[string]string{}
	for _, entry := range env {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, envPrefix) {
			last[name] = value
		}
	}
	names := make([]string, 0, len(last))
	for name := range last {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t, ok := targets[name]
		if !ok {
			msg := "no key has this variable"
			if strings.HasPrefix(name, envPrefix+"GROUPS") || strings.HasPrefix(name, envPrefix+"ACCOUNTS") {
				msg += "; accounts and groups are made in the file, WENSHENG_ACCOUNTS_<ID>_<KEY> changes an account's key"
			}
			l.problems = append(l.problems, Problem{Where: "environment", Path: name, Msg: msg})
			continue
		}
		l.vars[t.path] = name
		if t.file {
			l.vars[t.path+"_file"] = name
			if _, both := last[strings.TrimSuffix(name, "_FILE")]; both {
				l.report(t.path, "is set beside %s; keep one of them", strings.TrimSuffix(name, "_FILE"))
				continue
			}
			l.secretFile(t.v, t.path, last[name])
		} else if err := set(t.v, last[name]); err != nil {
			l.report(t.path, "%s", err)
		}
	}
}

func addTarget(add func(string, target), name, path string, v reflect.Value) {
	add(name, target{path: path, v: v})
	if v.Type() == secretType {
		add(name+"_FILE", target{path: path, v: v, file: true})
	}
}

// envName returns the variable of a key path.
func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// walk calls fn for every key below v that is not a table.
func walk(v reflect.Value, path, kind string, fn func(path string, v reflect.Value)) {
	f := fieldsOf(v, kind)
	for _, key := range f.order {
		x := f.byKey[key]
		if isTable(x.Type()) {
			walk(x, join(path, key), "", fn)
			continue
		}
		fn(join(path, key), x)
	}
}
