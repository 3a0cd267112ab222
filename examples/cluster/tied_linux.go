package main

import "syscall"

// tied is how a process is tied to this one: in a group of its own, so that a key that ends this program does not reach it, and woken, should
// it be stopped, when this one dies.
func tied() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGCONT}
}
