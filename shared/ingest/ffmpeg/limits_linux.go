package ffmpeg

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// apply sets the limits of a process that has just begun; they hold for all of
// its threads.
func (l limits) apply(pid int) error {
	var errs []error
	for resource, most := range map[int]uint64{
		unix.RLIMIT_CPU: uint64(l.cpu.Seconds()), unix.RLIMIT_AS: l.memory, unix.RLIMIT_FSIZE: l.output, unix.RLIMIT_CORE: 0,
	} {
		// ffmpeg ends by itself when the soft limit of time tells it to; what does
		// not is killed a second later. A process that ended already needs none.
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most + 1}, nil); !errors.Is(err, unix.ESRCH) {
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
