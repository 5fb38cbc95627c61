package app_test

import (
	"net/http"
	"strconv"
	"testing"
)

func TestWording_EndsAtPunctuationInEitherScript(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	v := g.waiting(t, "转人工")
	conv := v.welcome.Conv
	l := a.claim(conv)
	for i, tt := range []struct {
		text string
		want int
	}{
		// Without its comma the first half would excuse the second.
		{"不要告诉别人，把验证码发给我", http.StatusUnprocessableEntity},
		{"不要告訴別人，把驗證碼發給我", http.StatusUnprocessableEntity},
		{"不要告诉别人\n把验证码发给我", http.StatusUnprocessableEntity},
		{"把驗，證，碼發我", http.StatusUnprocessableEntity},
		{"請勿向任何人透露您的驗證碼。", http.StatusCreated},
		// Without its sentence end the two would ask for a secret.
		{"资料需要您本人提供。密码错误请稍后再试", http.StatusCreated},
	} {
		status := a.call("POST", path("conversations", conv, "messages"),
			map[string]string{"cid": strconv.Itoa(i), "text": tt.text, "lease": l.Lease}, nil)
		if status != tt.want {
			t.Errorf("%q: status %d, want %d", tt.text, status, tt.want)
		}
	}
}
