package redistest

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Proxy stands between a client and a server and loses replies: the command was
// carried out, the answer never arrives, the connection breaks. It passes one
// command of a connection at a time; a connection that subscribes is passed
// through as it is.
type Proxy struct {
	listener        net.Listener
	network, target string

	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	closed  bool
	drop    func(command []string) bool
	dropped int
	wg      sync.WaitGroup
}

// StartProxy runs a proxy before the server; it ends with the test.
func StartProxy(tb testing.TB, s *Server) *Proxy {
	tb.Helper()
	l, err := net.Listen("unix", filepath.Join(shortDir(tb), "p.sock"))
	must(tb, err)
	p := &Proxy{listener: l, network: s.network, target: s.addr, conns: make(map[net.Conn]struct{})}
	p.wg.Go(p.serve)
	tb.Cleanup(p.close)
	return p
}

// Addr is the unix socket to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// URL is the proxy's address for redisx.Connect.
func (p *Proxy) URL() string { return "unix://" + p.Addr() }

// DropNext loses the reply of the next n script calls.
func (p *Proxy) DropNext(n int) {
	p.DropIf(func(command []string) bool {
		if n > 0 && IsScript(command) {
			n--
			return true
		}
		return false
	})
}

// DropRandom loses the reply of a script call with probability of.
func (p *Proxy) DropRandom(of float64) {
	p.DropIf(func(command []string) bool { return IsScript(command) && rand.Float64() < of })
}

// DropIf loses the reply of every command that fn says; nil loses none. fn is
// called for one command at a time.
func (p *Proxy) DropIf(fn func(command []string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop = fn
}

// Dropped is how many replies were lost so far.
func (p *Proxy) Dropped() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

// IsScript reports whether a command runs a script.
func IsScript(command []string) bool {
	return strings.EqualFold(command[0], "EVALSHA") || strings.EqualFold(command[0], "EVAL")
}

func (p *Proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.track(c) {
			p.wg.Go(func() {
				defer p.forget(c)
				p.relay(c)
			})
		}
	}
}

func (p *Proxy) track(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) forget(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// relay passes commands and replies in turn until one side ends.
func (p *Proxy) relay(client net.Conn) {
	server, err := net.Dial(p.network, p.target)
	if err != nil || !p.track(server) {
		return
	}
	defer p.forget(server)
	fromClient, fromServer := bufio.NewReader(client), bufio.NewReader(server)
	for {
		raw, command, err := readCommand(fromClient)
		if err != nil {
			return
		}
		if _, err := server.Write(raw); err != nil {
			return
		}
		if len(command) > 0 && strings.HasSuffix(strings.ToUpper(command[0]), "SUBSCRIBE") {
			p.wg.Go(func() {
				_, _ = io.Copy(client, fromServer)
				_ = client.Close() // ends the other direction
			})
			_, _ = io.Copy(server, fromClient)
			return
		}
		answer, err := readReply(fromServer)
		if err != nil || p.loses(command) {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

func (p *Proxy) loses(command []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drop == nil || len(command) == 0 || !p.drop(command) {
		return false
	}
	p.dropped++
	return true
}

// readCommand reads an array of bulk strings.
func readCommand(r *bufio.Reader) (raw []byte, command []string, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, nil, err
	}
	n, err := count(line)
	if err != nil || line[0] != '*' {
		return nil, nil, fmt.Errorf("not a command: %w", err)
	}
	raw = []byte(line)
	for range n {
		b, err := readReply(r)
		if err != nil {
			return nil, nil, err
		}
		raw = append(raw, b...)
		_, body, _ := strings.Cut(string(b), "\r\n")
		command = append(command, strings.TrimSuffix(body, "\r\n"))
	}
	return raw, command, nil
}

// readReply reads one whole value of RESP2 or RESP3.
func readReply(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	raw := []byte(line)
	values := 0
	switch line[0] {
	case '$', '!', '=':
		n, err := count(line)
		if err != nil || n < 0 {
			return raw, err
		}
		body := make([]byte, n+2)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, err
		}
		return append(raw, body...), nil
	case '*', '~', '>':
		if values, err = count(line); err != nil {
			return nil, err
		}
	case '%':
		if values, err = count(line); err != nil {
			return nil, err
		}
		values *= 2
	}
	for range values {
		b, err := readReply(r)
		if err != nil {
			return nil, err
		}
		raw = append(raw, b...)
	}
	return raw, nil
}

func count(line string) (int, error) {
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}
