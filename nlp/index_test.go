package nlp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wensheng/nlp"
)

// small is a knowledge base of ten labels with a few wordings each.
func small() []nlp.Example {
	var out []nlp.Example
	for label, list := range map[string]string{
		"early":   "怎么提前还款|我想提前还清|提前结清怎么操作|可以提前还吗|一次性还清在哪弄|剩下的想全部还掉",
		"fee":     "提前还款要手续费吗|提前还要违约金不|提前结清收多少手续费|早还有没有额外费用|提前还会多扣钱吗",
		"credit":  "逾期会上征信吗|晚还一天影响征信不|征信会有记录吗|逾期几天上征信|会不会影响信用记录",
		"wrong":   "我没有逾期怎么征信有记录|征信记录错了怎么办|没逾期却上了征信|征信报告有误",
		"limit":   "怎么提额|额度能不能提高|想增加额度|额度太低了怎么提升",
		"closing": "怎么注销账户|不想用了怎么注销|账号怎么关闭|我要销户",
		"card":    "怎么换银行卡|还款卡丢了换卡|换绑银行卡在哪|扣款卡想换一张",
		"date":    "还款日是几号|每个月几号还钱|哪天还款|能改还款日吗",
		"code":    "收不到验证码|没有收到短信验证码|验证码一直不来|短信收不到",
		"paper":   "结清证明怎么开|要盖章的结清证明|还清了怎么开证明|结清证明在哪下载",
	} {
		for text := range strings.SplitSeq(list, "|") {
			out = append(out, nlp.Example{Text: text, Label: label})
		}
	}
	return out
}

func train(tb testing.TB, o nlp.TrainOptions) *nlp.Index {
	tb.Helper()
	ix, err := nlp.Train(context.Background(), segmenter(tb), sorted(small()), o)
	if err != nil {
		tb.Fatal(err)
	}
	return ix
}

// sorted undoes the map's order.
func sorted(ex []nlp.Example) []nlp.Example {
	byText := map[string]nlp.Example{}
	var keys []string
	for _, e := range ex {
		byText[e.Label+e.Text] = e
		keys = append(keys, e.Label+e.Text)
	}
	out := make([]nlp.Example, 0, len(ex))
	sort.Strings(keys)
	for _, k := range keys {
		out = append(out, byText[k])
	}
	return out
}

func TestRank_FindsTheLabel(t *testing.T) {
	t.Parallel()
	ix := train(t, nlp.TrainOptions{})
	for text, want := range map[string]string{
		"提前还贷款怎么弄":    "early",
		"提前還款手續費多少":   "fee",
		"我逾期了上不上征信啊":  "credit",
		"想提高一下额度":     "limit",
		"银行卡想换一张":     "card",
		"几号还款呀":       "date",
		"验证码收不到":      "code",
		"开个结清证明":      "paper",
		"Ｉ 怎么注销账户 !!": "closing",
	} {
		r := ix.Rank(text, 3)
		if len(r.Candidates) == 0 || r.Candidates[0].Label != want {
			t.Errorf("Rank(%q) = %+v, want %s first", text, r.Candidates, want)
		}
	}
}

func TestRank_KeepsItsPromises(t *testing.T) {
	t.Parallel()
	ix := train(t, nlp.TrainOptions{})
	for _, text := range []string{"怎么提前还款", "想提前还", "天气", "征信", "", "\x00", "😀", strings.Repeat("还款", 3000), "ok", "a b c"} {
		r := ix.Rank(text, 5)
		last := 2.0
		for _, c := range r.Candidates {
			if c.P < 0 || c.P > 1 || c.P > last || c.Cosine < 0 || c.Cosine > 1 {
				t.Errorf("Rank(%.20q): candidate %+v after %v", text, c, last)
			}
			last = c.P
		}
		if len(r.Candidates) > 5 || r.Coverage < 0 || r.Coverage > 1 {
			t.Errorf("Rank(%.20q) = %d candidates, coverage %v", text, len(r.Candidates), r.Coverage)
		}
		if r.Thresholds.High <= r.Thresholds.Low {
			t.Errorf("thresholds %+v", r.Thresholds)
		}
	}
}

func TestRank_ExactWordingWins(t *testing.T) {
	t.Parallel()
	r := train(t, nlp.TrainOptions{}).Rank("提前 還款要手續費嗎？？", 3)
	if !r.Exact || r.Candidates[0].Label != "fee" || r.Candidates[0].P < 0.98 {
		t.Errorf("%+v", r)
	}
}

func TestRank_NoticesDenials(t *testing.T) {
	t.Parallel()
	ix := train(t, nlp.TrainOptions{})
	for text, want := range map[string]bool{
		"我不想提前还款":     true,
		"我没有提前还款":     true,
		"不要换银行卡":      true,
		"想提前还款":       false,
		"能不能提前还款":     false,
		"不想用了注销":      false, // a wording says the same
		"没收到验证码":      false,
		"我没有逾期征信咋有记录": false,
	} {
		r := ix.Rank(text, 3)
		if r.Negated != want {
			t.Errorf("Rank(%q).Negated = %v, want %v (%+v)", text, r.Negated, want, r.Candidates[0])
		}
		if r.Negated && r.Sure() {
			t.Errorf("Rank(%q) is sure of what is denied", text)
		}
	}
}

// What a text is about does not depend on whether it asks for it or denies it:
// claimed lower, the probability of denials would be too low.
func TestRank_ADenialIsAboutItsLabelAllTheSame(t *testing.T) {
	t.Parallel()
	ix := train(t, nlp.TrainOptions{})
	denied, asked := ix.Rank("我不想提前还款", 3), ix.Rank("我想提前还款", 3)
	if d, a := denied.Candidates[0], asked.Candidates[0]; !denied.Negated || d.Label != a.Label || d.P < 0.8*a.P {
		t.Errorf("denied %+v, asked %+v", d, a)
	}
}

func TestRank_ExplainsItself(t *testing.T) {
	t.Parallel()
	r := train(t, nlp.TrainOptions{}).Rank("逾期了上征信吗", 3)
	c := r.Candidates[0]
	if c.Nearest == "" || len(c.Features) == 0 || len(r.Tokens) == 0 || r.Norm == "" {
		t.Errorf("no explanation: %+v", r)
	}
	for i := 1; i < len(c.Features); i++ {
		if c.Features[i].Weight > c.Features[i-1].Weight {
			t.Errorf("features out of order: %+v", c.Features)
		}
	}
}

func TestRank_ShowsAllItsEvidence(t *testing.T) {
	t.Parallel()
	ix := train(t, nlp.TrainOptions{})
	same := ix.Rank("怎么提前还款", 3).Candidates[0].Parts
	if same.Cosine < 0.999 || same.Said < 0.999 || same.Held < 0.999 || same.Order < 0.999 || same.Sense < 0.999 {
		t.Errorf("the very wording: %+v, want all that compares wordings at 1", same)
	}
	more := ix.Rank("怎么提前还款到昨天那张卡上", 3).Candidates[0].Parts
	if more.Said >= same.Said || more.Order >= same.Order || more.Held < 0.999 {
		t.Errorf("a wording with more around it: %+v, want all of the wording held but not all of the text", more)
	}
	for _, c := range ix.Rank("提前还款", 5).Candidates {
		if c.Parts.Network > 0 || c.Parts.Size <= 0 {
			t.Errorf("%s: %+v", c.Label, c.Parts)
		}
	}
}

// A word nobody here has used does not sink a clear question, and words of
// asking alone do not lift one about something else.
func TestRank_StrangeWords(t *testing.T) {
	t.Parallel()
	ix := train(t, nlp.TrainOptions{})
	plain := ix.Rank("某某宝的额度太低了怎么提升", 3)
	if len(plain.Candidates) == 0 || plain.Candidates[0].Label != "limit" {
		t.Fatalf("%+v", plain.Candidates)
	}
	for _, text := range []string{"恐龙怎么灭绝的", "怎么做红烧肉", "明天会下雨吗"} {
		if r := ix.Rank(text, 3); len(r.Candidates) > 0 && r.Candidates[0].P >= plain.Candidates[0].P {
			t.Errorf("%s: %.3f for %s, want less than %.3f", text, r.Candidates[0].P, r.Candidates[0].Label, plain.Candidates[0].P)
		}
	}
}

func TestTrain_ReadsSynonyms(t *testing.T) {
	t.Parallel()
	const text = "我要抹账"
	groups := [][]string{{"注销", "抹账"}}
	without, with := train(t, nlp.TrainOptions{}).Rank(text, 3), train(t, nlp.TrainOptions{Synonyms: groups}).Rank(text, 3)
	if len(with.Candidates) == 0 || with.Candidates[0].Label != "closing" {
		t.Fatalf("with synonyms: %+v", with.Candidates)
	}
	if len(without.Candidates) > 0 && without.Candidates[0].Label == "closing" && without.Candidates[0].P >= with.Candidates[0].P {
		t.Errorf("without synonyms %.3f, with them %.3f", without.Candidates[0].P, with.Candidates[0].P)
	}
	if !slices.ContainsFunc(with.Candidates[0].Features, func(f nlp.Feature) bool { return f.Name == "s:注销" }) {
		t.Errorf("the explanation names no synonym: %+v", with.Candidates[0].Features)
	}
	letters := train(t, nlp.TrainOptions{Synonyms: [][]string{{"注销", "app"}}})
	if r := letters.Rank("apple怎么关闭", 3); slices.ContainsFunc(r.Candidates[0].Features, func(f nlp.Feature) bool { return f.Name == "s:注销" }) {
		t.Errorf("a member in letters was read inside a word: %+v", r.Candidates[0].Features)
	}
	dir := t.TempDir()
	passes := func(groups [][]string) (n int) {
		train(t, nlp.TrainOptions{CacheDir: dir, Synonyms: groups, Progress: func(int, int) { n++ }})
		return n
	}
	if passes(groups) == 0 || passes(groups) != 0 || passes([][]string{{"注销", "销掉"}}) == 0 {
		t.Error("the cache does not know the synonyms")
	}
}

func TestTrain_IsDeterministicAndCached(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := train(t, nlp.TrainOptions{Seed: 7}), train(t, nlp.TrainOptions{Seed: 7, CacheDir: dir})
	passes := 0
	c := train(t, nlp.TrainOptions{Seed: 7, CacheDir: dir, Progress: func(int, int) { passes++ }})
	if passes != 0 {
		t.Errorf("trained again in %d passes, want none", passes)
	}
	for _, text := range []string{"提前还", "征信怎么办", "验证码没有"} {
		want := a.Rank(text, 5)
		for _, ix := range []*nlp.Index{b, c} {
			if diff := cmp.Diff(want, ix.Rank(text, 5)); diff != "" {
				t.Errorf("Rank(%q) differs: %s", text, diff)
			}
		}
	}
}

func TestTrain_IgnoresADamagedCache(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	train(t, nlp.TrainOptions{CacheDir: dir})
	files, err := filepath.Glob(filepath.Join(dir, "model-*.bin"))
	if err != nil || len(files) != 1 {
		t.Fatalf("cache holds %v, %v", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), whole...)
	flipped[len(flipped)/2] ^= 1
	for name, bad := range map[string][]byte{"empty": {}, "cut": whole[:len(whole)/3], "flipped": flipped, "foreign": []byte("hello")} {
		if err := os.WriteFile(files[0], bad, 0o600); err != nil {
			t.Fatal(err)
		}
		passes := 0
		train(t, nlp.TrainOptions{CacheDir: dir, Progress: func(int, int) { passes++ }})
		if passes == 0 {
			t.Errorf("%s: a damaged file was used", name)
		}
	}
	// A cache that cannot be written is no reason not to serve.
	train(t, nlp.TrainOptions{CacheDir: filepath.Join(files[0], "not-a-directory")})
}

func TestTrain_Refuses(t *testing.T) {
	t.Parallel()
	if _, err := nlp.Train(t.Context(), segmenter(t), []nlp.Example{{Text: "？", Label: "x"}}, nlp.TrainOptions{}); !errors.Is(err, nlp.ErrNoExamples) {
		t.Errorf("err = %v, want %v", err, nlp.ErrNoExamples)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := nlp.Train(ctx, segmenter(t), small(), nlp.TrainOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want %v", err, context.Canceled)
	}
}

func TestTrain_WorksOnEnglishAndOnOneLabel(t *testing.T) {
	t.Parallel()
	ix, err := nlp.Train(t.Context(), segmenter(t), []nlp.Example{
		{Text: "How do I repay my loan early?", Label: "early"},
		{Text: "Can I pay off everything at once", Label: "early"},
		{Text: "My card was stolen", Label: "card"},
		{Text: "I lost my bank card", Label: "card"},
	}, nlp.TrainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r := ix.Rank("i have LOST the card", 2); r.Candidates[0].Label != "card" {
		t.Errorf("%+v", r.Candidates)
	}
	one, err := nlp.Train(t.Context(), segmenter(t), []nlp.Example{{Text: "你好", Label: "hi"}}, nlp.TrainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r := one.Rank("你好啊", 3); len(r.Candidates) != 1 {
		t.Errorf("%+v", r.Candidates)
	}
}

func TestIndex_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	ix := train(t, nlp.TrainOptions{})
	want := ix.Rank("提前还要钱吗", 5)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 50 {
				ix.Rank(fmt.Sprintf("还款%d号", i*k), 3)
				if diff := cmp.Diff(want, ix.Rank("提前还要钱吗", 5)); diff != "" {
					t.Error(diff)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkRank(b *testing.B) {
	ix := train(b, nlp.TrainOptions{})
	b.ReportAllocs()
	for b.Loop() {
		ix.Rank("我想提前还款要不要手续费", 5)
	}
}

func TestTrain_TakesAModelTheProgramCarries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := train(t, nlp.TrainOptions{CacheDir: dir}).Rank("怎么提前还钱", 3)
	passes := 0
	count := func(int, int) { passes++ }
	got := train(t, nlp.TrainOptions{Carried: os.DirFS(dir), Progress: count}).Rank("怎么提前还钱", 3)
	if passes != 0 {
		t.Errorf("trained %d passes beside a model that fits", passes)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if train(t, nlp.TrainOptions{Seed: 3, Carried: os.DirFS(dir), Progress: count}); passes == 0 {
		t.Error("a model of another training was taken")
	}
}

func TestRank_ReadsOverSilentWords(t *testing.T) {
	t.Parallel()
	groups := [][]string{{nlp.Silent, "花呗", "微粒贷", "loan pro"}}
	ix := train(t, nlp.TrainOptions{Synonyms: groups})
	for text, want := range map[string]string{
		"花呗能改还款日吗":           "能改还款日吗",
		"微粒贷的花呗收不到验证码":       "的收不到验证码",
		"loan pro 收不到验证码":    "收不到验证码",
		"loan prompt 收不到验证码": "loan prompt 收不到验证码",
		"花呗":                 "花呗",
	} {
		if got := ix.Rank(text, 1).Norm; got != want {
			t.Errorf("%q is compared as %q, want %q", text, got, want)
		}
	}
	plain, named := ix.Rank("能改还款日吗", 1), ix.Rank("花呗能改还款日吗", 1)
	if !named.Exact || named.Candidates[0].Label != plain.Candidates[0].Label {
		t.Errorf("with a product's name: %+v", named)
	}
	if named.Subject <= plain.Subject || named.Thresholds.Low >= plain.Thresholds.Low || named.Thresholds.High != plain.Thresholds.High {
		t.Errorf("a product's name makes a text ours: subject %v and %v, thresholds %v and %v", plain.Subject, named.Subject, plain.Thresholds, named.Thresholds)
	}
}
