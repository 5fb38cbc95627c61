package wechat_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"wensheng/channels/channeltest"
	"wensheng/channels/wechat"
	"wensheng/internal/chat"
)

// shelf is a MediaStore in memory.
type shelf struct {
	mu    sync.Mutex
	files map[string]wechat.MediaFile
	data  map[string][]byte
}

func newShelf() *shelf {
	return &shelf{files: map[string]wechat.MediaFile{}, data: map[string][]byte{}}
}

func (s *shelf) Put(_ context.Context, f wechat.MediaFile, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if int64(len(b)) != f.Size {
		return errors.New("the size is wrong")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[f.Ref], s.data[f.Ref] = f, b
	return nil
}

func (s *shelf) get(ref string) (wechat.MediaFile, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[ref], s.data[ref]
}

func TestMedia_IsFetchedAfterTheAcknowledgement(t *testing.T) {
	t.Parallel()
	png := append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte{1}, 1000)...)
	amr := append([]byte("#!AMR\n"), bytes.Repeat([]byte{2}, 1000)...)
	mp4 := append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), bytes.Repeat([]byte{3}, 1000)...)
	for _, tt := range []struct {
		name, kind, claimed string
		data                []byte
		prepare             func(w *world, pic string) (mediaID, picURL string)
		wantKind            chat.Kind
		wantType            string
	}{
		{"a picture by its address", "image", "image/png", png, func(_ *world, pic string) (string, string) { return "gone", pic }, chat.KindImage, "image/png"},
		{"a picture by its id", "image", "image/png", png, nil, chat.KindImage, "image/png"},
		{"not from our own network", "image", "image/png", png, func(*world, string) (string, string) { return "M1", "http://169.254.169.254/latest" }, chat.KindImage, "image/png"},
		{"a picture that claims to be another", "image", "image/gif", png, nil, chat.KindImage, "image/png"},
		{"a voice", "voice", "audio/amr", amr, nil, chat.KindVoice, "audio/amr"},
		{"a video", "video", "video/mp4", mp4, nil, chat.KindVideo, "video/mp4"},
		{"a short video", "shortvideo", "video/mp4", mp4, nil, chat.KindVideo, "video/mp4"},
		{"with a refused token", "voice", "audio/amr", amr, func(w *world, _ string) (string, string) { w.api.Codes(40001); return "M1", "" }, chat.KindVoice, "audio/amr"},
		{"with a busy vendor", "voice", "audio/amr", amr, func(w *world, _ string) (string, string) { w.api.Codes(-1, -1); return "M1", "" }, chat.KindVoice, "audio/amr"},
		{"an error with status 200", "voice", "audio/amr", amr, func(*world, string) (string, string) { return "gone", "" }, chat.KindVoice, ""},
		{"too large", "voice", "audio/amr", bytes.Repeat([]byte{4}, 10<<20+1), nil, chat.KindVoice, ""},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			files := newShelf()
			w := newWorld(t, wechat.ModeSafe, func(o *wechat.Options) { o.Media = files })
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- w.ch.Run(ctx) }()
			defer func() { cancel(); <-ended }()
			id, picURL := "M1", ""
			if pic := w.api.AddMedia("M1", tt.claimed, tt.data); tt.prepare != nil {
				id, picURL = tt.prepare(w, pic)
			}
			want(t, w.post(t, w.client.Message(openID, tt.kind,
				channeltest.WeChatField{Name: "MediaId", Value: id}, channeltest.WeChatField{Name: "PicUrl", Value: picURL},
				channeltest.WeChatField{Name: "MsgId", Value: "1"})), 200, "success")
			in := w.sink.Stored()[0]
			if in.Kind != tt.wantKind || in.Media == nil || in.Media.VendorID != id || in.Media.Ref == "" {
				t.Fatalf("stored %+v", in)
			}
			// It is queued just after the answer.
			waitFor(t, func() bool {
				if err := w.ch.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
				f, _ := files.get(in.Media.Ref)
				return f.Ref != "" || tt.wantType == "" && strings.Contains(w.log.String(), "media not kept")
			})
			f, data := files.get(in.Media.Ref)
			if f.Type != tt.wantType {
				t.Errorf("type %q, want %q", f.Type, tt.wantType)
			}
			if tt.wantType != "" && (!bytes.Equal(data, tt.data) || f.From.ID != openID || f.Conv == "" || f.Message == "") {
				t.Errorf("kept %d bytes of %+v", len(data), f)
			}
			if s := w.log.String(); strings.Contains(s, openID) || strings.Contains(s, "access_token") {
				t.Errorf("personal data in the log: %s", s)
			}
		})
	}
}

func TestMedia_DrainGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wechat.ModePlain, func(o *wechat.Options) { o.Media = newShelf() })
	for range 300 { // nobody fetches: the queue fills, nothing blocks
		want(t, w.post(t, w.client.Message(openID, "image", channeltest.WeChatField{Name: "MediaId", Value: "M1"},
			channeltest.WeChatField{Name: "MsgId", Value: w.client.NextID()})), 200, "success")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.ch.Drain(ctx); err == nil {
		t.Error("drained without a fetch")
	}
	if err := w.ch.Run(ctx); err != nil { // drops what is left
		t.Error(err)
	}
	whole, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := w.ch.Drain(whole); err != nil {
		t.Error(err)
	}
}
