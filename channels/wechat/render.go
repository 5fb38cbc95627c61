package wechat

import (
	"errors"
	"fmt"
	"strings"

	"wensheng/channels"
	"wensheng/internal/chat"
)

var errNothing = errors.New("nothing to show")

// renderInline joins a bot's messages into the text of one passive reply, which
// can be no menu: options are numbered links that send the option like a menu
// does. Where the links do not fit they are a plain numbered list; what does not
// fit at all is chat.ErrTooLong.
func renderInline(messages []chat.Message) (string, error) {
	for _, options := range []func(string, []chat.Option) string{linked, channels.Numbered} {
		var parts []string
		for _, m := range messages {
			part := m.Text
			if len(m.Options) > 0 {
				part = options(part, m.Options)
			}
			if part = strings.Trim(part, "\n"); part != "" {
				parts = append(parts, part)
			}
		}
		all := clean(strings.Join(parts, "\n\n"))
		if all == "" {
			return "", errNothing
		}
		if len(all) <= textBytes {
			return all, nil
		}
	}
	return "", chat.ErrTooLong
}

// linked writes options as the links that WeChat shows as tappable words and
// answers with msgmenucontent as text and msgmenuid as bizmsgmenuid.
func linked(text string, options []chat.Option) string {
	var b strings.Builder
	b.WriteString(text)
	for i, o := range options {
		label := linkSafe.Replace(o.Label)
		if linkSafe.Replace(o.ID) != o.ID { // would come back as another id
			fmt.Fprintf(&b, "\n%d. %s", i+1, label)
			continue
		}
		fmt.Fprintf(&b, "\n%d. <a href=\"weixin://bizmsgmenu?msgmenucontent=%s&msgmenuid=%s\">%s</a>",
			i+1, label, o.ID, label)
	}
	return b.String()
}

// linkSafe drops what would end the attribute or the query early. The vendor
// documents no escape, and wants Chinese as it stands.
var linkSafe = strings.NewReplacer(`"`, "", "<", "", ">", "", "&", "", "#", "", "%", "", "\n", " ")
