package nlp_test

import (
	"strings"
	"testing"
	"time"

	"wensheng/nlp"
)

func TestEntities_FindNormalForms(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, kind, value string }{
		{"我借了1万", "amount", "10000"},
		{"想借1w行吗", "amount", "10000"},
		{"想借1w", "amount", "10000"},
		{"1w2能批吗", "amount", "12000"},
		{"扣了我一万二", "amount", "12000"},
		{"还剩两千五没还", "amount", "2500"},
		{"扣了1万2千5", "amount", "12500"},
		{"两万五千元", "amount", "25000"},
		{"还剩1,234.5元", "amount", "1234.5"},
		{"多扣了3,500.50", "amount", "3500.5"},
		{"扣款1200.05没说明", "amount", "1200.05"},
		{"1.1万", "amount", "11000"},
		{"0.29元", "amount", "0.29"},
		{"一共5k", "amount", "5000"},
		{"三千五百块什么时候退", "amount", "3500"},
		{"多收我一百来块", "amount", "100"},
		{"一百五十多块钱", "amount", "150"},
		{"12块5的手续费", "amount", "12.5"},
		{"¥3500到账了", "amount", "3500"},
		{"￥1.2万", "amount", "12000"},
		{"１２００元", "amount", "1200"},
		{"壹万贰仟元整", "amount", "12000"},
		{"十万块", "amount", "100000"},
		{"1百万", "amount", "1000000"},
		{"借五千一年要多少利息", "amount", "5000"},
		{"想借1万两年还清", "amount", "10000"},
		{"两百一次", "amount", "200"},
		{"还三万多", "amount", "30000"},
		{"两千块", "amount", "2000"},
		{"还差三四千块", "amount", "3000-4000"},
		{"想借个五六千", "amount", "5000-6000"},
		{"欠了七八万", "amount", "70000-80000"},
		{"外面欠着二三十万", "amount", "200000-300000"},

		{"昨天还的", "date", "D-1"},
		{"前天扣的", "date", "D-2"},
		{"昨晚打了十几个电话", "date", "D-1"},
		{"3天前扣的", "date", "D-3"},
		{"三天以前", "date", "D-3"},
		{"两周前的事", "date", "D-14"},
		{"2个月前结清的", "date", "M-2"},
		{"半个月前", "date", "D-15"},
		{"上周三", "date", "W-1-3"},
		{"这周末", "date", "W+0-6"},
		{"下个月再还行吗", "date", "M+1"},
		{"上月15号扣的", "date", "M-1-15"},
		{"上個月15號扣的", "date", "M-1-15"},
		{"去年12月借的", "date", "Y-1-12"},
		{"去年12月3号", "date", "Y-1-12-03"},
		{"2026年3月1日", "date", "2026-03-01"},
		{"2026年3月", "date", "2026-03"},
		{"3月5号到期", "date", "--03-05"},
		{"11月份的账单", "date", "--11"},
		{"每月15号还款", "date", "---15"},

		{"我的电话13800138000", "phone", "13800138000"},
		{"身份证11010519491231002X", "id_card", "11010519491231002X"},
		{"尾号4444的卡", "card_tail", "4444"},
		{"卡后四位是 4444", "card_tail", "4444"},
		{"受理编号TS20261005-000123-C", "case_no", "TS20261005-000123-C"},
		{"合同号ht2026a00918", "contract", "HT2026A00918"},
		{"我要打12378", "agency", "regulator:nfra"},
		{"催收公司叫鑫诚达信用管理有限公司", "agency", "鑫诚达信用管理有限公司"},
		{"在支付宝里借的", "platform", "支付宝"},
		{"我办的是教育分期", "product", "教育分期"},
		{"分12期还", "period", "12"},
		{"年化24%吗", "rate", "24"},
		{"百分之三十六的利率", "rate", "36"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			t.Parallel()
			got := nlp.Entities(tc.text)
			for _, e := range got {
				if e.Kind == tc.kind && e.Value == tc.value {
					if tc.text[e.Start:e.End] != e.Text {
						t.Errorf("text %q is not at %d:%d", e.Text, e.Start, e.End)
					}
					return
				}
			}
			t.Errorf("Entities(%q) = %+v, want %s %s", tc.text, got, tc.kind, tc.value)
		})
	}
}

// What looks like a number of money or a day and is none.
func TestEntities_LeaveFalseFriendsAlone(t *testing.T) {
	t.Parallel()
	for text, kind := range map[string]string{
		"千万别打我家人电话": "amount", "老百姓哪有那么多钱": "amount", "百分之百": "amount", "打了一百多次电话": "amount",
		"万一逾期了呢": "amount", "几千块": "amount", "我们一块去": "amount", "一千天": "amount", "一百二十天": "amount", "打了三四百次": "amount",
		"100万人": "amount", "4k视频": "amount", "10 weeks": "amount", "第一百次": "amount", "三个月": "amount",
		"然后天天打电话": "date", "以前天天催": "date", "以后天天": "date", "2月30号": "date", "13月1号": "date",
		"2号线": "date", "合同nosuchnumber": "contract", "订单1234567": "card_tail",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			for _, e := range nlp.Entities(text) {
				if e.Kind == kind {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

func TestResolve_CountsFromTheDay(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 22, 23, 30, 0, 0, time.FixedZone("", 8*3600)) // a Sunday
	for _, tc := range []struct {
		value string
		ahead bool
		want  string
	}{
		{"D-1", false, "2026-11-21"},
		{"D-30", false, "2026-10-23"},
		{"D+2", true, "2026-11-24"},
		{"M-1-15", false, "2026-10-15"},
		{"M+3-31", true, "2027-02-28"},
		{"M-1", false, "2026-10"},
		{"M-11", false, "2025-12"},
		{"W-1-3", false, "2026-11-11"},
		{"W+0-7", false, "2026-11-22"},
		{"W-1", false, "2026-11-09/2026-11-15"},
		{"Y-1-12", false, "2025-12"},
		{"Y-1-12-03", false, "2025-12-03"},
		{"--11-03", false, "2026-11-03"},
		{"--12-03", false, "2025-12-03"},
		{"--12-03", true, "2026-12-03"},
		{"--11-03", true, "2027-11-03"},
		{"--12", false, "2025-12"},
		{"--11", false, "2026-11"},
		{"---15", false, "2026-11-15"},
		{"---25", false, "2026-10-25"},
		{"---15", true, "2026-12-15"},
		{"---31", true, "2026-11-30"},
		{"2026-03-01", false, "2026-03-01"},
		{"2026-03", true, "2026-03"},
		{"", false, ""},
		{"12000", false, "12000"},
		{"Dx1", false, "Dx1"},
	} {
		if got := nlp.Resolve(tc.value, day, tc.ahead); got != tc.want {
			t.Errorf("Resolve(%q, ahead %t) = %q, want %q", tc.value, tc.ahead, got, tc.want)
		}
		if got := nlp.Resolve(tc.value, time.Time{}, tc.ahead); got != tc.value {
			t.Errorf("without a day %q became %q", tc.value, got)
		}
	}
	for _, e := range nlp.EntitiesOn("去年12月借的，昨天扣了1万2", day) {
		if e.Kind == "date" && e.Value != "2025-12" && e.Value != "2026-11-21" || e.Kind == "amount" && e.Value != "12000" {
			t.Errorf("%+v", e)
		}
	}
}

func TestReadReply_TakesBareValues(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ kind, text, value string }{
		{"card_tail", "4444", "4444"},
		{"card_tail", "是4 4 4 4吧", "4444"},
		{"card_tail", "尾号４４４４", "4444"},
		{"card_tail", "444", ""},
		{"card_tail", "44444", ""},
		{"amount", "3500", "3500"},
		{"amount", "大概3500左右", "3500"},
		{"amount", "一万二", "12000"},
		{"amount", "1w2", "12000"},
		{"amount", "不记得了", ""},
		{"date", "15号", "---15"},
		{"date", "11.3", "--11-03"},
		{"date", "11/3", "--11-03"},
		{"date", "20261103", "2026-11-03"},
		{"date", "3月", "--03"},
		{"date", "上周", "W-1"},
		{"date", "我也说不清", ""},
		{"phone", "138 0013 8000", "13800138000"},
		{"phone", "12345", ""},
		{"contract", "ht20260918", "HT20260918"},
		{"product", "教育分期", "教育分期"},
	} {
		e, ok := nlp.ReadReply(tc.kind, tc.text)
		if ok != (tc.value != "") || e.Value != tc.value {
			t.Errorf("ReadReply(%s, %q) = %+v, %t, want %q", tc.kind, tc.text, e, ok, tc.value)
		}
		if ok && !strings.Contains(tc.text, e.Text) {
			t.Errorf("%q is not in %q", e.Text, tc.text)
		}
	}
}

func TestEntities_NeverReturnSecrets(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"验证码是482913", "我的密码是123456"} {
		if got := nlp.Entities(text); len(got) != 0 {
			t.Errorf("Entities(%q) = %+v, want none", text, got)
		}
	}
}

func TestHasSecret_SeesWhatWasBlankedOut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"验证码是482913": true, "验证码是***": true, "我的额度怎么有***多": false, "收不到验证码": false,
	} {
		if got := nlp.HasSecret(text); got != want {
			t.Errorf("HasSecret(%q) = %v, want %v", text, got, want)
		}
	}
}

func FuzzEntities(f *testing.F) {
	for _, s := range []string{"", "一万二", "2月30号", "W-1", "1w2千", "\xff１２", "上上个周末"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		for _, e := range nlp.EntitiesOn(s, day) {
			if e.Start < 0 || e.End < e.Start || e.Value == "" {
				t.Errorf("%q: %+v", s, e)
			}
		}
		for _, kind := range []string{"amount", "date", "phone", "card_tail", "contract"} {
			nlp.ReadReply(kind, s)
		}
	})
}
