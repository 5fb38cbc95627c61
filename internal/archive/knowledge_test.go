package archive_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wensheng/internal/chat"
	"wensheng/internal/kb"
)

func draft(id string, at time.Time) kb.Version {
	return kb.Version{
		ID: id, Title: "第一版", State: kb.Draft, CreatedBy: "u1", Authors: []string{"u1"},
		CreatedAt: at, ChangedAt: at, Revision: 1,
	}
}

func testVersions(t *testing.T, b base) {
	t.Helper()
	ctx, a := t.Context(), b.open(t)
	files := kb.Files{"topics/a.yaml": []byte("category: 还款\n"), "words.txt": []byte("提前还款\n")}
	want := draft("v1", start)
	if err := a.CreateVersion(ctx, want, files); err != nil {
		t.Fatal(err)
	}
	if err := a.CreateVersion(ctx, want, files); !errors.Is(err, chat.ErrTaken) {
		t.Errorf("the same version again: %v, want ErrTaken", err)
	}
	if err := a.CreateVersion(ctx, draft("v2", start.Add(time.Second)), kb.Files{}); err != nil {
		t.Fatal(err)
	}
	got, gotFiles, err := a.VersionFiles(ctx, "v1")
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("read back: %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(files, gotFiles); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	list, err := a.Versions(ctx)
	if err != nil || len(list) != 2 || list[0].ID != "v2" {
		t.Errorf("versions %+v, %v; want v2 before v1", list, err)
	}

	want.Revision, want.Note = 2, "换了说法"
	files["words.txt"] = []byte("提前结清\n")
	if err := a.SaveVersion(ctx, want, files, 1); err != nil {
		t.Fatal(err)
	}
	if err := a.SaveVersion(ctx, want, nil, 1); !errors.Is(err, chat.ErrConflict) {
		t.Errorf("an older revision: %v, want ErrConflict", err)
	}
	if err := a.SaveVersion(ctx, draft("v9", start), nil, 1); !errors.Is(err, chat.ErrConflict) {
		t.Errorf("no such version: %v, want ErrConflict", err)
	}
	if err := a.DeleteVersion(ctx, "v1", 1); !errors.Is(err, chat.ErrConflict) {
		t.Errorf("deleting an older revision: %v, want ErrConflict", err)
	}
	if got, gotFiles, err := a.VersionFiles(ctx, "v1"); err != nil || got.Note != want.Note || string(gotFiles["words.txt"]) != "提前结清\n" {
		t.Errorf("after the change: %+v, %q, %v", got, gotFiles["words.txt"], err)
	}
	if err := a.DeleteVersion(ctx, "v1", 2); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Version(ctx, "v1"); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("a deleted version: %v, want ErrNotFound", err)
	}
}

func testPublish(t *testing.T, b base) {
	t.Helper()
	ctx, a := t.Context(), b.open(t)
	for i, id := range []string{"v1", "v2", "v3"} {
		if err := a.CreateVersion(ctx, draft(id, start.Add(time.Duration(i)*time.Second)), kb.Files{}); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := a.Pointer(ctx); err != nil || p.Published != "" {
		t.Fatalf("pointer %+v, %v; want none in force", p, err)
	}
	if err := a.SetNext(ctx, "v1"); err != nil {
		t.Fatal(err)
	}
	if p, err := a.Pointer(ctx); err != nil || p.Next != "v1" || p.Serial != 1 {
		t.Errorf("pointer %+v, %v; want v1 next", p, err)
	}
	published := func(id string) kb.Version {
		v, err := a.Version(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		v.State, v.Revision, v.PublishedBy, v.PublishedAt = kb.Published, v.Revision+1, "u2", start
		return v
	}
	if err := a.Publish(ctx, published("v1"), 1, ""); err != nil {
		t.Fatal(err)
	}

	// Of many who publish over the same version exactly one does.
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, id := range []string{"v2", "v3"} {
		v := published(id)
		wg.Go(func() { errs[i] = a.Publish(ctx, v, 1, "v1") })
	}
	wg.Wait()
	p, err := a.Pointer(ctx)
	if err != nil || p.Serial != 3 || p.Next != "" {
		t.Errorf("pointer %+v, %v; want serial 3 and none next", p, err)
	}
	loser, lost := "v2", errs[0]
	if p.Published == "v2" {
		loser, lost = "v3", errs[1]
	}
	if !errors.Is(lost, chat.ErrConflict) || (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("publishing at once: %v and %v, want one ErrConflict", errs[0], errs[1])
	}
	for id, want := range map[string]kb.State{"v1": kb.Replaced, p.Published: kb.Published, loser: kb.Draft} {
		if v, err := a.Version(ctx, id); err != nil || v.State != want {
			t.Errorf("%s is %q, %v; want %q", id, v.State, err, want)
		}
	}
	// A version that changed meanwhile moves nothing.
	if err := a.Publish(ctx, published(loser), 7, p.Published); !errors.Is(err, chat.ErrConflict) {
		t.Errorf("an older revision: %v, want ErrConflict", err)
	}
	if again, err := a.Pointer(ctx); err != nil || again != p {
		t.Errorf("pointer %+v, %v; want it untouched: %+v", again, err, p)
	}
}

func testTestSets(t *testing.T, b base) {
	t.Helper()
	ctx, a := t.Context(), b.open(t)
	set := kb.TestSet{ID: "s1", Name: "回归", By: "u1", At: start, Cases: []kb.Case{{Text: "提前还款要手续费吗", Topic: "repay_early_fee"}}}
	if err := a.CreateTestSet(ctx, set); err != nil {
		t.Fatal(err)
	}
	if err := a.CreateTestSet(ctx, kb.TestSet{ID: "s2", At: start.Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
	got, err := a.TestSets(ctx)
	if diff := cmp.Diff([]kb.TestSet{set, {ID: "s2", At: start.Add(time.Second)}}, got); err != nil || diff != "" {
		t.Errorf("test sets: %v (-want +got):\n%s", err, diff)
	}
	for i, r := range []kb.Run{
		{ID: "r1", Kind: kb.RunBatch, State: kb.Done, Set: "s1", Version: "v1", At: start},
		{ID: "r2", Kind: kb.RunBatch, State: kb.Done, Set: "s1", Version: "v2", At: start.Add(time.Minute)},
		{ID: "r3", Kind: kb.RunBatch, State: kb.Running, Set: "s1", At: start.Add(time.Hour)},
		{ID: "r4", Kind: kb.RunBatch, State: kb.Done, Set: "s2", At: start},
		{ID: "r5", Kind: kb.RunCheck, State: kb.Done, At: start.Add(time.Hour)},
	} {
		if err := a.SaveRun(ctx, r, kb.Score{Cases: 10, Passed: i}); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(list []kb.Outcome, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var s []string
		for _, o := range list {
			s = append(s, o.Run)
		}
		return strings.Join(s, " ")
	}
	if got := ids(a.Outcomes(ctx, "s1", 0)); got != "r2 r1" {
		t.Errorf("history of s1 is %q, want r2 r1", got)
	}
	if got := ids(a.Outcomes(ctx, "", 0)); got != "r2 r4" {
		t.Errorf("newest of every set %q, want r2 r4", got)
	}
	run, err := a.Run(ctx, "r3")
	if err != nil || run.State != kb.Running || !run.Beat.Equal(start) {
		t.Errorf("run %+v, %v", run, err)
	}
	run.State, run.Done = kb.Done, 3
	if err := a.SaveRun(ctx, run, kb.Score{Cases: 3, Passed: 3}); err != nil {
		t.Fatal(err)
	}
	if got := ids(a.Outcomes(ctx, "s1", 1)); got != "r3" {
		t.Errorf("after its end %q, want r3", got)
	}
	if err := a.DeleteTestSet(ctx, "s1"); err != nil {
		t.Fatal(err)
	}
	if err := a.DeleteTestSet(ctx, "s1"); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("deleted again: %v, want ErrNotFound", err)
	}
	if got := ids(a.Outcomes(ctx, "s1", 0)); got != "" {
		t.Errorf("history of a deleted set: %q", got)
	}
}

func item(id, text string, at time.Time) kb.Item {
	return kb.Item{ID: id, Key: text, At: at, Source: kb.SourceRefused, Channel: "web", Text: text, State: kb.LearnNew}
}

func testLearning(t *testing.T, b base) {
	t.Helper()
	ctx, a := t.Context(), b.open(t)
	if err := a.CreateVersion(ctx, draft("v1", start), kb.Files{}); err != nil {
		t.Fatal(err)
	}
	up := item("up", "有用的问题", start)
	up.Source, up.State, up.Topic = kb.SourceUp, kb.LearnLabel, "x"
	first := []kb.Item{item("i1", "逾期会怎样", start), item("i2", "能不能延期", start.Add(time.Second)), up}
	for range 2 {
		if err := a.AddItems(ctx, first); err != nil {
			t.Fatal(err)
		}
	}
	got, err := a.Items(ctx, kb.LearnNew, false, 10)
	if err != nil || len(got) != 2 || got[0].ID != "i2" || got[0].Text != "能不能延期" {
		t.Fatalf("new items %+v, %v; want i2, i1", got, err)
	}
	if got[0].Key == "能不能延期" || got[0].Key == "" {
		t.Errorf("the key is %q; it must not be readable", got[0].Key)
	}
	if l, err := a.Items(ctx, "", true, 10); err != nil || len(l) != 1 || l[0].ID != "up" {
		t.Errorf("labelled %+v, %v; want up", l, err)
	}

	moved := got[1]
	moved.State, moved.Version, moved.Cluster = kb.LearnPending, "v1", "c1"
	if err := a.MoveItems(ctx, []kb.Item{moved}, kb.LearnNew); err != nil {
		t.Fatal(err)
	}
	if err := a.MoveItems(ctx, []kb.Item{got[0], moved}, kb.LearnNew); !errors.Is(err, chat.ErrConflict) {
		t.Errorf("moved again: %v, want ErrConflict", err)
	}
	// The same words join what stands in a draft.
	if err := a.AddItems(ctx, []kb.Item{item("i3", "逾期会怎样", start.Add(time.Minute))}); err != nil {
		t.Fatal(err)
	}
	counts, err := a.LearnCounts(ctx)
	want := map[kb.LearnState]int{kb.LearnNew: 1, kb.LearnPending: 1, kb.LearnLabel: 1}
	if diff := cmp.Diff(want, counts); err != nil || diff != "" {
		t.Errorf("counts: %v (-want +got):\n%s", err, diff)
	}
	pending, err := a.Items(ctx, kb.LearnPending, false, 10)
	if err != nil || len(pending) != 2 || pending[0].Cluster != "c1" {
		t.Fatalf("pending %+v, %v; want i3 and i1 in c1", pending, err)
	}
	v, err := a.Version(ctx, "v1")
	if err != nil {
		t.Fatal(err)
	}
	v.State, v.Revision = kb.Published, 2
	if err := a.Publish(ctx, v, 1, ""); err != nil {
		t.Fatal(err)
	}
	if l, err := a.Items(ctx, kb.LearnApplied, false, 10); err != nil || len(l) != 2 {
		t.Errorf("applied %+v, %v; want both", l, err)
	}
	// Said again after it was applied, it is new again: it did not help.
	if err := a.AddItems(ctx, []kb.Item{item("i4", "逾期会怎样", start.Add(time.Hour))}); err != nil {
		t.Fatal(err)
	}
	if l, err := a.Items(ctx, kb.LearnNew, false, 10); err != nil || len(l) != 2 {
		t.Errorf("new %+v, %v; want i4 and i2", l, err)
	}
	if n, err := a.DeleteLearned(ctx, start.Add(time.Minute)); err != nil || n != 3 {
		t.Errorf("deleted %d, %v; want i1, i2 and up", n, err)
	}
}

func testDraftDeletedFreesWhatItHeld(t *testing.T, b base) {
	t.Helper()
	ctx, a := t.Context(), b.open(t)
	if err := a.CreateVersion(ctx, draft("v1", start), kb.Files{}); err != nil {
		t.Fatal(err)
	}
	it := item("i1", "逾期会怎样", start)
	it.State, it.Version, it.Cluster, it.By = kb.LearnPending, "v1", "c1", "u1"
	if err := a.AddItems(ctx, []kb.Item{it}); err != nil {
		t.Fatal(err)
	}
	if err := a.DeleteVersion(ctx, "v1", 1); err != nil {
		t.Fatal(err)
	}
	got, err := a.Items(ctx, kb.LearnNew, false, 10)
	if err != nil || len(got) != 1 || got[0].Version != "" || got[0].Cluster != "" {
		t.Errorf("%+v, %v; want it new again", got, err)
	}
}

func testKnowledgeSealed(t *testing.T, b base) {
	t.Helper()
	ctx, a := t.Context(), b.open(t)
	const said = "我的尾号问题没人管"
	if err := a.AddItems(ctx, []kb.Item{item("i1", said, start)}); err != nil {
		t.Fatal(err)
	}
	if err := a.CreateTestSet(ctx, kb.TestSet{ID: "s1", Cases: []kb.Case{{Text: said}}}); err != nil {
		t.Fatal(err)
	}
	if err := a.SaveRun(ctx, kb.Run{ID: "r1", Report: []byte(`"` + said + `"`)}, kb.Score{}); err != nil {
		t.Fatal(err)
	}
	db := b.raw(t)
	for _, q := range []string{"SELECT body FROM kb_learn", "SELECT body FROM kb_sets", "SELECT body FROM kb_runs", "SELECT text_key FROM kb_learn"} {
		var body []byte
		if err := db.QueryRowContext(ctx, q).Scan(&body); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), said) {
			t.Errorf("%s: readable", q)
		}
	}
}
