package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"wensheng/internal/chat"
)

// Commit implements chat.Store. Sent again with the same turn after its reply
// was lost, it changes nothing and answers what the first one did. A message
// without ID gets one; an effect without Due is the committer's to carry out and
// becomes the sweeper's when the effect lease has passed.
func (s *Store) Commit(ctx context.Context, t *chat.Turn, c chat.Commit) ([]chat.Message, *chat.Turn, error) {
	conv := t.Conversation.ID
	now := s.clock()
	until := now.Add(s.turnLease)
	messages, change, err := s.change(now, c, c.Generation, false)
	if err != nil {
		return nil, nil, err
	}
	args := append([]any{t.Token, t.Conversation.Version, until.UnixMilli()}, change...)
	r, err := s.on(ctx, s.scripts.commit, conv, args...)
	if err != nil {
		return nil, nil, applies(err, c.Event)
	}
	if r.str(0) == "REPLAY" {
		if messages, err = s.openEntries(r.list(1)); err != nil {
			return nil, nil, err
		}
	} else {
		number(messages, integer(r.str(1)), integer(r.str(2)))
	}
	if r.str(3) != "1" {
		return messages, nil, nil
	}
	next, err := s.turn(conv, t.Token, until, r.list(4), r.list(5))
	return messages, next, err
}

// Write implements chat.Store. Where Redis applies one script at a time there is
// no version to conflict with: the fence alone decides. A claim passes with a
// generation greater than the stored one, from waiting, or over an older
// holder; claiming again with the same lease and generation is not an error. A
// fence with a Generation below the stored one is stale: ErrLeaseLost.
// Fence.States not met is ErrConflict; an event that does not apply is a
// *chat.TransitionError.
func (s *Store) Write(ctx context.Context, conv chat.ConvID, fence chat.Fence, c chat.Commit) (chat.Conversation, []chat.Message, error) {
	generation := c.Generation
	if generation == 0 && c.Event == chat.EventClaim {
		generation = fence.Generation
	}
	messages, change, err := s.change(s.clock(), c, generation, true)
	if err != nil {
		return chat.Conversation{}, nil, err
	}
	var states strings.Builder
	for _, st := range fence.States {
		states.WriteString("," + string(st) + ",")
	}
	args := append([]any{fence.Lease, max(fence.Generation, generationOfClaim(c, generation)), flag(fence.Any), states.String()}, change...)
	r, err := s.on(ctx, s.scripts.write, conv, args...)
	if err != nil {
		return chat.Conversation{}, nil, applies(err, c.Event)
	}
	out, err := s.conversation(conv, pairs(r.list(1)))
	if err != nil {
		return chat.Conversation{}, nil, err
	}
	if r.str(0) == "REPLAY" {
		messages, err = s.openEntries(r.list(2))
		return out, messages, err
	}
	number(messages, integer(r.str(2)), integer(r.str(3)))
	return out, messages, nil
}

// generationOfClaim lets a claim's own generation be its right.
func generationOfClaim(c chat.Commit, generation int64) int64 {
	if c.Event == chat.EventClaim {
		return generation
	}
	return 0
}

// number gives the messages what the script gave their entries.
func number(messages []chat.Message, seq, vseq int64) {
	for i := range messages {
		seq++
		messages[i].Seq = seq
		if !messages[i].Hidden {
			vseq++
			messages[i].VSeq = vseq
		}
	}
}

// change encodes a Commit as the block that lib.lua describes. It returns the
// messages as they will be stored, without their numbers.
func (s *Store) change(now time.Time, c chat.Commit, generation int64, write bool) ([]chat.Message, []any, error) {
	var transitions string
	if c.Event != "" {
		transitions = s.transitions[c.Event]
	}
	memory, handoff := s.sealRaw(c.Memory), s.sealRaw(c.Handoff)
	args := make([]any, 0, 16+6*len(c.Append)+4*len(c.Effects))
	args = append(args, c.Cursor, string(c.Event), transitions, c.Group, c.Priority, c.Agent, c.Lease, generation, c.Score,
		flag(c.Memory != nil), memory, flag(c.Handoff != nil), handoff, len(c.Append))

	messages := make([]chat.Message, len(c.Append))
	for i, m := range c.Append {
		if m.ID == "" {
			m.ID = chat.NewMessageID()
		}
		m.At = moment(m.At, now)
		// A note is never the contact's to see.
		m.Hidden = m.Hidden || m.Kind == chat.KindNote
		m.Delivery, m.DeliveryNote = "", ""
		body, err := s.sealMessage(m)
		if err != nil {
			return nil, nil, err
		}
		var written string
		if write {
			written = s.writtenID(m)
		}
		m.Delivery = c.Deliver[m.ID]
		kind := "n"
		if m.Delivery != "" {
			kind = "d"
		}
		args = append(args, string(m.ID), flag(m.Hidden), kind, string(m.Delivery), written, body)
		messages[i] = m
	}
	args = append(args, len(c.Effects))
	for _, e := range c.Effects {
		if e.ID == "" || strings.Contains(string(e.Kind), "|") {
			return nil, nil, fmt.Errorf("store: effect of kind %q needs an id", e.Kind)
		}
		due := e.Due
		if due.IsZero() {
			due = now.Add(s.effectLease)
		}
		args = append(args, e.ID, due.UnixMilli(), string(e.Kind), string(e.Message)+"|"+strconv.FormatInt(e.Generation, 10)+"|"+e.Group)
	}
	return messages, args, nil
}

func (s *Store) sealRaw(raw []byte) []byte {
	if len(raw) == 0 {
		return nil
	}
	return s.sealer.Seal(raw)
}

// applies completes a transition's refusal with the event, which the script
// does not repeat.
func applies(err error, event chat.Event) error {
	if refused, ok := errors.AsType[*chat.TransitionError](err); ok {
		refused.Event = event
	}
	return err
}
