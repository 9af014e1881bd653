package part

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Pdeathsig makes the kernel end the child when the harness dies, even by
// SIGKILL.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

var children = make(chan func())

// The kernel ties Pdeathsig to the thread that started the child, and Go ends
// idle threads: so one thread, which never ends, starts all children.
func init() {
	go func() {
		runtime.LockOSThread()
		for start := range children {
			start()
		}
	}()
}

func startChild(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	children <- func() { done <- cmd.Start() }
	return <-done
}
