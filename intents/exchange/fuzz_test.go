package exchange_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wensheng/intents"
	"wensheng/intents/exchange"
)

// sane fails when something was read that a knowledge base cannot be made of,
// without a word about it.
func sane(t *testing.T, format string, data []byte) {
	t.Helper()
	sheet, problems := exchange.Import(data, format)
	if len(problems) > 200 {
		t.Fatalf("%d problems", len(problems))
	}
	for _, p := range problems {
		if p.Msg == "" || p.Line < 0 {
			t.Fatalf("%+v", p)
		}
		if !p.Warning {
			return
		}
	}
	ids := map[string]bool{}
	for i := range sheet.Topics {
		x := &sheet.Topics[i]
		if !intents.ValidID(x.ID) || ids[x.ID] {
			t.Fatalf("topic %q", x.ID)
		}
		ids[x.ID] = true
		if tidied := intents.Tidy(*x); !tidied.Equal(x) {
			t.Fatalf("not tidy: %+v", x)
		}
	}
}

func FuzzImportCSV(f *testing.F) {
	f.Add(export(f, exchange.CSV, nastyTopics()[:3]))
	f.Add([]byte("编号;标题\n\"pay\";'=1"))
	f.Add([]byte("\xff\xfe\x16\x7f"))
	f.Fuzz(func(t *testing.T, data []byte) { sane(t, exchange.CSV, data) })
}

func FuzzImportRasa(f *testing.F) {
	f.Add(export(f, exchange.Rasa, nastyTopics()[:3]))
	f.Add([]byte("nlu:\n- intent: a/b\n  examples:\n  - text: x\nresponses: {utter_a_b: [{text: y}]}"))
	f.Add([]byte("--- &a\nnlu: *a\n...\n? {<<: x}\n: !!t |\n  -"))
	f.Fuzz(func(t *testing.T, data []byte) { sane(t, exchange.Rasa, data) })
}

func FuzzImportXLSX(f *testing.F) {
	f.Add(export(f, exchange.XLSX, nastyTopics()[:2]))
	f.Add(workbook(f, map[string][][]string{"问法": {{"编号", "问法"}, {"pay", "x"}}}))
	f.Fuzz(func(t *testing.T, data []byte) { sane(t, exchange.XLSX, data) })
}

func FuzzRoundTrip(f *testing.F) {
	for i, s := range nasty {
		f.Add(s, nasty[len(nasty)-1-i])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 500 || strings.Count(a+b, "[")+strings.Count(a+b, "{") > 3 {
			t.Skip("the reader of YAML bounds nesting, brackets in text included")
		}
		want := intents.Tidy(intents.Topic{
			ID: "fuzzed", Title: a, Category: b, Phrasings: []string{a, b, "x" + a}, Answer: b, Answers: map[string]string{"sms": a, "wechat": b},
			Sources: []string{b, a}, Owner: a, Review: intents.Review{By: b}, FollowUps: []string{a}, Form: b, Group: a,
		})
		for _, format := range exchange.Formats() {
			var out bytes.Buffer
			if err := exchange.Export(&out, format, []intents.Topic{want}); err != nil {
				t.Fatal(err)
			}
			sheet, problems := exchange.Import(out.Bytes(), format)
			if diff := cmp.Diff([]intents.Topic{want}, sheet.Topics, same); diff != "" || len(problems) > 0 {
				t.Fatalf("%s: %v %s", format, problems, diff)
			}
		}
	})
}
