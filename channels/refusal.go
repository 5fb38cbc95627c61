package channels

import (
	"encoding/json"
	"net/http"
)

// RefusalError is why a callback or a connection is not taken: an HTTP status, a
// stable code for machines and a sentence for people.
type RefusalError struct {
	Status       int
	Code, Detail string
}

func (r *RefusalError) Error() string { return r.Code }

// Write answers with an RFC 9457 problem document.
func (r *RefusalError) Write(w http.ResponseWriter) {
	b, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}{"about:blank", http.StatusText(r.Status), r.Status, r.Detail, r.Code})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(r.Status)
	_, _ = w.Write(b) // a caller that is gone needs no answer
}
