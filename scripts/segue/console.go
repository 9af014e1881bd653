package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// console is what the user sees: results on standard output; on standard error
// notes and, where that is a terminal, bars. Several may write at once.
type console struct {
	a     *app
	mu    sync.Mutex
	bars  *mpb.Progress // nil: no bars
	total *mpb.Bar
	sum   atomic.Int64
}

func (a *app) console() *console {
	c := &console{a: a}
	if a.errTerminal {
		c.bars = mpb.New(mpb.WithOutput(a.err), mpb.WithAutoRefresh(), mpb.WithWidth(40))
	}
	return c
}

// close leaves the last bars behind; nothing may be shown after it.
func (c *console) close() {
	if c.bars == nil {
		return
	}
	if c.total != nil {
		c.total.Abort(false)
	}
	c.bars.Wait()
}

// result is shown as JSON or as text.
func (c *console) result(v fmt.Stringer) error {
	line := []byte(v.String())
	if c.a.json {
		var err error
		if line, err = json.Marshal(v); err != nil {
			return err
		}
	}
	return c.print(c.a.out, c.a.outTerminal, line)
}

func (c *console) note(text string) { _ = c.print(c.a.err, true, []byte("segue: "+text)) }

// print goes above the bars where they are on the same terminal.
func (c *console) print(w io.Writer, terminal bool, line []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	line = append(line, '\n')
	if c.bars != nil && terminal {
		if _, err := c.bars.Write(line); err == nil {
			return nil
		}
	}
	_, err := w.Write(line)
	return err
}

// all begins the bar of the whole.
func (c *console) all(size int64) {
	if c.bars != nil {
		c.total = c.bar("total", size, math.MaxInt, func() string { return "" })
	}
}

func (c *console) bar(name string, size int64, priority int, phase func() string) *mpb.Bar {
	// Made with no total, a bar does not end at its last byte.
	b := c.bars.AddBar(0, mpb.BarPriority(priority),
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR), decor.CountersKibiByte("% .1f / % .1f", decor.WCSyncSpace)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return phase() })))
	b.SetTotal(size, false)
	return b
}

// row is one file's bar; a nil row shows nothing.
type row struct {
	c     *console
	bar   *mpb.Bar
	at    atomic.Int64
	phase atomic.Pointer[string]
}

func (c *console) row(name string, size int64, priority int) *row {
	if c.bars == nil {
		return nil
	}
	r := &row{c: c}
	r.say("")
	r.bar = c.bar(name, size, priority, func() string { return *r.phase.Load() })
	return r
}

func (r *row) say(phase string) {
	if r != nil {
		r.phase.Store(&phase)
	}
}

// set moves the bar, and the bar of the whole with it.
func (r *row) set(bytes int64) {
	if r == nil {
		return
	}
	moved := bytes - r.at.Swap(bytes)
	r.bar.SetCurrent(bytes)
	if r.c.total != nil {
		r.c.total.SetCurrent(r.c.sum.Add(moved))
	}
}

// end takes the bar away: a result says more.
func (r *row) end() {
	if r != nil {
		r.bar.Abort(true)
	}
}
