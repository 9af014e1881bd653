package push

import (
	"container/list"
	"sync"
)

// maxCounted bounds the events that are counted at once. An event that was
// dead-lettered or forgotten by the emulator never reports its end, so the
// counter that was touched longest ago makes room.
const maxCounted = 10_000

// attempts counts the deliveries of events that have not succeeded yet.
type attempts struct {
	mu      sync.Mutex
	limit   int
	recent  *list.List // of *counter, the last touched first
	byEvent map[event]*list.Element
}

// event is one message on its way to one subscription.
type event struct{ subscription, message string }

type counter struct {
	event event
	count int
}

func newAttempts(limit int) *attempts {
	return &attempts{limit: limit, recent: list.New(), byEvent: map[event]*list.Element{}}
}

// next counts a delivery and says which it is, from 1.
func (a *attempts) next(e event) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	element, known := a.byEvent[e]
	if known {
		a.recent.MoveToFront(element)
	} else {
		element = a.recent.PushFront(&counter{event: e})
		a.byEvent[e] = element
	}
	if a.recent.Len() > a.limit {
		a.remove(a.recent.Back())
	}
	c := element.Value.(*counter)
	c.count++
	return c.count
}

// done forgets an event that succeeded.
func (a *attempts) done(e event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if element, known := a.byEvent[e]; known {
		a.remove(element)
	}
}

func (a *attempts) remove(element *list.Element) {
	delete(a.byEvent, a.recent.Remove(element).(*counter).event)
}
