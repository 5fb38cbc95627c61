package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"wensheng/handoff"
	"wensheng/internal/chat"
)

// mayView is the contract's rule: the holder, agents of the group while it
// waits, supervisors, compliance, admins.
func mayView(u chat.User, v handoff.View) bool {
	if u.Has(chat.RoleUserSupervisor, chat.RoleUserCompliance, chat.RoleUserAdmin) {
		return true
	}
	if !u.Has(chat.RoleUserAgent) {
		return false
	}
	if holds(u, v) {
		return true
	}
	return v.Conversation.State == chat.StateWaiting && slices.Contains(u.Groups, groupOf(v))
}

func holds(u chat.User, v handoff.View) bool {
	return v.Conversation.State.Held() && v.Conversation.Agent == u.ID && u.ID != ""
}

// view loads a conversation the user may see.
func (s *Server) view(ctx context.Context, u chat.User, conv chat.ConvID) (handoff.View, error) {
	if _, ok := conv.Shard(); !ok {
		return handoff.View{}, chat.ErrNotFound
	}
	v, err := s.o.Desk.Conversation(ctx, conv)
	if err != nil {
		return handoff.View{}, fmt.Errorf("read the conversation: %w", err)
	}
	if !mayView(u, v) {
		return handoff.View{}, fail(http.StatusForbidden, "forbidden", "this conversation is not yours to see")
	}
	return v, nil
}

type conversationView struct {
	ID        chat.ConvID    `json:"id"`
	Account   chat.AccountID `json:"account"`
	Channel   string         `json:"channel"`
	State     chat.State     `json:"state"`
	Group     string         `json:"group"`
	Priority  string         `json:"priority"`
	Agent     string         `json:"agent"`
	LastGroup string         `json:"last_group,omitempty"`
	LastAgent string         `json:"last_agent,omitempty"`
	Seq       int64          `json:"seq"`
	ReadSeq   int64          `json:"read_seq"`
	OpenedAt  time.Time      `json:"opened_at"`
	ChangedAt time.Time      `json:"changed_at"`
	ActiveAt  time.Time      `json:"active_at"`
	Score     int            `json:"score,omitempty"`
	Archived  bool           `json:"archived,omitempty"`
	// Lease is the holder's own token, for him alone.
	Lease string `json:"lease,omitempty"`
}

type contactView struct {
	Account chat.AccountID `json:"account"`
	ID      string         `json:"id"`
	Name    string         `json:"name,omitempty"`
	Subject string         `json:"subject,omitempty"`
	// Reveal names the fields that can be asked for in clear.
	Reveal []string `json:"reveal"`
}

type handoffView struct {
	Reason     string              `json:"reason"`
	Intent     string              `json:"intent"`
	Topic      string              `json:"topic"`
	Candidates []handoff.Candidate `json:"candidates"`
	Entities   []handoff.Entity    `json:"entities"`
	Signals    []string            `json:"signals"`
	Form       *formView           `json:"form,omitempty"`
	Summary    string              `json:"summary"`
	Group      string              `json:"group,omitempty"`
	Priority   handoff.Priority    `json:"priority,omitempty"`
	Receipt    string              `json:"receipt,omitempty"`
	At         *time.Time          `json:"at,omitempty"`
}

// formView is what the contact answered to a form's questions, masked.
type formView struct {
	ID    string         `json:"id"`
	Title string         `json:"title"`
	State string         `json:"state"`
	Slots []handoff.Slot `json:"slots"`
}

type speaker struct {
	Role chat.Role `json:"role"`
	Name string    `json:"name,omitempty"`
}

// messageView is the msg frame of the contract with what staff see besides.
// Seq is the contact's count and absent for what the contact does not see;
// Pos counts over everything.
type messageView struct {
	T       string        `json:"t"`
	ID      string        `json:"id"`
	Seq     int64         `json:"seq,omitempty"`
	Pos     int64         `json:"pos"`
	From    speaker       `json:"from"`
	Kind    chat.Kind     `json:"kind"`
	Text    string        `json:"text"`
	Options []chat.Option `json:"options,omitempty"`
	At      time.Time     `json:"at"`

	Delivery     chat.Delivery   `json:"delivery,omitempty"`
	DeliveryNote string          `json:"delivery_note,omitempty"`
	Agent        string          `json:"agent,omitempty"`
	CID          string          `json:"cid,omitempty"`
	InReplyTo    string          `json:"in_reply_to,omitempty"`
	Hidden       bool            `json:"hidden,omitempty"`
	Event        string          `json:"event,omitempty"`
	EventKey     string          `json:"event_key,omitempty"`
	Score        int             `json:"score,omitempty"`
	Media        *mediaView      `json:"media,omitempty"`
	Evidence     json.RawMessage `json:"evidence,omitempty"`
	// Masked says that the text holds hidden personal data; reveal shows it.
	Masked bool `json:"masked,omitempty"`
}

type mediaView struct {
	Type string `json:"type"`
	Size int64  `json:"size"`
	Kept bool   `json:"kept"`
	// Ref names the file under /conversations/{id}/media/.
	Ref string `json:"ref,omitempty"`
}

func (s *Server) viewMessage(m chat.Message) messageView {
	text := s.o.Mask(m.Text)
	v := messageView{
		T: "msg", ID: string(m.ID), Seq: m.VSeq, Pos: m.Seq, From: speaker{Role: m.Role, Name: m.Name}, Kind: m.Kind,
		Text: text, Options: m.Options, At: m.At, Delivery: m.Delivery, DeliveryNote: s.o.Mask(m.DeliveryNote),
		Agent: m.Agent, InReplyTo: string(m.InReplyTo), Hidden: m.Hidden, Event: m.Event, EventKey: s.o.Mask(m.EventKey),
		Score: m.Score, Evidence: s.maskJSON(m.Evidence), Masked: text != m.Text,
	}
	switch m.Role {
	case chat.RoleContact:
		v.From.Name = maskName(m.Name)
	case chat.RoleAgent:
		v.CID = m.ClientID // never a contact's: a vendor's ProviderID may hold a phone number
	case chat.RoleBot, chat.RoleSystem:
	}
	if m.Media != nil {
		v.Media = &mediaView{Type: m.Media.Type, Size: m.Media.Size, Kept: m.Media.Ref != "", Ref: m.Media.Ref}
	}
	return v
}

// maskJSON masks every string inside a JSON value; what cannot be read is left out.
func (s *Server) maskJSON(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	out, err := json.Marshal(s.maskValue(v))
	if err != nil {
		return nil
	}
	return out
}

func (s *Server) maskValue(v any) any {
	switch x := v.(type) {
	case string:
		return s.o.Mask(x)
	case []any:
		for i := range x {
			x[i] = s.maskValue(x[i])
		}
		return x
	case map[string]any:
		for k := range x {
			x[k] = s.maskValue(x[k])
		}
		return x
	default:
		return v
	}
}

// maskAddress hides a contact's id on its account: a phone number as RULES
// §6.3 has it, anything else the first and last third.
func (s *Server) maskAddress(id string) string {
	if m := s.o.Mask(id); m != id {
		return m
	}
	r := []rune(id)
	third := len(r) / 3
	for i := third; i < len(r)-third; i++ {
		r[i] = '*'
	}
	return string(r)
}

// maskName keeps the family name: its first character.
func maskName(name string) string {
	if name == "" {
		return ""
	}
	_, size := utf8.DecodeRuneInString(name)
	return name[:size] + "*"
}

func (s *Server) viewConversation(cv chat.Conversation, archived bool) conversationView {
	return conversationView{
		ID: cv.ID, Account: cv.Contact.Account, Channel: cv.Channel, State: cv.State, Group: cv.Group,
		Priority: cv.Priority, Agent: cv.Agent, LastGroup: cv.LastGroup, LastAgent: cv.LastAgent, Seq: cv.VSeq,
		ReadSeq: cv.ReadVSeq, OpenedAt: cv.OpenedAt, ChangedAt: cv.ChangedAt, ActiveAt: cv.ActiveAt,
		Score: cv.Score, Archived: archived,
	}
}

func (s *Server) viewContact(cv chat.Conversation) contactView {
	out := contactView{Account: cv.Contact.Account, ID: s.maskAddress(cv.Contact.ID), Reveal: []string{"contact"}}
	if cv.Identity != nil {
		out.Name, out.Subject = maskName(cv.Identity.Name), s.maskAddress(cv.Identity.Subject)
		out.Reveal = append(out.Reveal, "name", "subject")
	}
	return out
}

func (s *Server) viewHandoff(p handoff.Package) *handoffView {
	if p.Reason == "" && p.Conv == "" {
		return nil
	}
	out := &handoffView{
		Reason: p.Reason, Intent: p.Intent, Topic: p.Topic, Candidates: orEmpty(p.Candidates),
		Entities: make([]handoff.Entity, 0, len(p.Entities)), Signals: orEmpty(p.Signals),
		Summary: s.o.Mask(p.Summary), Group: p.Group, Priority: p.Priority, Receipt: p.Receipt,
	}
	for _, e := range p.Entities {
		out.Entities = append(out.Entities, handoff.Entity{Kind: e.Kind, Value: s.o.Mask(e.Value)})
	}
	if f := p.Form; f != nil {
		out.Form = &formView{ID: f.ID, Title: f.Title, State: f.State, Slots: make([]handoff.Slot, 0, len(f.Slots))}
		for _, x := range f.Slots {
			out.Form.Slots = append(out.Form.Slots, handoff.Slot{ID: x.ID, Label: x.Label, Value: s.o.Mask(x.Value)})
		}
	}
	if !p.At.IsZero() {
		out.At = &p.At
	}
	return out
}

func (s *Server) getConversation(c echo.Context) error {
	u := current(c).user
	v, err := s.view(c.Request().Context(), u, chat.ConvID(c.Param("id")))
	if err != nil {
		return err
	}
	head := s.viewConversation(v.Conversation, v.Archived)
	if holds(u, v) {
		head.Lease = v.Conversation.Lease
	}
	msgs := make([]messageView, 0, len(v.Messages))
	labels := map[string]string{}
	for _, m := range v.Messages {
		for _, o := range m.Options {
			labels[o.ID] = o.Label
		}
		if m.Kind == chat.KindPick && m.Text == "" {
			// Web visitors send the id only; agents read what was on the button.
			m.Text = cmp.Or(labels[m.Pick], m.Pick)
		}
		msgs = append(msgs, s.viewMessage(m))
	}
	if !holds(u, v) {
		// Reading what is not one's own is worth a line in the log.
		s.audit(c, u, "view", string(v.Conversation.ID), "")
	}
	out := map[string]any{
		"conversation": head, "contact": s.viewContact(v.Conversation),
		"handoff": s.viewHandoff(v.Package), "messages": msgs,
	}
	if w := s.replyWindow(c.Request().Context(), v.Conversation); w != nil {
		out["reply_window"] = w
	}
	return reply(c, http.StatusOK, out)
}

func (s *Server) listConversations(c echo.Context) error {
	if s.o.List == nil {
		return fail(http.StatusServiceUnavailable, "unavailable", "lists are not available here")
	}
	q := ListQuery{State: chat.State(c.QueryParam("state")), Limit: 100}
	if q.State == "" {
		q.State = chat.StateServing
	}
	if !slices.Contains(chat.States(), q.State) {
		return fail(http.StatusBadRequest, "bad_query", "state is bot, waiting, serving, on_hold or closed")
	}
	if v := c.QueryParam("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 500 {
			return fail(http.StatusBadRequest, "bad_query", "limit is 1 to 500")
		}
		q.Limit = n
	}
	list, err := s.o.List(c.Request().Context(), q)
	if err != nil {
		return fmt.Errorf("list the conversations: %w", err)
	}
	out := make([]conversationView, 0, len(list))
	for _, cv := range list {
		out = append(out, s.viewConversation(cv, false))
	}
	return reply(c, http.StatusOK, map[string]any{"items": out})
}
