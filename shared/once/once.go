// Package once builds a function's dependencies lazily and a single time. It
// is sync.OnceValues with one difference: a failure is not kept, so that an
// instance which started while a service was away recovers by itself.
package once

import "sync"

// Value returns a function that builds a T on its first successful call and
// returns that T ever after.
func Value[T any](build func() (T, error)) func() (T, error) {
	var (
		mu    sync.Mutex
		built bool
		value T
	)
	return func() (T, error) {
		mu.Lock()
		defer mu.Unlock()
		if built {
			return value, nil
		}
		v, err := build()
		if err != nil {
			return v, err
		}
		value, built = v, true
		return value, nil
	}
}
