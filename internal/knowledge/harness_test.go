package knowledge_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/internal/archive"
	"wensheng/internal/kb"
	"wensheng/internal/kb/kbtest"
	"wensheng/internal/knowledge"
	"wensheng/internal/pii"
	"wensheng/nlp"
)

// models keeps what the tests train: most of them change answers only, which
// needs no other model.
var models string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ws")
	if err != nil {
		panic(err)
	}
	models = dir
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.Cleanup(func(code int) {
			_ = os.RemoveAll(dir)
			os.Exit(code)
		}))
}

// small is the tests' knowledge base, with a Topic that leads to another.
var small = kbtest.Small + `  - id: card_change
    title: 更换银行卡
    phrasings: |
      怎么更换银行卡
      换一张还款的卡
      银行卡想换一张
      绑定的卡能换吗
    answer: 在设置里更换银行卡。
    answers: {sms: 在设置里更换银行卡。}
    follow_ups: [repay_date]
`

// clock is the time of day, moved by the test.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC).Add(time.Duration(c.ahead.Load()))
}
func (c *clock) add(d time.Duration) { c.ahead.Add(int64(d)) }

// desk is a library over a real database.
type desk struct {
	*knowledge.Library
	db    *archive.Archive
	live  *knowledge.Live
	clock *clock
	log   *bytes.Buffer
	built atomic.Int64
	// gc is the garbage collector's percentage when an engine was built last,
	// tidied how often memory was given back.
	gc     atomic.Uint64
	tidied atomic.Int64
	// hold, when not nil, is waited for before an engine is built; with slow one
	// is never built.
	hold chan struct{}
	slow atomic.Bool
}

// published is the id of the version every test begins with.
const published = kbtest.Version

// open starts a library on which the small knowledge base is published.
func open(t *testing.T) *desk {
	t.Helper()
	d := &desk{clock: &clock{}, log: &bytes.Buffer{}}
	seal, err := pii.NewSealer(bytes.Repeat([]byte{1}, pii.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	d.db, err = archive.Open(t.Context(), archive.Options{Dir: t.TempDir(), Sealer: seal, Clock: d.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	kbtest.Publish(t, d.db, small, d.clock.now())
	log := slog.New(slog.DiscardHandler)
	build := func(ctx context.Context, base *intents.Base, progress func(done, total int)) (*bot.Engine, error) {
		d.built.Add(1)
		gc := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(gc)
		d.gc.Store(gc[0].Value.Uint64())
		if d.slow.Load() {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if d.hold != nil {
			select {
			case <-d.hold:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return bot.NewContext(ctx, bot.Options{Base: base, Groups: []string{"kf"}, CacheDir: models, Progress: progress})
	}
	d.live, err = knowledge.NewLive(t.Context(), knowledge.LiveOptions{
		Store: d.db, Build: build, InForce: func(string) {}, Tidy: func() { d.tidied.Add(1) }, Clock: d.clock.now, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Library = knowledge.New(knowledge.Options{
		Store: d.db, Live: d.live, Build: build, Mask: pii.Mask, Clock: d.clock.now, Logger: log,
		Answer:  func(_ string, d bot.Decision) any { return d },
		Segment: func(b *intents.Base) (*nlp.Segmenter, error) { return nlp.NewSegmenter(b.Words()) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		d.live.Close()
		if err := d.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// wait returns a run when it is over.
func (d *desk) wait(t *testing.T, id string) kb.Run {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute) // the race detector trains slowly
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		r, err := d.RunState(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if r.State != kb.Running {
			tick.Stop()
			return r
		}
		if time.Now().After(deadline) {
			tick.Stop()
			t.Fatalf("run %s is not over: %+v", id, r)
		}
	}
}

// draft begins a draft of wang's.
func (d *desk) draft(t *testing.T) kb.Version {
	t.Helper()
	v, err := d.Create(t.Context(), "wang", "草稿", "")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// put writes a topic over the one in the draft, with change applied.
func (d *desk) put(t *testing.T, version, topic string, change func(*intents.Topic)) kb.Edited {
	t.Helper()
	got, err := d.Topic(t.Context(), version, topic)
	if err != nil {
		t.Fatal(err)
	}
	tp, ok := got.(*intents.Topic)
	if !ok {
		t.Fatalf("a topic is %T", got)
	}
	change(tp)
	e, err := d.PutTopic(t.Context(), "wang", version, topic, 0, marshal(t, tp))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// approve brings a draft through review by a second person.
func (d *desk) approve(t *testing.T, id string) {
	t.Helper()
	if _, err := d.Submit(t.Context(), "wang", id, "请看"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Judge(t.Context(), "li", id, true, ""); err != nil {
		t.Fatal(err)
	}
}

// publish is Publish that waits for tests that take long, as the console does.
func (d *desk) publish(t *testing.T, user, id, override string) (kb.Version, error) {
	t.Helper()
	for {
		v, err := d.Publish(t.Context(), user, id, override)
		var e *kb.Error
		if !errors.As(err, &e) || e.Code != kb.CodeCheckRuns {
			return v, err
		}
		d.wait(t, e.Run)
	}
}

// says decides on a text with what is in force.
func (d *desk) says(text string) bot.Decision {
	e, release := d.live.Acquire()
	defer release()
	return e.Decide(bot.Memory{}, bot.Input{Text: text, Kind: "text", Channel: "web"})
}

// refused checks the code of a refusal.
func refused(t *testing.T, err error, code string) {
	t.Helper()
	if refusal(t, err, code) == nil {
		t.Error("no refusal")
	}
}

// refusal is refused that returns it.
func refusal(t *testing.T, err error, code string) *kb.Error {
	t.Helper()
	var e *kb.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%v, want %s", err, code)
	}
	return e
}

func contains(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s is %q, want %q in it", what, got, want)
	}
}

func input(text string) (bot.Memory, bot.Input) {
	return bot.Memory{}, bot.Input{Text: text, Kind: "text", Channel: "web"}
}
