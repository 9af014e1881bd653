package cdn

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestCacheKeepsWhatWasUsedLast(t *testing.T) {
	t.Parallel()
	c := newCache(100)
	body := func(n int) *object { return &object{body: make([]byte, n)} }
	kept := func() []string {
		var keys []string
		for e := c.order.Front(); e != nil; e = e.Next() {
			keys = append(keys, e.Value.(entry).key)
		}
		slices.Sort(keys)
		return keys
	}
	for _, step := range []struct {
		does func()
		want string
		size int64
	}{
		{func() { c.add("a", body(40)) }, "a", 40},
		{func() { c.add("b", body(40)) }, "a b", 80},
		{func() { c.get("a") }, "a b", 80},
		{func() { c.add("c", body(40)) }, "a c", 80},
		{func() { c.add("a", body(60)) }, "a c", 100},
		{func() { c.add("too large", body(101)) }, "a c", 100},
		{func() { c.add("exact", body(100)) }, "exact", 100},
		{func() { c.add("empty", body(0)) }, "empty exact", 100},
	} {
		step.does()
		if got := strings.Join(kept(), " "); got != step.want || c.size != step.size || len(c.byKey) != c.order.Len() {
			t.Errorf("kept %s in %d bytes, want %s in %d", got, c.size, step.want, step.size)
		}
	}
	if _, ok := c.get("b"); ok {
		t.Error("b is still served")
	}
}

func TestObjectsLargerThanTheCacheAreServed(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.MaxCacheBytes = 20 })
	urls := b.sign(t, folder)
	for range 2 {
		if got := get(t, urls.Data); got.status != http.StatusOK || len(got.body) != 65536 || got.header.Get("X-Cache") != "MISS" {
			t.Errorf("%d, %d bytes, %s", got.status, len(got.body), got.header.Get("X-Cache"))
		}
	}
	for range 2 {
		get(t, urls.Seek)
	}
	if got := b.Stats(); got.Fetches != 3 || got.Hits != 1 {
		t.Errorf("%+v", got)
	}
}
