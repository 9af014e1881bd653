package ffmpeg

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// enforced says whether apply does what it says.
const enforced = true

// apply sets the limits of a process that has just begun; they hold for all of
// its threads.
func (l limits) apply(pid int) error {
	var errs []error
	for resource, most := range map[int]uint64{
		unix.RLIMIT_CPU: uint64(l.cpu.Seconds()), unix.RLIMIT_AS: l.memory, unix.RLIMIT_FSIZE: l.output, unix.RLIMIT_CORE: 0,
	} {
		var set unix.Rlimit
		err := unix.Prlimit(pid, resource, nil, &set)
		if err == nil {
			// ffmpeg ends by itself when the soft limit of time tells it to; what does
			// not is killed a second later. What is lower already stays: only root
			// may raise it.
			set.Cur, set.Max = min(most, set.Max), min(most+1, set.Max)
			err = unix.Prlimit(pid, resource, &set, nil)
		}
		// A process that ended already needs none.
		if !errors.Is(err, unix.ESRCH) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// overran says whether the process was ended for the size of a file.
func overran(state *os.ProcessState) bool {
	s, ok := state.Sys().(syscall.WaitStatus)
	return ok && s.Signaled() && s.Signal() == syscall.SIGXFSZ
}
