package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"

	"wensheng/internal/chat"
	"wensheng/internal/redisx/redistest"
	"wensheng/internal/store"
)

// asked is what every benchmark asks; the answer is an approved Topic's.
const asked = "提前还款要手续费吗"

// BenchmarkTurns measures whole turns, from a WeChat callback to the passive
// reply in its response, with the embedded Redis and the load generator on the
// same cores; and, in the same run, the ceiling: the very same script calls,
// recorded and replayed by a bare client with nothing in between.
func BenchmarkTurns(b *testing.B) {
	for _, clients := range []int{1, 16, 64, 256} {
		b.Run("clients="+strconv.Itoa(clients), func(b *testing.B) {
			turns, latency := callbacks(b, clients)
			ceiling := replay(b, clients)
			b.ReportMetric(turns, "turns/s")
			b.ReportMetric(ceiling, "ceiling/s")
			b.ReportMetric(turns/ceiling, "of-ceiling")
			b.ReportMetric(latency[len(latency)/2].Seconds()*1000, "p50-ms")
			b.ReportMetric(latency[len(latency)*99/100].Seconds()*1000, "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// callbacks posts b.N messages from that many contacts and returns turns a
// second and the sorted latencies.
func callbacks(b *testing.B, clients int) (perSecond float64, latency []time.Duration) {
	b.Helper()
	g := start(b, gatewayOptions{everysec: true})
	defer func() {
		if err := g.stop(); err != nil {
			b.Error(err)
		}
	}()
	hc := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}, Timeout: 10 * time.Second}
	defer hc.CloseIdleConnections()
	var mu sync.Mutex
	began := time.Now()
	inParallel(clients, b.N, func(client, n int) {
		w := g.wechat("mp")
		w.HTTP = hc
		for k := range n {
			body := w.Text(fmt.Sprintf("oBench%d", client), fmt.Sprintf("%d%09d", client+1, k), asked)
			t := time.Now()
			a, err := w.Post(context.Background(), body)
			took := time.Since(t)
			if err != nil || a.Status != http.StatusOK || len(a.Body) < 100 {
				b.Errorf("callback: %v, status %d, %d bytes", err, a.Status, len(a.Body))
				return
			}
			mu.Lock()
			latency = append(latency, took)
			mu.Unlock()
		}
	})
	perSecond = float64(len(latency)) / time.Since(began).Seconds()
	slices.Sort(latency)
	return perSecond, append(latency, 0)[:max(len(latency), 1)]
}

// inParallel shares n pieces of work among that many goroutines.
func inParallel(clients, n int, f func(client, n int)) {
	var wg sync.WaitGroup
	for c := range clients {
		mine := n / clients
		if c < n%clients {
			mine++
		}
		wg.Go(func() { f(c, mine) })
	}
	wg.Wait()
}

// replay records what b.N turns send to Redis and sends it again, bare, to a
// fresh server with the embedded one's settings; it returns turns a second.
func replay(b *testing.B, clients int) float64 {
	b.Helper()
	first := redistest.Start(b, "--appendfsync", "everysec")
	rec := &recorder{}
	rdb := first.Client()
	rdb.AddHook(rec)
	s, err := store.New(store.Options{
		Redis: rdb, PubSub: first.Client(), Sealer: sealer(b), Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		Channel: func(chat.AccountID) string { return "wechat" }, Pulls: func(chat.AccountID) bool { return false },
	})
	if err != nil {
		b.Fatal(err)
	}
	perClient := make([][][]any, clients)
	ctx := context.Background()
	for c := range clients {
		rec.calls = nil
		for k := range b.N/clients + 1 {
			acc, err := s.Accept(ctx, chat.Inbound{
				From: chat.Address{Account: "mp", ID: fmt.Sprintf("oBench%d", c)}, ProviderID: strconv.Itoa(k),
				Kind: chat.KindText, Text: asked, At: time.Now(),
			})
			if err != nil {
				b.Fatal(err)
			}
			id := chat.NewMessageID()
			_, _, err = s.Commit(ctx, acc.Turn, chat.Commit{
				Cursor:  acc.Message.Seq,
				Append:  []chat.Message{{ID: id, Role: chat.RoleBot, Kind: chat.KindText, Text: strings.Repeat("答", 150), At: time.Now(), InReplyTo: acc.Message.ID, Inline: true}},
				Deliver: map[chat.MessageID]chat.Delivery{id: chat.DeliveryPending},
				// Always the same effect: the gateway settles it between two turns.
				Effects: []chat.Effect{{ID: "send", Kind: chat.EffectSend, Message: id, Due: time.Now().Add(time.Minute)}},
				Memory:  []byte(`{"turns":1,"last_topic":"repay_early_fee"}`),
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		perClient[c] = rec.calls
	}
	second := redistest.Start(b, "--appendfsync", "everysec")
	bare := second.Client()
	for _, src := range rec.sources {
		if err := bare.ScriptLoad(ctx, src).Err(); err != nil {
			b.Fatal(err)
		}
	}
	calls := 0
	for _, list := range perClient {
		calls += len(list)
	}
	began := time.Now()
	inParallel(clients, clients, func(c, _ int) {
		for _, args := range perClient[c] {
			if err := bare.Do(ctx, args...).Err(); err != nil {
				b.Errorf("replayed call: %v", err)
				return
			}
		}
	})
	return float64(calls) / 2 / time.Since(began).Seconds()
}

// recorder keeps the script calls a client makes.
type recorder struct {
	calls   [][]any
	sources []string
}

func (r *recorder) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *recorder) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (r *recorder) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		switch args := cmd.Args(); args[0] {
		case "eval": // the first time a server sees it: the evalsha before it failed
			r.sources = append(r.sources, args[1].(string)) //nolint:errcheck,forcetypeassert // eval's source is text
		case "evalsha":
			r.calls = append(r.calls, args)
		}
		return err
	}
}

// BenchmarkStart measures from the start of the process to the first good
// /readyz, with an empty data directory and with the model trained before.
func BenchmarkStart(b *testing.B) {
	binary := build(b)
	for _, cache := range []string{"cold", "cached"} {
		b.Run(cache, func(b *testing.B) {
			data := shortDir(b)
			for b.Loop() {
				if cache == "cold" {
					data = shortDir(b)
				}
				p := &process{t: b, binary: binary}
				addr := freePort(b)
				p.url = "http://" + addr
				p.config = configFile(b, gatewayOptions{listen: addr, data: data})
				p.start()
				b.StopTimer()
				p.stop()
				b.StartTimer()
			}
		})
	}
}

// BenchmarkIdleVisitors opens 10,000 web sockets to a gateway in a process of
// its own and reads from its metrics what each costs.
func BenchmarkIdleVisitors(b *testing.B) {
	const visitors = 10_000
	binary := build(b)
	for b.Loop() {
		addr := freePort(b)
		// The collector runs all the time, so that what is counted is held, not
		// garbage of the start.
		p := &process{t: b, binary: binary, url: "http://" + addr, env: []string{"GOGC=2"}}
		p.config = configFile(b, gatewayOptions{listen: addr, yaml: "limits: {sockets_per_ip: 20000}\n"})
		p.start()
		before := p.memory()
		var mu sync.Mutex
		var open []*websocket.Conn
		inParallel(16, visitors, func(_, n int) {
			d := websocket.Dialer{Subprotocols: []string{"wensheng.v1"}, ReadBufferSize: 256, WriteBufferSize: 256}
			for range n {
				ws, res, err := d.Dial("ws://"+addr+"/channels/web/web/ws", http.Header{"Origin": {p.url}})
				if err != nil {
					b.Errorf("dial: %v", err)
					return
				}
				_ = res.Body.Close()
				var welcome frame
				if ws.WriteJSON(frame{T: "hello"}) != nil || ws.ReadJSON(&welcome) != nil || welcome.T != "welcome" {
					b.Errorf("no welcome: %+v", welcome)
					return
				}
				mu.Lock()
				open = append(open, ws)
				mu.Unlock()
			}
		})
		after := p.memory()
		b.ReportMetric(float64(len(open)), "visitors")
		b.ReportMetric((after-before)/1024/float64(max(len(open), 1)), "KB/visitor")
		for _, ws := range open {
			_ = ws.Close()
		}
		p.stop()
	}
}

// memory returns the process's Go heap and stacks in use after a collection, in bytes.
func (p *process) memory() float64 {
	p.t.Helper()
	last := 0.0
	// The collector runs when it wants; the lowest of a few readings is what
	// is really held.
	for range 40 {
		pause(100)
		res, err := httpClient.Get(p.url + "/metrics")
		if err != nil {
			p.t.Fatal(err)
		}
		sum := 0.0
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			f := strings.Fields(in.Text())
			if len(f) == 2 && (f[0] == "go_memstats_heap_alloc_bytes" || f[0] == "go_memstats_stack_inuse_bytes") {
				v, err := strconv.ParseFloat(f[1], 64)
				if err != nil {
					p.t.Fatal(err)
				}
				sum += v
			}
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if last == 0 || sum < last {
			last = sum
		}
	}
	return last
}

// stop ends the process as an operator would.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(done)
	}()
	t := time.NewTimer(30 * time.Second)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		_ = p.cmd.Process.Kill()
		<-done
	}
}
