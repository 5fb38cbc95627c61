package bot_test

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wensheng/bot"
)

// shape lists every field of a type as it is written in JSON.
func shape(t reflect.Type, at string) []string {
	switch t.Kind() { //nolint:exhaustive // the others are values
	case reflect.Pointer:
		return shape(t.Elem(), at)
	case reflect.Slice:
		return shape(t.Elem(), at+"[]")
	case reflect.Struct:
		var out []string
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous {
				out = append(out, shape(f.Type, at)...) // its fields stand among these
				continue
			}
			if name == "-" || name == "" {
				continue
			}
			if at != "" {
				name = at + "." + name
			}
			out = append(out, shape(f.Type, name)...)
		}
		return out
	}
	return []string{at}
}

// The explanation is one shape everywhere, and docs/protocol.md says it field by
// field: console, learning and integrations read it.
func TestEvidence_IsWhatTheProtocolSays(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(raw), "### The explanation\n")
	if !ok {
		t.Fatal("no section on the explanation")
	}
	section, _, _ = strings.Cut(section, "\n#")
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		documented = append(documented, m[1])
	}
	if diff := cmp.Diff(documented, shape(reflect.TypeFor[bot.Evidence](), "")); diff != "" {
		t.Errorf("docs/protocol.md and bot.Evidence differ (-docs +code):\n%s", diff)
	}
}

// keys lists what is in a JSON value in the same way.
func keys(v any, at string, into map[string]bool) {
	switch x := v.(type) {
	case map[string]any:
		for k, v := range x {
			if at != "" {
				k = at + "." + k
			}
			keys(v, k, into)
		}
	case []any:
		for _, v := range x {
			keys(v, at+"[]", into)
		}
	default:
		into[at] = true
	}
}

// Together a few decisions hold every field, and none that is not documented;
// what always stands in it does.
func TestEvidence_HoldsWhatItShould(t *testing.T) {
	t.Parallel()
	e := formEngine(t)
	got := map[string]bool{}
	for _, talk := range [][]bot.Input{
		{text("提前还款的时候要给手续费吗"), text("那要多少")},
		{text("年化利率多少 另外怎么提前还款")},
		{text("怎么提前还款"), text("那手续费呢"), text("没用")},
		{text(start), text("重复扣了"), text("不好说")},
		{text("我不想提前还款")},
		{text("提前还款要手续费吗")},
		{text("我要投诉")},
		{text("asdfghjkl")},
		{text("zenme zhuxiao zhanghu")},
	} {
		for _, d := range dialogue(t, e, false, bot.Memory{}, talk...) {
			raw, err := json.Marshal(d.Evidence)
			if err != nil {
				t.Fatal(err)
			}
			var v map[string]any
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			for _, always := range []string{"action", "intent", "topic", "norm", "because", "knowledge"} {
				if _, ok := v[always]; !ok {
					t.Errorf("%s is missing in %s", always, raw)
				}
			}
			if d.Evidence.Action != d.Action || d.Evidence.Intent != d.Intent || d.Evidence.Topic != d.Topic {
				t.Errorf("%s is not of %s %s %s", raw, d.Action, d.Intent, d.Topic)
			}
			keys(v, "", got)
		}
	}
	for _, f := range shape(reflect.TypeFor[bot.Evidence](), "") {
		if !got[f] {
			t.Errorf("no decision has %s", f)
		}
		delete(got, f)
	}
	if len(got) > 0 {
		rest := make([]string, 0, len(got))
		for k := range got {
			rest = append(rest, k)
		}
		slices.Sort(rest)
		t.Errorf("undocumented: %v", rest)
	}
}
