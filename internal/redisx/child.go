package redisx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// probeEvery is how often a starting server is asked whether it serves.
	probeEvery = 5 * time.Millisecond
	// maxFails is how many starts in a row may end before the server served.
	maxFails = 8
	// maxBackoff bounds the pause before a restart.
	maxBackoff = 2 * time.Second
	// lockWait is how long an earlier gateway's server may take to end.
	lockWait = 15 * time.Second
	// stopWait is how long the server may take to end in order.
	stopWait = 20 * time.Second
	// maxSocketPath is what a unix socket's path may have in bytes, with room
	// for the systems that allow the fewest.
	maxSocketPath = 100

	runPrefix  = "wensheng-"
	socketName = "redis.sock"
)

// errLocked says that another process has the directory.
var errLocked = errors.New("redis: another process uses the data directory")

// child is the embedded redis-server and what keeps it alive. One goroutine,
// locked to its thread, starts it, waits for its end and starts it again: the
// kernel ends the child when the thread that forked it ends.
type child struct {
	binary, config, socket, runDir string
	lock                           *os.File
	logger                         *slog.Logger
	output                         tail

	stopping chan struct{} // closed by stop
	ended    chan struct{} // closed when the goroutine is done
	served   atomic.Bool   // the present process has answered

	mu      sync.Mutex
	process *os.Process
}

// findBinary looks for a server program.
func findBinary(wanted string) (string, error) {
	if wanted != "" {
		return exec.LookPath(wanted)
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		path, err = exec.LookPath("valkey-server")
	}
	return path, err
}

// startChild starts the server and returns when it serves.
func startChild(ctx context.Context, binary string, o Options, done chan<- error) (*child, error) {
	c := &child{binary: binary, logger: o.Logger, stopping: make(chan struct{}), ended: make(chan struct{})}
	if err := c.prepare(ctx, o); err != nil {
		c.cleanup()
		return nil, err
	}
	ready := make(chan struct{})
	failed := make(chan error, 1)
	go c.supervise(context.WithoutCancel(ctx), ready, failed, done)
	select {
	case <-ready:
		return c, nil
	case err := <-failed:
		<-c.ended
		c.cleanup()
		return nil, err
	case <-ctx.Done():
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("redis: the embedded server does not serve yet: %w", ctx.Err()), c.stop(stopCtx))
	}
}

// prepare makes the directories, takes the lock and writes the configuration.
func (c *child) prepare(ctx context.Context, o Options) error {
	fsync := o.AppendFsync
	switch fsync {
	case "":
		fsync = "everysec"
	case "everysec", "always":
	default:
		return fmt.Errorf("redis: appendfsync is %q, must be everysec or always", fsync)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	if c.lock, err = lockDir(ctx, dir); err != nil {
		return err
	}
	if c.runDir, err = runDir(dir); err != nil {
		return err
	}
	c.socket = filepath.Join(c.runDir, socketName)
	c.config = filepath.Join(dir, "redis.conf")
	text := strings.Join([]string{
		"# Written by wensheng at every start.",
		"port 0",
		"unixsocket " + quote(c.socket),
		"unixsocketperm 700",
		"dir " + quote(dir),
		"daemonize no",
		"loglevel notice",
		`logfile ""`,
		`save ""`,
		"appendonly yes",
		"appendfsync " + fsync,
		"maxmemory-policy noeviction",
		"",
	}, "\n")
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// lockDir takes the directory for this process and the children that inherit
// the lock: two servers on one append-only file would destroy it. A server that
// outlived a killed gateway is waited for.
func lockDir(ctx context.Context, dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("redis: lock the data directory: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = f.Close()
			return nil, errLocked
		}
	}
}

// runDir makes the directory of the socket, and removes the one that a killed
// gateway left; its name is kept beside the data.
func runDir(dir string) (string, error) {
	note := filepath.Join(dir, "run")
	if old, err := os.ReadFile(note); err == nil && strings.HasPrefix(filepath.Base(string(old)), runPrefix) {
		_ = os.Remove(filepath.Join(string(old), socketName)) //nolint:gosec // our own note, in a private directory
		_ = os.Remove(string(old))                            //nolint:gosec // as above, and only if it is empty now
	}
	made, err := shortDir()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(note, []byte(made), 0o600); err != nil {
		return made, fmt.Errorf("redis: %w", err)
	}
	return made, nil
}

// shortDir makes a private directory whose sockets have a short enough path.
func shortDir() (string, error) {
	for _, base := range []string{"", "/tmp"} {
		dir, err := os.MkdirTemp(base, runPrefix)
		if err != nil {
			continue
		}
		if len(dir)+len("/"+socketName) <= maxSocketPath {
			return dir, nil
		}
		_ = os.Remove(dir)
	}
	return "", errors.New("redis: no temporary directory with a short path for the socket")
}

// quote writes a string of the configuration file.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// supervise keeps the server alive until stop. ready is closed when it serves
// for the first time; failed tells that it never did, done that it does not any
// more.
func (c *child) supervise(ctx context.Context, ready chan struct{}, failed, done chan<- error) {
	defer close(c.ended)
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	first := sync.OnceFunc(func() { close(ready) })
	everServed := false
	for fails := 0; ; {
		err := c.once(ctx, first)
		select {
		case <-c.stopping:
			return
		default:
		}
		if c.served.Load() {
			everServed, fails = true, 0
		} else {
			fails++
		}
		err = fmt.Errorf("redis: the embedded server ended: %w: %s", err, c.output.String())
		switch {
		case !everServed:
			failed <- err
			return
		case fails >= maxFails:
			done <- err
			return
		}
		c.logger.ErrorContext(ctx, "the embedded redis-server ended and is started again", "error", err.Error())
		pause := min(maxBackoff, 10*time.Millisecond<<fails)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-c.stopping:
			timer.Stop()
			return
		}
	}
}

// once runs the server until it ends.
func (c *child) once(ctx context.Context, served func()) error {
	c.served.Store(false)
	c.output.Reset()
	cmd := exec.Command(c.binary, c.config) //nolint:gosec,noctx // the operator's own program; stop ends it in order
	cmd.Stdout, cmd.Stderr = &c.output, &c.output
	cmd.ExtraFiles = []*os.File{c.lock}
	cmd.SysProcAttr = childAttr()
	c.mu.Lock()
	select {
	case <-c.stopping:
		c.mu.Unlock()
		return nil
	default:
	}
	err := cmd.Start()
	c.process = cmd.Process
	c.mu.Unlock()
	if err != nil {
		return err
	}
	probing, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.probe(probing, served) })
	err = cmd.Wait()
	cancel()
	wg.Wait()
	if err == nil {
		err = errors.New("exit status 0")
	}
	return err
}

// probe asks until the server serves: it answers LOADING while it reads its
// file. It does not use a go-redis client, whose pool pauses for a second after
// a failed dial.
func (c *child) probe(ctx context.Context, served func()) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		if pong(ctx, c.socket) {
			c.served.Store(true)
			served()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// pong sends one PING.
func pong(ctx context.Context, socket string) bool {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return false
	}
	answer := make([]byte, len("+PONG"))
	_, err = io.ReadFull(conn, answer)
	return err == nil && string(answer) == "+PONG"
}

// stop ends the server: in order, or by force when ctx or stopWait ends.
func (c *child) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	close(c.stopping)
	c.signal(syscall.SIGTERM)
	var err error
	select {
	case <-c.ended:
	case <-ctx.Done():
		err = fmt.Errorf("redis: the embedded server was killed, it did not end in time: %w", ctx.Err())
		c.signal(syscall.SIGKILL)
		<-c.ended
	}
	c.cleanup()
	return err
}

func (c *child) signal(sig syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process != nil {
		_ = c.process.Signal(sig) // it may have ended already
	}
}

func (c *child) cleanup() {
	if c.lock != nil {
		_ = c.lock.Close()
	}
	if c.runDir != "" {
		_ = os.RemoveAll(c.runDir)
	}
}

// tail keeps the last of what the server printed, for errors.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// maxTail is how much of it, in bytes.
const maxTail = 2048

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - maxTail; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

// String is what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}

// Reset forgets it.
func (t *tail) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = t.buf[:0]
}
