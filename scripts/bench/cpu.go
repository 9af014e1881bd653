package main

import (
	"fmt"
	"syscall"
	"time"
)

// cpu is user and system time, in seconds: of this process, and of the children
// that it has waited for.
type cpu struct{ self, children float64 }

func (c cpu) total() float64 { return c.self + c.children }

func (c cpu) minus(d cpu) cpu { return cpu{c.self - d.self, c.children - d.children} }

func (c cpu) plus(d cpu) cpu { return cpu{c.self + d.self, c.children + d.children} }

func usedCPU() (cpu, error) {
	self, err := usage(syscall.RUSAGE_SELF)
	if err != nil {
		return cpu{}, err
	}
	children, err := usage(syscall.RUSAGE_CHILDREN)
	return cpu{self, children}, err
}

func usage(who int) (float64, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0, fmt.Errorf("getrusage: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds(), nil
}
