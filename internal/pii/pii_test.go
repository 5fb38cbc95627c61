package pii_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"wensheng/internal/pii"
)

func TestMask_HidesEveryKind(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"id", "身份证11010519491231002X。", "身份证110***********002X。"},
		{"id lower x", "11010519491231002x", "110***********002x"},
		{"id full width", "我的是４４０３０８１９９９０１１０１５１２", "我的是440***********1512"},
		{"id in groups", "440308 19990110 1512", "440***********1512"},
		{"id dashes", "440308-1999-0110-1512", "440***********1512"},
		{"id spelt out", "1 1 0 1 0 5 1 9 4 9 1 2 3 1 0 0 2 X", "110***********002X"},
		{"id zero width", "440308\u200b199901101512", "440***********1512"},
		{"id old", "110105491231002", "110********1002"},
		{"id wrong check digit, context", "身份证号440308199901101513", "身份证号440***********1513"},
		{"id wrong check digit, none", "流水440308199901101513", "流水440308199901101513"},
		{"id and phone", "11010519491231002X 13812345678", "110***********002X 138****5678"},
		{"phone", "打13812345678找我", "打138****5678找我"},
		{"phone groups", "138 1234 5678", "138****5678"},
		{"phone dashes", "138-1234-5678", "138****5678"},
		{"phone full width", "１３８１２３４５６７８", "138****5678"},
		{"phone +86", "+86 13812345678", "+86 138****5678"},
		{"phone 86", "8613812345678", "86138****5678"},
		{"phone 0086", "0086-138-1234-5678", "0086-138****5678"},
		{"phone spelt out", "1 3 8 1 2 3 4 5 6 7 8", "138****5678"},
		{"phone fullwidth dash", "138－1234－5678", "138****5678"},
		{"phone in a longer number", "21381234567890123456789", "21381234567890123456789"},
		{"landline", "0571-88157890", "0571****7890"},
		{"landline 010", "010-62345678", "010*****678"},
		{"hotlines", "12378 和 400-800-8888 和 95588", "12378 和 400-800-8888 和 95588"},
		{"card", "6222021234567890128", "622202*********0128"},
		{"card 16", "4111 1111 1111 1111", "411111******1111"},
		{"card full width", "６２２２０２１２３４５６７８９０１２８", "622202*********0128"},
		{"card by context", "卡号是6222021234567890123", "卡号是622202*********0123"},
		{"order number", "订单20261122123456789", "订单20261122123456789"},
		{"millis", "1795306135000", "1795306135000"},
		{"time", "2026-11-22 00:08:55", "2026-11-22 00:08:55"},
		{"company", "91440300708461136T", "91440300708461136T"},
		{"passport", "护照E12345678", "护照E1*****78"},
		{"no passport", "型号E12345678", "型号E12345678"},
		{"permit", "回乡证 H12345678", "回乡证 H1*****78"},
		{"email", "写信给 zhang.san+x@mail.example.com。", "写信给 z***@mail.example.com。"},
		{"email full width", "ａｂｃ＠example.com", "a***@example.com"},
		{"plate", "车牌粤B12345", "车牌粤B***45"},
		{"plate with dot", "粤B·12345", "粤B·***45"},
		{"plate new energy", "粤B·D12345", "粤B·****45"},
		{"qq", "QQ:123456789", "QQ:123***789"},
		{"wechat", "微信号：borrower_88", "微信号：bor*****_88"},
		{"app id", "wxba5fad812f8e6fb9", "wxba5fad812f8e6fb9"},
		{"address", "我住广东省深圳市南山区科技南路16号3栋2单元501室", "我住广东省深圳市南山区***"},
		{"no address", "我5号还款1号楼", "我5号还款1号楼"},
		{"name", "我叫张三丰，要投诉", "我叫张**，要投诉"},
		{"name compound", "姓名：欧阳锋", "姓名：欧阳*"},
		{"name formal", "本人李雷，身份证丢了", "本人李*，身份证丢了"},
		{"name by role", "收款人：李雷", "收款人：李*"},
		{"role without a name", "常用收款人包含哪些内容", "常用收款人包含哪些内容"},
		{"code behind a tab", "登录密码锁定\t690", "登录密码锁定\t690"},
		{"an application", "不是本人申请", "不是本人申请"},
		{"no name", "本人于昨天还款，本人从未借款", "本人于昨天还款，本人从未借款"},
		{"otp", "验证码是 834201", "验证码是 ***"},
		{"otp behind", "834201是我的验证码", "***是我的验证码"},
		{"otp spelt", "验证码 8 3 4 2 0 1", "验证码 ***"},
		{"otp full width", "验证码：８３４２０１", "验证码：***"},
		{"otp traditional", "驗證碼834201", "驗證碼***"},
		{"two", "验证码和密码分别是123456，888888", "验证码和密码分别是***，***"},
		{"password", "密码是Abc123!x", "密码是***"},
		{"password en", "Password: hunter2!", "Password: ***"},
		{"cvv", "CVV 123 有效期12/27", "CVV *** 有效期***"},
		{"not a secret", "忘记密码怎么办，手机13812345678", "忘记密码怎么办，手机138****5678"},
		{"amount", "改了密码扣500元", "改了密码扣500元"},
		{"tail", "没收到验证码，尾号6222", "没收到验证码，尾号6222"},
		{"contract date", "有效期2025.01.01", "有效期2025.01.01"},
		{"plain", "提前还款要手续费吗", "提前还款要手续费吗"},
		{"empty", "", ""},
		{"invalid utf-8", "\xff13812345678\x00", "\xff138****5678\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := pii.Mask(tt.in)
			if got != tt.want {
				t.Errorf("Mask(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if again := pii.Mask(got); again != got {
				t.Errorf("Mask(%q) = %q, not stable", got, again)
			}
		})
	}
}

func TestDetect_GivesKindsAndPlaces(t *testing.T) {
	t.Parallel()
	s := "电话１３８ 1234 5678，密码123456"
	want := []pii.Finding{
		{Kind: pii.KindPhone, Start: 6, End: 25},
		{Kind: pii.KindSecret, Start: 34, End: 40, Secret: true},
	}
	if diff := cmp.Diff(want, pii.Detect(s)); diff != "" {
		t.Errorf("Detect(%q) (-want +got):\n%s", s, diff)
	}
}

func TestRedact_RemovesSecretsOnly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in, want string
		has      bool
	}{
		{"密码123456 手机13812345678", "密码*** 手机13812345678", true},
		{"我手机13812345678", "我手机13812345678", false},
		{"安全码：321", "安全码：***", true},
		{"otp 998877", "otp ***", true},
		{"密码输错3次", "密码输错3次", false},
		{"电话核实过 密码Zx9qT7wL", "电话核实过 密码***", true},
		{"登录密码abc123", "登录密码***", true},
		{"验证码是：58 29 13", "验证码是：***", true},
		{"密码在APP里改吗", "密码在APP里改吗", false},
	}
	for _, tt := range tests {
		if got := pii.Redact(tt.in); got != tt.want {
			t.Errorf("Redact(%q) = %q, want %q", tt.in, got, tt.want)
		}
		if got := pii.HasSecret(tt.in); got != tt.has {
			t.Errorf("HasSecret(%q) = %v, want %v", tt.in, got, tt.has)
		}
	}
}

func TestMaskAs_MasksKnownFields(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind pii.Kind
		in   string
		want string
	}{
		{pii.KindPhone, "13812345678", "138****5678"},
		{pii.KindPhone, "123", "***"},
		{pii.KindName, "张三", "张*"},
		{pii.KindName, "欧阳娜娜", "欧阳**"},
		{pii.KindName, "王", "*"},
		{pii.KindEmail, "a@x.com", "a***@x.com"},
		{pii.KindAddress, "浙江省杭州市西湖区文三路1号", "浙江省杭州市西湖区***"},
		{pii.KindAddress, "文三路1号", "***"},
		{pii.KindCreditCode, "92440300MA5ABCDE1U", "924403********DE1U"},
		{pii.KindSecret, "1234567", "***"},
		{"openid", "oIDrpjpQ8j8mBuQ8nM26HWzNEZgg", "oIDrpjpQ8**********6HWzNEZgg"},
		{"openid", "", ""},
	}
	for _, tt := range tests {
		if got := pii.MaskAs(tt.kind, tt.in); got != tt.want {
			t.Errorf("MaskAs(%s, %q) = %q, want %q", tt.kind, tt.in, got, tt.want)
		}
	}
}

func FuzzMask(f *testing.F) {
	for _, s := range []string{
		"身份证11010519491231002X", "13812345678 12345678901", "验证码 123456,654321/111", "微信 abcdef1234567890abcd",
		"广东省深圳市南山区科技南路16号3栋", "a@b.com@c.com", "粤B·D12345", "我叫张三丰", "有效期12/27", "\xff\xfe１３８",
		"密码=***", "0571-88157890*138", "1 3 8 1 2 3 4 5 6 7 8", "name 本人叫和",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		last := 0
		for _, x := range pii.Detect(s) {
			if x.Start < last || x.End <= x.Start || x.End > len(s) {
				t.Fatalf("Detect(%q): bad finding %+v", s, x)
			}
			last = x.End
		}
		once := pii.Mask(s)
		if twice := pii.Mask(once); twice != once {
			t.Fatalf("Mask(%q) = %q, then %q", s, once, twice)
		}
		if utf8.ValidString(s) && !utf8.ValidString(once) {
			t.Fatalf("Mask(%q) = %q is not valid UTF-8", s, once)
		}
		red := pii.Redact(s)
		if again := pii.Redact(red); again != red {
			t.Fatalf("Redact(%q) = %q, then %q", s, red, again)
		}
		if pii.HasSecret(red) && red != s && !strings.Contains(red, "***") {
			t.Fatalf("Redact(%q) = %q still holds a secret", s, red)
		}
	})
}

func BenchmarkMask(b *testing.B) {
	texts := map[string]string{
		"plain": strings.Repeat("我上个月借了一万元，想提前还款，要不要手续费？", 4),
		"found": "我叫张三丰，手机13812345678，身份证11010519491231002X，卡号6222021234567890128，借了一万元想提前还款，要不要手续费？" + strings.Repeat("谢谢", 10),
	}
	for name, s := range texts {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pii.Mask(s)
			}
		})
	}
}
