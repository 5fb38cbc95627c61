package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wensheng/internal/chat"
	"wensheng/web"
)

const png = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

func TestMedia_IsServedAsWhatItsBytesAre(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"wx-picture": png, "wx-page": "<html><script>alert(1)</script>", "wx-drawing": `<svg xmlns="http://www.w3.org/2000/svg"/>`,
		"wx-voice": "#!AMR\n\x00\x00", "wx-other": "another contact's",
	}
	s := newSite(t, func(o *web.Options) {
		o.Media = func(_ context.Context, ref string) ([]byte, error) {
			if ref == "wx-broken" {
				return nil, errors.New("the seal is broken")
			}
			if f, ok := files[ref]; ok {
				return []byte(f), nil
			}
			return nil, chat.ErrNotFound
		}
	})
	conv := s.waiting("kf")
	s.desk.mu.Lock()
	for _, ref := range []string{"wx-picture", "wx-page", "wx-drawing", "wx-voice", "wx-missing", "wx-broken"} {
		v := s.desk.views[conv]
		v.Messages = append(v.Messages, chat.Message{
			ID: chat.MessageID("m-" + ref), Seq: int64(len(v.Messages) + 1), Role: chat.RoleContact, Kind: chat.KindImage,
			At: s.clock.Now(), Media: &chat.Media{Type: "image/png", Ref: ref},
		})
	}
	s.desk.mu.Unlock()
	ann := s.as("ann")
	for _, tt := range []struct {
		ref         string
		status      int
		kind, saved string
	}{
		{"wx-picture", 200, "image/png", `inline; filename="wx-picture.png"`},
		{"wx-page", 200, "application/octet-stream", `attachment; filename="wx-page"`},
		{"wx-drawing", 200, "application/octet-stream", `attachment; filename="wx-drawing"`},
		{"wx-voice", 200, "application/octet-stream", `attachment; filename="wx-voice.amr"`},
		{"wx-missing", 404, "application/problem+json", ""},
		{"wx-broken", 500, "application/problem+json", ""},
		{"wx-other", 404, "application/problem+json", ""}, // not of this conversation
	} {
		r := ann.do(http.MethodGet, path(conv, "media/"+tt.ref), nil)
		if r.status != tt.status || r.header.Get("Content-Type") != tt.kind || r.header.Get("Content-Disposition") != tt.saved {
			t.Errorf("%s: %d %s %s", tt.ref, r.status, r.header.Get("Content-Type"), r.header.Get("Content-Disposition"))
		}
		if tt.status == http.StatusNotFound && r.str("code") != "media_gone" {
			t.Errorf("%s: code %s", tt.ref, r.str("code"))
		}
		if tt.status != http.StatusOK {
			continue
		}
		if string(r.raw) != files[tt.ref] {
			t.Errorf("%s: other bytes came", tt.ref)
		}
		if csp := r.header.Get("Content-Security-Policy"); !strings.Contains(csp, "sandbox") || r.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", tt.ref, r.header)
		}
	}
	if lines := s.users.audited("media"); len(lines) != 4 || lines[0].Object != string(conv) || lines[0].Detail != "wx-picture" {
		t.Errorf("audited %+v, want the four files that were shown", lines)
	}
	s.as("law").do(http.MethodGet, path(conv, "media/wx-picture"), nil).want(http.StatusForbidden)
	s.anon().do(http.MethodGet, path(conv, "media/wx-picture"), nil).want(http.StatusUnauthorized)
	s.users.mu.Lock()
	s.users.auditErr = errors.New("no disk")
	s.users.mu.Unlock()
	ann.do(http.MethodGet, path(conv, "media/wx-picture"), nil).want(http.StatusServiceUnavailable)
}

func TestConversation_TellsTheReplyWindow(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		window func(context.Context, chat.Address) (int, time.Time, bool)
		want   any
	}{
		"open": {
			func(context.Context, chat.Address) (int, time.Time, bool) { return 3, until, true },
			map[string]any{"left": 3.0, "until": "2026-11-23T09:00:00Z"},
		},
		"none known":    {func(context.Context, chat.Address) (int, time.Time, bool) { return 0, time.Time{}, true }, map[string]any{"left": 0.0}},
		"other channel": {func(context.Context, chat.Address) (int, time.Time, bool) { return 0, time.Time{}, false }, nil},
		"nobody to ask": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func(o *web.Options) { o.Window = tt.window })
			r := s.as("ann").do(http.MethodGet, path(s.waiting("kf"), ""), nil).want(http.StatusOK)
			if diff := cmp.Diff(tt.want, r.body["reply_window"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}
