package cdn

import (
	"container/list"
	"sync"
	"time"
)

// object is one whole body, which is never changed once it is here.
type object struct {
	body        []byte
	contentType string
	etag        string
	// cacheControl is the object's own; "" where the CDN's holds.
	cacheControl string
	modified     time.Time
	filled       time.Time
}

// cache keeps the objects used last, up to a number of bytes.
type cache struct {
	max int64

	mu    sync.Mutex
	size  int64
	order *list.List // of entry, the one used last at the front
	byKey map[string]*list.Element
}

type entry struct {
	key    string
	object *object
}

func newCache(maxBytes int64) *cache {
	return &cache{max: maxBytes, order: list.New(), byKey: map[string]*list.Element{}}
}

func (c *cache) get(key string) (*object, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(entry).object, true
}

// add keeps the object, unless it is larger than the whole cache.
func (c *cache) add(key string, o *object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.remove(e)
	}
	if int64(len(o.body)) > c.max {
		return
	}
	c.byKey[key] = c.order.PushFront(entry{key, o})
	c.size += int64(len(o.body))
	for c.size > c.max {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(e *list.Element) {
	gone := c.order.Remove(e).(entry)
	delete(c.byKey, gone.key)
	c.size -= int64(len(gone.object.body))
}
