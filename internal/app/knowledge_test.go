package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wensheng/intents"
	"wensheng/internal/app"
	"wensheng/internal/archive"
	"wensheng/internal/archive/pgtest"
	"wensheng/internal/config"
	"wensheng/internal/kb/kbtest"
	"wensheng/internal/redisx/redistest"
)

// publishSmall puts the small knowledge base in force before a gateway starts.
func publishSmall(tb testing.TB, url, data string) {
	tb.Helper()
	publishTopics(tb, url, data, kbtest.Small)
}

// publishTopics does so with one file of topics.
func publishTopics(tb testing.TB, url, data, topics string) {
	tb.Helper()
	db, err := archive.Open(tb.Context(), archive.Options{URL: url, Dir: data, Sealer: sealer(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	}()
	kbtest.Publish(tb, db, topics, time.Now())
}

// smallModel is the small base's model, trained once: file name to content.
var smallModel = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "ws")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	kdir := filepath.Join(dir, "knowledge")
	if err := (intents.Files{kbtest.File: []byte(kbtest.Small)}).Save(kdir); err != nil {
		return nil, err
	}
	return train("WENSHENG_DATA="+dir, "WENSHENG_KNOWLEDGE_DIR="+kdir)
})

// version is what the tests read of one.
type version struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Hash     string `json:"version"`
	Revision int64  `json:"revision"`
	Override string `json:"override"`
	Gate     *struct {
		OK    bool  `json:"ok"`
		Worse []any `json:"worse"`
	} `json:"gate"`
}

// must makes a call under /knowledge that has to answer that status.
func (a *agent) must(status int, method, path string, in, out any) {
	a.t.Helper()
	if got := a.call(method, "/knowledge"+path, in, out); got != status {
		a.t.Fatalf("%s %s: status %d, want %d", method, path, got, status)
	}
}

// write changes a topic of a draft at the revision it has.
func (a *agent) write(v *version, method, topic string, in any) {
	a.t.Helper()
	a.must(http.StatusOK, "GET", "/versions/"+v.ID, nil, v)
	status, raw := a.raw(method, "/knowledge/versions/"+v.ID+"/topics/"+topic, v.Revision, in)
	if status != http.StatusOK {
		a.t.Fatalf("%s %s: status %d: %s", method, topic, status, raw)
	}
}

// raw makes a call with a revision; a text is sent as it is.
func (a *agent) raw(method, path string, revision int64, in any) (int, string) {
	a.t.Helper()
	body, kind := []byte(nil), "application/json"
	if text, ok := in.(string); ok {
		body, kind = []byte(text), "text/csv"
	} else if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			a.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("If-Match", strconv.FormatInt(revision, 10))
	res, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read whole
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

// publish puts a version in force, and waits for tests that take long.
func (a *agent) publish(status int, id string, in map[string]string) string {
	a.t.Helper()
	for {
		got, raw := a.raw("POST", "/knowledge/versions/"+id+"/publish", 0, in)
		if got == http.StatusConflict && strings.Contains(raw, `"check_running"`) {
			continue
		}
		if got != status {
			a.t.Fatalf("publish: status %d, want %d: %s", got, status, raw)
		}
		return raw
	}
}

// worded is what the topic of the small base would say.
func worded(text string) map[string]any {
	return map[string]any{
		"id": "repay_early", "title": "提前还款要手续费吗", "category": "还款", "kind": "answer", "owner": "客服部", "answer": text,
		"phrasings": []string{"提前还款要手续费吗", "提前结清收不收费", "提前把钱还完要交违约金吗", "早点还清会多收钱吗"},
		"answers":   map[string]string{"sms": text},
	}
}

// tried is what the bot of a gateway says now.
func (a *agent) tried(text string) string {
	a.t.Helper()
	var out struct {
		Decision struct{ Topic, Reply, Action string }
	}
	a.must(http.StatusOK, "POST", "/try", map[string]string{"text": text}, &out)
	return out.Decision.Reply
}

func TestKnowledge_APublishReachesEveryReplicaAndDropsNoRequest(t *testing.T) {
	t.Parallel()
	db, redis := pgtest.Start(t).NewDatabase(t), redistest.Start(t)
	o := gatewayOptions{small: true, redis: redis.URL(), yaml: fmt.Sprintf("database: {url: %q}\n", db)}
	publishSmall(t, db, "")
	o.data = shortDir(t)
	g1 := start(t, o)
	cfg := configFile(t, o)
	o.data = shortDir(t)
	g2 := start(t, o)
	ed, sup := g1.addAgent(t, cfg, "ed", "editor"), g1.addAgent(t, cfg, "sup", "supervisor")
	there := g2.login(t, "ed", "correct horse")

	var v version
	ed.must(http.StatusCreated, "POST", "/versions", map[string]string{"title": "换个说法"}, &v)
	ed.write(&v, "PUT", "repay_early", worded("提前还款免费。"))
	ed.must(http.StatusOK, "POST", "/versions/"+v.ID+"/submit", map[string]string{"note": "请看"}, nil)
	ed.must(http.StatusForbidden, "POST", "/versions/"+v.ID+"/review", map[string]string{"verdict": "approve"}, nil)
	ed.must(http.StatusConflict, "POST", "/versions/"+v.ID+"/publish", map[string]string{}, nil)
	sup.must(http.StatusOK, "POST", "/versions/"+v.ID+"/review", map[string]string{"verdict": "approve"}, nil)

	// 200 people ask on two gateways, and in their midst the version changes.
	const people = 200
	const before, after = "提前还款不收手续费。", "提前还款免费。"
	var asked atomic.Int64
	replies := make([]string, people)
	half := make(chan struct{})
	var wg sync.WaitGroup
	turn := make(chan struct{}, 8)
	for i := range people {
		wg.Go(func() {
			if i >= people/2 {
				<-half // the second half asks while it is published, and after
			}
			turn <- struct{}{}
			defer func() { <-turn }()
			c := []*gateway{g1, g2}[i%2].wechat("mp")
			res, err := c.Post(t.Context(), c.Text(fmt.Sprintf("oPerson%d", i), fmt.Sprintf("m%d", i), "提前结清收不收费"))
			if err == nil {
				r, bad := c.Reply(res)
				replies[i], err = r.Content, bad
			}
			if err != nil {
				replies[i] = err.Error()
			}
			if asked.Add(1) == people/4 {
				close(half)
			}
		})
	}
	<-half
	ed.publish(http.StatusOK, v.ID, map[string]string{})
	published := time.Now()
	if got := ed.tried("提前还款要手续费吗"); got != after {
		t.Errorf("the gateway that published still says %q", got)
	}
	eventually(t, "the other gateway answers anew", func() bool { return there.tried("提前还款要手续费吗") == after })
	t.Logf("the other gateway followed %d ms after the publish", time.Since(published).Milliseconds())
	wg.Wait()
	anew := 0
	for i, r := range replies {
		switch {
		case strings.HasPrefix(r, after):
			anew++
		case !strings.HasPrefix(r, before):
			t.Errorf("person %d was answered %q", i, r)
		}
	}
	ed.must(http.StatusOK, "GET", "/versions/"+v.ID, nil, &v)
	if v.State != "published" || v.Gate == nil || !v.Gate.OK {
		t.Errorf("published %+v", v)
	}
	t.Logf("%d of %d were answered by the new version", anew, people)

	sup.must(http.StatusOK, "POST", "/rollback", map[string]string{"to": "v0", "reason": "试一次回滚"}, nil)
	for _, a := range []*agent{sup, there} {
		eventually(t, "everybody is back", func() bool { return a.tried("提前还款要手续费吗") == before })
	}
	g2.ready(t, `"mode":"published"`)
}

// ready waits until /readyz says something.
func (g *gateway) ready(tb testing.TB, want string) {
	tb.Helper()
	eventually(tb, "/readyz says "+want, func() bool {
		res, err := httpClient.Get(g.url + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close() //nolint:errcheck // read whole
		raw, err := io.ReadAll(res.Body)
		return err == nil && strings.Contains(string(raw), want)
	})
}

func TestKnowledge_TheGateRefusesAndASupervisorOverrides(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{small: true, data: shortDir(t)}
	publishSmall(t, "", o.data)
	g := start(t, o)
	cfg := configFile(t, o)
	ed, sup, boss := g.addAgent(t, cfg, "ed", "editor"), g.addAgent(t, cfg, "sup", "supervisor"), g.addAgent(t, cfg, "boss", "compliance")
	if status, raw := ed.raw("POST", "/knowledge/tests?name=regress&format=csv", 0, "问题,知识点\n每个月几号还款,repay_date\n"); status != http.StatusCreated {
		t.Fatalf("test set: %d %s", status, raw)
	}
	var v version
	ed.must(http.StatusCreated, "POST", "/versions", map[string]string{"title": "删掉还款日"}, &v)
	ed.write(&v, "DELETE", "repay_date", nil)
	ed.must(http.StatusOK, "POST", "/versions/"+v.ID+"/submit", map[string]string{}, nil)
	boss.must(http.StatusOK, "POST", "/versions/"+v.ID+"/review", map[string]string{"verdict": "approve"}, nil)
	if raw := ed.publish(http.StatusConflict, v.ID, map[string]string{}); !strings.Contains(raw, `"gate_failed"`) || !strings.Contains(raw, "每个月几号还款") {
		t.Fatalf("publish: %s", raw)
	}
	if got := ed.tried("还款日是哪天"); got != "还款日在账单页可以看到。" {
		t.Errorf("what was refused serves: %q", got)
	}
	ed.must(http.StatusForbidden, "POST", "/versions/"+v.ID+"/publish", map[string]string{"override": "没关系"}, nil)
	sup.publish(http.StatusOK, v.ID, map[string]string{"override": "业务已下线"})
	ed.must(http.StatusOK, "GET", "/versions/"+v.ID, nil, &v)
	if v.Override != "业务已下线" || v.Gate == nil || len(v.Gate.Worse) == 0 {
		t.Errorf("published %+v", v)
	}
	var audit struct {
		Items []struct{ Action, Object, Detail string }
	}
	boss.call("GET", "/audit", nil, &audit)
	var lines []string
	for _, l := range audit.Items {
		if l.Object == v.ID {
			lines = append(lines, l.Action+" "+l.Detail)
		}
	}
	got := strings.Join(lines, "\n")
	for _, want := range []string{"knowledge_publish override: 业务已下线", "knowledge_publish_refused gate_failed", "knowledge_review approve", "knowledge_submit", "knowledge_edit deleted repay_date", "knowledge_create"} {
		if !strings.Contains(got, want) {
			t.Errorf("the audit log lacks %q:\n%s", want, got)
		}
	}
}

func TestKnowledge_LearnsFromAConversation(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{small: true, data: shortDir(t)}
	publishSmall(t, "", o.data)
	g := start(t, o)
	cfg := configFile(t, o)
	ed, sup := g.addAgent(t, cfg, "ed", "editor"), g.addAgent(t, cfg, "sup", "supervisor")

	const asked = "火星网点周末营业"
	visitor := g.visit(t, frame{})
	visitor.say("1", asked+"，热线13812345678")
	if got := visitor.reply("bot"); strings.Contains(got.Text, "还款日") {
		t.Fatalf("answered already: %q", got.Text)
	}
	visitor.send(frame{T: "end", CID: "2"})
	visitor.wait("state closed", func(f frame) bool { return f.T == "state" && f.State == "closed" })

	var learned struct {
		Items []struct {
			ID, Example string
			Count       int
			Sources     map[string]int
		}
		Counts map[string]int
	}
	eventually(t, "the closed conversation is collected", func() bool {
		ed.must(http.StatusOK, "GET", "/learn?state=new", nil, &learned)
		return len(learned.Items) == 1
	})
	c := learned.Items[0]
	if c.Count != 1 || c.Sources["refused"] != 1 || !strings.Contains(c.Example, asked) || strings.Contains(c.Example, "13812345678") {
		t.Errorf("learned %+v", c)
	}
	var dealt struct {
		Cluster struct{ State string }
		Version version
	}
	ed.must(http.StatusOK, "POST", "/learn/"+c.ID, map[string]any{"do": "add", "topic": "repay_date", "texts": []string{asked}}, &dealt)
	if dealt.Cluster.State != "pending" || dealt.Version.State != "draft" {
		t.Fatalf("dealt %+v", dealt)
	}
	id := dealt.Version.ID
	ed.must(http.StatusOK, "POST", "/versions/"+id+"/submit", map[string]string{}, nil)
	sup.must(http.StatusOK, "POST", "/versions/"+id+"/review", map[string]string{"verdict": "approve"}, nil)
	ed.publish(http.StatusOK, id, map[string]string{})

	again := g.visit(t, frame{})
	again.say("1", asked)
	if got := again.reply("bot"); !strings.Contains(got.Text, "还款日在账单页") {
		t.Errorf("after the publish the bot says %q", got.Text)
	}
	ed.must(http.StatusOK, "GET", "/learn?state=applied", nil, &learned)
	if len(learned.Items) != 1 || learned.Items[0].ID != c.ID {
		t.Errorf("applied %+v", learned.Items)
	}
}

func TestKnowledge_TheCommandsReadWhatIsPublished(t *testing.T) {
	t.Parallel()
	data := shortDir(t)
	publishSmall(t, "", data)
	cfg, err := config.Load(configFile(t, gatewayOptions{data: data}), nil)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	from := app.Source{Config: cfg, Logger: log}
	var sheet bytes.Buffer
	if n, err := app.ExportKnowledge(t.Context(), &sheet, from, "csv"); err != nil || n != 2 || !strings.Contains(sheet.String(), "提前还款不收手续费。") {
		t.Errorf("exported %d topics, %v:\n%s", n, err, sheet.String())
	}
	if n, err := app.ExportKnowledge(t.Context(), io.Discard, app.Source{Dir: app.EmbeddedName}, "csv"); err != nil || n < 300 {
		t.Errorf("exported %d topics of the embedded base, %v", n, err)
	}
	r, err := app.CrossEvalKnowledge(t.Context(), app.CrossEval{From: from, Folds: 2})
	if err != nil || r.Labels != 2 || r.N != 8 {
		t.Errorf("measured %d phrasings of %d topics, %v", r.N, r.Labels, err)
	}
	a, err := app.NewAsker(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Ask("提前结清收不收费"); got.Reply != "提前还款不收手续费。" {
		t.Errorf("asked: %+v", got)
	}
}
