package exchange_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"wensheng/intents"
	"wensheng/intents/exchange"
)

// same compares Topics by what they say and the file they name.
var same = cmp.Options{cmpopts.IgnoreFields(intents.Topic{}, "Line"), cmpopts.EquateEmpty()}

// nasty are texts that something on the way could take for something else.
var nasty = []string{
	"=HYPERLINK(\"http://example.com\",\"点\")", "+1", "-1", "@SUM(A1)", "'=1", "''-1", "'", "''引号", "＝1",
	"一\"二\"三", "一,二;三\t四", "第一行\n第二行\n\n第四行", `反斜杠\n和\\`, "😀👨‍👩‍👧❤️", "_x0041_", "_x000D_", "0012", "1e5", "2026-01-02", "true", "null", "~",
	"- 减号", "# 井号", "[北京](city)", "[北京]{\"entity\": \"city\"}", "{{app}}", "<b>&amp;</b>", "\u2028行", "a: b", "回答", "已审核", "|", "''=x",
}

func nastyTopics() []intents.Topic {
	var out []intents.Topic
	for i, s := range nasty {
		out = append(out, intents.Topic{
			ID: fmt.Sprintf("t_%d", i), Title: s, Category: "类" + s, Kind: intents.KindComplaint,
			Phrasings: []string{s, "第二" + s, s + "末"}, Answer: s, Answers: map[string]string{"sms": s, "wechat": s + s, "web": "x" + s},
			FollowUps: []string{"t_0", s}, Group: "kf", Priority: "P1", Form: "hardship", Sources: []string{s, "民法典第677条"},
			From: "2026-01-01", Until: "2027-12-31", Owner: s, Review: intents.Review{State: "draft", By: s, On: "2026-11-20"},
			File: "topics/a.yaml",
		})
	}
	long := intents.Topic{ID: "long_one", Title: "很多问法", Category: "甲", Kind: intents.KindAnswer}
	for i := range 500 {
		long.Phrasings = append(long.Phrasings, fmt.Sprintf("第%d种问法%s", i, nasty[i%len(nasty)]))
	}
	return append(out, long, intents.Topic{ID: "bare_one", Category: "乙", Kind: intents.KindAnswer})
}

// embeddedTopics are some of the shipped ones, out of all files.
func embeddedTopics(tb testing.TB) []intents.Topic {
	tb.Helper()
	f, err := intents.ReadFiles(intents.Embedded())
	if err != nil {
		tb.Fatal(err)
	}
	var out []intents.Topic
	for i, t := range f.Topics() {
		if i%8 == 0 {
			out = append(out, t)
		}
	}
	return out
}

func export(tb testing.TB, format string, topics []intents.Topic) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := exchange.Export(&b, format, topics); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestExchange_LosesNothing(t *testing.T) {
	t.Parallel()
	for _, format := range exchange.Formats() {
		for name, topics := range map[string][]intents.Topic{"nasty": nastyTopics(), "embedded": embeddedTopics(t), "none but one": {{ID: "one_only", Kind: "answer"}}} {
			var want []intents.Topic
			for _, x := range topics {
				want = append(want, intents.Tidy(x))
			}
			sheet, problems := exchange.Import(export(t, format, topics), format)
			if len(problems) != 0 {
				t.Errorf("%s, %s: %v", format, name, problems)
			}
			equal(t, format+", "+name, want, sheet.Topics)
		}
	}
}

// equal compares Topics in their order; cmp shows only those that differ.
func equal(t *testing.T, what string, want, got []intents.Topic) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d topics, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !got[i].Equal(&want[i]) || got[i].File != want[i].File {
			t.Errorf("%s: %s", what, cmp.Diff(want[i], got[i], same))
		}
	}
}

func TestExport_NeutralisesFormulas(t *testing.T) {
	t.Parallel()
	topics := nastyTopics()
	table, problems := exchange.Rows(export(t, exchange.CSV, topics), exchange.CSV)
	if len(problems) != 0 || len(table) != len(topics)+1 {
		t.Fatalf("%d rows, %v", len(table), problems)
	}
	f, err := excelize.OpenReader(bytes.NewReader(export(t, exchange.XLSX, topics)))
	if err != nil {
		t.Fatal(err)
	}
	for _, sheet := range f.GetSheetList() {
		rows, err := f.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		table = append(table, rows...)
	}
	for _, row := range table {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") || strings.HasPrefix(cell, "＝") {
				t.Errorf("a cell begins as a formula: %q", cell)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestExport_RefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	big := []intents.Topic{{ID: "too_big", Answer: strings.Repeat("好", 32768)}}
	if err := exchange.Export(&bytes.Buffer{}, exchange.XLSX, big); err == nil {
		t.Error("a cell is cut short without a word")
	}
	if err := exchange.Export(&bytes.Buffer{}, "doc", nil); !errors.Is(err, exchange.ErrFormat) {
		t.Errorf("an unknown format: %v", err)
	}
}

func TestImport_ReadsWhatSpreadsheetsSave(t *testing.T) {
	t.Parallel()
	table := "编号,标题,生效日期,问法\r\npay,怎么还款,2026/1/5,\"怎么还\r\n如何还\"\r\n"
	gbk, err := simplifiedchinese.GB18030.NewEncoder().String(table)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.ReplaceAll(table, ",", "\t"))
	if err != nil {
		t.Fatal(err)
	}
	want := []intents.Topic{{ID: "pay", Title: "怎么还款", Kind: "answer", From: "2026-01-05", Phrasings: []string{"怎么还", "如何还"}}}
	for name, c := range map[string]struct {
		data     string
		problems int
	}{
		"UTF-8": {table, 0}, "with mark": {"\ufeff" + table, 0}, "GB 18030": {gbk, 1}, "UTF-16, tabs": {wide, 0},
		"semicolons": {strings.ReplaceAll(table, ",", ";"), 0}, "english": {strings.Replace(table, "编号,标题,生效日期,问法", "ID,Title,from,phrasings", 1), 0},
	} {
		sheet, problems := exchange.Import([]byte(c.data), exchange.CSV)
		if len(problems) != c.problems {
			t.Errorf("%s: %v", name, problems)
		}
		if diff := cmp.Diff(want, sheet.Topics, same); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestImport_NamesTheRowOfEveryProblem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format, data string
		line         int
		warning      bool
		words        string
	}{
		"no id":          {exchange.CSV, "标题\n甲\n", 1, false, "编号"},
		"bad id":         {exchange.CSV, "编号\nok_id\nBad Id\n", 3, false, "Bad Id"},
		"id twice":       {exchange.CSV, "编号\npay\npay\n", 3, false, "twice"},
		"column twice":   {exchange.CSV, "编号,标题,title\npay,a,b\n", 1, false, "twice"},
		"unknown column": {exchange.CSV, "编号,备注\npay,a\n", 1, true, "备注"},
		"no header":      {exchange.CSV, "编号\npay,a\n", 2, true, "column 2"},
		"bad day":        {exchange.CSV, "编号,失效日期\n\"pay\n\",明天\n", 2, false, "明天"},
		"open quote":     {exchange.CSV, "编号\n\"pay\n", 2, false, "csv"},
		"empty":          {exchange.CSV, "", 0, false, "empty"},
		"binary":         {exchange.CSV, "编号\n\x00\n", 0, false, "not text"},
		"no encoding":    {exchange.CSV, "\xff\xff\xff", 0, false, "UTF-8"},
		"wide":           {exchange.CSV, strings.Repeat(",", 100), 1, false, "columns"},
		"not a workbook": {exchange.XLSX, "PK\x03\x04", 0, false, "workbook"},
		"format":         {"doc", "", 0, false, "format"},
		"not yaml":       {exchange.Rasa, "nlu: [", 0, false, "YAML"},
		"no mapping":     {exchange.Rasa, "- a", 1, false, "mapping"},
		"no intents":     {exchange.Rasa, "version: '3.1'", 0, false, "no intents"},
		"deep":           {exchange.Rasa, strings.Repeat("[", 100), 1, false, "deep"},
		"alias":          {exchange.Rasa, "nlu:\n- intent: pay\n  examples: &a\n  - *a\n", 3, false, "text"},
		"bad name":       {exchange.Rasa, "nlu:\n- intent: 还款\n  examples: |\n    - 甲\n", 2, false, "还款"},
		"intent twice":   {exchange.Rasa, "nlu:\n- intent: pay\n- intent: pay\n", 3, false, "twice"},
		"retrieval":      {exchange.Rasa, "nlu:\n- intent: faq/Early-Fee\n  examples: |\n    - 甲\n", 2, true, "faq_early_fee"},
		"no dash":        {exchange.Rasa, "nlu:\n- intent: pay\n  examples: |\n    - 甲\n    乙\n", 4, true, "乙"},
		"lookup":         {exchange.Rasa, "nlu:\n- intent: pay\n- lookup: city\n  examples: |\n    - 甲\n", 3, true, "no intent"},
		"stray answer":   {exchange.Rasa, "nlu:\n- intent: pay\nresponses:\n  utter_other:\n  - text: 甲\n", 4, true, "utter_other"},
		"unknown key":    {exchange.Rasa, "nlu:\n- intent: pay\nrules: []\n", 3, true, "rules"},
	} {
		_, problems := exchange.Import([]byte(c.data), c.format)
		if len(problems) != 1 || problems[0].Line != c.line || problems[0].Warning != c.warning || !strings.Contains(problems[0].Msg, c.words) {
			t.Errorf("%s: %+v, want one at %d with %q, warning %t", name, problems, c.line, c.words, c.warning)
		}
	}
	if _, problems := exchange.Import(make([]byte, exchange.MaxInput+1), exchange.CSV); len(problems) != 1 || problems[0].Warning {
		t.Errorf("over the limit: %v", problems)
	}
}

func TestImport_ReadsRasaDataOfOthers(t *testing.T) {
	t.Parallel()
	sheet, problems := exchange.Import([]byte(`version: "3.1"
nlu:
- intent: faq/early-fee
  examples: |
    - 提前还[借呗](product)要手续费吗
    - 手续费多少
- intent: greet
  examples:
  - text: 你好
    metadata: {sentiment: neutral}
  - 您好
responses:
  utter_faq/early-fee:
  - text: 看合同
  - text: 再看合同
  - {channel: sms, text: 短信}
  - {channel: telegram, text: 无}
`), exchange.Rasa)
	want := []intents.Topic{
		{ID: "faq_early_fee", Title: "提前还借呗要手续费吗", Kind: "answer", Phrasings: []string{"提前还借呗要手续费吗", "手续费多少"}, Answer: "看合同", Answers: map[string]string{"sms": "短信"}},
		{ID: "greet", Title: "你好", Kind: "answer", Phrasings: []string{"你好", "您好"}},
	}
	if diff := cmp.Diff(want, sheet.Topics, same); diff != "" {
		t.Error(diff)
	}
	if len(problems) != 3 { // the name, the second answer, the channel
		t.Errorf("%v", problems)
	}
	for _, p := range problems {
		if !p.Warning {
			t.Errorf("%v is not a warning", p)
		}
	}
}

// workbook makes one of rows by sheet.
func workbook(tb testing.TB, sheets map[string][][]string) []byte {
	tb.Helper()
	f := excelize.NewFile()
	for name, rows := range sheets {
		if _, err := f.NewSheet(name); err != nil {
			tb.Fatal(err)
		}
		for i, row := range rows {
			if err := f.SetSheetRow(name, fmt.Sprintf("A%d", i+1), &row); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := f.DeleteSheet("Sheet1"); err != nil {
		tb.Fatal(err)
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestImport_NamesTheSheetOfAWorkbooksProblem(t *testing.T) {
	t.Parallel()
	_, problems := exchange.Import(workbook(t, map[string][][]string{
		"知识点": {{"编号", "失效日期"}, {"pay", "2026-01-01"}, {"pay_more", "哪天"}},
		"问法":  {{"问法", "编号"}, {"怎么还", "pay"}, {"谁的", "nobody"}},
		"草稿纸": {{"x"}},
	}), exchange.XLSX)
	got := map[string]bool{}
	for _, p := range problems {
		got[fmt.Sprintf("%s:%d %t", p.File, p.Line, p.Warning)] = true
	}
	if want := map[string]bool{"知识点:3 false": true, "问法:3 false": true, "草稿纸:0 true": true}; !cmp.Equal(want, got) {
		t.Errorf("%v", problems)
	}
}

func TestImport_RefusesABombAndAnEndlessSheet(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	w, err := z.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(bytes.Repeat([]byte(" "), 65<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if bomb.Len() > exchange.MaxInput {
		t.Fatalf("the bomb has %d bytes", bomb.Len())
	}
	if _, problems := exchange.Import(bomb.Bytes(), exchange.XLSX); len(problems) != 1 || problems[0].Warning || !strings.Contains(problems[0].Msg, "limit") {
		t.Errorf("a bomb: %v", problems)
	}
	// A row far down, and one far out.
	for _, row := range []string{`<row r="900000"><c r="A900000" t="str"><v>x</v></c></row>`, `<row r="2"><c r="XFD2" t="str"><v>x</v></c></row>`} {
		far := insertRow(t, workbook(t, map[string][][]string{"知识点": {{"编号"}}}), row)
		if _, problems := exchange.Import(far, exchange.XLSX); len(problems) != 1 || !strings.Contains(problems[0].Msg, "larger") {
			t.Errorf("%s: %v", row, problems)
		}
	}
}

// insertRow puts a row at the end of every sheet of a workbook.
func insertRow(tb testing.TB, book []byte, row string) []byte {
	tb.Helper()
	in, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range in.File {
		text, err := fs.ReadFile(in, f.Name)
		if err != nil {
			tb.Fatal(err)
		}
		w, err := z.Create(f.Name)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write(bytes.Replace(text, []byte("</sheetData>"), []byte(row+"</sheetData>"), 1)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func base(tb testing.TB) intents.Files {
	tb.Helper()
	f := intents.Files{}
	err := f.Edit([]intents.Topic{
		{ID: "pay", Title: "还款", Category: "还款", Phrasings: []string{"怎么还"}, Answer: "这样还", Answers: map[string]string{"sms": "短信"}, Owner: "客服部"},
		{ID: "late", Title: "逾期", Category: "逾期", Phrasings: []string{"逾期了"}, Answer: "别急"},
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func TestApply_MergesOnlyTheColumnsThatAreThere(t *testing.T) {
	t.Parallel()
	f := base(t)
	sheet, problems := exchange.Import([]byte("编号,答案\npay,那样还\nfresh,新的\n"), exchange.CSV)
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	r, err := exchange.Apply(f, sheet, exchange.Merge)
	if err != nil || r.Added != 1 || r.Changed != 1 || r.Removed != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	got := map[string]intents.Topic{}
	for _, x := range f.Topics() {
		got[x.ID] = x
	}
	if x := got["pay"]; x.Answer != "那样还" || x.Title != "还款" || x.Owner != "客服部" || x.Answers["sms"] != "短信" || len(x.Phrasings) != 1 {
		t.Errorf("merged into %+v", x)
	}
	if got["fresh"].Category == "" || got["late"].Answer != "别急" {
		t.Errorf("%+v", got)
	}
}

func TestApply_TakesPhrasingsAlone(t *testing.T) {
	t.Parallel()
	f := base(t)
	sheet, problems := exchange.Import(workbook(t, map[string][][]string{"问法": {{"编号", "问法"}, {"pay", "如何还"}, {"pay", "怎样还"}}}), exchange.XLSX)
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	if _, err := exchange.Apply(f, sheet, exchange.Merge); err != nil {
		t.Fatal(err)
	}
	for _, x := range f.Topics() {
		if x.ID == "pay" && (!cmp.Equal(x.Phrasings, []string{"如何还", "怎样还"}) || x.Answer != "这样还") {
			t.Errorf("%+v", x)
		}
	}
}

func TestApply_ReplacesTheWhole(t *testing.T) {
	t.Parallel()
	f := base(t)
	want := embeddedTopics(t)
	slices.SortFunc(want, func(a, b intents.Topic) int { return strings.Compare(a.ID, b.ID) })
	for _, format := range exchange.Formats() {
		sheet, _ := exchange.Import(export(t, format, embeddedTopics(t)), format)
		if _, err := exchange.Apply(f, sheet, exchange.Replace); err != nil {
			t.Fatal(err)
		}
		got := f.Topics()
		slices.SortFunc(got, func(a, b intents.Topic) int { return strings.Compare(a.ID, b.ID) })
		equal(t, format, want, got)
	}
	before := f.Clone()
	bad := exchange.Sheet{Topics: []intents.Topic{{ID: "pay", Category: "还款", From: "never"}}}
	if _, err := exchange.Apply(f, bad, exchange.Replace); !errors.Is(err, intents.ErrNotTopic) || !cmp.Equal(before, f) {
		t.Errorf("a bad topic: %v", err)
	}
	if _, err := exchange.Apply(f, exchange.Sheet{}, "mix"); err == nil {
		t.Error("an unknown mode is taken")
	}
}

func TestCases_ReadsATestSheet(t *testing.T) {
	t.Parallel()
	want := []exchange.Case{
		{Row: 2, Text: "怎么还款", Topic: "pay"},
		{Row: 3, Text: "=1", Action: "handoff", Channel: "sms"},
		{Row: 4, Text: "没有编号", Action: "fallback"},
	}
	rows := [][]string{{"问题", "知识点", "动作", "渠道", "备注"}, {"怎么还款", "pay", "", "", "x"}, {"'=1", "", "转人工", "SMS", ""}, {"没有编号", "", "fallback", "", ""}}
	var table strings.Builder
	for _, r := range rows {
		table.WriteString(strings.Join(r, ",") + "\n")
	}
	for format, data := range map[string][]byte{exchange.CSV: []byte(table.String()), exchange.XLSX: workbook(t, map[string][][]string{"测试": rows})} {
		got, problems := exchange.Cases(data, format)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", format, diff)
		}
		if len(problems) != 1 || !problems[0].Warning { // 备注
			t.Errorf("%s: %v", format, problems)
		}
	}
	for name, c := range map[string]struct {
		data string
		line int
	}{
		"no question":    {"text,topic\n,pay\n", 2},
		"nothing wanted": {"text,topic\n怎么还款,\n", 2},
		"action":         {"text,action\n怎么还款,dance\n", 2},
		"channel":        {"text,topic,channel\n怎么还款,pay,fax\n", 2},
		"id":             {"text,topic\n怎么还款,Bad Id\n", 2},
		"no text":        {"topic\npay\n", 1},
		"no topic":       {"text\n怎么还款\n", 1},
		"empty":          {"", 0},
		"only a header":  {"text,topic\n", 0},
	} {
		if _, problems := exchange.Cases([]byte(c.data), exchange.CSV); len(problems) != 1 || problems[0].Warning || problems[0].Line != c.line {
			t.Errorf("%s: %v", name, problems)
		}
	}
	if _, problems := exchange.Cases(nil, exchange.Rasa); len(problems) != 1 {
		t.Errorf("a format without cases: %v", problems)
	}
}
