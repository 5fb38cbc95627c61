package channels_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wensheng/channels"
)

func TestRefusal_WritesAProblemDocument(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	(&channels.RefusalError{Status: http.StatusForbidden, Code: "bad_signature", Detail: "It does not match."}).Write(w)
	want := `{"type":"about:blank","title":"Forbidden","status":403,"detail":"It does not match.","code":"bad_signature"}`
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Error(diff)
	}
	if w.Code != http.StatusForbidden || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("status %d, type %q", w.Code, w.Header().Get("Content-Type"))
	}
}
