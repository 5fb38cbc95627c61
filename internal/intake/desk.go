package intake

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"wensheng/bot"
	"wensheng/handoff"
	"wensheng/internal/chat"
)

// maxAgentText bounds an agent's message, in runes (CONTRACT).
const maxAgentText = 2000

// Queue returns what waits in the user's groups, whole: those he works in, or
// all of them for a supervisor.
func (i *Intake) Queue(ctx context.Context, u chat.User) ([]handoff.Item, error) {
	return i.o.Desk.Items(ctx, i.groupsOf(u))
}

func (i *Intake) groupsOf(u chat.User) []string {
	if len(u.Groups) > 0 && !u.Has(chat.RoleUserSupervisor, chat.RoleUserAdmin, chat.RoleUserCompliance) {
		return u.Groups
	}
	all := make([]string, 0, len(i.o.Groups))
	for _, g := range i.o.Groups {
		all = append(all, g.ID)
	}
	return all
}

// Claim gives the agent the next waiting conversation of his groups, of one of
// them, or the one named. The holder gets his own lease again. The errors are
// chat.ErrEmpty and chat.ErrTaken.
func (i *Intake) Claim(ctx context.Context, u chat.User, conv chat.ConvID, group string) (handoff.Lease, error) {
	groups := i.groupsOf(u)
	if group != "" {
		if !slices.Contains(groups, group) {
			return handoff.Lease{}, chat.ErrEmpty
		}
		groups = []string{group}
	}
	for range maxStaleClaims {
		l, _, err := i.o.Desk.Claim(ctx, u.ID, groups, conv)
		if err != nil {
			return handoff.Lease{}, err
		}
		err = i.serve(ctx, l, u.Name)
		switch {
		case err == nil:
			return l, nil
		case errors.Is(err, errNotWaiting) && conv == "":
			continue // the contact left meanwhile: the next one
		case errors.Is(err, errNotWaiting):
			return handoff.Lease{}, chat.ErrTaken
		default:
			return handoff.Lease{}, err
		}
	}
	return handoff.Lease{}, chat.ErrEmpty
}

// maxStaleClaims bounds how many conversations that ended in the queue one
// claim skips.
const maxStaleClaims = 20

var errNotWaiting = errors.New("the conversation no longer waits")

// serve makes a claimed conversation the agent's: the second half of a claim,
// on the conversation's own shard, fenced by the generation.
func (i *Intake) serve(ctx context.Context, l handoff.Lease, name string) error {
	conv, err := i.o.Store.Load(ctx, l.Conv)
	if errors.Is(err, chat.ErrNotFound) {
		_ = i.o.Desk.Finish(ctx, l)
		return errNotWaiting
	}
	if err != nil {
		return err
	}
	if conv.State.Held() && conv.Lease == l.Token {
		return nil
	}
	if conv.State == chat.StateBot || conv.State == chat.StateClosed {
		_ = i.o.Desk.Finish(ctx, l)
		return errNotWaiting
	}
	c := chat.Commit{
		Event: chat.EventClaim, Group: l.Group, Priority: conv.Priority,
		Agent: l.Agent, Lease: l.Token, Generation: l.Generation,
		Append: []chat.Message{i.system(string(chat.EventClaim), l.Agent)},
		Memory: stopForm(conv.Memory),
	}
	phrase := "agent_joined"
	if conv.LastAgent == l.Agent {
		phrase = "agent_back" // whom the contact has talked to before
	}
	i.tell(&c, conv, i.phrase(phrase, langOf(conv), map[string]string{"agent": name}))
	_, _, err = i.write(ctx, conv, chat.Fence{Generation: l.Generation}, c)
	var te *chat.TransitionError
	if errors.As(err, &te) || errors.Is(err, chat.ErrLeaseLost) || errors.Is(err, chat.ErrConflict) {
		_ = i.o.Desk.Finish(ctx, l)
		return errNotWaiting
	}
	return err
}

// tell adds a visible sentence of the system to a commit.
func (i *Intake) tell(c *chat.Commit, conv chat.Conversation, text string) {
	if text == "" {
		return
	}
	i.attach(c, conv, chat.Message{
		ID: chat.NewMessageID(), Role: chat.RoleSystem, Kind: chat.KindText, Text: text, At: i.o.Clock(),
	})
}

// attach adds a message to a commit with the delivery its channel needs.
func (i *Intake) attach(c *chat.Commit, conv chat.Conversation, m chat.Message) {
	if c.Deliver == nil {
		c.Deliver = map[chat.MessageID]chat.Delivery{}
	}
	c.Append = append(c.Append, m)
	if i.o.Sender.Pulls(conv.Contact.Account) {
		c.Deliver[m.ID] = chat.DeliverySent
		return
	}
	c.Deliver[m.ID] = chat.DeliveryPending
	c.Effects = append(c.Effects, chat.Effect{
		ID: effectSend(m.ID), Kind: chat.EffectSend, Message: m.ID, Due: m.At.Add(effectLease),
	})
}

// write commits outside a turn and carries the effects out in the background.
func (i *Intake) write(ctx context.Context, conv chat.Conversation, f chat.Fence, c chat.Commit) (chat.Conversation, []chat.Message, error) {
	after, stored, err := i.o.Store.Write(ctx, conv.ID, f, c)
	if err != nil {
		return conv, nil, err
	}
	if len(c.Effects) > 0 && i.begin() {
		defer i.work.Done()
		p := i.lanes.enter(conv.ID, c.Effects)
		i.spawn(ctx, func(ctx context.Context) { i.carryAll(ctx, after, c.Effects, known(stored), p) })
	}
	return after, stored, nil
}

// held loads the conversation and checks that the user holds it with that lease.
func (i *Intake) held(ctx context.Context, u chat.User, id chat.ConvID, lease string) (chat.Conversation, error) {
	conv, err := i.o.Store.Load(ctx, id)
	if err != nil {
		return conv, err
	}
	if !conv.State.Held() || conv.Agent != u.ID || lease == "" || conv.Lease != lease {
		return conv, chat.ErrLeaseLost
	}
	return conv, nil
}

// Say sends the agent's words to the contact. A repeated cid returns the message
// as it was stored. Errors: chat.ErrLeaseLost, ErrTooLong, ErrBlocked, ErrNotFound.
func (i *Intake) Say(ctx context.Context, u chat.User, id chat.ConvID, lease, cid, text string) (chat.Message, error) {
	return i.utter(ctx, u, id, lease, chat.Message{Kind: chat.KindText, ClientID: cid, Text: text})
}

// Note adds an internal note, which the contact never sees.
func (i *Intake) Note(ctx context.Context, u chat.User, id chat.ConvID, lease, cid, text string) (chat.Message, error) {
	return i.utter(ctx, u, id, lease, chat.Message{Kind: chat.KindNote, ClientID: cid, Text: text, Hidden: true})
}

func (i *Intake) utter(ctx context.Context, u chat.User, id chat.ConvID, lease string, m chat.Message) (chat.Message, error) {
	m.Text = strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(m.Text, "\x00", ""), ""))
	if utf8.RuneCountInString(m.Text) > maxAgentText {
		return chat.Message{}, chat.ErrTooLong
	}
	conv, err := i.held(ctx, u, id, lease)
	if err != nil {
		return chat.Message{}, err
	}
	m.Text = i.o.Redact(m.Text)
	m.ID, m.Role, m.Name, m.Agent, m.At = chat.NewMessageID(), chat.RoleAgent, u.Name, u.ID, i.o.Clock()
	var c chat.Commit
	if conv.State == chat.StateOnHold && !m.Hidden {
		i.move(&c, conv, chat.EventResume)
	}
	if m.Hidden {
		c.Append = append(c.Append, m)
	} else {
		i.attach(&c, conv, m)
	}
	_, stored, err := i.write(ctx, conv, chat.Fence{Lease: lease}, c)
	if err != nil {
		return chat.Message{}, err
	}
	return stored[len(stored)-1], nil
}

// move sets an event that keeps holder and group.
func (i *Intake) move(c *chat.Commit, conv chat.Conversation, e chat.Event) {
	c.Event = e
	c.Group, c.Priority, c.Agent, c.Lease = conv.Group, conv.Priority, conv.Agent, conv.Lease
	c.Append = append(c.Append, i.system(string(e), conv.Agent))
}

// Hold parks the conversation, or takes it up again.
func (i *Intake) Hold(ctx context.Context, u chat.User, id chat.ConvID, lease string, on bool) error {
	conv, err := i.held(ctx, u, id, lease)
	if err != nil {
		return err
	}
	var c chat.Commit
	switch {
	case on && conv.State == chat.StateServing:
		i.move(&c, conv, chat.EventHold)
		i.tell(&c, conv, i.phrase("on_hold", langOf(conv), map[string]string{"agent": u.Name}))
	case !on && conv.State == chat.StateOnHold:
		i.move(&c, conv, chat.EventResume)
	default:
		return nil
	}
	_, _, err = i.write(ctx, conv, chat.Fence{Lease: lease}, c)
	return err
}

// Release gives the conversation back to the front of its queue.
func (i *Intake) Release(ctx context.Context, u chat.User, id chat.ConvID, lease string) error {
	conv, err := i.held(ctx, u, id, lease)
	if err != nil {
		return err
	}
	l, err := i.o.Desk.Lease(ctx, conv.Group, id)
	if err != nil {
		return leaseGone(err)
	}
	c := chat.Commit{
		Event: chat.EventRelease, Group: conv.Group, Priority: conv.Priority,
		Append: []chat.Message{i.system(string(chat.EventRelease), u.ID)},
	}
	i.tell(&c, conv, i.phrase("agent_left", langOf(conv), nil))
	if _, _, err = i.write(ctx, conv, chat.Fence{Lease: lease}, c); err != nil {
		return err
	}
	return i.o.Desk.Requeue(ctx, l, true)
}

// Transfer passes the conversation to another group, or to one agent of it, with
// a note for whoever takes it. An unknown group is chat.ErrNotFound.
func (i *Intake) Transfer(ctx context.Context, u chat.User, id chat.ConvID, lease, group, agent, note string) error {
	conv, err := i.held(ctx, u, id, lease)
	if err != nil {
		return err
	}
	if group == "" {
		group = conv.Group
	}
	g := i.group(group)
	if g.ID != group {
		return chat.ErrNotFound
	}
	l, err := i.o.Desk.Lease(ctx, conv.Group, id)
	if err != nil {
		return leaseGone(err)
	}
	pkg := packageOf(conv)
	pkg.Group, pkg.Generation, pkg.Avoid = g.ID, l.Generation, ""
	if agent == "" && g.ID == conv.Group {
		pkg.Avoid = u.ID
	}
	raw, err := json.Marshal(pkg)
	if err != nil {
		return err
	}
	c := chat.Commit{
		Event: chat.EventTransfer, Group: g.ID, Priority: conv.Priority, Handoff: raw,
		Append: []chat.Message{i.system(string(chat.EventTransfer), g.ID)},
	}
	if note = strings.TrimSpace(note); note != "" {
		if utf8.RuneCountInString(note) > maxAgentText {
			return chat.ErrTooLong
		}
		c.Append = append(c.Append, chat.Message{
			ID: chat.NewMessageID(), Role: chat.RoleAgent, Kind: chat.KindNote, Hidden: true,
			Name: u.Name, Agent: u.ID, Text: i.o.Redact(note), At: i.o.Clock(),
		})
	}
	i.tell(&c, conv, i.phrase("handoff_transfer", langOf(conv), map[string]string{"group": g.Name}))
	if _, _, err = i.write(ctx, conv, chat.Fence{Lease: lease}, c); err != nil {
		return err
	}
	if err := i.o.Desk.Move(ctx, l, pkg); err != nil {
		return err
	}
	if agent == "" {
		return nil
	}
	to, _, err := i.o.Desk.Claim(ctx, agent, []string{g.ID}, id)
	if err != nil {
		return err
	}
	return i.serve(ctx, to, i.agentName(ctx, agent))
}

// Close ends the conversation and asks the contact how it was. A supervisor may
// close what he does not hold, without a lease.
func (i *Intake) Close(ctx context.Context, u chat.User, id chat.ConvID, lease, reason string) error {
	fence := chat.Fence{Lease: lease}
	conv, err := i.held(ctx, u, id, lease)
	if errors.Is(err, chat.ErrLeaseLost) && lease == "" && u.Has(chat.RoleUserSupervisor, chat.RoleUserAdmin) {
		fence, err = chat.Fence{Any: true}, nil
	}
	if err != nil {
		return err
	}
	if conv.State == chat.StateClosed {
		return nil
	}
	c := chat.Commit{
		Event: chat.EventClose,
		Append: []chat.Message{
			i.system(string(chat.EventClose), u.ID+" "+clip(i.o.Mask(reason), 60)),
		},
		Effects: i.closing(conv),
	}
	i.tell(&c, conv, i.phrase("closed_rate", langOf(conv), nil))
	_, _, err = i.write(ctx, conv, fence, c)
	return err
}

func clip(s string, n int) string {
	r := []rune(s)
	if len(r) > n {
		r = r[:n]
	}
	return string(r)
}

func leaseGone(err error) error {
	if errors.Is(err, chat.ErrNotFound) {
		return chat.ErrLeaseLost
	}
	return err
}

// Typing shows the contact that the agent is typing.
func (i *Intake) Typing(ctx context.Context, u chat.User, id chat.ConvID, lease string) error {
	conv, err := i.held(ctx, u, id, lease)
	if err != nil {
		return err
	}
	if i.o.Sender.Pulls(conv.Contact.Account) {
		return i.o.Store.Typing(ctx, id, chat.RoleAgent)
	}
	return i.o.Sender.Typing(ctx, conv.Contact)
}

// Renew keeps the agent's leases and presence alive, and returns those he still
// has. Renewing an assigned conversation accepts it.
func (i *Intake) Renew(ctx context.Context, u chat.User, leases []string) ([]handoff.Lease, error) {
	return i.o.Desk.Renew(ctx, u.ID, leases)
}

// Holds returns what the agent holds now.
func (i *Intake) Holds(ctx context.Context, u chat.User) ([]handoff.Lease, error) {
	return i.o.Desk.Holds(ctx, u.ID)
}

// SetPresence records the agent's status and how many conversations he takes.
func (i *Intake) SetPresence(ctx context.Context, u chat.User, s handoff.Status, capacity int) error {
	if capacity <= 0 {
		capacity = max(u.Capacity, 1)
	}
	return i.o.Desk.SetPresence(ctx, handoff.Agent{
		ID: u.ID, Name: u.Name, Status: s, Groups: i.groupsOf(u), Capacity: capacity, Seen: i.o.Clock(),
	})
}

// Agents returns everybody's presence.
func (i *Intake) Agents(ctx context.Context) ([]handoff.Agent, error) { return i.o.Desk.Agents(ctx) }

// Conversation returns a conversation with its whole transcript, live or archived.
func (i *Intake) Conversation(ctx context.Context, id chat.ConvID) (handoff.View, error) {
	conv, err := i.o.Store.Load(ctx, id)
	if errors.Is(err, chat.ErrNotFound) {
		conv, transcript, err := i.o.Archive.Conversation(ctx, id)
		if err != nil {
			return handoff.View{}, err
		}
		return handoff.View{Conversation: conv, Package: packageOf(conv), Messages: transcript, Archived: true}, nil
	}
	if err != nil {
		return handoff.View{}, err
	}
	transcript, err := i.o.Store.Transcript(ctx, id, 0, 0)
	if err != nil {
		return handoff.View{}, err
	}
	return handoff.View{Conversation: conv, Package: packageOf(conv), Messages: transcript}, nil
}

// Position returns the place of a waiting conversation in its queue, 1 is next;
// 0 when it does not wait.
func (i *Intake) Position(ctx context.Context, id chat.ConvID) (int, error) {
	conv, err := i.o.Store.Load(ctx, id)
	if err != nil || conv.State != chat.StateWaiting {
		return 0, err
	}
	return i.o.Desk.Position(ctx, conv.Group, id)
}

// stopForm ends a form that is under way in the bot's memory, because a person
// asks now; nil when there is none. Its answers are in the package.
func stopForm(memory json.RawMessage) json.RawMessage {
	var mem bot.Memory
	if len(memory) == 0 || json.Unmarshal(memory, &mem) != nil || mem.Form == nil || mem.Form.State != bot.FormAsking {
		return nil
	}
	mem.Stop()
	raw, err := json.Marshal(mem)
	if err != nil {
		return nil
	}
	return raw
}

// langOf is the language the contact was last answered in.
func langOf(conv chat.Conversation) string {
	var mem bot.Memory
	if len(conv.Memory) > 0 && json.Unmarshal(conv.Memory, &mem) != nil {
		return ""
	}
	return mem.Lang
}
