package wechat

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/silenceper/wechat/v2/officialaccount/message"

	"wensheng/channels"
	"wensheng/internal/chat"
)

const (
	pathSend   = "/cgi-bin/message/custom/send"
	pathTyping = "/cgi-bin/message/custom/typing"
)

// Send makes one attempt over the customer-service API. A refused access token
// is renewed once. The error is a *chat.SendError.
func (c *Channel) Send(ctx context.Context, out channels.Outbound) error {
	a := c.accounts[out.To.Account]
	if a == nil {
		return &chat.SendError{Certain: true, Code: "no_account"}
	}
	requests, err := sendRequests(out)
	if err != nil {
		return &chat.SendError{Certain: true, Code: "vendor_error", Err: err}
	}
	for i, req := range requests {
		err := c.call(ctx, a, pathSend, req)
		c.spent(ctx, out.To, err)
		var se *chat.SendError
		if i > 0 && errors.As(err, &se) { // the contact has the text, not the menu
			return &chat.SendError{Code: se.Code, Err: err}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// spent keeps the ledger in step with what the vendor did.
func (c *Channel) spent(ctx context.Context, to chat.Address, err error) {
	n := 1
	var se *chat.SendError
	if errors.As(err, &se) && se.Certain {
		if se.Code != "quota_used" && se.Code != "window_closed" {
			return
		}
		n = SpendAll
	}
	if _, _, err := c.o.Ledger.Spend(ctx, to, n, c.o.Clock()); err != nil {
		c.o.Logger.WarnContext(ctx, "wechat quota not recorded", "account", to.Account, "error", err)
	}
}

// sendRequests writes one part as API messages: a text, or a menu with the text
// as its head. A text that fills its message leaves the menu to a second one.
func sendRequests(out channels.Outbound) ([]*message.CustomerMessage, error) {
	text := clean(out.Text)
	if len(text) > textBytes {
		return nil, chat.ErrTooLong
	}
	if len(out.Options) == 0 {
		if text == "" {
			return nil, errNothing
		}
		return []*message.CustomerMessage{message.NewCustomerTextMessage(out.To.ID, text)}, nil
	}
	menu := &message.MediaMsgmenu{HeadContent: text}
	size := len(text)
	for _, o := range out.Options {
		label := clip(clean(o.Label), 180)
		size += len(label)
		menu.List = append(menu.List, message.MsgmenuItem{ID: o.ID, Content: label})
	}
	var requests []*message.CustomerMessage
	if size > textBytes {
		requests = append(requests, message.NewCustomerTextMessage(out.To.ID, text))
		menu.HeadContent = "↓"
	}
	return append(requests, &message.CustomerMessage{ToUser: out.To.ID, Msgtype: "msgmenu", Msgmenu: menu}), nil
}

// clip cuts s to n bytes at most, on a rune border.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Typing shows the contact that somebody is typing, for a few seconds. The
// vendor refuses while it still shows (45081) and when the contact has been
// silent for half a minute (45080): neither is an error.
func (c *Channel) Typing(ctx context.Context, to chat.Address) error {
	a := c.accounts[to.Account]
	if a == nil {
		return &chat.SendError{Certain: true, Code: "no_account"}
	}
	err := c.call(ctx, a, pathTyping, struct {
		ToUser  string `json:"touser"`
		Command string `json:"command"`
	}{to.ID, "Typing"})
	var api *apiError
	if errors.As(err, &api) && (api.code == 45080 || api.code == 45081) {
		return nil
	}
	return err
}
