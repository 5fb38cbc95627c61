package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"wensheng/internal/chat"
)

// replyWindow is what the vendor still lets the agent send: WeChat takes few
// messages for a limited time after the contact's own. Until is absent when no
// window is known to be open. The vendor alone decides in the end.
type replyWindow struct {
	Left  int        `json:"left"`
	Until *time.Time `json:"until,omitempty"`
}

func (s *Server) replyWindow(ctx context.Context, cv chat.Conversation) *replyWindow {
	if s.o.Window == nil || cv.State == chat.StateClosed {
		return nil
	}
	left, until, ok := s.o.Window(ctx, cv.Contact)
	if !ok {
		return nil
	}
	w := &replyWindow{Left: left}
	if !until.IsZero() {
		w.Until = &until
	}
	return w
}

// shownMedia are the types a browser may show in place, and their file names'
// ends. Nothing in them can run; everything else, SVG and HTML above all, is
// only ever saved.
var shownMedia = map[string]string{
	"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp",
	"audio/mpeg": ".mp3", "audio/wave": ".wav", "video/mp4": ".mp4",
}

// cspMedia keeps a file from being anything but a file, wherever it is opened.
const cspMedia = "default-src 'none'; sandbox; frame-ancestors 'none'"

// getMedia answers with a file the contact has sent. The type is what its bytes
// look like, never what anybody says.
func (s *Server) getMedia(c echo.Context) error {
	u, ctx, ref := current(c).user, c.Request().Context(), c.Param("ref")
	v, err := s.view(ctx, u, chat.ConvID(c.Param("id")))
	if err != nil {
		return err
	}
	gone := fail(http.StatusNotFound, "media_gone", "the file was not fetched from the vendor, or not yet, or is no longer kept")
	if !sent(v.Messages, ref) || s.o.Media == nil {
		return gone
	}
	data, err := s.o.Media(ctx, ref)
	if errors.Is(err, chat.ErrNotFound) {
		return gone
	}
	if err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	// A picture may show an identity card: without the record it is not shown.
	if err := s.mustAudit(c, u, "media", string(v.Conversation.ID), ref); err != nil {
		return err
	}
	kind, how := http.DetectContentType(data), "inline"
	end, ok := shownMedia[kind]
	if !ok {
		kind, how, end = echo.MIMEOctetStream, "attachment", ""
		if bytes.HasPrefix(data, []byte("#!AMR")) { // WeChat's voice messages
			end = ".amr"
		}
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", cspMedia)
	h.Set(echo.HeaderContentDisposition, how+`; filename="`+ref+end+`"`)
	return c.Blob(http.StatusOK, kind, data)
}

// sent reports whether the file came with one of the messages; then ref is a
// reference of our own making, not the caller's.
func sent(messages []chat.Message, ref string) bool {
	for _, m := range messages {
		if m.Media != nil && m.Media.Ref == ref && ref != "" {
			return true
		}
	}
	return false
}
