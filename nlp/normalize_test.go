package nlp_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"wensheng/nlp"
)

func TestNormalize_BringsTextToOneForm(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                       "",
		"  提前  还款\t":             "提前 还款",
		"提前還款要手續費嗎":              "提前还款要手续费吗",
		"ＡＰＰ１２３":                 "app123",
		"\x00我要投诉":               "我要投诉",
		"我\u200b要\u202e投\ufeff诉": "我要投诉",
		"坏\xff字节":                "坏字节",
		"①②":                     "12",
		"乾坤":                     "乾坤",
		"Ⅷ期":                     "viii期",
		"还\ufe0f款":               "还款",
	} {
		if got := nlp.Normalize(in); got != want {
			t.Errorf("Normalize(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNormalize_BoundsItsWork(t *testing.T) {
	t.Parallel()
	got := nlp.Normalize(strings.Repeat("㍿", 3*nlp.MaxRunes)) // one character becomes four
	if n := utf8.RuneCountInString(got); n > nlp.MaxRunes {
		t.Errorf("%d characters, want at most %d", n, nlp.MaxRunes)
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"", "提前還款", "\x00\xff", "İ", "ﷺ", "e\u0301", "轉 人 工", "\u1100\u1161", "ǅ", "㍿", "乾隆乾燥", "\u0345ᾼ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := nlp.Normalize(s)
		if !utf8.ValidString(once) || strings.ContainsRune(once, 0) {
			t.Errorf("Normalize(%q) = %q is not clean text", s, once)
		}
		if twice := nlp.Normalize(once); twice != once {
			t.Errorf("Normalize(%q) = %q, and again %q", s, once, twice)
		}
		nlp.Squash(once)
		nlp.Entities(s)
		nlp.IsTraditional(s)
	})
}

func TestSquash_JoinsSpacedOutWordsButNotSentences(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"转 人 工":         "转人工",
		"转。人。工":         "转人工",
		"转-人*工!":        "转人工",
		"我要转。人工智能真好":    "我要转 人工智能真好",
		"不想还了,活该":       "不想还了活该",
		"talk to human": "talktohuman",
		"。。。":           "",
	} {
		if got := nlp.Squash(in); got != want {
			t.Errorf("Squash(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTraditional_TurnsRepliesIntoTheWritersScript(t *testing.T) {
	t.Parallel()
	if got := nlp.Traditional("提前还款要手续费吗 {{app}}"); got != "提前還款要手續費嗎 {{app}}" {
		t.Errorf("Traditional = %q", got)
	}
	for in, want := range map[string]bool{
		"提前還款要手續費嗎": true, "我要轉人工": true, "提前还款": false, "你好": false, "hello": false, "": false,
		"这个繁體字混在简体里面说": false,
	} {
		if got := nlp.IsTraditional(in); got != want {
			t.Errorf("IsTraditional(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestIsPinyin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"yuqi le zenme ban":                true,
		"tiqian huankuan yao shouxufei ma": true,
		"zhuanrengong":                     true,
		"how do i repay early":             false,
		"can i talk to a person":           false,
		"what is the interest rate":        false,
		"my loan was rejected":             false,
		"ok":                               false,
		"":                                 false,
		"怎么还款":                             false,
	} {
		if got := nlp.IsPinyin(text); got != want {
			t.Errorf("IsPinyin(%q) = %v, want %v", text, got, want)
		}
	}
}
