//go:build linux

package app_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk mounts a file system of a few megabytes. The test is skipped where
// mounting is not allowed: a full disk cannot be had otherwise.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := shortDir(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("FULL DISK NOT TESTED: a small file system cannot be mounted here (it takes root): %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestFullDisk_NothingIsAcknowledgedUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "96m") // the trained model alone takes 37 MB
	g := start(t, gatewayOptions{data: filepath.Join(disk, "d"), everysec: true})
	w := g.wechat("mp")
	v := g.visit(t, frame{})
	v.say("before", asked)

	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	post := func(id string) int {
		a, err := w.Post(context.Background(), w.Text("oFullDisk", id, asked))
		if err != nil {
			return 0
		}
		return a.Status
	}
	// Redis notices at its next write of the log that there is no room.
	eventually(t, "WeChat is told to deliver again", func() bool { return post(w.NextID()) == http.StatusServiceUnavailable })
	eventually(t, "the SMS vendor is told to deliver again", func() bool {
		return g.sms(t, "full-disk", "13800005555", asked) == http.StatusServiceUnavailable
	})
	v.send(frame{T: "msg", CID: "full", Text: asked})
	if f := v.wait("an answer to the message", func(f frame) bool { return f.CID == "full" }); f.T != "error" || f.Code != "unavailable" {
		t.Errorf("web visitor got %+v, want the error unavailable", f)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	id := w.NextID()
	eventually(t, "there is room and WeChat is answered", func() bool { return post(id) == http.StatusOK })
	eventually(t, "the SMS is taken", func() bool { return g.sms(t, "full-disk", "13800005555", asked) == http.StatusOK })
	eventually(t, "the web message is taken", func() bool {
		again := g.visit(t, frame{Session: v.welcome.Session})
		again.send(frame{T: "msg", CID: "full", Text: asked})
		return again.wait("ack or error", func(f frame) bool { return f.CID == "full" && f.T != "msg" }).T == "ack"
	})
}

// fill writes a file until the disk has no room left.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it cannot be written to any more
	block := make([]byte, 64<<10)
	_, _ = rand.Read(block)
	for size := len(block); size > 0; {
		_, err := f.Write(block[:size])
		if errors.Is(err, unix.ENOSPC) {
			size /= 2
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
