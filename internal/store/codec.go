package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"wensheng/internal/chat"
)

// sep parts the fields of an entry; it stands in none of the first four.
const sep = "\x1f"

// flagTransition marks an entry made by a script itself, which cannot seal. It
// holds only an event and a time.
const flagTransition = "x"

// sealMessage is a message's body in the transcript. Seq and VSeq stand before
// it, because only the script knows them; the delivery is kept elsewhere,
// because it changes.
func (s *Store) sealMessage(m chat.Message) ([]byte, error) {
	m.Seq, m.VSeq, m.Delivery, m.DeliveryNote = 0, 0, "", ""
	return s.sealJSON(m)
}

// openEntry reads "seq␟vseq␟flag␟id␟body".
func (s *Store) openEntry(entry string) (chat.Message, error) {
	var m chat.Message
	part := strings.SplitN(entry, sep, 5)
	if len(part) != 5 {
		return m, fmt.Errorf("store: malformed entry of %d bytes", len(entry))
	}
	if part[2] == flagTransition {
		event, at, _ := strings.Cut(part[4], "|")
		m = chat.Message{
			Role: chat.RoleSystem, Kind: chat.KindEvent, Event: event, Hidden: true,
			At: time.UnixMilli(integer(at)).UTC(),
		}
	} else {
		plain, err := s.sealer.Open([]byte(part[4]))
		if err != nil {
			return m, fmt.Errorf("store: open message: %w", err)
		}
		if err := json.Unmarshal(plain, &m); err != nil {
			return m, fmt.Errorf("store: decode message: %w", err)
		}
	}
	m.ID, m.Seq, m.VSeq = chat.MessageID(part[3]), integer(part[0]), integer(part[1])
	return m, nil
}

func (s *Store) openEntries(entries []string) ([]chat.Message, error) {
	out := make([]chat.Message, len(entries))
	for i, e := range entries {
		m, err := s.openEntry(e)
		if err != nil {
			return nil, err
		}
		out[i] = m
	}
	return out, nil
}

// openDelivery reads "delivery␟sealed note".
func (s *Store) openDelivery(m *chat.Message, value string) error {
	d, note, _ := strings.Cut(value, sep)
	m.Delivery = chat.Delivery(d)
	if note == "" {
		return nil
	}
	plain, err := s.sealer.Open([]byte(note))
	if err != nil {
		return fmt.Errorf("store: open delivery note: %w", err)
	}
	m.DeliveryNote = string(plain)
	return nil
}

// turn builds what the holder of a lease has read.
func (s *Store) turn(conv chat.ConvID, token string, until time.Time, hash, unread []string) (*chat.Turn, error) {
	c, err := s.conversation(conv, pairs(hash))
	if err != nil {
		return nil, err
	}
	messages, err := s.openEntries(unread)
	if err != nil {
		return nil, err
	}
	return &chat.Turn{Conversation: c, Token: token, Until: until, Unread: messages}, nil
}

// pairs makes a map of a flat hash.
func pairs(flat []string) map[string]string {
	m := make(map[string]string, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		m[flat[i]] = flat[i+1]
	}
	return m
}

// conversation reads the hash.
func (s *Store) conversation(id chat.ConvID, h map[string]string) (chat.Conversation, error) {
	c := chat.Conversation{
		ID: id, Channel: h["chn"], Epoch: h["epo"], State: chat.State(h["st"]),
		Version: integer(h["ver"]), Seq: integer(h["seq"]), VSeq: integer(h["vs"]),
		Cursor: integer(h["cur"]), ReadVSeq: integer(h["rdv"]),
		Group: h["grp"], Priority: h["pri"], Agent: h["agt"], Lease: h["lea"],
		LastGroup: h["lg"], LastAgent: h["la"], Generation: integer(h["gen"]),
		OpenedAt: instant(h["opn"]), ChangedAt: instant(h["chg"]), ActiveAt: instant(h["act"]),
		Score: int(integer(h["sco"])),
	}
	if err := s.openJSON(h["adr"], &c.Contact); err != nil {
		return c, err
	}
	if h["idn"] != "" {
		c.Identity = new(chat.Identity)
		if err := s.openJSON(h["idn"], c.Identity); err != nil {
			return c, err
		}
	}
	var err error
	if c.Memory, err = s.openRaw(h["mem"]); err != nil {
		return c, err
	}
	c.Handoff, err = s.openRaw(h["hnd"])
	return c, err
}

func instant(ms string) time.Time {
	if ms == "" {
		return time.Time{}
	}
	return time.UnixMilli(integer(ms)).UTC()
}

func (s *Store) openRaw(sealed string) (json.RawMessage, error) {
	if sealed == "" {
		return nil, nil
	}
	plain, err := s.sealer.Open([]byte(sealed))
	if err != nil {
		return nil, fmt.Errorf("store: open conversation: %w", err)
	}
	return plain, nil
}

func (s *Store) openJSON(sealed string, to any) error {
	plain, err := s.openRaw(sealed)
	if err != nil || plain == nil {
		return err
	}
	if err := json.Unmarshal(plain, to); err != nil {
		return fmt.Errorf("store: decode conversation: %w", err)
	}
	return nil
}
