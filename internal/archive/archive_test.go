package archive_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wensheng/internal/archive"
	"wensheng/internal/archive/pgtest"
	"wensheng/internal/chat"
	"wensheng/internal/pii"
)

var start = time.Date(2026, 11, 22, 8, 0, 0, 123456000, time.UTC)

// base is what the tests of both databases need.
type base struct {
	options archive.Options
	// raw opens the database beside the archive, as its administrator might.
	raw func(t *testing.T) *sql.DB
}

func (b base) open(t *testing.T) *archive.Archive {
	t.Helper()
	return b.openWith(t, nil)
}

func (b base) openWith(t *testing.T, change func(*archive.Options)) *archive.Archive {
	t.Helper()
	o := b.options
	if change != nil {
		change(&o)
	}
	a, err := archive.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func sealer(t *testing.T, keys ...byte) *pii.Sealer {
	t.Helper()
	var older [][]byte
	for _, k := range keys[1:] {
		older = append(older, bytes.Repeat([]byte{k}, pii.KeySize))
	}
	s, err := pii.NewSealer(bytes.Repeat([]byte{keys[0]}, pii.KeySize), older...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tests run on every database, each on a fresh one.
var tests = map[string]func(t *testing.T, b base){
	"keeps users":                testUsers,
	"keeps logins":               testLogins,
	"chains the audit log":       testAudit,
	"serialises audit writers":   testAuditConcurrent,
	"keeps conversations":        testConversations,
	"ignores older versions":     testOlderVersion,
	"lists conversations":        testList,
	"seals what is personal":     testSealed,
	"seals again after rotation": testReseal,
	"opens from many processes":  testOpenTwice,
	"tells when it is not there": testClosed,
	"keeps versions":             testVersions,
	"publishes one version":      testPublish,
	"keeps test sets and runs":   testTestSets,
	"keeps what is learned":      testLearning,
	"frees a deleted draft":      testDraftDeletedFreesWhatItHeld,
	"seals what editors keep":    testKnowledgeSealed,
}

func TestArchive_OnSQLite(t *testing.T) {
	t.Parallel()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "a b?#%")
			test(t, base{
				options: archive.Options{Dir: dir, Sealer: sealer(t, 1), Clock: func() time.Time { return start }},
				raw: func(t *testing.T) *sql.DB {
					t.Helper()
					return rawDB(t, "sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23", " ", "%20").Replace(dir)+"/wensheng.db?_pragma=busy_timeout(10000)")
				},
			})
		})
	}
}

func TestArchive_OnPostgreSQL(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := server.NewDatabase(t)
			test(t, base{
				options: archive.Options{URL: url, Sealer: sealer(t, 1), Clock: func() time.Time { return start }},
				raw: func(t *testing.T) *sql.DB {
					t.Helper()
					return rawDB(t, "pgx", url)
				},
			})
		})
	}
}

func rawDB(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func testUsers(t *testing.T, b base) {
	t.Helper()
	ctx, a := t.Context(), b.open(t)
	if n, err := a.CountUsers(ctx); err != nil || n != 0 {
		t.Fatalf("CountUsers = %d, %v", n, err)
	}
	want := chat.User{
		ID: "u1", Login: "Li.Lei ", Name: "李雷", Roles: []chat.UserRole{chat.RoleUserAgent, chat.RoleUserSupervisor},
		Groups: []string{"kf", "fk"}, Capacity: 5, PasswordHash: "$argon2id$x", CreatedAt: start,
	}
	if err := a.CreateUser(ctx, want); err != nil {
		t.Fatal(err)
	}
	want.Login = "li.lei"
	for _, how := range []func() (chat.User, error){
		func() (chat.User, error) { return a.UserByID(ctx, "u1") },
		func() (chat.User, error) { return a.UserByLogin(ctx, "LI.lei") },
	} {
		got, err := how()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("read back: %v (-want +got):\n%s", err, diff)
		}
	}
	if err := a.CreateUser(ctx, chat.User{Login: "LI.LEI"}); !errors.Is(err, chat.ErrTaken) {
		t.Errorf("a second login: %v, want ErrTaken", err)
	}
	if err := a.CreateUser(ctx, chat.User{Login: "han"}); err != nil {
		t.Fatal(err)
	}
	han, err := a.UserByLogin(ctx, "han")
	if err != nil || han.ID == "" || !han.CreatedAt.Equal(start) {
		t.Errorf("filled in: %+v, %v", han, err)
	}
	han.Login = "li.lei"
	if err := a.UpdateUser(ctx, han); !errors.Is(err, chat.ErrTaken) {
		t.Errorf("rename onto another: %v, want ErrTaken", err)
	}
	want.Name, want.Groups, want.Capacity = "李雷雷", nil, 9
	if err := a.UpdateUser(ctx, want); err != nil {
		t.Fatal(err)
	}
	users, err := a.Users(ctx)
	if err != nil || len(users) != 2 {
		t.Fatalf("Users = %d, %v", len(users), err)
	}
	if diff := cmp.Diff(want, users[1], cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("after the update (-want +got):\n%s", diff)
	}
	if _, err := a.UserByLogin(ctx, "nobody"); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("nobody: %v, want ErrNotFound", err)
	}
	if err := a.UpdateUser(ctx, chat.User{ID: "nobody"}); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("update nobody: %v, want ErrNotFound", err)
	}
}

func testLogins(t *testing.T, b base) {
	t.Helper()
	now := start
	ctx := t.Context()
	a := b.openWith(t, func(o *archive.Options) { o.Clock = func() time.Time { return now } })
	user := chat.User{ID: "u1", Login: "li", PasswordHash: "a"}
	if err := a.CreateUser(ctx, user); err != nil {
		t.Fatal(err)
	}
	login := chat.Login{TokenHash: "h1", UserID: "u1", CSRF: "c", CreatedAt: start, ExpiresAt: start.Add(time.Hour)}
	for range 2 {
		if err := a.SaveLogin(ctx, login); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := a.LoginByHash(ctx, "h1"); err != nil || got != login {
		t.Errorf("LoginByHash = %+v, %v", got, err)
	}
	if err := a.SaveLogin(ctx, chat.Login{TokenHash: "h2", UserID: "nobody", ExpiresAt: start}); err == nil {
		t.Error("a login of nobody was saved")
	}
	now = start.Add(2 * time.Hour)
	if _, err := a.LoginByHash(ctx, "h1"); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("an expired login: %v, want ErrNotFound", err)
	}
	if n, err := a.DeleteExpired(ctx); err != nil || n != 1 {
		t.Errorf("DeleteExpired = %d, %v", n, err)
	}
	save := func(hash string) {
		t.Helper()
		if err := a.SaveLogin(ctx, chat.Login{TokenHash: hash, UserID: "u1", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	gone := func(hash, why string) {
		t.Helper()
		if _, err := a.LoginByHash(ctx, hash); !errors.Is(err, chat.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", why, err)
		}
	}
	save("h3")
	if err := a.DeleteLogin(ctx, "h3"); err != nil {
		t.Fatal(err)
	}
	gone("h3", "deleted")
	if err := a.DeleteLogin(ctx, "h3"); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("deleted again: %v, want ErrNotFound", err)
	}
	// A ticket that two replicas redeem at once belongs to one of them.
	replicas := []*archive.Archive{a, b.open(t)}
	for i := range 20 {
		hash := "once" + strconv.Itoa(i)
		save(hash)
		var mine atomic.Int32
		var wg sync.WaitGroup
		for n := range 6 {
			wg.Go(func() {
				switch err := replicas[n%2].DeleteLogin(ctx, hash); {
				case err == nil:
					mine.Add(1)
				case !errors.Is(err, chat.ErrNotFound):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := mine.Load(); n != 1 {
			t.Fatalf("%d callers deleted one login", n)
		}
	}
	save("h4")
	user.Capacity = 3
	if err := a.UpdateUser(ctx, user); err != nil {
		t.Fatal(err)
	}
	if _, err := a.LoginByHash(ctx, "h4"); err != nil {
		t.Errorf("a harmless update ended the login: %v", err)
	}
	user.PasswordHash = "b"
	if err := a.UpdateUser(ctx, user); err != nil {
		t.Fatal(err)
	}
	gone("h4", "another password")
	save("h5")
	user.Disabled = true
	if err := a.UpdateUser(ctx, user); err != nil {
		t.Fatal(err)
	}
	gone("h5", "disabled")
}

func testAudit(t *testing.T, b base) {
	t.Helper()
	ctx, a := t.Context(), b.open(t)
	for i := range 5 {
		e := chat.Audit{User: fmt.Sprintf("u%d", i%2), Action: "reveal", Object: fmt.Sprintf("c%d", i%3), Detail: "phone 13812345678\x00\xff", IP: "192.0.2.1"}
		if err := a.AddAudit(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := a.Verify(ctx); err != nil || n != 5 {
		t.Fatalf("Verify = %d, %v", n, err)
	}
	got, err := a.Audits(ctx, archive.AuditQuery{User: "u0", Limit: 2})
	if err != nil || len(got) != 2 || got[0].ID != 5 || got[1].ID != 3 {
		t.Fatalf("Audits = %+v, %v", got, err)
	}
	want := chat.Audit{ID: 5, At: start, User: "u0", Action: "reveal", Object: "c1", Detail: "phone 138****5678", IP: "192.0.2.1"}
	if got[0] != want {
		t.Errorf("got %+v, want %+v", got[0], want)
	}
	if got, err = a.Audits(ctx, archive.AuditQuery{Object: "c1", Before: 5}); err != nil || len(got) != 1 || got[0].ID != 2 {
		t.Errorf("second page = %+v, %v", got, err)
	}

	db := b.raw(t)
	for _, stmt := range []string{"UPDATE audits SET detail = 'x' WHERE id = 3", "DELETE FROM audits WHERE id = 3"} {
		if _, err := db.ExecContext(ctx, stmt); err == nil {
			t.Errorf("%s: the database let it pass", stmt)
		}
	}
	drop := []string{"DROP TRIGGER audits_no_update"}
	if a.Mode() == archive.ModePostgres {
		drop = []string{"DROP TRIGGER audits_no_change ON audits"}
	}
	for _, stmt := range append(drop, "UPDATE audits SET detail = 'x' WHERE id = 3") {
		if _, err := db.ExecContext(ctx, stmt); err != nil {
			t.Fatal(err)
		}
	}
	var broken *archive.ChainError
	if _, err := a.Verify(ctx); !errors.As(err, &broken) || broken.ID != 3 {
		t.Errorf("Verify after tampering: %v, want line 3", err)
	}
}

func testAuditConcurrent(t *testing.T, b base) {
	t.Helper()
	ctx := t.Context()
	first, second := b.open(t), b.open(t)
	var wg sync.WaitGroup
	for i := range 8 {
		a := first
		if i%2 == 1 {
			a = second
		}
		wg.Go(func() {
			for range 5 {
				if err := a.AddAudit(ctx, chat.Audit{User: "u", Action: "x"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n, err := first.Verify(ctx); err != nil || n != 40 {
		t.Errorf("Verify = %d, %v; want 40", n, err)
	}
}

func conversation(id chat.ConvID, version int64) (chat.Conversation, []chat.Message) {
	c := chat.Conversation{
		ID: id, Contact: chat.Address{Account: "mp", ID: "openid-canary"}, Channel: "wechat", Epoch: "e1", State: chat.StateClosed,
		Version: version, Seq: 3, VSeq: 2, LastGroup: "kf", LastAgent: "u1", Memory: json.RawMessage(`{"misses":1}`),
		Handoff: json.RawMessage(`{"summary":"canary"}`), Identity: &chat.Identity{Subject: "s", Name: "李canary"},
		OpenedAt: start, ChangedAt: start.Add(time.Minute), ActiveAt: start, Score: 4,
	}
	return c, []chat.Message{
		{ID: "m1", Seq: 1, VSeq: 1, Role: chat.RoleContact, Kind: chat.KindText, At: start, Text: "canary' \\ 提前还款\n\"", ClientID: "x"},
		{ID: "m2", Seq: 2, VSeq: 2, Role: chat.RoleBot, Kind: chat.KindText, At: start, Text: "好", Options: []chat.Option{{ID: "1", Label: "是"}}, Delivery: chat.DeliveryPending, Evidence: json.RawMessage(`{"p":0.9}`)},
		{ID: "m3", Seq: 3, Role: chat.RoleAgent, Kind: chat.KindNote, At: start, Text: "canary", Hidden: true, Name: "李"},
	}
}

func testConversations(t *testing.T, b base) {
	t.Helper()
	ctx, a := t.Context(), b.open(t)
	id := chat.NewConvID(7)
	want, messages := conversation(id, 9)
	for range 2 {
		if err := a.SaveConversation(ctx, want, messages); err != nil {
			t.Fatal(err)
		}
	}
	messages[1].Delivery = chat.DeliverySent
	if err := a.SaveConversation(ctx, want, messages[1:2]); err != nil {
		t.Fatal(err)
	}
	got, read, err := a.Conversation(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("conversation (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(messages, read); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
	// The conversation was started again: both transcripts are kept, in order.
	again := want
	again.Epoch, again.Version = "e0", 20
	later := []chat.Message{{ID: "m4", Seq: 1, Role: chat.RoleContact, Kind: chat.KindText, At: start.Add(time.Hour), Text: "again"}}
	if err := a.SaveConversation(ctx, again, later); err != nil {
		t.Fatal(err)
	}
	if _, read, err = a.Conversation(ctx, id); err != nil || len(read) != 4 || read[3].ID != "m4" {
		t.Errorf("two epochs: %d messages, %v", len(read), err)
	}
	if _, _, err := a.Conversation(ctx, chat.NewConvID(8)); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("an unknown one: %v, want ErrNotFound", err)
	}
	long := make([]chat.Message, 1001)
	for i := range long {
		long[i] = chat.Message{ID: chat.NewMessageID(), Seq: int64(i + 1), Role: chat.RoleContact, Kind: chat.KindText, At: start, Text: strings.Repeat("长", 100)}
	}
	big, _ := conversation(chat.NewConvID(9), 1)
	if err := a.SaveConversation(ctx, big, long); err != nil {
		t.Fatal(err)
	}
	if _, read, err = a.Conversation(ctx, big.ID); err != nil || len(read) != len(long) || read[1000].Seq != 1001 {
		t.Errorf("a long one: %d messages, %v", len(read), err)
	}
}

func testOlderVersion(t *testing.T, b base) {
	t.Helper()
	ctx, a := t.Context(), b.open(t)
	id := chat.NewConvID(7)
	c, messages := conversation(id, 9)
	if err := a.SaveConversation(ctx, c, messages); err != nil {
		t.Fatal(err)
	}
	old, stale := conversation(id, 8)
	old.Score, stale[0].Text = 1, "stale"
	if err := a.SaveConversation(ctx, old, stale); err != nil {
		t.Fatal(err)
	}
	got, read, err := a.Conversation(ctx, id)
	if err != nil || got.Score != 4 || read[0].Text == "stale" {
		t.Errorf("an older version won: %+v, %v", got, err)
	}
}

func testList(t *testing.T, b base) {
	t.Helper()
	ctx, a := t.Context(), b.open(t)
	var ids []chat.ConvID
	for i := range 5 {
		c, m := conversation(chat.NewConvID(i), 1)
		c.ChangedAt = start.Add(time.Duration(i/2) * time.Minute) // pairs share a moment
		if i == 3 {
			c.Contact.ID, c.LastAgent = "other", "u2"
		}
		if err := a.SaveConversation(ctx, c, m); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.ID)
	}
	list := func(q archive.ConversationQuery) []chat.Conversation {
		t.Helper()
		got, err := a.ListConversations(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	seen := map[chat.ConvID]bool{}
	q := archive.ConversationQuery{Limit: 2}
	for page := list(q); len(page) > 0; page = list(q) {
		for _, c := range page {
			if seen[c.ID] {
				t.Errorf("%s came twice", c.ID)
			}
			seen[c.ID] = true
			q.BeforeTime, q.BeforeID = c.ChangedAt, c.ID
		}
	}
	if len(seen) != len(ids) {
		t.Errorf("paging found %d of %d", len(seen), len(ids))
	}
	for name, tt := range map[string]struct {
		q    archive.ConversationQuery
		want int
	}{
		"all":          {archive.ConversationQuery{}, 5},
		"address":      {archive.ConversationQuery{Address: chat.Address{Account: "mp", ID: "other"}}, 1},
		"account":      {archive.ConversationQuery{Address: chat.Address{Account: "mp2", ID: "other"}}, 0},
		"agent":        {archive.ConversationQuery{Agent: "u2"}, 1},
		"group":        {archive.ConversationQuery{Group: "kf", Channel: "wechat", Account: "mp", Score: 4}, 5},
		"from and to":  {archive.ConversationQuery{From: start.Add(time.Minute), To: start.Add(2 * time.Minute)}, 2},
		"other score":  {archive.ConversationQuery{Score: 5}, 0},
		"quote":        {archive.ConversationQuery{Group: "' OR 1=1 --"}, 0},
		"huge limit":   {archive.ConversationQuery{Limit: 1 << 30}, 5},
		"other medium": {archive.ConversationQuery{Channel: "sms"}, 0},
	} {
		if got := list(tt.q); len(got) != tt.want {
			t.Errorf("%s: %d conversations, want %d", name, len(got), tt.want)
		}
	}
}

// dump returns every value of every table, as the administrator could read it.
func dump(t *testing.T, db *sql.DB) string {
	t.Helper()
	var b strings.Builder
	for _, table := range []string{"users", "logins", "audits", "conversations", "messages"} {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				switch v := (*v.(*any)).(type) {
				case []byte:
					b.Write(v)
				default:
					fmt.Fprint(&b, v)
				}
				b.WriteByte('\n')
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func testSealed(t *testing.T, b base) {
	t.Helper()
	ctx, a := t.Context(), b.open(t)
	c, m := conversation(chat.NewConvID(1), 1)
	if err := a.SaveConversation(ctx, c, m); err != nil {
		t.Fatal(err)
	}
	if err := a.CreateUser(ctx, chat.User{Login: "li", Name: "李canary"}); err != nil {
		t.Fatal(err)
	}
	if err := a.AddAudit(ctx, chat.Audit{User: "u", Detail: "id 11010519491231002X"}); err != nil {
		t.Fatal(err)
	}
	text := dump(t, b.raw(t))
	if !strings.Contains(text, string(c.ID)) {
		t.Fatal("the dump shows nothing")
	}
	for _, canary := range []string{"canary", "提前还款", "11010519491231002X"} {
		if strings.Contains(text, canary) {
			t.Errorf("%q stands readable in the database", canary)
		}
	}
	if b.options.Dir == "" {
		return
	}
	files, err := filepath.Glob(filepath.Join(b.options.Dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files = %v, %v", files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte("canary")) {
			t.Errorf("%s holds the canary", name)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be read by others: %v, %v", name, info.Mode(), err)
		}
	}
}

func testReseal(t *testing.T, b base) {
	t.Helper()
	ctx := t.Context()
	c, m := conversation(chat.NewConvID(1), 1)
	if err := b.open(t).SaveConversation(ctx, c, m); err != nil {
		t.Fatal(err)
	}
	rotated := b.openWith(t, func(o *archive.Options) { o.Sealer = sealer(t, 2, 1) })
	if got, err := rotated.ListConversations(ctx, archive.ConversationQuery{Address: c.Contact}); err != nil || len(got) != 1 {
		t.Errorf("after the rotation: %d by address, %v", len(got), err)
	}
	if _, _, err := rotated.Conversation(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	// Now the new key alone can read it.
	got, read, err := b.openWith(t, func(o *archive.Options) { o.Sealer = sealer(t, 2) }).Conversation(ctx, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, got) + cmp.Diff(m, read); diff != "" {
		t.Errorf("sealing again changed it:\n%s", diff)
	}
	if _, _, err := b.open(t).Conversation(ctx, c.ID); !errors.Is(err, pii.ErrUnknownKey) {
		t.Errorf("the old key: %v, want ErrUnknownKey", err)
	}
}

func testOpenTwice(t *testing.T, b base) {
	t.Helper()
	ctx := t.Context()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			a, err := archive.Open(ctx, b.options)
			if err != nil {
				t.Error(err)
				return
			}
			if err := a.CreateUser(ctx, chat.User{Login: fmt.Sprintf("u%d", i)}); err != nil {
				t.Error(err)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := b.open(t).CountUsers(ctx); err != nil || n != 4 {
		t.Errorf("CountUsers = %d, %v; want 4", n, err)
	}
}

func testClosed(t *testing.T, b base) {
	t.Helper()
	a, err := archive.Open(t.Context(), b.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	c, m := conversation(chat.NewConvID(1), 1)
	for name, err := range map[string]error{"Ping": a.Ping(t.Context()), "SaveConversation": a.SaveConversation(t.Context(), c, m)} {
		if err == nil || errors.Is(err, chat.ErrNotFound) || errors.Is(err, chat.ErrTaken) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s on a closed database: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := archive.Open(ctx, b.options); err == nil {
		t.Error("opened with a cancelled context")
	}
}

func TestOpen_NamesNoPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://u:hunter2@127.0.0.1:1/x?connect_timeout=1", "postgres://u:hunter2@[bad", "postgres://u:hunter2@h/x?sslmode=nonsense"} {
		_, err := archive.Open(t.Context(), archive.Options{URL: url, Sealer: sealer(t, 1)})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open: %v", err)
		}
	}
	if _, err := archive.Open(t.Context(), archive.Options{Dir: t.TempDir()}); err == nil {
		t.Error("opened without a sealer")
	}
}
