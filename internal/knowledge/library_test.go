package knowledge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"wensheng/intents"
	"wensheng/internal/chat"
	"wensheng/internal/kb"
	"wensheng/internal/knowledge"
	"wensheng/nlp"
)

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestLibrary_ADraftIsReviewedByASecondPersonAndPublished(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	v := d.draft(t)
	if v.State != kb.Draft || v.Base != published || v.Revision != 1 || v.Hash == "" {
		t.Fatalf("a new draft is %+v", v)
	}
	e := d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "提前还款免费。" })
	if e.Version.Revision != 2 || e.Version.Hash == v.Hash {
		t.Errorf("after the edit %+v", e.Version)
	}
	if got := d.says("提前还款要手续费吗"); got.Reply != "提前还款不收手续费。" {
		t.Errorf("a draft answers already: %q", got.Reply)
	}
	_, err := d.publish(t, "wang", v.ID, "")
	refused(t, err, kb.CodeNotApproved)
	if _, err := d.Submit(ctx, "zhao", v.ID, "请看"); err != nil {
		t.Fatal(err)
	}
	_, err = d.PutTopic(ctx, "wang", v.ID, "repay_early", 0, []byte(`{"id":"repay_early"}`))
	refused(t, err, kb.CodeBadState)
	for _, own := range []string{"wang", "zhao"} { // author and submitter
		_, err := d.Judge(ctx, own, v.ID, true, "")
		refused(t, err, kb.CodeOwnWork)
	}
	got, err := d.Judge(ctx, "li", v.ID, true, "可以")
	if err != nil || got.State != kb.Approved || got.ReviewedBy != "li" {
		t.Fatalf("approved %+v, %v", got, err)
	}
	got, err = d.publish(t, "wang", v.ID, "")
	if err != nil || got.State != kb.Published || got.PublishedBy != "wang" || got.Override != "" {
		t.Fatalf("published %+v, %v", got, err)
	}
	if got := d.says("提前还款要手续费吗"); got.Reply != "提前还款免费。" {
		t.Errorf("after the publish: %q", got.Reply)
	}
	if old, err := d.Version(ctx, published); err != nil || old.State != kb.Replaced {
		t.Errorf("the one before is %q, %v", old.State, err)
	}

	_, err = d.Rollback(ctx, "wang", published, " ")
	refused(t, err, kb.CodeBadValue)
	_, err = d.Rollback(ctx, "wang", v.ID, "试试")
	refused(t, err, kb.CodeBadState)
	if _, err := d.Rollback(ctx, "wang", published, "说法有误"); err != nil {
		t.Fatal(err)
	}
	if got := d.says("提前还款要手续费吗"); got.Reply != "提前还款不收手续费。" {
		t.Errorf("after the rollback: %q", got.Reply)
	}
}

func TestLibrary_WhoeverEditsIsAnAuthor(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	v := d.draft(t)
	if _, err := d.DeleteTopic(ctx, "li", v.ID, "repay_date", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Submit(ctx, "wang", v.ID, ""); err != nil {
		t.Fatal(err)
	}
	_, err := d.Judge(ctx, "li", v.ID, true, "")
	refused(t, err, kb.CodeOwnWork)
	_, err = d.Judge(ctx, "zhao", v.ID, false, "")
	refused(t, err, kb.CodeBadValue) // a rejection says why
	got, err := d.Judge(ctx, "zhao", v.ID, false, "还款日不能删")
	if err != nil || got.State != kb.Rejected {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err = d.Reopen(ctx, v.ID); err != nil || got.State != kb.Draft || got.ReviewedBy != "" {
		t.Errorf("reopened %+v, %v", got, err)
	}
}

func TestLibrary_EditsMeetTheirRevision(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	v := d.draft(t)
	body := []byte(`{"id":"repay_new","title":"新知识点","category":"还款","phrasings":["这是新的"],"answer":"好的。"}`)
	e, err := d.PutTopic(ctx, "wang", v.ID, "repay_new", v.Revision, body)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.PutTopic(ctx, "li", v.ID, "repay_new", v.Revision, body)
	refused(t, err, kb.CodeChanged)
	_, err = d.PutTopic(ctx, "li", v.ID, "other", e.Version.Revision, body)
	refused(t, err, kb.CodeNotTopic)
	_, err = d.PutTopic(ctx, "li", v.ID, "BAD ID", e.Version.Revision, []byte(`{"category":"还款"}`))
	refused(t, err, kb.CodeNotTopic)
	_, err = d.DeleteTopic(ctx, "li", v.ID, "nothing", 0)
	if !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("deleting what is not there: %v", err)
	}
	if _, err := d.DeleteTopic(ctx, "wang", v.ID, "repay_date", e.Version.Revision); err != nil {
		t.Fatal(err)
	}
	lines, err := d.Topics(ctx, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range lines {
		got = append(got, l.ID+":"+l.Changed)
	}
	// The follow-up that led to the deleted one went with it.
	if want := "repay_early: card_change:changed repay_new:added"; strings.Join(got, " ") != want {
		t.Errorf("topics %v, want %s", got, want)
	}
	_, err = d.PutTopic(ctx, "wang", published, "repay_new", 0, body)
	refused(t, err, kb.CodeBadState)
}

func TestLibrary_WhatDoesNotLoadIsNotSubmitted(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	v := d.draft(t)
	e := d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "费率见{{nonsense}}。" })
	if e.Version.Hash != "" {
		t.Errorf("a version that does not load has the hash %q", e.Version.Hash)
	}
	_, err := d.Submit(ctx, "wang", v.ID, "")
	problems, ok := refusal(t, err, kb.CodeProblems).Problems.([]intents.Problem)
	if !ok || len(problems) == 0 || problems[0].Topic != "repay_early" {
		t.Errorf("problems %+v", problems)
	}
	_, err = d.Check(ctx, "wang", v.ID)
	refused(t, err, kb.CodeProblems)
}

func TestLibrary_TheGateRefusesWhatMakesTestsWorse(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	set, err := d.CreateTest(ctx, "wang", "回归", "csv", []byte("问题,知识点,渠道\n每个月几号还款,repay_date,\n提前结清收不收费,repay_early,sms\n"))
	if err != nil || len(set.Cases) != 2 {
		t.Fatalf("%+v, %v", set, err)
	}
	v := d.draft(t)
	d.put(t, v.ID, "repay_date", func(tp *intents.Topic) { tp.Phrasings = []string{"账单日"} })
	d.put(t, v.ID, "card_change", func(tp *intents.Topic) { tp.Phrasings = append(tp.Phrasings, "每个月几号还款") })
	d.approve(t, v.ID)
	_, err = d.publish(t, "wang", v.ID, "")
	gate := refusal(t, err, kb.CodeGateFailed).Gate
	if gate == nil || gate.OK || gate.Before.Cases != gate.After.Cases || len(gate.Worse) == 0 {
		t.Fatalf("gate %+v", gate)
	}
	var worse *kb.Worse
	for i := range gate.Worse {
		if gate.Worse[i].Set == "回归" {
			worse = &gate.Worse[i]
		}
	}
	if worse == nil || worse.Text != "每个月几号还款" || worse.Want != "repay_date" || worse.GotBefore != "repay_date" || worse.GotAfter != "card_change" {
		t.Errorf("worse %+v", gate.Worse)
	}
	if p, err := d.db.Pointer(ctx); err != nil || p.Published != published {
		t.Fatalf("in force %+v, %v", p, err)
	}
	got, err := d.publish(t, "zhao", v.ID, "业务已确认")
	if err != nil || got.Override != "业务已确认" || got.Gate == nil || got.Gate.OK {
		t.Errorf("overridden %+v, %v", got, err)
	}
}

func TestLibrary_TheGateIsForOneContentOnOneBaseWithOneSetOfTests(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	v := d.draft(t)
	d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "提前还款免费。" })
	check := func() *kb.Gate {
		t.Helper()
		id, err := d.Check(ctx, "wang", v.ID)
		if err != nil {
			t.Fatal(err)
		}
		if r := d.wait(t, id); r.State != kb.Done {
			t.Fatalf("%+v", r)
		}
		got, err := d.Version(ctx, v.ID)
		if err != nil || got.Gate == nil || got.Gate.Run != id {
			t.Fatalf("gate %+v, %v", got.Gate, err)
		}
		return got.Gate
	}
	first := check()
	if !first.OK || first.After.Cases < 50 {
		t.Errorf("gate %+v; the shipped test set is missing", first)
	}
	d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "不收手续费。" })
	if got, err := d.Version(ctx, v.ID); err != nil || got.Gate != nil {
		t.Errorf("the gate outlived the edit: %+v, %v", got.Gate, err)
	}
	second := check()
	if second.Hash == first.Hash || second.Against != first.Against || second.Tests != first.Tests {
		t.Errorf("gates %+v and %+v", first, second)
	}
	if _, err := d.CreateTest(ctx, "wang", "新的", "csv", []byte("text,topic\n还款日是哪天,repay_date\n")); err != nil {
		t.Fatal(err)
	}
	d.approve(t, v.ID)
	got, err := d.publish(t, "wang", v.ID, "")
	if err != nil || got.Gate == nil || got.Gate.Tests == second.Tests {
		t.Errorf("published by an old gate: %+v, %v", got.Gate, err)
	}
}

func TestLibrary_AStaleDraftIsBroughtOntoWhatIsPublished(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	mine, theirs := d.draft(t), d.draft(t)
	d.put(t, mine.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "我的答案。" })
	d.put(t, theirs.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "他们的答案。" })
	d.put(t, theirs.ID, "repay_date", func(tp *intents.Topic) { tp.Answer = "见账单。" })
	d.approve(t, theirs.ID)
	if _, err := d.publish(t, "wang", theirs.ID, ""); err != nil {
		t.Fatal(err)
	}
	d.approve(t, mine.ID)
	_, err := d.publish(t, "wang", mine.ID, "")
	refused(t, err, kb.CodeStaleBase)
	if _, err := d.Reopen(ctx, mine.ID); err != nil {
		t.Fatal(err)
	}
	r, err := d.Rebase(ctx, "wang", mine.ID, 0)
	if err != nil || len(r.Conflicts) != 1 || r.Conflicts[0] != "repay_early" || r.Version.Base != theirs.ID {
		t.Fatalf("%+v, %v", r, err)
	}
	d.approve(t, mine.ID)
	if _, err := d.publish(t, "wang", mine.ID, ""); err != nil {
		t.Fatal(err)
	}
	if got := d.says("提前结清收不收费"); got.Reply != "我的答案。" {
		t.Errorf("mine: %q", got.Reply)
	}
	if got := d.says("还款日是哪天"); got.Reply != "见账单。" {
		t.Errorf("theirs: %q", got.Reply)
	}
}

func TestLibrary_ADirectoryIsEditedInTheDirectory(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	l := knowledge.New(knowledge.Options{Store: d.db, Live: d.live, Dir: "/knowledge", Clock: d.clock.now})
	o, err := l.Overview(ctx)
	if err != nil || o.Editable || o.Why == "" {
		t.Errorf("overview %+v, %v", o, err)
	}
	_, err = l.Create(ctx, "wang", "草稿", "")
	refused(t, err, kb.CodeNotEditable)
	_, err = l.Publish(ctx, "wang", published, "")
	refused(t, err, kb.CodeNotEditable)
	_, err = l.Rollback(ctx, "wang", published, "因为")
	refused(t, err, kb.CodeNotEditable)
}

func TestLibrary_RunsGoOneAfterTheOtherAndAreBounded(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	d.hold = make(chan struct{})
	v := d.draft(t)
	d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "提前还款免费。" })
	first, err := d.Check(ctx, "wang", v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := d.Check(ctx, "li", v.ID); err != nil || again != first {
		t.Errorf("a second check of the same is %q, %v; want it to join %q", again, err, first)
	}
	var started []string
	for range 20 {
		id, err := d.Replay(ctx, "wang", v.ID)
		if err != nil {
			refused(t, err, kb.CodeBusy)
			break
		}
		started = append(started, id)
	}
	if n := len(started); n < 5 || n > 10 {
		t.Errorf("%d runs wait", n)
	}
	for _, id := range started {
		if err := d.Cancel(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	close(d.hold)
	if r := d.wait(t, first); r.State != kb.Done || r.Done != r.Total || r.Total == 0 {
		t.Errorf("the check %+v", r)
	}
	for _, id := range started {
		if r := d.wait(t, id); r.State != kb.Failed || r.Error != "cancelled" {
			t.Errorf("a cancelled run is %+v", r)
		}
	}
	if err := d.Cancel(ctx, first); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("cancelling what is over: %v", err)
	}
}

func TestLibrary_AVersionSaysHowItsCheckStands(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	v := d.draft(t)
	d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "提前还款免费。" })
	d.slow.Store(true) // the check never ends by itself
	if _, err := d.Submit(ctx, "wang", v.ID, "请看"); err != nil {
		t.Fatal(err)
	}
	v, err := d.Version(ctx, v.ID)
	if err != nil || v.Check == "" || v.Gate != nil {
		t.Fatalf("%+v, %v", v, err)
	}
	first := v.Check
	if err := d.Cancel(ctx, first); err != nil {
		t.Fatal(err)
	}
	if r := d.wait(t, first); r.State != kb.Failed || r.Error != "cancelled" {
		t.Errorf("the check is %s, %q", r.State, r.Error)
	}
	d.slow.Store(false)
	again, err := d.Check(ctx, "li", v.ID)
	if err != nil {
		t.Fatal(err)
	}
	d.wait(t, again)
	if v, err = d.Version(ctx, v.ID); err != nil || v.Check != again || again == first || v.Gate == nil || v.Gate.Run != again {
		t.Errorf("checked again by %s: %+v, %v", again, v, err)
	}
	// What is written later was not checked.
	if v, err = d.Reopen(ctx, v.ID); err != nil {
		t.Fatal(err)
	}
	if e := d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "提前还款全免。" }); e.Version.Check != "" || e.Version.Gate != nil {
		t.Errorf("after an edit: %+v", e.Version)
	}
}

func TestLibrary_BatchTestsAreTheLiveBotAndKeepTheirHistory(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	set, err := d.CreateTest(ctx, "wang", "批量", "csv",
		[]byte("\xef\xbb\xbf问题,知识点,动作\n怎么更换银行卡,card_change,answer\n还款日是哪天,repay_early,\n,,\n转人工,,handoff\n我的卡号6222021234567890128怎么换,card_change,\n"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(set.Cases[3].Text, "6222021234567890128") {
		t.Errorf("kept %q", set.Cases[3].Text)
	}
	id, err := d.RunTest(ctx, "wang", set.ID, knowledge.Current)
	if err != nil {
		t.Fatal(err)
	}
	r := d.wait(t, id)
	var report kb.BatchReport
	if err := json.Unmarshal(r.Report, &report); err != nil || r.State != kb.Done {
		t.Fatalf("%+v, %v", r, err)
	}
	if report.Cases != 4 || len(report.Failed) == 0 || report.Failed[0].Text != "还款日是哪天" || report.Failed[0].Got != "repay_date" {
		t.Errorf("report %+v", report)
	}
	var shown struct{ Topic, Reply string }
	if err := json.Unmarshal(report.Failed[0].Decision, &shown); err != nil || shown.Reply != d.says("还款日是哪天").Reply {
		t.Errorf("the batch decided %+v, live %+v (%v)", shown, d.says("还款日是哪天"), err)
	}
	view, err := d.Test(ctx, set.ID)
	if err != nil || len(view.History) != 1 || view.History[0].Passed != report.Passed || view.History[0].Run != id {
		t.Errorf("history %+v, %v", view.History, err)
	}
	lines, err := d.Tests(ctx)
	if err != nil || len(lines) != 2 || !lines[0].Shipped || lines[0].Last != nil || lines[1].Last == nil || lines[1].Last.Run != id {
		t.Errorf("sets %+v, %v", lines, err)
	}
	refused(t, d.DeleteTest(ctx, knowledge.ShippedSet), kb.CodeBadState)
	if err := d.DeleteTest(ctx, set.ID); err != nil {
		t.Fatal(err)
	}
}

func TestLibrary_SheetsAreReadStrictly(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	for sheet, want := range map[string]string{
		"":                                   "no cases",
		"问题,知识点\n":                           "no cases",
		"a,b\nx,y\n":                         "row 1",
		"text,topic\n,repay_date\n":          "row 2",
		"text,topic\n还款日,\n":                 "row 2",
		"text,action\n还款日,sing\n":            "row 2",
		"text,topic,channel\n还款日,a,fax\n":    "row 2",
		"text,topic\n" + long(2001) + ",a\n": "row 2",
	} {
		_, err := d.CreateTest(ctx, "wang", "坏表", "csv", []byte(sheet))
		contains(t, fmt.Sprintf("refusal of %.20q", sheet), refusal(t, err, kb.CodeBadSheet).Detail, want)
	}
	_, err := d.CreateTest(ctx, "wang", " ", "csv", []byte("text,topic\na,b\n"))
	refused(t, err, kb.CodeBadValue)
}

func long(n int) string { return strings.Repeat("长", n) }

func TestLibrary_TryGoesOnWithItsMemoryOnTheVersionItIsAsked(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	v := d.draft(t)
	d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "提前还款免费。" })
	decision, memory, err := d.Try(ctx, kb.TryInput{Text: "提前还款要手续费吗", Version: v.ID})
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "the draft's answer", string(marshal(t, decision)), "提前还款免费")
	contains(t, "the memory", string(marshal(t, memory)), "repay_early")
	_, memory, err = d.Try(ctx, kb.TryInput{Text: "那还款日呢", Version: v.ID, Memory: marshal(t, memory)})
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "the memory of two", string(marshal(t, memory)), `"turns":2`)
	decision, _, err = d.Try(ctx, kb.TryInput{Text: "提前还款要手续费吗", Version: knowledge.Current})
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "the answer in force", string(marshal(t, decision)), "不收手续费")
	for name, in := range map[string]kb.TryInput{
		"nothing":   {},
		"too long":  {Text: long(2001)},
		"channel":   {Text: "x", Channel: "fax"},
		"no memory": {Text: "x", Memory: []byte(`"x"`)},
	} {
		_, _, err := d.Try(ctx, in)
		if refusal(t, err, kb.CodeBadValue) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	_, _, err = d.Try(ctx, kb.TryInput{Text: "x", Version: "v-none"})
	if !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("no such version: %v", err)
	}
	// The two engines kept are found again, none is trained twice.
	before := d.built.Load()
	for range 3 {
		if _, _, err := d.Try(ctx, kb.TryInput{Text: "还款日", Version: v.ID}); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.built.Load(); n != before {
		t.Errorf("%d engines more were trained", n-before)
	}
}

func TestLive_TopicsComeAndGoWithTheDay(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	v := d.draft(t)
	// It is the 23rd in Shanghai, four o'clock in the morning.
	d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Until = "2026-11-23" })
	d.put(t, v.ID, "repay_date", func(tp *intents.Topic) { tp.From = "2026-11-24" })
	d.approve(t, v.ID)
	if _, err := d.publish(t, "wang", v.ID, "日期"); err != nil {
		t.Fatal(err)
	}
	is := func(early, date string) {
		t.Helper()
		if got := d.says("提前结清收不收费").Topic; got != early {
			t.Errorf("early repayment is answered by %q, want %q", got, early)
		}
		if got := d.says("我该几号还钱").Topic; got != date {
			t.Errorf("the due date is answered by %q, want %q", got, date)
		}
	}
	is("repay_early", "")
	hash := d.live.Hash()
	d.clock.add(20*time.Hour - time.Second) // one second to midnight
	if err := d.live.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	is("repay_early", "")
	d.clock.add(time.Second)
	if err := d.live.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	is("", "repay_date")
	if d.live.Hash() != hash {
		t.Error("the version changed with the day")
	}
}

func TestLive_AVersionThatDoesNotLoadLeavesTheOldOneServing(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	v := kb.Version{ID: "bad", State: kb.Approved, CreatedAt: d.clock.now(), Revision: 1}
	if err := d.db.CreateVersion(ctx, v, kb.Files{"topics/a.yaml": []byte("topics: [")}); err != nil {
		t.Fatal(err)
	}
	v.State, v.Revision = kb.Published, 2
	if err := d.db.Publish(ctx, v, 1, published); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.live.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		if got := d.says("还款日是哪天").Topic; got != "repay_date" {
			t.Errorf("answered by %q", got)
		}
		contains(t, "the problem", d.live.Problem(), "bad")
	}
	if _, err := d.Rollback(ctx, "wang", published, "坏版本"); err != nil {
		t.Fatal(err)
	}
	if p := d.live.Problem(); p != "" {
		t.Errorf("after the rollback still %q", p)
	}
}

func TestLive_TheApprovedVersionIsReadyBeforeItIsPublished(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	v := d.draft(t)
	d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "提前还款免费。" })
	id, err := d.Check(ctx, "wang", v.ID)
	if err != nil {
		t.Fatal(err)
	}
	d.wait(t, id)
	d.approve(t, v.ID)
	built := d.built.Load()
	if err := d.live.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	got, err := d.Version(ctx, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	built++ // the one that was begun
	if err := d.db.Publish(ctx, publishedOf(got), got.Revision, published); err != nil {
		t.Fatal(err)
	}
	if err := d.live.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if got := d.says("提前还款要手续费吗"); got.Reply != "提前还款免费。" {
		t.Errorf("%q", got.Reply)
	}
	if n := d.built.Load(); n != built {
		t.Errorf("%d engines were trained at the publish", n-built)
	}
}

func publishedOf(v kb.Version) kb.Version {
	v.State, v.Revision = kb.Published, v.Revision+1
	return v
}

func TestLive_AnEngineServesUntilItsLastUserIsDone(t *testing.T) {
	t.Parallel()
	d := open(t)
	e, release := d.live.Acquire()
	v := d.draft(t)
	d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "提前还款免费。" })
	d.approve(t, v.ID)
	if _, err := d.publish(t, "wang", v.ID, ""); err != nil {
		t.Fatal(err)
	}
	got := e.Decide(input("提前结清收不收费"))
	if got.Topic != "repay_early" || got.Reply != "提前还款不收手续费。" {
		t.Errorf("the lent engine says %q %q", got.Topic, got.Reply)
	}
	release()
}

func TestLive_TrainingIsThriftyAndMemoryGoesBack(t *testing.T) {
	t.Parallel()
	d := open(t)
	if got := d.gc.Load(); got != 25 {
		t.Errorf("while an engine was built the garbage collector waited for %d %%", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.live.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	tidied := func(times int64) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); d.tidied.Load() < times; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("memory was given back %d times, want %d", d.tidied.Load(), times)
			}
		}
	}
	tidied(1) // after the start
	e, release := d.live.Acquire()
	v := d.draft(t)
	d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "提前还款免费。" })
	d.approve(t, v.ID)
	if _, err := d.publish(t, "wang", v.ID, ""); err != nil {
		t.Fatal(err)
	}
	tidied(2)
	before := d.tidied.Load()
	e.Version()
	release() // the old engine's last user
	tidied(before + 1)
}

func TestLibrary_FilesGoOutAndComeBack(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	v := d.draft(t)
	for _, format := range []string{"xlsx", "csv", "rasa"} {
		f, err := d.Export(ctx, knowledge.Current, format)
		if err != nil || len(f.Body) == 0 || !strings.HasPrefix(f.Name, "knowledge-") {
			t.Fatalf("%s: %+v, %v", format, f.Name, err)
		}
		in, err := d.Import(ctx, "wang", v.ID, format, "merge", 0, f.Body)
		if err != nil || in.Added+in.Changed+in.Removed != 0 {
			t.Errorf("%s brought back: %d added, %d changed, %d removed, %v", format, in.Added, in.Changed, in.Removed, err)
		}
	}
	f, err := d.Export(ctx, v.ID, "yaml")
	if err != nil {
		t.Fatal(err)
	}
	files, err := kb.Unpack(f.Body)
	if err != nil || string(files["topics/a.yaml"]) != small {
		t.Errorf("the zip holds %q, %v", files["topics/a.yaml"], err)
	}
	_, err = d.Export(ctx, v.ID, "doc")
	refused(t, err, kb.CodeBadValue)
	_, err = d.Import(ctx, "wang", v.ID, "csv", "append", 0, nil)
	refused(t, err, kb.CodeBadValue)
	in, err := d.Import(ctx, "wang", v.ID, "csv", "merge", 0, []byte("编号,备注\nrepay_date,x\n"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "what was not read of the sheet", string(marshal(t, in.Problems)), "备注")
	_, err = d.Import(ctx, "wang", v.ID, "csv", "merge", 0, []byte("x"))
	refused(t, err, kb.CodeBadSheet)
}

func TestLibrary_EvalAsksEveryPhrasingOfTheOthers(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	id, err := d.Eval(ctx, "wang", knowledge.Current)
	if err != nil {
		t.Fatal(err)
	}
	run := d.wait(t, id)
	var r nlp.CrossReport
	if err := json.Unmarshal(run.Report, &r); err != nil || run.State != kb.Done {
		t.Fatalf("%+v, %v", run, err)
	}
	if r.N < 12 || r.Labels != 3 || len(r.Histogram) != 10 {
		t.Errorf("report %+v", r)
	}
	for _, w := range r.Weakest {
		if w.Title == "" {
			t.Errorf("%s has no title", w.Label)
		}
	}
}

func TestLive_ATrainingThatTakesLongHoldsNothingUp(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	v := d.draft(t)
	d.put(t, v.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "提前还款免费。" })
	d.approve(t, v.ID)
	if _, err := d.publish(t, "wang", v.ID, ""); err != nil {
		t.Fatal(err)
	}
	// The next one is approved and never gets ready; a rollback does not wait.
	next := d.draft(t)
	d.put(t, next.ID, "repay_early", func(tp *intents.Topic) { tp.Answer = "提前还款全免。" })
	d.slow.Store(true)
	d.approve(t, next.ID)
	if err := d.live.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	d.slow.Store(false)
	if _, err := d.Rollback(ctx, "wang", published, "有误"); err != nil {
		t.Fatal(err)
	}
	if got := d.says("提前还款要手续费吗"); got.Reply != "提前还款不收手续费。" {
		t.Errorf("after the rollback: %q", got.Reply)
	}
}

func TestShippedSet_NamesTopicsThatShip(t *testing.T) {
	t.Parallel()
	d := open(t)
	set, err := d.Test(t.Context(), knowledge.ShippedSet)
	if err != nil || len(set.Cases) < 60 || !set.Shipped || set.Name == "" {
		t.Fatalf("%d cases, %v", len(set.Cases), err)
	}
	base, _ := intents.Load(intents.Embedded())
	if base == nil {
		t.Fatal("the embedded knowledge base does not load")
	}
	phrasings, seen := map[string]bool{}, map[string]bool{}
	for _, e := range base.Examples() {
		phrasings[e.Text] = true
	}
	copied := 0
	for _, c := range set.Cases {
		if c.Topic != "" {
			if _, ok := base.Topic(c.Topic); !ok {
				t.Errorf("%s: there is no topic %s", c.Text, c.Topic)
			}
		}
		if c.Topic == "" && c.Action == "" || seen[c.Text] {
			t.Errorf("%s: wants nothing, or stands twice", c.Text)
		}
		seen[c.Text] = true
		if phrasings[c.Text] {
			copied++
		}
	}
	// A set of the phrasings themselves would pass whatever the ranker does.
	if copied > len(set.Cases)/4 {
		t.Errorf("%d of %d cases are phrasings of the knowledge base", copied, len(set.Cases))
	}
}
