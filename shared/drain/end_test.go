package drain

import (
	"context"
	"testing"
	"time"
)

// Not parallel: what is said last is the process's.
func TestLastWordsAreBounded(t *testing.T) {
	t.Cleanup(func() { atEnd = nil })
	said := make(chan string, 2)
	AtEnd(func(context.Context) { said <- "quick" })
	AtEnd(func(ctx context.Context) { // a collector that hangs
		<-ctx.Done()
		said <- "cut"
	})
	begin := time.Now()
	sayLast()
	if took := time.Since(begin); took > 5*time.Second || limit+lastWords+answer >= 10*time.Second {
		t.Errorf("the end takes %s", took)
	}
	if a, b := <-said, <-said; a != "quick" || b != "cut" {
		t.Errorf("said %q, %q", a, b)
	}
}
