package playback

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSaveKeyset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, kek, err := CreateLocalKeyset(dir)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ReadKeyset(t.Context(), text, kek)
	if err != nil {
		t.Fatal(err)
	}
	first, err := k.Primary()
	if err != nil {
		t.Fatal(err)
	}
	second, err := k.Add()
	if err != nil {
		t.Fatal(err)
	}
	with, err := k.Encrypt(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now, file := time.Unix(1_800_000_000, 0), filepath.Join(dir, localKeysetFile)
	save := func(path, was, text string, destroyed uint32, says string) (former string) {
		t.Helper()
		before, _ := os.ReadFile(path)
		former, err := SaveKeyset(path, was, text, destroyed, now)
		if says == "" && err == nil {
			return former
		}
		if err == nil || says == "" || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%q: the file was changed all the same", says)
		}
		return ""
	}
	save(file, with, text, 0, "was changed meanwhile")
	former := save(file, text, with, 0, "")
	if old, err := os.ReadFile(former); err != nil || string(old) != text || former != file+".before-20270115T080000Z" {
		t.Errorf("the former is %s: %v", former, err)
	}
	// Twice in a second, neither former file is lost.
	if again := save(file, with, with, 0, ""); again != former+"-1" {
		t.Errorf("the second former is %s", again)
	}
	save(file, with, text, 0, "which the new keyset lacks")
	save(file, "", text, 0, "which the new keyset lacks")
	save(file, with, text, first, "which the new keyset lacks")
	save(file, with, text, second, "")
	other := filepath.Join(dir, "note")
	if err := os.WriteFile(other, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	save(other, "", text, 0, "it is no keyset")
	save(filepath.Join(dir, "none", "keyset.json"), "", text, 0, "no such file")
	fresh := filepath.Join(dir, "fresh.json")
	save(fresh, "", text, 0, "")
	if stat, err := os.Stat(fresh); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", stat, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*json*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	// An enabled key is not destroyed, the primary not disabled.
	if err := k.Destroy(second); err == nil {
		t.Error("an enabled key is destroyed")
	}
	if err := k.Disable(first); err == nil {
		t.Error("the primary is disabled")
	}
}

func TestWrappedUnder(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct {
		id uint32
		ok bool
	}{
		"\x01\x00\x01\x02\x03cipher": {0x10203, true}, "\x01\xff\xff\xff\xff": {1<<32 - 1, true},
		"": {}, "\x01\x00\x01\x02": {}, "\x00\x00\x01\x02\x03": {}, "random22characters4567": {},
	} {
		if id, ok := WrappedUnder([]byte(in)); id != want.id || ok != want.ok {
			t.Errorf("%q: %d, %v", in, id, ok)
		}
	}
}

func TestCDNKeysOfAllSlots(t *testing.T) {
	t.Parallel()
	keys := map[string][]byte{"segue-1": []byte("0123456789abcdef"), "segue-2": []byte("fedcba9876543210")}
	all := FormatCDNKeys(keys)
	for name, key := range keys {
		if s, err := NewCloudCDN("https://cdn.test", name, all+"\n"); err != nil || !bytes.Equal(s.key, key) {
			t.Errorf("%s of all: %v", name, err)
		}
		one := strings.Split(all, name+":")[1][:24]
		if s, err := NewCloudCDN("https://cdn.test", name, one); err != nil || !bytes.Equal(s.key, key) {
			t.Errorf("%s alone: %v", name, err)
		}
	}
	for name, c := range map[string]struct{ use, keys, says string }{
		"none":     {"segue-1", "", "0 bytes long"},
		"another":  {"segue-3", all, `"segue-3" is not among those given: segue-1, segue-2`},
		"twice":    {"segue-1", all + "," + all, "given twice"},
		"a break":  {"segue-1", all + ",", `name ""`},
		"no key":   {"segue-1", all + ",segue-3:", "0 bytes long"},
		"bad text": {"segue-1", all + ",segue-3:%", `"segue-3" is not base64url`},
	} {
		if _, err := NewCloudCDN("https://cdn.test", c.use, c.keys); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "MDEyMzQ1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A step that died has kept the former; whoever then copies another keyset over
// the file, as cp does, in place, has it still, and nobody else may read it.
func TestFormerKeysetIsAFileOfItsOwn(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), localKeysetFile)
	if err := os.WriteFile(file, []byte("now"), 0o644); err != nil { //nolint:gosec // as an operator may have it
		t.Fatal(err)
	}
	former, err := keepFormer(file, []byte("now"), time.Unix(1_800_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("older"), 0o600); err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(former); err != nil || string(kept) != "now" {
		t.Errorf("the former is %q: %v", kept, err)
	}
	if stat, err := os.Stat(former); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", stat, err)
	}
}
