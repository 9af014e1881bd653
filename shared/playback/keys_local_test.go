package playback

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestLocalKeysetStaysTheSame(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "keys with spaces")
	text, kek, err := CreateLocalKeyset(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, kekAgain, err := CreateLocalKeyset(dir)
	if err != nil || again != text || kekAgain != kek {
		t.Fatalf("the second call gave another keyset (%v)", err)
	}
	if _, err := OpenKeyset(t.Context(), text, kek); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v (%v)", e.Name(), info.Mode(), err)
		}
	}
}

func TestLocalKeysetAfterACrash(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lost   string
		remade bool
	}{
		"before the keyset was made":           {localKeysetFile, true},
		"a keyset whose key was taken from it": {localKEKFile, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if _, _, err := CreateLocalKeyset(dir); err != nil {
				t.Fatal(err)
			}
			stray := filepath.Join(dir, "."+c.lost+".123")
			if err := os.Rename(filepath.Join(dir, c.lost), stray); err != nil {
				t.Fatal(err)
			}
			text, kek, err := CreateLocalKeyset(dir)
			if !c.remade {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Fatalf("a new key beside an old keyset: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := OpenKeyset(t.Context(), text, kek); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLocalKeysetIsOneForAllWhoMakeIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	texts := make([]string, 8)
	var wg sync.WaitGroup
	for i := range texts {
		wg.Go(func() {
			text, kek, err := CreateLocalKeyset(dir)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := OpenKeyset(t.Context(), text, kek); err != nil {
				t.Error(err)
			}
			texts[i] = text
		})
	}
	wg.Wait()
	for _, text := range texts {
		if text != texts[0] {
			t.Error("two keysets were made")
		}
	}
}

func TestPublishNeverOverwrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	for _, text := range []string{"first", "second"} {
		if err := publish(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "first" {
		t.Errorf("the file holds %q (%v)", got, err)
	}
}

func TestLocalKeysetNamesAnUnusableFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := CreateLocalKeyset(file); err == nil {
		t.Error("a file is a folder")
	}
}
