package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"wensheng/channels/channeltest"
	"wensheng/channels/web"
	"wensheng/internal/chat"
)

// TestChannel_KeepsThePromisesOfAll runs the suite every channel runs. A page
// is the vendor here; what it gets on its socket is read as an HTTP status.
func TestChannel_KeepsThePromisesOfAll(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(t *testing.T) channeltest.Harness {
		t.Helper()
		sink, nothing := channeltest.NewSink(), newHouse()
		logger, log := channeltest.NewLog()
		ch, err := web.New(web.Options{
			Accounts: []web.Account{{ID: "web"}}, Sink: sink, Reader: nothing, Wakes: nothing,
			Key: []byte("0123456789abcdef0123456789abcdef"), Logger: logger,
		})
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(ch.Handler())
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- ch.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			srv.Close()
		})
		session := ""
		ask := func(ctx context.Context, account string, body []byte) (channeltest.Answer, error) {
			url := "ws" + strings.TrimPrefix(srv.URL, "http") + "/channels/web/" + account + "/ws"
			ws, resp, err := websocket.DefaultDialer.DialContext(ctx, url, nil)
			if resp != nil {
				defer func() { _ = resp.Body.Close() }()
			}
			if errors.Is(err, websocket.ErrBadHandshake) {
				return channeltest.Answer{Status: resp.StatusCode, Header: resp.Header}, nil
			} else if err != nil {
				return channeltest.Answer{}, err
			}
			defer func() { _ = ws.Close() }()
			if err := ws.WriteJSON(map[string]any{"t": "hello", "session": session}); err != nil {
				return channeltest.Answer{}, err
			}
			var w frame
			if err := ws.ReadJSON(&w); err != nil {
				return channeltest.Answer{}, err
			}
			session = w.Session
			if err := ws.WriteMessage(websocket.TextMessage, body); err != nil {
				return channeltest.Answer{}, err
			}
			_, b, err := ws.ReadMessage()
			if websocket.IsCloseError(err, web.CloseTooLarge) {
				return channeltest.Answer{Status: http.StatusRequestEntityTooLarge}, nil
			} else if err != nil {
				return channeltest.Answer{}, err
			}
			var f frame
			if err := json.Unmarshal(b, &f); err != nil {
				return channeltest.Answer{}, err
			}
			status := map[string]int{
				"": http.StatusOK, web.ErrorBadFrame: http.StatusBadRequest, web.ErrorUnavailable: http.StatusServiceUnavailable,
			}[f.Code]
			return channeltest.Answer{Status: status, Body: b}, nil
		}
		return channeltest.Harness{
			Channel: ch, Sink: sink, Log: log, Account: "web", MaxBody: web.MaxFrame, NoNUL: true,
			Deliver: func(ctx context.Context, d channeltest.Delivery) (channeltest.Answer, error) {
				body, err := json.Marshal(map[string]any{"t": "msg", "cid": d.ID, "text": d.Text})
				if err != nil {
					return channeltest.Answer{}, err
				}
				account := "web"
				if d.Account != "" {
					account = string(d.Account)
				}
				return ask(ctx, account, body)
			},
			Raw: func(ctx context.Context, body []byte) (channeltest.Answer, error) { return ask(ctx, "web", body) },
			Acked: func(a channeltest.Answer) bool {
				return a.Status == http.StatusOK && strings.Contains(string(a.Body), `"ack"`)
			},
			To: chat.Address{Account: "web", ID: "v:x"},
		}
	})
}
