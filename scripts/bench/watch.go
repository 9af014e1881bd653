package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const watchEvery = 20 * time.Millisecond

// watch polls what a process, its children and its temporary files take.
type watch struct {
	pid      int
	dir      string
	done     chan struct{}
	finished sync.WaitGroup

	peaks peaks
}

// peaks are the most that was seen of each, in bytes. The sum is an upper bound:
// they need not have come at once.
type peaks struct {
	process  int64 // resident, by VmHWM, which the kernel keeps
	children int64 // resident, VmHWM of all that lived at once
	files    int64
	err      error
}

func (p peaks) total() int64 { return p.process + p.children + p.files }

const mebi = 1 << 20

func (p peaks) String() string {
	return fmt.Sprintf("process %d, its ffmpeg %d, /tmp %d", p.process/mebi, p.children/mebi, p.files/mebi)
}

func startWatch(pid int, dir string) *watch {
	w := &watch{pid: pid, dir: dir, done: make(chan struct{})}
	w.finished.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			w.look()
			select {
			case <-w.done:
				return
			case <-tick.C:
			}
		}
	})
	return w
}

// end looks once more; the process must still live.
func (w *watch) end() {
	close(w.done)
	w.finished.Wait()
	w.look()
}

func (w *watch) look() {
	own, err := peakResident(w.pid)
	if err != nil {
		w.peaks.err = fmt.Errorf("peak memory of process %d: %w", w.pid, err)
		return
	}
	w.peaks.process = max(w.peaks.process, own)
	var children int64
	for _, c := range childrenOf(w.pid) {
		// One that ends meanwhile was seen before.
		resident, _ := peakResident(c)
		children += resident
	}
	w.peaks.children = max(w.peaks.children, children)
	w.peaks.files = max(w.peaks.files, bytesBelow(w.dir))
}

// peakResident is a process's VmHWM in bytes.
func peakResident(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if v, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("its status has no VmHWM")
}

// childrenOf asks each thread, since a child belongs to the one that began it.
func childrenOf(pid int) []int {
	var all []int
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, t := range threads {
		b, _ := os.ReadFile(t) // of a thread that ended, nothing
		for f := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(f); err == nil {
				all = append(all, n)
			}
		}
	}
	return all
}

func bytesBelow(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil // gone meanwhile
		}
		if i, err := e.Info(); err == nil {
			sum += i.Size()
		}
		return nil
	})
	return sum
}
