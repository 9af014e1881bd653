package part

import "syscall"

// Status is what the program ended with, as a shell gives it: its exit status,
// or 128 and the signal's number. false: it still runs.
func (p *Process) Status() (int, bool) {
	select {
	case <-p.ended:
	default:
		return 0, false
	}
	if w, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal()), true
	}
	return p.cmd.ProcessState.ExitCode(), true
}
