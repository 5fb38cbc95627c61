package knowledge_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/internal/chat"
	"wensheng/internal/kb"
)

// talk is a transcript made by the bot itself.
type talk struct {
	t    *testing.T
	d    *desk
	mem  bot.Memory
	list []chat.Message
	conv chat.Conversation
}

func (d *desk) talk(t *testing.T, id string) *talk {
	t.Helper()
	return &talk{t: t, d: d, conv: chat.Conversation{ID: chat.ConvID(id), Channel: "web", State: chat.StateClosed}}
}

// say is one message of the contact, with its reply as intake records it.
func (k *talk) say(text, pick string) bot.Decision {
	k.t.Helper()
	e, release := k.d.live.Acquire()
	defer release()
	in := bot.Input{Text: text, Kind: chat.KindText, Channel: "web", Pick: pick}
	if pick != "" {
		in.Kind = chat.KindPick
	}
	got := e.Decide(k.mem, in)
	k.mem = got.Memory
	k.d.clock.add(time.Second)
	at := k.d.clock.now()
	id := chat.MessageID(fmt.Sprintf("%s-%d", k.conv.ID, len(k.list)))
	evidence, err := json.Marshal(got.Evidence)
	if err != nil {
		k.t.Fatal(err)
	}
	k.list = append(k.list,
		chat.Message{ID: id, Role: chat.RoleContact, Kind: in.Kind, Text: text, Pick: pick, At: at},
		chat.Message{ID: id + "r", Role: chat.RoleBot, Kind: chat.KindText, Text: got.Reply, Options: got.Options, InReplyTo: id, Evidence: evidence, At: at},
	)
	return got
}

// unclear says something that is asked back; which words are is the ranker's.
func (k *talk) unclear() (string, bot.Decision) {
	k.t.Helper()
	for _, text := range []string{"还款卡", "还款日换卡", "还款", "银行卡还款日", "提前还款日", "还款银行卡", "几号换卡", "换卡还款"} {
		e, release := k.d.live.Acquire()
		d := e.Decide(input(text))
		release()
		if d.Action == bot.Clarify {
			return text, k.say(text, "")
		}
	}
	k.t.Fatal("nothing is asked back any more; name other words")
	return "", bot.Decision{}
}

// end collects what the talk teaches.
func (k *talk) end() {
	k.t.Helper()
	for range 2 { // the archiver may repeat itself
		if err := k.d.Collect(k.t.Context(), k.conv, k.list); err != nil {
			k.t.Fatal(err)
		}
	}
}

// items are what is kept, the oldest first, as source:topic:text.
func (d *desk) items(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, state := range append(kb.LearnStates(), kb.LearnLabel) {
		items, err := d.db.Items(t.Context(), state, false, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			out = append(out, strings.Join([]string{string(it.Source), it.Topic, it.Text}, ":"))
		}
	}
	return out
}

func TestCollect_KeepsWhatAConversationTeaches(t *testing.T) {
	t.Parallel()
	const asked = "提前结清收不收费"
	for name, tc := range map[string]struct {
		talk func(k *talk)
		want string
	}{
		"no answer": {func(k *talk) { k.say("火星网点周末营业", "") }, "refused::火星网点周末营业"},
		"answered":  {func(k *talk) { k.say(asked, "") }, ""},
		"did not help": {func(k *talk) {
			k.say(asked, "")
			k.say("", bot.OptionDown)
		}, "down:repay_early:" + asked},
		"said it did not help": {func(k *talk) {
			k.say(asked, "")
			k.say("没用", "")
		}, "down:repay_early:" + asked},
		"helped": {func(k *talk) {
			k.say(asked, "")
			k.say("", bot.OptionUp)
		}, "up:repay_early:" + asked},
		"a person after the answer": {func(k *talk) {
			k.say(asked, "")
			k.say("转人工", "")
		}, "transferred:repay_early:" + asked},
		"a person at once": {func(k *talk) { k.say("转人工", "") }, ""},
		"a person later": {func(k *talk) {
			k.say(asked, "")
			k.say("你好", "")
			k.say("转人工", "")
		}, ""},
		"small talk": {func(k *talk) { k.say("你好", "") }, ""},
		"masked": {func(k *talk) {
			k.say("火星网点热线13812345678", "")
		}, "refused::火星网点热线138****5678"},
		"an essay": {func(k *talk) { k.say(strings.Repeat("火星网点周末营业", 30), "") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			k := d.talk(t, "c1")
			tc.talk(k)
			k.end()
			if got := strings.Join(d.items(t), " "); got != tc.want {
				t.Errorf("kept %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCollect_AskedBack(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		next func(k *talk, offered []chat.Option)
		want string
	}{
		"picked":         {func(k *talk, o []chat.Option) { k.say(o[0].Label, o[0].ID) }, "picked:%s:"},
		"picked by word": {func(k *talk, o []chat.Option) { k.say("1", "") }, "picked:%s:"},
		"declined":       {func(k *talk, _ []chat.Option) { k.say("", bot.OptionNone) }, "refused::"},
		"went away":      {func(*talk, []chat.Option) {}, ""},
		"picked, and asked for a person": {func(k *talk, o []chat.Option) {
			k.say(o[0].Label, o[0].ID)
			k.say("人工", "")
		}, "transferred:%[1]s:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			k := d.talk(t, "c1")
			text, got := k.unclear()
			tc.next(k, got.Options)
			k.end()
			topic := strings.TrimPrefix(got.Options[0].ID, "topic:")
			want := tc.want
			if strings.Contains(want, "%") {
				want = fmt.Sprintf(want, topic)
			}
			if want != "" {
				want += text
			}
			if all := strings.Join(d.items(t), " "); !strings.Contains(all, want) || (want == "" && all != "") {
				t.Errorf("kept %q, want %q", all, want)
			}
		})
	}
}

func (d *desk) hear(t *testing.T, texts ...string) {
	t.Helper()
	for i, text := range texts {
		k := d.talk(t, fmt.Sprintf("c%d-%d", i, d.clock.now().UnixNano()))
		k.say(text, "")
		k.end()
	}
}

func TestLearn_FromAMissToAnAnswer(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	d.hear(t, "火星网点周末营业", "火星网点下午营业", "火星网点周末营业", "鲸鱼爱唱歌", "火星网点周末营业！")
	got, err := d.Learned(ctx, kb.LearnNew)
	if err != nil || len(got.Items) != 2 {
		t.Fatalf("clusters %+v, %v", got.Items, err)
	}
	mars := got.Items[0]
	if mars.Count != 4 || mars.Sources[kb.SourceRefused] != 4 || len(mars.Messages) != 2 || mars.Messages[0].Count != 3 || mars.Example != "火星网点周末营业" {
		t.Errorf("the first cluster is %+v", mars)
	}
	if again, err := d.Learned(ctx, kb.LearnNew); err != nil || again.Items[0].ID != mars.ID || again.Counts[kb.LearnNew] != 3 {
		t.Errorf("listed again: %+v, %v", again, err)
	}

	// One call opens a draft and adds the phrasing.
	dealt, err := d.Deal(ctx, "wang", mars.ID, kbDeal("add", "card_change", "火星网点周末营业", "怎么更换银行卡"))
	if err != nil || dealt.Version == nil || dealt.Cluster.State != kb.LearnPending || dealt.Cluster.Version != dealt.Version.ID {
		t.Fatalf("%+v, %v", dealt, err)
	}
	draft := dealt.Version.ID
	tp, err := d.Topic(ctx, draft, "card_change")
	if err != nil {
		t.Fatal(err)
	}
	if p := tp.(*intents.Topic).Phrasings; len(p) != 5 || p[4] != "火星网点周末营业" { //nolint:errcheck,forcetypeassert // a test
		t.Errorf("phrasings %v", p)
	}
	_, err = d.Deal(ctx, "wang", mars.ID, kbDeal("dismiss", ""))
	if err == nil {
		t.Error("a cluster was dealt with twice")
	}

	// The other starts a Topic in the same draft; without an answer it is not ready.
	whale := got.Items[1]
	in := kbDeal("topic", "", "鲸鱼爱唱歌")
	in.Title = "鲸鱼唱歌"
	dealt, err = d.Deal(ctx, "wang", whale.ID, in)
	if err != nil || dealt.Version.ID != draft {
		t.Fatalf("%+v, %v; want the same draft", dealt, err)
	}
	_, err = d.Submit(ctx, "wang", draft, "")
	refused(t, err, kb.CodeProblems)
	lines, err := d.Topics(ctx, draft)
	if err != nil {
		t.Fatal(err)
	}
	fresh := lines[len(lines)-1]
	if fresh.Title != "鲸鱼唱歌" || fresh.Changed != "added" {
		t.Fatalf("the new topic is %+v", fresh)
	}
	d.put(t, draft, fresh.ID, func(tp *intents.Topic) { tp.Answer = "会唱。" })

	// What is said again meanwhile joins what stands in the draft.
	d.hear(t, "火星网点周末营业")
	if got, err := d.Learned(ctx, kb.LearnNew); err != nil || len(got.Items) != 0 {
		t.Errorf("new %+v, %v", got.Items, err)
	}
	d.approve(t, draft)
	if _, err := d.publish(t, "wang", draft, ""); err != nil {
		t.Fatal(err)
	}
	if got := d.says("火星网点周末营业"); got.Topic != "card_change" {
		t.Errorf("after the publish: %+v", got)
	}
	applied, err := d.Learned(ctx, kb.LearnApplied)
	if err != nil || len(applied.Items) != 2 || applied.Items[0].ID != mars.ID || applied.Items[0].Count != 5 {
		t.Errorf("applied %+v, %v", applied.Items, err)
	}
}

type dealInput = kb.DealInput

func kbDeal(do, topic string, texts ...string) dealInput {
	return dealInput{Do: do, Topic: topic, Texts: texts}
}

func TestLearn_DismissedStaysDismissedUntilRestored(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	d.hear(t, "鲸鱼爱唱歌")
	list, err := d.Learned(ctx, kb.LearnNew)
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	id := list.Items[0].ID
	in := kbDeal("dismiss", "")
	in.Reason = "与业务无关"
	if got, err := d.Deal(ctx, "wang", id, in); err != nil || got.Cluster.State != kb.LearnDismissed || got.Cluster.Reason != "与业务无关" || got.Version != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	d.hear(t, "鲸鱼爱唱歌")
	if list, err = d.Learned(ctx, kb.LearnDismissed); err != nil || len(list.Items) != 1 || list.Items[0].Count != 2 || list.Items[0].By != "wang" {
		t.Errorf("dismissed %+v, %v", list.Items, err)
	}
	if got, err := d.Deal(ctx, "li", id, kbDeal("restore", "")); err != nil || got.Cluster.State != kb.LearnNew || got.Cluster.By != "" {
		t.Errorf("restored %+v, %v", got, err)
	}
	if list, err = d.Learned(ctx, kb.LearnNew); err != nil || len(list.Items) != 1 || list.Items[0].ID != id {
		t.Errorf("new again %+v, %v", list.Items, err)
	}
}

func TestLearn_RefusesWhatIsIncomplete(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	d.hear(t, "鲸鱼爱唱歌")
	list, err := d.Learned(ctx, kb.LearnNew)
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	for name, in := range map[string]dealInput{
		"no verb":  {},
		"no texts": {Do: "add", Topic: "card_change"},
		"no topic": {Do: "add", Topic: "nothing", Texts: []string{"x"}},
		"no title": {Do: "topic", Texts: []string{"x"}},
		"taken id": {Do: "topic", Topic: "card_change", Title: "换卡", Texts: []string{"x"}},
	} {
		_, err := d.Deal(ctx, "wang", list.Items[0].ID, in)
		if refusal(t, err, kb.CodeBadValue) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	_, err = d.Learned(ctx, "label")
	refused(t, err, kb.CodeBadValue)
}

func TestReplay_SaysWhetherAVersionHelps(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	now := d.clock.now()
	for i, it := range []kb.Item{
		{Source: kb.SourceUp, State: kb.LearnLabel, Text: "每个月几号还款", Topic: "repay_date"},
		{Source: kb.SourcePicked, State: kb.LearnNew, Text: "火星网点周末营业", Topic: "card_change"},
		{Source: kb.SourceRefused, State: kb.LearnNew, Text: "没有标注的不算"},
	} {
		it.ID, it.Key, it.At, it.Channel = strconv.Itoa(i), it.Text, now, "web"
		if err := d.db.AddItems(ctx, []kb.Item{it}); err != nil {
			t.Fatal(err)
		}
	}
	v := d.draft(t)
	d.put(t, v.ID, "card_change", func(tp *intents.Topic) { tp.Phrasings = append(tp.Phrasings, "火星网点周末营业") })
	id, err := d.Replay(ctx, "wang", v.ID)
	if err != nil {
		t.Fatal(err)
	}
	var r kb.ReplayReport
	if run := d.wait(t, id); json.Unmarshal(run.Report, &r) != nil {
		t.Fatalf("%+v", run)
	}
	if r.N != 2 || r.Before.Right != 1 || r.Before.Missed != 1 || r.After.Right != 2 || len(r.Better) != 1 || len(r.Worse) != 0 || r.Better[0].Want != "card_change" {
		t.Errorf("report %+v", r)
	}
}

func TestLearned_ClustersAreTheSameInWhateverOrderTheyCome(t *testing.T) {
	t.Parallel()
	texts := []string{"火星网点周末营业", "火星网点下午营业", "鲸鱼爱唱歌", "鲸鱼唱歌好听", "月亮上能不能还款用现金", "火星的网点周末营业"}
	var want string
	for turn := range 3 {
		d := open(t)
		now := d.clock.now()
		for i := range texts {
			n := (i + turn*2) % len(texts)
			it := kb.Item{
				ID: fmt.Sprint("i", n), Key: texts[n], Text: texts[n], At: now.Add(time.Duration(n) * time.Minute),
				Source: kb.SourceRefused, State: kb.LearnNew, Channel: "web",
			}
			if err := d.db.AddItems(t.Context(), []kb.Item{it}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := d.Learned(t.Context(), kb.LearnNew)
		if err != nil {
			t.Fatal(err)
		}
		var shape []string
		for _, c := range got.Items {
			shape = append(shape, fmt.Sprintf("%s=%d", c.ID, c.Count))
		}
		if s := strings.Join(shape, " "); want == "" {
			want = s
		} else if s != want {
			t.Errorf("clusters %s, want %s", s, want)
		}
	}
	if !strings.HasPrefix(want, "i0=") {
		t.Errorf("clusters %s; want the oldest wording to lead the largest", want)
	}
}
