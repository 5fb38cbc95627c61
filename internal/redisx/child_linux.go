package redisx

import "syscall"

// childAttr puts the server into a process group of its own, so that the
// terminal's interrupt does not end it before us, and has the kernel end it in
// order when we are killed.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
