package push

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segue-audio/segue/functions"
)

func copies(n int) change { return func(_ *functions.Function, o *Options) { o.Copies = n } }

func TestThreeCopiesTwoOfThemAtOnce(t *testing.T) {
	t.Parallel()
	var running, deliveries atomic.Int32
	pair := make(chan struct{}) // closed when two run at once
	var close2 sync.Once
	atOnce := make(chan int32, 10)
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		d := read(t, r)
		if d.body.DeliveryAttempt != 1 {
			t.Errorf("a copy is counted as attempt %d", d.body.DeliveryAttempt)
		}
		now := running.Add(1)
		if now == 2 {
			close2.Do(func() { close(pair) })
		}
		select {
		case <-pair:
		case <-time.After(patience):
			t.Error("the first copy runs by itself")
		}
		deliveries.Add(1)
		atOnce <- now
		running.Add(-1)
	}, copies(3), func(f *functions.Function, _ *Options) { f.Concurrency = 1 })
	w.publish(t, "sound", nil)
	first, second, third := receive(t, atOnce), receive(t, atOnce), receive(t, atOnce)
	if first+second != 3 || third > 1 {
		t.Errorf("copies ran %d, %d and %d at once, want two together and one alone", first, second, third)
	}
	w.acknowledged(t)
	if deliveries.Load() != 3 {
		t.Errorf("%d deliveries, want 3", deliveries.Load())
	}
}

func TestAllCopiesComeAgainUntilAllSucceed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		copies   int
		fails    int32 // which delivery
		attempts []int // by delivery
	}{
		{"one of the two at once fails", 2, 2, []int{1, 1, 2, 2}},
		{"the last fails", 3, 3, []int{1, 1, 1, 2, 2, 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var count atomic.Int32
			attempts := make(chan int, 20)
			w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
				d := read(t, r)
				if count.Add(1) == test.fails {
					rw.WriteHeader(http.StatusServiceUnavailable)
				}
				attempts <- d.body.DeliveryAttempt
			}, copies(test.copies))
			w.publish(t, "sound", nil)
			for n, want := range test.attempts {
				if got := receive(t, attempts); got != want {
					t.Errorf("delivery %d is of attempt %d, want %d", n+1, got, want)
				}
			}
			w.acknowledged(t)
			if got := int(count.Load()); got != len(test.attempts) {
				t.Errorf("%d deliveries, want %d", got, len(test.attempts))
			}
		})
	}
}
