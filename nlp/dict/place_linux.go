package dict

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// place makes the content readable under a path. A file in memory needs no
// directory to write to and leaves nothing behind when the process is killed; a
// sandbox may refuse it or have no /proc.
func place(name string, content io.Reader) (path string, done func(), err error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return onDisk(name, content)
	}
	f := os.NewFile(uintptr(fd), name)
	path = fmt.Sprintf("/proc/self/fd/%d", fd)
	done = func() { _ = f.Close() } // nothing is left to lose
	if probe, err := os.Open(path); err != nil {
		done()
		return onDisk(name, content)
	} else if err := probe.Close(); err != nil {
		done()
		return "", nil, fmt.Errorf("unpack the dictionary: %w", err)
	}
	if _, err := io.Copy(f, content); err != nil {
		done()
		return "", nil, fmt.Errorf("unpack the dictionary: %w", err)
	}
	return path, done, nil
}
