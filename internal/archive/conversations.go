package archive

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"wensheng/internal/chat"
)

// Bounds of ListConversations and of one insert.
const (
	listDefault = 50
	listMax     = 500
	insertBatch = 200
)

type convRow struct {
	bun.BaseModel `bun:"table:conversations,alias:c"`

	ID          string `bun:"id,pk"`
	Account     string `bun:"account"`
	Channel     string `bun:"channel"`
	AddressHash string `bun:"address_hash"`
	State       string `bun:"state"`
	Version     int64  `bun:"version"`
	LastGroup   string `bun:"last_group"`
	LastAgent   string `bun:"last_agent"`
	Score       int64  `bun:"score"`
	OpenedAt    int64  `bun:"opened_at"`
	ChangedAt   int64  `bun:"changed_at"`
	ArchivedAt  int64  `bun:"archived_at"`
	Head        []byte `bun:"head"`
}

type messageRow struct {
	bun.BaseModel `bun:"table:messages,alias:m"`

	Conv  string `bun:"conv,pk"`
	Epoch string `bun:"epoch,pk"`
	Seq   int64  `bun:"seq,pk"`
	ID    string `bun:"id"`
	Role  string `bun:"role"`
	Kind  string `bun:"kind"`
	At    int64  `bun:"at"`
	Body  []byte `bun:"body"`
}

func (a *Archive) addressHash(addr chat.Address) string {
	return a.seal.HMAC("archive address", string(addr.Account)+"\x00"+addr.ID)
}

// SaveConversation writes a conversation and messages of its transcript. It is
// idempotent, and an older version than the stored one changes nothing: the
// projector may be repeated in any order. Messages may come in parts; a message
// that is stored already is replaced, for its delivery may have changed.
func (a *Archive) SaveConversation(ctx context.Context, c chat.Conversation, messages []chat.Message) error {
	head, err := a.sealJSON(c)
	if err != nil {
		return wrap("save conversation", err)
	}
	row := convRow{
		ID: string(c.ID), Account: string(c.Contact.Account), Channel: c.Channel, AddressHash: a.addressHash(c.Contact),
		State: string(c.State), Version: c.Version, LastGroup: cmp.Or(c.Group, c.LastGroup), LastAgent: cmp.Or(c.Agent, c.LastAgent),
		Score: int64(c.Score), OpenedAt: micros(c.OpenedAt), ChangedAt: micros(c.ChangedAt), ArchivedAt: micros(a.clock()), Head: head,
	}
	rows := make([]messageRow, 0, len(messages))
	for _, m := range messages {
		body, err := a.sealJSON(m)
		if err != nil {
			return wrap("save conversation", err)
		}
		rows = append(rows, messageRow{
			Conv: string(c.ID), Epoch: c.Epoch, Seq: m.Seq, ID: string(m.ID), Role: string(m.Role), Kind: string(m.Kind), At: micros(m.At), Body: body,
		})
	}
	return a.within(ctx, "save conversation", func(ctx context.Context, tx bun.Tx) error {
		err := affected(tx.NewInsert().Model(&row).On("CONFLICT (id) DO UPDATE").
			Set("state = EXCLUDED.state").Set("version = EXCLUDED.version").
			Set("last_group = EXCLUDED.last_group").Set("last_agent = EXCLUDED.last_agent").
			Set("score = EXCLUDED.score").Set("changed_at = EXCLUDED.changed_at").
			Set("archived_at = EXCLUDED.archived_at").Set("head = EXCLUDED.head").
			Where("c.version <= EXCLUDED.version").Exec(ctx))
		if errors.Is(err, sql.ErrNoRows) {
			return nil // a newer version is stored
		}
		if err != nil {
			return err
		}
		for part := range slices.Chunk(rows, insertBatch) {
			_, err := tx.NewInsert().Model(&part).On("CONFLICT (conv, epoch, seq) DO UPDATE").
				Set("id = EXCLUDED.id").Set("role = EXCLUDED.role").Set("kind = EXCLUDED.kind").
				Set("at = EXCLUDED.at").Set("body = EXCLUDED.body").Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Conversation returns an archived conversation and its transcript, oldest
// first, hidden messages included, or chat.ErrNotFound. What was sealed under
// an older key is sealed again.
func (a *Archive) Conversation(ctx context.Context, id chat.ConvID) (chat.Conversation, []chat.Message, error) {
	var row convRow
	if err := a.read.NewSelect().Model(&row).Where("id = ?", string(id)).Scan(ctx); err != nil {
		return chat.Conversation{}, nil, wrap("read conversation", err)
	}
	var c chat.Conversation
	if err := a.openJSON(row.Head, &c); err != nil {
		return chat.Conversation{}, nil, wrap("read conversation", err)
	}
	var rows []messageRow
	if err := a.read.NewSelect().Model(&rows).Where("conv = ?", string(id)).Order("seq").Scan(ctx); err != nil {
		return chat.Conversation{}, nil, wrap("read transcript", err)
	}
	sortEpochs(rows)
	messages := make([]chat.Message, len(rows))
	for i, r := range rows {
		if err := a.openJSON(r.Body, &messages[i]); err != nil {
			return chat.Conversation{}, nil, wrap("read transcript", err)
		}
	}
	if err := a.reseal(ctx, row, rows); err != nil {
		a.log.WarnContext(ctx, "archived conversation could not be sealed again", "conv", string(id), "err", err)
	}
	return c, messages, nil
}

// sortEpochs puts the transcripts of a conversation that was started again
// behind each other, each in its own order.
func sortEpochs(rows []messageRow) {
	first := map[string]int64{}
	for _, r := range rows {
		if at, ok := first[r.Epoch]; !ok || r.At < at {
			first[r.Epoch] = r.At
		}
	}
	slices.SortStableFunc(rows, func(x, y messageRow) int {
		return cmp.Or(cmp.Compare(first[x.Epoch], first[y.Epoch]), cmp.Compare(x.Epoch, y.Epoch), cmp.Compare(x.Seq, y.Seq))
	})
}

// reseal writes what was sealed under an older key again under the current one.
// A row that somebody changed meanwhile is left to the next reader.
func (a *Archive) reseal(ctx context.Context, row convRow, rows []messageRow) error {
	again := func(ctx context.Context, model any, column string, sealed []byte, where string, args ...any) error {
		plain, err := a.seal.Open(sealed)
		if err != nil {
			return err
		}
		_, err = a.write.NewUpdate().Model(model).Set("? = ?", bun.Ident(column), a.seal.Seal(plain)).
			Where(where, args...).Where("? = ?", bun.Ident(column), sealed).Exec(ctx)
		return err
	}
	if a.seal.Stale(row.Head) {
		if err := again(ctx, (*convRow)(nil), "head", row.Head, "id = ?", row.ID); err != nil {
			return err
		}
	}
	for _, r := range rows {
		if !a.seal.Stale(r.Body) {
			continue
		}
		if err := again(ctx, (*messageRow)(nil), "body", r.Body, "conv = ? AND epoch = ? AND seq = ?", r.Conv, r.Epoch, r.Seq); err != nil {
			return err
		}
	}
	return nil
}

// ConversationQuery narrows ListConversations. Empty fields do not.
type ConversationQuery struct {
	Account      chat.AccountID
	Channel      string
	Address      chat.Address
	Group, Agent string
	From, To     time.Time // of the last change; To is not included
	Score        int
	Limit        int         // 50 by default, at most 500
	BeforeTime   time.Time   // with BeforeID: the last one of the page before,
	BeforeID     chat.ConvID // its ChangedAt and ID
}

// ListConversations returns archived conversations without their transcripts,
// the one that changed last first.
func (a *Archive) ListConversations(ctx context.Context, q ConversationQuery) ([]chat.Conversation, error) {
	var rows []convRow
	sel := a.read.NewSelect().Model(&rows).Order("changed_at DESC", "id DESC").Limit(bound(q.Limit, listDefault, listMax))
	for column, v := range map[string]string{
		"account": string(q.Account), "channel": q.Channel, "last_group": q.Group, "last_agent": q.Agent,
	} {
		if v != "" {
			sel = sel.Where("? = ?", bun.Ident(column), v)
		}
	}
	if !q.Address.Zero() {
		sel = sel.Where("address_hash = ?", a.addressHash(q.Address))
	}
	if !q.From.IsZero() {
		sel = sel.Where("changed_at >= ?", micros(q.From))
	}
	if !q.To.IsZero() {
		sel = sel.Where("changed_at < ?", micros(q.To))
	}
	if q.Score != 0 {
		sel = sel.Where("score = ?", q.Score)
	}
	if q.BeforeID != "" {
		at := micros(q.BeforeTime)
		sel = sel.Where("(changed_at < ? OR changed_at = ? AND id < ?)", at, at, string(q.BeforeID))
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, wrap("list conversations", err)
	}
	out := make([]chat.Conversation, len(rows))
	for i, r := range rows {
		if err := a.openJSON(r.Head, &out[i]); err != nil {
			return nil, wrap("list conversations", err)
		}
	}
	return out, nil
}
