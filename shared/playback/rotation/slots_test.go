package rotation

import (
	"bytes"
	"strings"
	"testing"
)

// Two who draw a key at once do not get two keys of one name: the file of the
// first stays.
func TestKeyIsDrawnTwiceAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	both := [2]*Slots{}
	for i := range both {
		var err error
		if both[i], err = OpenSlots(dir); err != nil {
			t.Fatal(err)
		}
	}
	name, err := both[0].New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both[1].New(); err == nil || !strings.Contains(err.Error(), "drawn meanwhile") {
		t.Errorf("a second key %q: %v", name, err)
	}
	now, err := OpenSlots(dir)
	if err != nil || !bytes.Equal(now.Keys[name], both[0].Keys[name]) || len(now.Keys) != 1 {
		t.Errorf("the first key is gone: %v", err)
	}
	if _, err := now.New(); err != nil {
		t.Errorf("begun again: %v", err)
	}
}
