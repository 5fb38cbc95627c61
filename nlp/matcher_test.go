package nlp_test

import (
	"testing"

	"wensheng/nlp"
)

func TestMatcher_ReadsThroughSpellings(t *testing.T) {
	t.Parallel()
	m, err := nlp.NewMatcher([]nlp.Rule{
		{ID: "human", Phrases: []string{"转人工", "人工客服", "talk to a human", "agent"}, Except: []string{"人工智能", "不用转人工"}},
		{ID: "regulator", Phrases: []string{"12378"}, Except: []string{"re:12378是(多少|什么)"}},
		{ID: "harm", Phrases: []string{"想死", "自杀", "不想活"}, Except: []string{"想死你了"}},
		{ID: "complaint", Phrases: []string{"我要投诉"}},
		{ID: "service", Phrases: []string{"客服"}},
		{ID: "optout", Patterns: []string{`^(?:t|td|退订)$`}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ text, want string }{
		{"转人工", "human"},
		{"轉人工", "human"},
		{"转 人 工", "human"},
		{"转\u200b人\u200d工", "human"},
		{"转.人.工！", "human"},
		{"转-人-工", "human"},
		{"转人功", "human"},
		{"专人工", "human"},
		{"砖人工啊", "human"},
		{"zhuanrengong", "human"},
		{"Zhuan Ren Gong", "human"},
		{"ｚｈｕａｎ人工", "human"},
		{"zhuan人gong", "human"},
		{"我要转人工服务", "human"},
		{"人 工 客 服", "human"},
		{"人工克服", "human"},
		{"I want to TALK TO A HUMAN now", "human"},
		{"agent", "human"},
		{"agent please", "human"},
		{"reagent", ""},
		{"不用转人工了", ""},
		{"人工智能是什么", ""},
		{"我要转。人工智能真好", ""},
		{"12378是多少", ""},
		{"我要打12378", "regulator"},
		{"1 2 3 7 8 举报", "regulator"},
		{"订单1123789", ""},
		{"我想死", "harm"},
		{"想死你了", ""},
		{"bu xiang huo le", "harm"},
		{"我要投素", "complaint"},
		{"我要偷诉", "complaint"},
		{"woyaotousu", "complaint"},
		{"我要 投 诉", "complaint"},
		{"克服困难", ""}, // two characters: no homophones
		{"kefu", "service"},
		{"T", "optout"},
		{"T+1到账", ""},
		{"td。", "optout"},
		{"", ""},
		{"，。！", ""},
	} {
		t.Run(tc.text, func(t *testing.T) {
			t.Parallel()
			hits := m.Match(tc.text)
			got := ""
			if len(hits) > 0 {
				got = hits[0].Rule
			}
			if got != tc.want {
				t.Errorf("Match(%q) = %+v, want %q", tc.text, hits, tc.want)
			}
		})
	}
}

// Two syllables sound like many things: in pinyin they are found as they are
// usually read and spelled, and where a reader would cut.
func TestMatcher_TwoCharactersInPinyin(t *testing.T) {
	t.Parallel()
	m, err := nlp.NewMatcher([]nlp.Rule{{ID: "rule", Phrases: []string{"血洗", "立案", "集体", "遗言", "癌症", "捅死", "想死"}}})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"xuexi nimen": true, "woyaolian": false, "li an": true, "yi li an le": true, "jiti": true, "jiti tousu": true,
		"yiyan": true, "yi yan": true, "xie yiyan": true, "aizheng": true, "tongsi ni": true, "woxiangsi": true,
		"wo xiang si le": true, "woxiang si": true, "xiang sile": true, "xiang死": true, "想si": true, "lian": true,
		"xiexie ni": false, "lianxi kefu": false, "jitian dao": false, "keyi yanqi ma": false,
		"shoubudao yanzhengma": false, "wo tongshi": false, "youxiang shi shenme": false,
	} {
		if hits := m.Match(text); (len(hits) > 0) != want {
			t.Errorf("Match(%q) = %+v, want found: %v", text, hits, want)
		}
	}
}

func TestMatcher_NamesBadRules(t *testing.T) {
	t.Parallel()
	for _, r := range []nlp.Rule{
		{ID: "a", Phrases: []string{"，。"}},
		{ID: "b", Patterns: []string{"("}},
		{ID: "c", Phrases: []string{"x1"}, Except: []string{"re:("}},
	} {
		if _, err := nlp.NewMatcher([]nlp.Rule{r}); err == nil {
			t.Errorf("NewMatcher(%+v) gave no error", r)
		}
	}
}
