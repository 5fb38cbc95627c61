package web_test

import (
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"testing"

	"wensheng/channels/web"
)

// TestIdleSockets_CostAtMostEightKilobytes holds the figure of DESIGN §8: Go
// heap and stack of a visitor who has said hello and is idle. The visitors'
// ends are raw connections read by nobody, so that what is counted is ours
// and the kernel's table, not a client library's.
func TestIdleSockets_CostAtMostEightKilobytes(t *testing.T) { //nolint:paralleltest // it counts the whole process
	const n = 2000
	if raceEnabled {
		t.Skip("the race detector's shadow is no figure of ours")
	}
	s := start(t, func(o *web.Options) { o.Limits.SocketsPerIP = n + 1 })
	addr := s.srv.Listener.Addr().String()
	warm := raw(t, addr, nil)
	defer func() { _ = warm.Close() }()
	conns := make([]net.Conn, 0, n)
	buf := make([]byte, 4096)
	before := inUse()
	for range n {
		conns = append(conns, raw(t, addr, buf))
	}
	after := inUse()
	per := float64(after-before) / n / 1024
	t.Logf("%.2f KB of heap and stack per idle socket, the test's own end included", per)
	if per > 8 {
		t.Errorf("%.2f KB per idle socket, want at most 8", per)
	}
	for _, c := range conns {
		_ = c.Close()
	}
}

func inUse() uint64 {
	for range 3 { // stacks shrink by half a collection
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// raw opens a socket by hand and says hello.
func raw(t *testing.T, addr string, buf []byte) net.Conn {
	t.Helper()
	if buf == nil {
		buf = make([]byte, 4096)
	}
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(c, "GET /channels/web/web/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: "+web.Subprotocol+"\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	read := func(until byte) {
		for seen := 0; ; {
			k, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			if seen += k; buf[k-1] == until {
				return
			}
		}
	}
	read('\n')
	const hello = `{"t":"hello"}`
	frame := append([]byte{0x81, 0x80 | byte(len(hello)), 0, 0, 0, 0}, hello...)
	if _, err := c.Write(frame); err != nil {
		t.Fatal(err)
	}
	read('}')
	return c
}
