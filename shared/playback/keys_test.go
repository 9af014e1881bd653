package playback

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

func binding() Binding {
	return Binding{TrackID: "4uLU6hMCjMI75M1A2tKUQC", Format: AAC, Bitrate: High, AttemptID: "a1"}
}

func localWrapper(t testing.TB) *Wrapper {
	t.Helper()
	text, kek, err := CreateLocalKeyset(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w, err := OpenKeyset(t.Context(), text, kek)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestContentKeysUnwrapForTheirFileAlone(t *testing.T) {
	t.Parallel()
	w := localWrapper(t)
	for _, scheme := range []Scheme{AES128CTR, AES256CTR} {
		key, wrapped, err := w.NewContentKey(nil, scheme, binding())
		if err != nil {
			t.Fatal(err)
		}
		if size, _ := scheme.KeySize(); len(key) != size || bytes.Contains(wrapped, key) {
			t.Fatalf("%s: key of %d bytes, wrapped as %x", scheme, len(key), wrapped)
		}
		if got, err := w.Unwrap(wrapped, binding()); err != nil || !bytes.Equal(got, key) {
			t.Fatalf("%s: unwrapped to another key: %v", scheme, err)
		}
		for name, change := range map[string]func(*Binding){
			"track":   func(b *Binding) { b.TrackID = "1BxfuPKGuaTgP7aM0Bbdwr" },
			"format":  func(b *Binding) { b.Format = Ogg },
			"bitrate": func(b *Binding) { b.Bitrate = Low },
			"attempt": func(b *Binding) { b.AttemptID = "a2" },
			"nothing": func(b *Binding) { *b = Binding{} },
		} {
			other := binding()
			change(&other)
			if _, err := w.Unwrap(wrapped, other); err == nil {
				t.Errorf("%s: unwraps for another %s", scheme, name)
			}
		}
		for i := range wrapped {
			torn := bytes.Clone(wrapped)
			torn[i] ^= 1
			if _, err := w.Unwrap(torn, binding()); err == nil {
				t.Errorf("%s: unwraps with byte %d changed", scheme, i)
			}
		}
		if _, err := localWrapper(t).Unwrap(wrapped, binding()); err == nil {
			t.Errorf("%s: another keyset unwraps it", scheme)
		}
	}
}

func TestContentKeysAreFresh(t *testing.T) {
	t.Parallel()
	w := localWrapper(t)
	first, _, err := w.NewContentKey(nil, AES128CTR, binding())
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := w.NewContentKey(nil, AES128CTR, binding())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first, second) {
		t.Error("two attempts share a key")
	}
	drawn, _, err := w.NewContentKey(strings.NewReader("0123456789abcdef"), AES128CTR, binding())
	if err != nil || string(drawn) != "0123456789abcdef" {
		t.Errorf("drew %q from the given source: %v", drawn, err)
	}
}

func TestNewContentKeyRefuses(t *testing.T) {
	t.Parallel()
	w, dry := localWrapper(t), errors.New("no entropy")
	if _, _, err := w.NewContentKey(iotest.ErrReader(dry), AES128CTR, binding()); !errors.Is(err, dry) {
		t.Errorf("a dry source: %v", err)
	}
	if _, _, err := w.NewContentKey(strings.NewReader("short"), AES256CTR, binding()); err == nil {
		t.Error("five bytes make a key")
	}
	if _, _, err := w.NewContentKey(nil, "aes-128-cbc", binding()); err == nil {
		t.Error("an unknown scheme has keys")
	}
	for _, b := range []Binding{
		{},
		{TrackID: "t", Format: "mp3", Bitrate: High, AttemptID: "a"},
		{TrackID: "t", Format: AAC, Bitrate: 128, AttemptID: "a"},
		{TrackID: "t|aac", Format: AAC, Bitrate: High, AttemptID: "a"},
		{TrackID: "t", Format: AAC, Bitrate: High, AttemptID: "a|b"},
		{Format: AAC, Bitrate: High, AttemptID: "a"},
		{TrackID: "t", Format: AAC, Bitrate: High},
	} {
		if _, _, err := w.NewContentKey(nil, AES128CTR, b); err == nil {
			t.Errorf("%+v binds a key", b)
		}
		if _, err := w.Unwrap([]byte("any"), b); err == nil {
			t.Errorf("%+v unwraps a key", b)
		}
	}
}

func TestOlderPrimaryStillUnwraps(t *testing.T) {
	t.Parallel()
	text, kek, err := CreateLocalKeyset(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	before, err := OpenKeyset(t.Context(), text, kek)
	if err != nil {
		t.Fatal(err)
	}
	key, wrapped, err := before.NewContentKey(nil, AES128CTR, binding())
	if err != nil {
		t.Fatal(err)
	}
	after, err := OpenKeyset(t.Context(), rotated(t, text, kek), kek)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := after.Unwrap(wrapped, binding()); err != nil || !bytes.Equal(got, key) {
		t.Errorf("after rotation: %v", err)
	}
	_, fresh, err := after.NewContentKey(nil, AES128CTR, binding())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.Unwrap(fresh, binding()); err == nil {
		t.Error("the new primary was not used")
	}
}

// rotated adds a primary key to the keyset.
func rotated(t *testing.T, text, kek string) string {
	t.Helper()
	master, err := openKEK(t.Context(), kek, nil)
	if err != nil {
		t.Fatal(err)
	}
	handle, err := keyset.Read(keyset.NewJSONReader(strings.NewReader(text)), master)
	if err != nil {
		t.Fatal(err)
	}
	m := keyset.NewManagerFromHandle(handle)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.SetPrimary(id); err != nil {
		t.Fatal(err)
	}
	if handle, err = m.Handle(); err != nil {
		t.Fatal(err)
	}
	out, err := encryptKeyset(handle, master)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestOpenKeysetRefuses(t *testing.T) {
	t.Parallel()
	text, kek, err := CreateLocalKeyset(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, otherKEK, err := CreateLocalKeyset(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, kek, says string }{
		"no keyset":        {"", kek, "empty"},
		"no encoding":      {"%%", kek, "neither JSON nor base64"},
		"no keyset's JSON": {"{}", kek, "decrypt keyset"},
		"another KEK":      {text, otherKEK, "decrypt keyset"},
		"no KEK":           {text, "", "key-encryption key"},
		"an AWS KEK":       {text, "aws-kms://key", "gcp-kms://"},
		"a relative KEK":   {text, "file://kek.json", "absolute path"},
		"a missing KEK":    {text, kek + ".gone", "no such file"},
		"a KEK that is encrypted": {
			text, strings.Replace(kek, localKEKFile, localKeysetFile, 1), "key-encryption key",
		},
	} {
		if _, err := OpenKeyset(t.Context(), c.text, c.kek); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	if _, err := OpenKeyset(t.Context(), encoded+"\n", kek); err != nil {
		t.Errorf("base64: %v", err)
	}
}

func TestInContextEndsWithTheContext(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	defer close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := inContext(ctx, func() (int, error) { <-hang; return 1, nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hanging call ends with %v", err)
	}
}

func BenchmarkUnwrap(b *testing.B) {
	w := localWrapper(b)
	_, wrapped, err := w.NewContentKey(nil, AES128CTR, binding())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Unwrap(wrapped, binding()); err != nil {
			b.Fatal(err)
		}
	}
}
