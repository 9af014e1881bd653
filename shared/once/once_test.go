package once

import (
	"errors"
	"testing"
)

func TestValueForgetsFailuresAndKeepsSuccess(t *testing.T) {
	calls := 0
	get := Value(func() (int, error) {
		calls++
		if calls == 1 {
			return 0, errors.New("away")
		}
		return calls, nil
	})
	if _, err := get(); err == nil {
		t.Fatal("the first call did not fail")
	}
	for range 2 {
		if v, err := get(); v != 2 || err != nil {
			t.Errorf("get = %d, %v; want 2", v, err)
		}
	}
}
