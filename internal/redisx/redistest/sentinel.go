package redistest

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// Sentinel is one master watched by one sentinel, which calls it "main".
type Sentinel struct {
	Master   *Server
	sentinel *Server
}

// StartSentinel runs both.
func StartSentinel(tb testing.TB) *Sentinel {
	tb.Helper()
	start := func(args ...string) *Server {
		port := strconv.Itoa(freePort(tb))
		dir := shortDir(tb)
		s := &Server{t: tb, network: "tcp", addr: net.JoinHostPort("127.0.0.1", port), dir: dir}
		s.args = append(args, "--port", port, "--bind", "127.0.0.1", "--dir", dir)
		s.launch()
		return s
	}
	master := start("--save", "")
	host, port, err := net.SplitHostPort(master.addr)
	must(tb, err)
	config := filepath.Join(shortDir(tb), "sentinel.conf")
	must(tb, os.WriteFile(config, []byte("sentinel monitor main "+host+" "+port+" 1\n"), 0o600))
	return &Sentinel{Master: master, sentinel: start(config, "--sentinel")}
}

// URL is the pair's address for redisx.Connect.
func (s *Sentinel) URL() string { return "redis-sentinel://" + s.sentinel.addr + "/main" }
