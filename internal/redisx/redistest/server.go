// Package redistest starts real redis-server processes for tests: single ones
// that can be killed, restarted and paused, a cluster of several, and a proxy
// that loses replies. Everything ends with the test.
package redistest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// startTimeout bounds how long a server may take to answer; it is a safety net,
// not a measurement.
const startTimeout = 30 * time.Second

// Binary is the server program to use. The test is skipped, loudly, where there
// is none, but fails in CI.
func Binary(tb testing.TB) string {
	tb.Helper()
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if _, ci := os.LookupEnv("CI"); ci {
		tb.Fatal("neither redis-server nor valkey-server is on PATH")
	}
	tb.Skip("SKIPPED: neither redis-server nor valkey-server is on PATH; nothing about the store is tested")
	return ""
}

// Server is one redis-server child process. Its methods are for one goroutine,
// clients may be used from many.
type Server struct {
	t       testing.TB
	network string
	addr    string
	dir     string
	args    []string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

// Start runs a server on a unix socket with an append-only file, fsync always.
// Further args are redis-server's, as "--name", "value".
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	dir := shortDir(tb)
	s := &Server{t: tb, network: "unix", addr: filepath.Join(dir, "r.sock"), dir: dir}
	s.args = append([]string{
		"--port", "0", "--unixsocket", s.addr, "--unixsocketperm", "700", "--dir", dir,
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction",
	}, args...)
	s.launch()
	return s
}

// shortDir makes a directory whose sockets stay under the 108 bytes a path may have.
func shortDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "ws-") //nolint:usetesting // its path may be too long for a socket
	if err != nil {
		tb.Fatalf("make directory: %v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// launch starts the process and waits until it serves.
func (s *Server) launch() {
	s.t.Helper()
	cmd := exec.Command(Binary(s.t), s.args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("start %s: %v", cmd.Path, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	s.mu.Lock()
	first := s.cmd == nil
	s.cmd, s.done = cmd, done
	s.mu.Unlock()
	if first {
		s.t.Cleanup(s.end)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if s.pong(ctx) {
			return
		}
		select {
		case <-done:
			s.t.Fatalf("redis-server ended at start: %s", out.String())
		case <-ctx.Done():
			s.t.Fatalf("redis-server does not answer: %s", out.String())
		case <-tick.C:
		}
	}
}

// pong asks once. A go-redis client would pause for a second after a failed dial.
func (s *Server) pong(ctx context.Context) bool {
	var d net.Dialer
	conn, err := d.DialContext(ctx, s.network, s.addr)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return false
	}
	answer := make([]byte, len("+PONG"))
	_, err = io.ReadFull(conn, answer)
	return err == nil && string(answer) == "+PONG"
}

// end is the cleanup: no process survives the test.
func (s *Server) end() {
	s.signal(syscall.SIGCONT)
	s.signal(syscall.SIGKILL)
	<-s.done
}

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
	default:
		_ = s.cmd.Process.Signal(sig)
	}
}

// Network is "unix" or "tcp"; Addr the socket's path or host:port.
func (s *Server) Network() string { return s.network }

// Addr is where the server listens.
func (s *Server) Addr() string { return s.addr }

// URL is the server's address for redisx.Connect.
func (s *Server) URL() string {
	if s.network == "unix" {
		return "unix://" + s.addr
	}
	return "redis://" + s.addr
}

// Dir holds everything the server writes.
func (s *Server) Dir() string { return s.dir }

// Client returns a new client as the product uses it, closed with the test.
func (s *Server) Client() *redis.Client {
	return NewClient(s.t, s.network, s.addr)
}

// NewClient returns a client with the product's settings, closed with the test.
func NewClient(tb testing.TB, network, addr string) *redis.Client {
	tb.Helper()
	c := redis.NewClient(&redis.Options{
		Network: network, Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true, PoolSize: 64,
		DialerRetries: 1, DialTimeout: 5 * time.Second,
	})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Kill ends the process as kill -9 does and waits until it is gone.
func (s *Server) Kill() {
	s.signal(syscall.SIGKILL)
	<-s.done
}

// Restart starts the killed server again on the same directory and address.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.launch()
}

// Pause stops the process without ending it: connections stay, no answer comes.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

// Cluster is a running Redis Cluster without replicas.
type Cluster struct {
	Nodes []*Server
}

// StartCluster runs n masters, which share the slots evenly.
func StartCluster(tb testing.TB, n int) *Cluster {
	tb.Helper()
	c := &Cluster{}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	bus := make([]int, n)
	for i := range n {
		port := freePort(tb)
		bus[i] = freePort(tb)
		dir := shortDir(tb)
		s := &Server{t: tb, network: "tcp", addr: "127.0.0.1:" + strconv.Itoa(port), dir: dir}
		s.args = []string{
			"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no",
			"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus[i]), "--cluster-config-file", "nodes.conf",
			"--cluster-node-timeout", "5000",
		}
		s.launch()
		c.Nodes = append(c.Nodes, s)
	}
	const slots = 16384
	for i, s := range c.Nodes {
		client := s.Client()
		must(tb, client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		must(tb, client.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", i*slots/n, (i+1)*slots/n-1).Err())
		if i > 0 {
			host, port, _ := net.SplitHostPort(c.Nodes[0].addr)
			must(tb, client.Do(ctx, "CLUSTER", "MEET", host, port, bus[0]).Err())
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, s := range c.Nodes {
		client := s.Client()
		for {
			info, err := client.ClusterInfo(ctx).Result()
			if err == nil && strings.Contains(info, "cluster_state:ok") &&
				strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", n)) {
				break
			}
			select {
			case <-ctx.Done():
				tb.Fatalf("the cluster does not form: %s", info)
			case <-tick.C:
			}
		}
	}
	return c
}

// URL is the cluster's address for redisx.Connect.
func (c *Cluster) URL() string {
	addrs := make([]string, len(c.Nodes))
	for i, s := range c.Nodes {
		addrs[i] = s.addr
	}
	return "redis-cluster://" + strings.Join(addrs, ",")
}

// Client returns a new cluster client, closed with the test.
func (c *Cluster) Client(tb testing.TB) *redis.ClusterClient {
	tb.Helper()
	addrs := make([]string, len(c.Nodes))
	for i, s := range c.Nodes {
		addrs[i] = s.addr
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: addrs, MaxRetries: -1, ContextTimeoutEnabled: true, PoolSize: 64,
	})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// freePort finds a port nobody listens on, below the range that systems give to
// outgoing connections: else one of those could take it before the server does,
// or while the server is down.
func freePort(tb testing.TB) int {
	tb.Helper()
	for range 100 {
		port := 30_000 + rand.IntN(2_700)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		must(tb, l.Close())
		return port
	}
	tb.Fatal("no free port was found")
	return 0
}
