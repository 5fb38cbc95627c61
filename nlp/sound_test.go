package nlp_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"wensheng/nlp"
)

func TestHear(t *testing.T) {
	t.Parallel()
	ix := train(t, nlp.TrainOptions{})
	for _, tc := range []struct {
		text, want string
		heard      []nlp.Heard
	}{
		{"tiqian huankuan yao shouxufei ma", "提前还款要手续费吗", []nlp.Heard{{From: "tiqian huankuan yao shouxufei ma", To: "提前还款要手续费吗"}}},
		{"zenmetie", "怎么提额", []nlp.Heard{{From: "zenmetie", To: "怎么提额"}}},
		{"zenme ti'e", "怎么提额", []nlp.Heard{{From: "zenme ti'e", To: "怎么提额"}}},
		{"zheng xin cuo le zenme ban", "征信错了怎么办", []nlp.Heard{{From: "zheng xin cuo le zenme ban", To: "征信错了怎么办"}}},
		{"怎么zhuxiao账户", "怎么注销账户", []nlp.Heard{{From: "zhuxiao", To: "注销"}}},
		{"节清正明在哪", "结清证明在哪", []nlp.Heard{{From: "节清正明", To: "结清证明"}}},
		{"逾欺会上征信吗", "逾期会上征信吗", []nlp.Heard{{From: "逾欺", To: "逾期"}}},
		{"逾 期 会 上 征 信 吗", "逾期会上征信吗", []nlp.Heard{{From: "逾 期", To: "逾期"}, {From: "上 征 信", To: "上征信"}}},
	} {
		if got, heard := ix.Hear(tc.text); got != tc.want || cmp.Diff(tc.heard, heard) != "" {
			t.Errorf("Hear(%q) = %q, %v, want %q, %v", tc.text, got, heard, tc.want, tc.heard)
		}
	}
}

// What is a word as it stands, a number, a denial, a name or not pinyin is left.
func TestHear_Leaves(t *testing.T) {
	t.Parallel()
	ix := train(t, nlp.TrainOptions{Synonyms: [][]string{{nlp.Silent, "题额宝"}}})
	for _, text := range []string{
		"", "提前还款要手续费吗", "想增加额度", "语气不好", "在题额宝提额",
		"hello", "app", "ok", "yuqi", "tie", "can you help me", "i can sing a song", "the limit is too low",
		"zhengxin@tie.com", "code tie2", "www.huankuan.com 怎么还", "怎么tie2", "tiqian-huankuan",
		"正心", "我有气了", "四个月几号还", "天气", strings.Repeat("逾欺", 100),
	} {
		if got, heard := ix.Hear(text); got != text || heard != nil {
			t.Errorf("Hear(%q) = %q, %v, want it left", text, got, heard)
		}
	}
}

func FuzzHear(f *testing.F) {
	ix := train(f, nlp.TrainOptions{})
	for _, s := range []string{"tiqian huankuan", "zenme ti'e", "逾欺了zenme办", "a  b c", "xi'an 提 额", "@tie/", "tie2逾 欺"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		norm := nlp.Normalize(s)
		got, heard := ix.Hear(norm)
		if !utf8.ValidString(got) {
			t.Fatalf("Hear(%q) = %q", norm, got)
		}
		if (len(heard) == 0) != (got == norm) {
			t.Errorf("Hear(%q) = %q, but heard %v", norm, got, heard)
		}
		at, to := norm, got
		for _, h := range heard {
			_, rest, ok := strings.Cut(at, h.From)
			_, after, there := strings.Cut(to, h.To)
			if !ok || !there || h.From == h.To {
				t.Fatalf("Hear(%q) = %q, heard %v", norm, got, heard)
			}
			at, to = rest, after
		}
		if a, b := digits(norm), digits(got); a != b {
			t.Errorf("Hear(%q) = %q: the digits changed", norm, got)
		}
	})
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func FuzzIsPinyin(f *testing.F) {
	for _, s := range []string{"", "tiqian", "xian", "zhuang", "nv'er", strings.Repeat("a", 300), strings.Repeat("zhuang", 100) + "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if norm := nlp.Normalize(s); nlp.IsPinyin(norm) && !nlp.IsPinyin(norm+" "+norm) {
			t.Errorf("%q is pinyin, but not twice", norm)
		}
	})
}

func BenchmarkHear(b *testing.B) {
	ix := train(b, nlp.TrainOptions{})
	for _, text := range []string{"提前还款的时候要给手续费吗", "tiqian huankuan yao shouxufei ma", "逾欺会上征信吗"} {
		b.Run(text, func(b *testing.B) {
			for b.Loop() {
				ix.Hear(text)
			}
		})
	}
}
