package archive

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"wensheng/internal/chat"
	"wensheng/internal/pii"
)

// auditLock is the advisory lock of PostgreSQL that puts writers of the audit
// log in a row: every line hangs on the one before.
const auditLock = 0x77656e7368656e67

// Bounds of Audits.
const (
	auditsDefault = 100
	auditsMax     = 1000
	verifyBatch   = 1000
)

type auditRow struct {
	bun.BaseModel `bun:"table:audits,alias:a"`

	ID     int64  `bun:"id,pk"`
	At     int64  `bun:"at"`
	User   string `bun:"user_id"`
	Action string `bun:"action"`
	Object string `bun:"object"`
	Detail string `bun:"detail"`
	IP     string `bun:"ip"`
	Hash   []byte `bun:"hash"`
}

// chain returns the hash of r behind prev. It is keyed, so that whoever can
// write to the database alone cannot forge a line.
func (a *Archive) chain(prev []byte, r auditRow) ([]byte, error) {
	line, err := json.Marshal([]any{r.ID, r.At, r.User, r.Action, r.Object, r.Detail, r.IP})
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, a.auditKey)
	mac.Write(prev)
	mac.Write(line)
	return mac.Sum(nil), nil
}

// AddAudit appends a line; ID is given by the log, an empty At is now. Detail
// should hold no personal data; what is found in it is masked.
func (a *Archive) AddAudit(ctx context.Context, e chat.Audit) error {
	if e.At.IsZero() {
		e.At = a.clock()
	}
	row := auditRow{
		At: micros(e.At), User: clean(e.User), Action: clean(e.Action), Object: clean(e.Object), Detail: pii.Mask(clean(e.Detail)), IP: clean(e.IP),
	}
	return a.within(ctx, "add audit", func(ctx context.Context, tx bun.Tx) error {
		if a.mode == ModePostgres {
			if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", int64(auditLock)); err != nil {
				return err
			}
		}
		var last auditRow
		err := tx.NewSelect().Model(&last).Order("id DESC").Limit(1).Scan(ctx)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		row.ID = last.ID + 1
		if row.Hash, err = a.chain(last.Hash, row); err != nil {
			return err
		}
		_, err = tx.NewInsert().Model(&row).Exec(ctx)
		return err
	})
}

// clean drops what PostgreSQL refuses in text.
func clean(s string) string {
	return string(bytes.ToValidUTF8(bytes.ReplaceAll([]byte(s), []byte{0}, nil), nil))
}

// AuditQuery narrows Audits. Empty fields do not.
type AuditQuery struct {
	Object, User, Action string
	// Limit is 100 by default, at most 1000. Before, when not 0, is the ID of
	// the last line of the page before.
	Limit  int
	Before int64
}

// Audits returns lines, newest first.
func (a *Archive) Audits(ctx context.Context, q AuditQuery) ([]chat.Audit, error) {
	var rows []auditRow
	sel := a.read.NewSelect().Model(&rows).Order("id DESC").Limit(bound(q.Limit, auditsDefault, auditsMax))
	for column, v := range map[string]string{"object": q.Object, "user_id": q.User, "action": q.Action} {
		if v != "" {
			sel = sel.Where("? = ?", bun.Ident(column), v)
		}
	}
	if q.Before > 0 {
		sel = sel.Where("id < ?", q.Before)
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, wrap("read audits", err)
	}
	out := make([]chat.Audit, 0, len(rows))
	for _, r := range rows {
		out = append(out, chat.Audit{ID: r.ID, At: moment(r.At), User: r.User, Action: r.Action, Object: r.Object, Detail: r.Detail, IP: r.IP})
	}
	return out, nil
}

func bound(n, byDefault, most int) int64 {
	if n <= 0 {
		return int64(byDefault)
	}
	return int64(min(n, most))
}

// ChainError says where the audit log was tampered with.
type ChainError struct {
	// ID is the first line that is missing or does not match.
	ID int64
}

func (e *ChainError) Error() string {
	return fmt.Sprintf("archive: the audit log was changed at line %d", e.ID)
}

// Verify reads the whole audit log and returns how many lines it has, or a
// *ChainError. It cannot see that lines are missing at the very end: compare
// the count with one noted elsewhere.
func (a *Archive) Verify(ctx context.Context) (lines int64, err error) {
	var prev []byte
	for {
		var rows []auditRow
		if err := a.read.NewSelect().Model(&rows).Where("id > ?", lines).Order("id").Limit(verifyBatch).Scan(ctx); err != nil {
			return lines, wrap("verify audits", err)
		}
		for _, r := range rows {
			want, err := a.chain(prev, r)
			if err != nil {
				return lines, wrap("verify audits", err)
			}
			if r.ID != lines+1 || !hmac.Equal(want, r.Hash) {
				return lines, &ChainError{ID: lines + 1}
			}
			lines, prev = r.ID, r.Hash
		}
		if len(rows) < verifyBatch {
			return lines, nil
		}
	}
}
