package redisx_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"wensheng/internal/redisx"
	"wensheng/internal/redisx/redistest"
)

// gatewayDir, when set, makes the test program a gateway to be killed: it serves
// an embedded Redis in that directory, says so and waits.
const gatewayDir = "REDISX_TEST_GATEWAY_DIR"

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(gatewayDir); ok {
		db, err := redisx.Connect(context.Background(), redisx.Options{Dir: dir, AppendFsync: "always"})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("ready", db.Client().Set(context.Background(), "k", "v", 0).Err())
		select {}
	}
	goleak.VerifyTestMain(m)
}

func connect(t *testing.T, o redisx.Options) *redisx.DB {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	db, err := redisx.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func closeDB(t *testing.T, db *redisx.DB) {
	t.Helper()
	if err := db.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("close: %v", err)
	}
}

// serverPID asks the embedded server for its process.
func serverPID(t *testing.T, db *redisx.DB) int {
	t.Helper()
	info, err := db.Client().Info(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(info, "process_id:")
	text, _, _ := strings.Cut(after, "\r")
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// eventually polls until ok, or the test's own deadline.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it does not happen")
		}
	}
}

func TestEmbedded_ComesBackAfterAKillWithItsData(t *testing.T) {
	t.Parallel()
	redistest.Binary(t)
	dir := filepath.Join(t.TempDir(), "data dir \"quoted\"", "redis")
	db := connect(t, redisx.Options{Dir: dir, AppendFsync: "always"})
	if db.Mode() != redisx.ModeEmbedded {
		t.Fatalf("mode %s", db.Mode())
	}
	for round := range 12 { // more than the starts it gives up after
		want := strconv.Itoa(round)
		if err := db.Client().Set(t.Context(), "k", want, 0).Err(); err != nil {
			t.Fatal(err)
		}
		pid := serverPID(t, db)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { return db.Ping(t.Context()) == nil })
		if got, err := db.Client().Get(t.Context(), "k").Result(); err != nil || got != want {
			t.Fatalf("round %d: got %q, %v", round, got, err)
		}
	}
	stat, err := os.Stat(filepath.Join(dir, "redis.conf"))
	if err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("configuration: %v, %v", stat, err)
	}
	pid := serverPID(t, db)
	closeDB(t, db)
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the server outlives Close: %v", err)
	}

	again := connect(t, redisx.Options{Dir: dir})
	if got, err := again.Client().Get(t.Context(), "k").Result(); err != nil || got != "11" {
		t.Errorf("after a restart: got %q, %v", got, err)
	}
	closeDB(t, again)
}

func TestEmbedded_EndsWithAKilledGateway(t *testing.T) {
	t.Parallel()
	redistest.Binary(t)
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), gatewayDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready <nil>\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	left, err := os.ReadFile(filepath.Join(dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// The next gateway waits for the orphan's end and finds the data.
	db := connect(t, redisx.Options{Dir: dir})
	defer closeDB(t, db)
	if got, err := db.Client().Get(t.Context(), "k").Result(); err != nil || got != "v" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := os.Stat(string(left)); !os.IsNotExist(err) {
		t.Errorf("the killed gateway's socket directory is still there: %v", err)
	}
}

func TestEmbedded_KeepsTheDirectoryToItself(t *testing.T) {
	t.Parallel()
	redistest.Binary(t)
	dir := t.TempDir()
	db := connect(t, redisx.Options{Dir: dir})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := redisx.Connect(ctx, redisx.Options{Dir: dir}); err == nil {
		t.Error("two servers on one directory")
	}
	closeDB(t, db)
}

func TestEmbedded_SaysWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	redistest.Binary(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "appendonlydir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "appendonlydir", "appendonly.aof.manifest"), []byte("rubbish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := redisx.Connect(t.Context(), redisx.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "manifest") {
		t.Errorf("got %v", err)
	}
	if _, err := redisx.Connect(t.Context(), redisx.Options{Dir: dir, AppendFsync: "sometimes"}); err == nil {
		t.Error("a wrong appendfsync is accepted")
	}
}

func TestEmbedded_GivesUpWhenItCannotBeKeptAlive(t *testing.T) {
	t.Parallel()
	redistest.Binary(t)
	dir := t.TempDir()
	db := connect(t, redisx.Options{Dir: dir})
	pid := serverPID(t, db)
	manifest, err := filepath.Glob(filepath.Join(dir, "appendonlydir", "*.manifest"))
	if err != nil || len(manifest) != 1 {
		t.Fatalf("%v, %v", manifest, err)
	}
	if err := os.WriteFile(manifest[0], []byte("rubbish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-db.Done():
		if err == nil {
			t.Error("no error")
		}
	case <-t.Context().Done():
		t.Error("it never gives up")
	}
	closeDB(t, db)
}

func TestTrial_KeepsTimeAndAsksForAPassword(t *testing.T) {
	t.Parallel()
	db := connect(t, redisx.Options{Dir: t.TempDir(), Binary: "no-such-program"})
	if db.Mode() != redisx.ModeTrial {
		t.Fatalf("mode %s", db.Mode())
	}
	defer closeDB(t, db)
	if err := db.Client().Set(t.Context(), "k", "v", 60*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return errors.Is(db.Client().Get(t.Context(), "k").Err(), redis.Nil) })
	single, ok := db.Client().(*redis.Client)
	if !ok {
		t.Fatalf("%T", db.Client())
	}
	stranger := redistest.NewClient(t, "tcp", single.Options().Addr)
	if err := stranger.Ping(t.Context()).Err(); err == nil {
		t.Error("the trial store serves strangers")
	}
}

func TestConnect_ByURL(t *testing.T) {
	t.Parallel()
	script := redisx.NewScript("echo", "return {KEYS[1], ARGV[1]}")
	check := func(t *testing.T, url, mode string) {
		t.Helper()
		db := connect(t, redisx.Options{URL: url})
		defer closeDB(t, db)
		if db.Mode() != mode {
			t.Errorf("mode %s, want %s", db.Mode(), mode)
		}
		for range 2 {
			got, err := script.Run(t.Context(), db.Client(), []string{"{s1}:k"}, "v")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]any{"{s1}:k", "v"}, got); d != "" {
				t.Error(d)
			}
		}
	}
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		s := redistest.Start(t, "--requirepass", "")
		check(t, s.URL(), redisx.ModeSingle)
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		check(t, redistest.StartCluster(t, 3).URL(), redisx.ModeCluster)
	})
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		check(t, redistest.StartSentinel(t).URL(), redisx.ModeSentinel)
	})
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		_, err := redisx.Connect(t.Context(), redisx.Options{URL: "unix://" + filepath.Join(t.TempDir(), "none.sock")})
		if !redisx.Unavailable(err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCheckURL_SaysWhatIsWrongWithoutTheURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"", "redis://localhost", "rediss://:secret@r.example:6380/3", "unix:///run/redis.sock",
		"redis-sentinel://a,b:26380/main", "redis-sentinel://u:p%40x@[::1]:1,b/main/2?sentinel_password=z&tls=true",
		"redis-cluster://a:1,b,c:3", "redis-cluster://:secret@a?tls=true",
		"rediss-cluster://:secret@a,b", "rediss-sentinel://a,b/main",
	} {
		if err := redisx.CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"localhost:6379", "http://:secret@a", "redis://:secret@a:port", "redis-sentinel://:secret@a", "redis-cluster://:secret@a,,b",
		"redis-cluster://:secret@a/1", "redis-cluster://:secret@a?x=1", "redis-sentinel://:secret@a/m/x", "redis-cluster://:%zzsecret@a",
	} {
		err := redisx.CheckURL(bad)
		if err == nil {
			t.Errorf("%s is accepted", bad)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}

func TestConnect_TakesTLSFromTheScheme(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"redis-cluster://%s": false, "redis-cluster://%s?tls=true": true, "rediss-cluster://%s": true, "rediss-cluster://%s?tls=false": true,
		"redis-sentinel://%s/main": false, "redis-sentinel://%s/main?tls=true": true, "rediss-sentinel://%s/main": true,
	} {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			first := make(chan byte, 1)
			go func() {
				defer close(first)
				c, err := l.Accept()
				if err != nil {
					return
				}
				var b [1]byte
				if _, err := io.ReadFull(c, b[:]); err == nil {
					first <- b[0]
				}
				_ = l.Close() // nobody else is let in
				_ = c.Close()
			}()
			db, err := redisx.Connect(t.Context(), redisx.Options{URL: fmt.Sprintf(url, l.Addr())})
			if err == nil {
				closeDB(t, db)
				t.Fatal("connected to nothing")
			}
			const handshake = 22 // the type of TLS's first record; a Redis command begins with '*'
			if got := <-first == handshake; got != want {
				t.Errorf("speaks TLS: %v, want %v", got, want)
			}
		})
	}
}

func TestUnavailable_KnowsAServerThatCannotServe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"READONLY You can't write against a read only replica.":                    true,
		"OOM command not allowed when used memory > 'maxmemory'.":                  true,
		"ERR Error running script: -READONLY You can't write":                      true,
		"MISCONF Errors writing to the AOF file: No space left on device":          true,
		"LOADING Redis is loading the dataset in memory":                           true,
		"CLUSTERDOWN Hash slot not served":                                         true,
		"ERR max number of clients reached":                                        true,
		"ERR wrong number of arguments":                                            false,
		"WRONGTYPE Operation against a key holding the wrong kind of value":        false,
		"ERR user_script:3: attempt to compare nil with number script: 1234567890": false,
	} {
		if got := redisx.Unavailable(errors.New(text)); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
	if redisx.Unavailable(nil) || redisx.Unavailable(redis.Nil) || !redisx.Unavailable(context.DeadlineExceeded) {
		t.Error("nil, Nil or a deadline")
	}
}

func TestProxy_LosesTheReplyNotTheCommand(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	p := redistest.StartProxy(t, s)
	c := redistest.NewClient(t, "unix", p.Addr())
	script := redisx.NewScript("incr", "return redis.call('INCR', KEYS[1])")
	if _, err := script.Run(t.Context(), c, []string{"n"}); err != nil {
		t.Fatal(err)
	}
	p.DropNext(1)
	if _, err := script.Run(t.Context(), c, []string{"n"}); !redisx.Lost(err) || !redisx.Unavailable(err) {
		t.Errorf("got %v", err)
	}
	if got, err := script.Run(t.Context(), c, []string{"n"}); err != nil || got != int64(3) {
		t.Errorf("got %v, %v", got, err)
	}
	if p.Dropped() != 1 {
		t.Errorf("%d dropped", p.Dropped())
	}
}
