package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock keeps two harnesses out of one data folder. The kernel releases it when
// the process ends, however it ends.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is in use by another harness: stop that one, or choose another folder with --data", dir)
	}
	return func() { f.Close() }, nil
}
