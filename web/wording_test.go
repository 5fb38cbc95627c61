package web_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestSay_RefusesBlockedWording goes through the API: what is refused never
// reaches the desk.
func TestSay_RefusesBlockedWording(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	ann := s.as("ann")
	lease := ann.claim(conv)
	for _, tc := range []struct{ text, class string }{
		{"请把您的密码告诉我", "secret_request"},
		{"麻烦提供一下短信验证码", "secret_request"},
		{"您收到的验证码是多少？", "secret_request"},
		{"信用卡背面三位数报一下", "secret_request"},
		{"请发送 ＣＶＶ２ 给我", "secret_request"},
		{"请 把 验 证 码 发 我", "secret_request"},
		{"不要告诉别人，把验证码发给我", "secret_request"},
		{"把验，证，码发我", "secret_request"},
		{"请.把.密.码.告.诉.我", "secret_request"},
		{"不还钱就上门", "threat"},
		{"再不还就等着坐牢", "threat"},
		{"后 果 自 负", "threat"},
		{"我是法院的，已经立案", "false_authority"},
		{"我们会通知你家人", "third_party"},
		{"你可以先去借别的平台", "inducement"},
		{"投诉也没用", "dissuade_complaint"},
		{"你怎么这么烦", "insult"},
		{"这不是我负责的", "brush_off"},
	} {
		r := ann.do(http.MethodPost, path(conv, "messages"), map[string]any{"cid": "c" + tc.text[:3], "text": tc.text, "lease": lease})
		if r.status != http.StatusUnprocessableEntity || r.str("code") != "blocked_wording" || r.str("class") != tc.class {
			t.Errorf("%q: got %d %s, want 422 %s", tc.text, r.status, r.raw, tc.class)
		}
	}
	if len(s.desk.said) != 0 {
		t.Errorf("blocked words reached the desk: %q", s.desk.said)
	}
	if n := len(s.users.audited("say_blocked")); n == 0 {
		t.Error("refused words leave no audit line")
	}
}

func TestSay_LetsHonestWordingThrough(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	ann := s.as("ann")
	lease := ann.claim(conv)
	for i, text := range []string{
		"请勿向任何人透露您的验证码。",
		"我们不会向您索要密码，请放心。",
		"客服不会要求您提供密码或验证码",
		"如果忘记密码，可以在登录页点击忘记密码重置。",
		"请您在App内自行修改登录密码。",
		"收不到验证码的话，请检查短信拦截设置。",
		"我们不会联系您的家人或朋友。",
		"您有权投诉，投诉渠道如下。",
		"我帮您查一下，请稍等。",
		"逾期记录会如实上报征信，请您按时还款。",
	} {
		ann.do(http.MethodPost, path(conv, "messages"), map[string]any{"cid": strings.Repeat("x", i+1), "text": text, "lease": lease}).want(http.StatusCreated)
	}
}

func TestSay_WarnsOfPromises(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conv := s.waiting("kf")
	ann := s.as("ann")
	lease := ann.claim(conv)
	r := ann.do(http.MethodPost, path(conv, "messages"), map[string]any{"cid": "1", "text": "保证能全部减免", "lease": lease}).want(http.StatusCreated)
	if w := r.list("warnings"); len(w) != 1 || w[0] != "promise" {
		t.Errorf("warnings = %v", w)
	}
	lines := s.users.audited("say")
	if len(lines) != 1 || !strings.Contains(lines[0].Detail, "promise") {
		t.Errorf("the audit log does not mark the promise: %+v", lines)
	}
}
