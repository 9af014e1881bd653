package gcs

import (
	"hash/maphash"
	"sync"
)

// locks make check-then-write atomic for each object. Objects share stripes,
// so that names need no bookkeeping.
type locks struct {
	once    sync.Once
	seed    maphash.Seed
	stripes [256]sync.RWMutex
}

func (l *locks) index(bucket, object string) int {
	l.once.Do(func() { l.seed = maphash.MakeSeed() })
	return int(maphash.String(l.seed, bucket+"/"+object) % uint64(len(l.stripes)))
}

func (l *locks) write(bucket, object string) (unlock func()) {
	s := &l.stripes[l.index(bucket, object)]
	s.Lock()
	return s.Unlock
}

func (l *locks) read(bucket, object string) (unlock func()) {
	s := &l.stripes[l.index(bucket, object)]
	s.RLock()
	return s.RUnlock
}

// writeBoth holds two objects, always in the order of their stripes so that
// two callers cannot wait for each other.
func (l *locks) writeBoth(bucketA, objectA, bucketB, objectB string) (unlock func()) {
	a, b := l.index(bucketA, objectA), l.index(bucketB, objectB)
	if a == b {
		l.stripes[a].Lock()
		return l.stripes[a].Unlock
	}
	if a > b {
		a, b = b, a
	}
	l.stripes[a].Lock()
	l.stripes[b].Lock()
	return func() {
		l.stripes[b].Unlock()
		l.stripes[a].Unlock()
	}
}
