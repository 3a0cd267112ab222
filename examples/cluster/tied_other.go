//go:build !linux

package main

import "syscall"

// tied is how a process is tied to this one: in a group of its own, so that a key that ends this program does not reach it. When this one
// dies while it is stopped it is usually woken, because its group is an orphan then.
func tied() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
