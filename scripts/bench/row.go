package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// row is one figure. Rows that one run of something yields together share a
// source that remembers its repetitions (see repetitions).
type row struct {
	name, unit string
	how        string  // it is measured, in a sentence
	budget     *budget // nil: for information
	long       bool    // takes many minutes
	once       bool    // is steady, or too long to be repeated
	// measure is called once for each repetition, counted from 0.
	measure func(ctx context.Context, repetition int) (sample, error)
}

// sample is one measured value, and of what it is made up.
type sample struct {
	value float64
	note  string
}

// budget is a bar: values at it are within.
type budget struct {
	limit float64
	least bool // the value must reach the limit, not stay under it
}

func atMost(limit float64) *budget  { return &budget{limit: limit} }
func atLeast(limit float64) *budget { return &budget{limit: limit, least: true} }

func (b *budget) holds(value float64) bool {
	if b.least {
		return value >= b.limit
	}
	return value <= b.limit
}

// Verdicts of a row.
const (
	ok     = "ok"
	broken = "BROKEN"
	info   = "info"
	failed = "FAILED"
)

// result is a row with what came of it.
type result struct {
	row
	samples []float64
	note    string
	err     error
}

func (r *result) verdict() string {
	switch {
	case r.err != nil:
		return failed
	case r.budget == nil:
		return info
	case r.budget.holds(median(r.samples)):
		return ok
	}
	return broken
}

// measureAll measures row by row. One that fails does not keep the others from
// being measured; the end of the context does.
func measureAll(ctx context.Context, rows []row, count int, progress io.Writer) *report {
	rep := &report{count: count}
	for i, r := range rows {
		res := result{row: r}
		n := count
		if r.once {
			n = 1
		}
		start := time.Now()
		for k := 0; k < n && res.err == nil; k++ {
			if res.err = context.Cause(ctx); res.err != nil {
				break
			}
			fmt.Fprintf(progress, "bench: %d/%d %s, %d of %d\n", i+1, len(rows), r.name, k+1, n)
			var s sample
			if s, res.err = r.measure(ctx, k); res.err == nil {
				res.samples, res.note = append(res.samples, s.value), s.note
			}
		}
		fmt.Fprintf(progress, "bench: %d/%d %s: %s after %.1f s\n", i+1, len(rows), r.name, res.verdict(), time.Since(start).Seconds())
		rep.results = append(rep.results, res)
	}
	return rep
}

// repetitions remembers what each repetition of something costly came to, so
// that several rows read the same run. A failure is remembered too: the rows
// that share it would only fail again, minutes later.
type repetitions[T any] struct {
	run  func(ctx context.Context, repetition int) (T, error)
	done map[int]outcome[T]
}

type outcome[T any] struct {
	value T
	err   error
}

func (r *repetitions[T]) get(ctx context.Context, repetition int) (T, error) {
	o, known := r.done[repetition]
	if !known {
		o.value, o.err = r.run(ctx, repetition)
		if r.done == nil {
			r.done = map[int]outcome[T]{}
		}
		r.done[repetition] = o
	}
	return o.value, o.err
}
