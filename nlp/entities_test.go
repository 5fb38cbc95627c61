package nlp_test

import (
	"testing"

	"wensheng/nlp"
)

func TestEntities_FindNormalForms(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, kind, value string }{
		{"我借了1万", "amount", "10000"},
		{"想借1w行吗", "amount", "10000"},
		{"扣了我一万二", "amount", "12000"},
		{"还剩1,234.5元", "amount", "1234.5"},
		{"三千五百块什么时候退", "amount", "3500"},
		{"１２００元", "amount", "1200"},
		{"昨天还的", "date", "D-1"},
		{"上月15号扣的", "date", "M-1-15"},
		{"上個月15號扣的", "date", "M-1-15"},
		{"2026年3月1日", "date", "2026-03-01"},
		{"3月5号到期", "date", "--03-05"},
		{"我的电话13800138000", "phone", "13800138000"},
		{"身份证11010519491231002X", "id_card", "11010519491231002X"},
		{"尾号4444的卡", "card_tail", "4444"},
		{"受理编号TS20261005-000123-C", "case_no", "TS20261005-000123-C"},
		{"我要打12378", "agency", "regulator:nfra"},
		{"分12期还", "period", "12"},
		{"年化24%吗", "rate", "24"},
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
