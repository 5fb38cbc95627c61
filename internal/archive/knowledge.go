package archive

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"wensheng/internal/chat"
	"wensheng/internal/kb"
)

// pointerRow is the only row of kb_pointer.
const pointerRow = 1

// versionsMax bounds Versions.
const versionsMax = 500

type versionRow struct {
	bun.BaseModel `bun:"table:kb_versions,alias:v"`

	ID        string `bun:"id,pk"`
	State     string `bun:"state"`
	CreatedAt int64  `bun:"created_at"`
	Revision  int64  `bun:"revision"`
	Head      string `bun:"head"`
	Files     []byte `bun:"files"`
}

func newVersionRow(v kb.Version, files kb.Files) (versionRow, error) {
	head, err := json.Marshal(v)
	if err != nil {
		return versionRow{}, err
	}
	row := versionRow{ID: v.ID, State: string(v.State), CreatedAt: micros(v.CreatedAt), Revision: v.Revision, Head: string(head)}
	if files != nil {
		row.Files, err = files.Pack()
	}
	return row, err
}

func (r versionRow) version() (kb.Version, error) {
	var v kb.Version
	err := json.Unmarshal([]byte(r.Head), &v)
	return v, err
}

// CreateVersion stores a new version with its files. Errors: chat.ErrTaken.
func (a *Archive) CreateVersion(ctx context.Context, v kb.Version, files kb.Files) error {
	row, err := newVersionRow(v, files)
	if err == nil {
		_, err = a.write.NewInsert().Model(&row).Exec(ctx)
	}
	return wrap("create version", err)
}

// Versions returns the versions without their files, the newest first.
func (a *Archive) Versions(ctx context.Context) ([]kb.Version, error) {
	var rows []versionRow
	err := a.read.NewSelect().Model(&rows).Column("head").Order("created_at DESC", "id DESC").Limit(versionsMax).Scan(ctx)
	if err != nil {
		return nil, wrap("read versions", err)
	}
	out := make([]kb.Version, 0, len(rows))
	for _, r := range rows {
		v, err := r.version()
		if err != nil {
			return nil, wrap("read versions", err)
		}
		out = append(out, v)
	}
	return out, nil
}

// Version returns one version, or chat.ErrNotFound.
func (a *Archive) Version(ctx context.Context, id string) (kb.Version, error) {
	var row versionRow
	if err := a.read.NewSelect().Model(&row).Column("head").Where("id = ?", id).Scan(ctx); err != nil {
		return kb.Version{}, wrap("read version", err)
	}
	v, err := row.version()
	return v, wrap("read version", err)
}

// VersionFiles returns a version together with its files as they stand at one
// moment, or chat.ErrNotFound.
func (a *Archive) VersionFiles(ctx context.Context, id string) (kb.Version, kb.Files, error) {
	var row versionRow
	if err := a.read.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx); err != nil {
		return kb.Version{}, nil, wrap("read version files", err)
	}
	v, err := row.version()
	if err != nil {
		return v, nil, wrap("read version files", err)
	}
	files, err := kb.Unpack(row.Files)
	return v, files, wrap("read version files", err)
}

// SaveVersion writes a version that has revision was, and its files unless they
// are nil. chat.ErrConflict says that it has another one by now, or is gone.
func (a *Archive) SaveVersion(ctx context.Context, v kb.Version, files kb.Files, was int64) error {
	return conflict("save version", saveVersion(ctx, a.write, v, files, was))
}

func saveVersion(ctx context.Context, db bun.IDB, v kb.Version, files kb.Files, was int64) error {
	row, err := newVersionRow(v, files)
	if err != nil {
		return err
	}
	columns := []string{"state", "revision", "head"}
	if files != nil {
		columns = append(columns, "files")
	}
	return affected(db.NewUpdate().Model(&row).Column(columns...).Where("id = ?", v.ID).Where("revision = ?", was).Exec(ctx))
}

// fenced is within, for a step whose every statement must meet its row.
func (a *Archive) fenced(ctx context.Context, what string, fn func(ctx context.Context, tx bun.Tx) error) error {
	return conflict(what, a.write.RunInTx(ctx, nil, fn))
}

// conflict turns a statement that met no row into chat.ErrConflict.
func conflict(what string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return wrap(what, chat.ErrConflict)
	}
	return wrap(what, err)
}

// DeleteVersion deletes a version that has revision was; what was learned and
// stood in it is new again. Errors: chat.ErrConflict.
func (a *Archive) DeleteVersion(ctx context.Context, id string, was int64) error {
	return a.fenced(ctx, "delete version", func(ctx context.Context, tx bun.Tx) error {
		err := affected(tx.NewDelete().Model((*versionRow)(nil)).Where("id = ?", id).Where("revision = ?", was).Exec(ctx))
		if err != nil {
			return err
		}
		return a.settle(ctx, tx, id, kb.LearnNew)
	})
}

// Pointer returns which version is in force. It is the smallest of questions:
// every replica asks it all the time.
func (a *Archive) Pointer(ctx context.Context) (kb.Pointer, error) {
	var p kb.Pointer
	err := a.read.NewSelect().Table("kb_pointer").Column("published", "next", "serial").
		Where("id = ?", pointerRow).Scan(ctx, &p.Published, &p.Next, &p.Serial)
	return p, wrap("read pointer", err)
}

// SetNext names the version every replica should have ready.
func (a *Archive) SetNext(ctx context.Context, id string) error {
	_, err := a.write.NewUpdate().Table("kb_pointer").Set("next = ?", id).Set("serial = serial + 1").
		Where("id = ?", pointerRow).Where("next <> ?", id).Exec(ctx)
	return wrap("set next", err)
}

// Publish puts v, which has revision was, in force in the place of the version
// from ("" for none): the pointer, both versions' states and what was learned
// for it change together or not at all. chat.ErrConflict says that v changed
// meanwhile, or that another version than from is in force.
func (a *Archive) Publish(ctx context.Context, v kb.Version, was int64, from string) error {
	return a.fenced(ctx, "publish", func(ctx context.Context, tx bun.Tx) error {
		// The pointer first: of two who publish, one waits here for the other.
		err := affected(tx.NewUpdate().Table("kb_pointer").Set("published = ?", v.ID).Set("next = ''").Set("serial = serial + 1").
			Where("id = ?", pointerRow).Where("published = ?", from).Exec(ctx))
		if err != nil {
			return err
		}
		if err := saveVersion(ctx, tx, v, nil, was); err != nil {
			return err
		}
		if from != "" && from != v.ID {
			var row versionRow
			if err := tx.NewSelect().Model(&row).Column("head").Where("id = ?", from).Scan(ctx); err != nil {
				return err
			}
			old, err := row.version()
			if err != nil {
				return err
			}
			before := old.Revision
			old.State, old.Revision, old.ChangedAt = kb.Replaced, before+1, v.ChangedAt
			if err := saveVersion(ctx, tx, old, nil, before); err != nil {
				return err
			}
		}
		return a.settle(ctx, tx, v.ID, kb.LearnApplied)
	})
}

type setRow struct {
	bun.BaseModel `bun:"table:kb_sets,alias:s"`

	ID   string `bun:"id,pk"`
	At   int64  `bun:"at"`
	Body []byte `bun:"body"`
}

// CreateTestSet stores a test set. Errors: chat.ErrTaken.
func (a *Archive) CreateTestSet(ctx context.Context, s kb.TestSet) error {
	body, err := a.sealJSON(s)
	if err == nil {
		_, err = a.write.NewInsert().Model(&setRow{ID: s.ID, At: micros(s.At), Body: body}).Exec(ctx)
	}
	return wrap("create test set", err)
}

// TestSets returns all test sets, the oldest first.
func (a *Archive) TestSets(ctx context.Context) ([]kb.TestSet, error) {
	var rows []setRow
	if err := a.read.NewSelect().Model(&rows).Order("at", "id").Scan(ctx); err != nil {
		return nil, wrap("read test sets", err)
	}
	out := make([]kb.TestSet, len(rows))
	for i, r := range rows {
		if err := a.openJSON(r.Body, &out[i]); err != nil {
			return nil, wrap("read test sets", err)
		}
	}
	return out, nil
}

// DeleteTestSet deletes a test set and its history, or returns chat.ErrNotFound.
func (a *Archive) DeleteTestSet(ctx context.Context, id string) error {
	return a.within(ctx, "delete test set", func(ctx context.Context, tx bun.Tx) error {
		if err := affected(tx.NewDelete().Model((*setRow)(nil)).Where("id = ?", id).Exec(ctx)); err != nil {
			return err
		}
		_, err := tx.NewDelete().Model((*runRow)(nil)).Where("set_id = ?", id).Exec(ctx)
		return err
	})
}

type runRow struct {
	bun.BaseModel `bun:"table:kb_runs,alias:r"`

	ID     string `bun:"id,pk"`
	Kind   string `bun:"kind"`
	State  string `bun:"state"`
	Set    string `bun:"set_id"`
	At     int64  `bun:"at"`
	Beat   int64  `bun:"beat"`
	Passed int64  `bun:"passed"`
	Cases  int64  `bun:"cases"`
	Body   []byte `bun:"body"`
}

// SaveRun writes a run, or its progress, or its end. score is what the
// history of its test set shows.
func (a *Archive) SaveRun(ctx context.Context, r kb.Run, score kb.Score) error {
	body, err := a.sealJSON(r)
	if err != nil {
		return wrap("save run", err)
	}
	row := runRow{
		ID: r.ID, Kind: r.Kind, State: r.State, Set: r.Set, At: micros(r.At), Beat: micros(a.clock()),
		Passed: int64(score.Passed), Cases: int64(score.Cases), Body: body,
	}
	_, err = a.write.NewInsert().Model(&row).On("CONFLICT (id) DO UPDATE").
		Set("state = EXCLUDED.state").Set("beat = EXCLUDED.beat").Set("passed = EXCLUDED.passed").
		Set("cases = EXCLUDED.cases").Set("body = EXCLUDED.body").Exec(ctx)
	return wrap("save run", err)
}

// Run returns a run, or chat.ErrNotFound.
func (a *Archive) Run(ctx context.Context, id string) (kb.Run, error) {
	var row runRow
	if err := a.read.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx); err != nil {
		return kb.Run{}, wrap("read run", err)
	}
	return a.run(row)
}

func (a *Archive) run(row runRow) (kb.Run, error) {
	var r kb.Run
	err := a.openJSON(row.Body, &r)
	r.Beat = moment(row.Beat)
	return r, wrap("read run", err)
}

// Outcomes returns what the runs of a test set gave, the newest first; set ""
// returns the newest one of every set.
func (a *Archive) Outcomes(ctx context.Context, set string, limit int) ([]kb.Outcome, error) {
	var rows []runRow
	sel := a.read.NewSelect().Model(&rows).Where("kind = ?", kb.RunBatch).Where("state = ?", kb.Done).Order("at DESC", "id DESC")
	if set != "" {
		sel = sel.Where("set_id = ?", set).Limit(bound(limit, listDefault, listMax))
	} else {
		sel = sel.Where("at = (SELECT MAX(o.at) FROM kb_runs AS o WHERE o.set_id = r.set_id AND o.kind = r.kind AND o.state = r.state)").Limit(listMax)
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, wrap("read outcomes", err)
	}
	out := make([]kb.Outcome, 0, len(rows))
	for _, row := range rows {
		r, err := a.run(row)
		if err != nil {
			return nil, err
		}
		out = append(out, kb.Outcome{
			Run: r.ID, Set: r.Set, Version: r.Version, Hash: r.Hash, Passed: int(row.Passed), Cases: int(row.Cases), At: r.At, By: r.By,
		})
	}
	return out, nil
}

type learnRow struct {
	bun.BaseModel `bun:"table:kb_learn,alias:k"`

	ID      string `bun:"id,pk"`
	Key     string `bun:"text_key"`
	State   string `bun:"state"`
	Source  string `bun:"source"`
	At      int64  `bun:"at"`
	Version string `bun:"version"`
	Body    []byte `bun:"body"`
}

func (a *Archive) learnRow(it kb.Item) (learnRow, error) {
	body, err := a.sealJSON(it)
	return learnRow{
		ID: it.ID, Key: it.Key, State: string(it.State), Source: string(it.Source), At: micros(it.At), Version: it.Version, Body: body,
	}, err
}

// learnKey stands for what was said, so that the same words are found again
// without being readable.
func (a *Archive) learnKey(said string) string { return a.seal.HMAC("learned text", said) }

// AddItems keeps what is worth learning from; an item that is there already
// stays as it is. Key is what was said, squashed: it is stored as an HMAC. A new
// one whose words stand in a draft already, or were dismissed, joins them there.
func (a *Archive) AddItems(ctx context.Context, items []kb.Item) error {
	return a.within(ctx, "add items", func(ctx context.Context, tx bun.Tx) error {
		for _, it := range items {
			it.Key = a.learnKey(it.Key)
			if it.State == kb.LearnNew {
				var rows []learnRow
				err := tx.NewSelect().Model(&rows).Where("text_key = ?", it.Key).
					Where("state IN (?, ?)", string(kb.LearnPending), string(kb.LearnDismissed)).Order("at DESC").Limit(1).Scan(ctx)
				if err != nil {
					return err
				}
				if len(rows) > 0 {
					var same kb.Item
					if err := a.openJSON(rows[0].Body, &same); err != nil {
						return err
					}
					it.State, it.Cluster, it.Version = same.State, same.Cluster, same.Version
					it.By, it.Changed, it.Reason = same.By, same.Changed, same.Reason
				}
			}
			row, err := a.learnRow(it)
			if err != nil {
				return err
			}
			if _, err := tx.NewInsert().Model(&row).On("CONFLICT (id) DO NOTHING").Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// Items returns the newest items in a state, or, with labelled, those of any
// state that carry a label; the newest first, at most limit.
func (a *Archive) Items(ctx context.Context, state kb.LearnState, labelled bool, limit int) ([]kb.Item, error) {
	var rows []learnRow
	sel := a.read.NewSelect().Model(&rows).Order("at DESC", "id DESC").Limit(int64(limit))
	if labelled {
		sel = sel.Where("source IN (?, ?)", string(kb.SourcePicked), string(kb.SourceUp))
	} else {
		sel = sel.Where("state = ?", string(state))
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, wrap("read items", err)
	}
	out := make([]kb.Item, len(rows))
	for i, r := range rows {
		if err := a.openJSON(r.Body, &out[i]); err != nil {
			return nil, wrap("read items", err)
		}
	}
	return out, nil
}

// LearnCounts returns how many different wordings stand in each state.
func (a *Archive) LearnCounts(ctx context.Context) (map[kb.LearnState]int, error) {
	var rows []struct {
		State string `bun:"state"`
		N     int64  `bun:"n"`
	}
	err := a.read.NewSelect().Table("kb_learn").Column("state").ColumnExpr("COUNT(DISTINCT text_key) AS n").Group("state").Scan(ctx, &rows)
	if err != nil {
		return nil, wrap("count learned", err)
	}
	out := map[kb.LearnState]int{}
	for _, r := range rows {
		out[kb.LearnState(r.State)] = int(r.N)
	}
	return out, nil
}

// MoveItems writes the state, cluster and everything beside of items that are
// still in the state was; chat.ErrConflict when one of them is not.
func (a *Archive) MoveItems(ctx context.Context, items []kb.Item, was kb.LearnState) error {
	return a.fenced(ctx, "move items", func(ctx context.Context, tx bun.Tx) error {
		for _, it := range items {
			row, err := a.learnRow(it)
			if err != nil {
				return err
			}
			err = affected(tx.NewUpdate().Model(&row).Column("state", "version", "body").
				Where("id = ?", it.ID).Where("state = ?", string(was)).Exec(ctx))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// settle moves what stands in a version on, when that was published or deleted.
func (a *Archive) settle(ctx context.Context, tx bun.Tx, version string, to kb.LearnState) error {
	var rows []learnRow
	err := tx.NewSelect().Model(&rows).Where("version = ?", version).Where("state = ?", string(kb.LearnPending)).Scan(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		var it kb.Item
		if err := a.openJSON(r.Body, &it); err != nil {
			return err
		}
		it.State, it.Changed = to, a.clock()
		if to == kb.LearnNew {
			it.Version, it.Cluster, it.By = "", "", ""
		}
		row, err := a.learnRow(it)
		if err != nil {
			return err
		}
		if _, err := tx.NewUpdate().Model(&row).Column("state", "version", "body").Where("id = ?", it.ID).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// learnMax is how many items are kept, however young they are.
const learnMax = 50_000

// DeleteLearned removes items and runs from before a moment, and the oldest
// items beyond what is kept; it returns how many items.
func (a *Archive) DeleteLearned(ctx context.Context, before time.Time) (int64, error) {
	var last int64
	err := a.read.NewSelect().Model((*learnRow)(nil)).Column("at").Order("at DESC").Offset(learnMax).Limit(1).Scan(ctx, &last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, wrap("delete learned", err)
	}
	cut := micros(before)
	if err == nil {
		cut = max(cut, last+1)
	}
	res, err := a.write.NewDelete().Model((*learnRow)(nil)).Where("at < ?", cut).Exec(ctx)
	if err != nil {
		return 0, wrap("delete learned", err)
	}
	if _, err := a.write.NewDelete().Model((*runRow)(nil)).Where("at < ?", micros(before)).Exec(ctx); err != nil {
		return 0, wrap("delete learned", err)
	}
	n, err := res.RowsAffected()
	return n, wrap("delete learned", err)
}
