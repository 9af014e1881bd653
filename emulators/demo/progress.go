package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// progress tells how far the music is, a line for each track that was made.
type progress struct {
	out     io.Writer
	lengths []time.Duration
	left    time.Duration
	ready   int
	made    int
	failed  int
}

func newProgress(ctx context.Context, out io.Writer, pieces []piece) *progress {
	p := &progress{out: out, lengths: make([]time.Duration, len(pieces))}
	for i := range pieces {
		p.lengths[i] = length(ctx, pieces[i].file)
		p.left += p.lengths[i]
	}
	return p
}

// done: the track at i needs nothing more. One that was there already says
// nothing.
func (p *progress) done(i int, sent bool, err error) {
	p.left -= p.lengths[i]
	if err != nil {
		p.failed++
		fmt.Fprintf(p.out, "%v; the music goes on\n", err)
		return
	}
	p.ready++
	if sent {
		p.made++
		fmt.Fprintln(p.out, p.line())
	}
}

const barWidth = 30

func (p *progress) line() string {
	full := barWidth * (p.ready + p.failed) / max(len(p.lengths), 1)
	return fmt.Sprintf("[%s%s] %d/%d tracks, %.0f min of music left",
		strings.Repeat("#", full), strings.Repeat(".", barWidth-full), p.ready, len(p.lengths), p.left.Minutes())
}

// end sums up, unless all was there already.
func (p *progress) end() {
	if p.made > 0 || p.failed > 0 {
		fmt.Fprintf(p.out, "the music is complete: %d of %d tracks, %d made now, %d failed\n", p.ready, len(p.lengths), p.made, p.failed)
	}
}
