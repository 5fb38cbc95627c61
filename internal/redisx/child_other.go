//go:build unix && !linux

package redisx

import "syscall"

// childAttr puts the server into a process group of its own, so that the
// terminal's interrupt does not end it before us. Only Linux can end it when we
// are killed; elsewhere the next start waits for its lock and says so.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
