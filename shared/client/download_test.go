package client_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/client/clienttest"
	"github.com/segue-audio/segue/shared/playback"
)

func TestDownload(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size  int
		fault func(*clienttest.Track)
	}{
		"one byte":          {1, nil},
		"one block":         {playback.BlockSize, nil},
		"a block and more":  {playback.BlockSize + 1, nil},
		"one range":         {1 << 20, nil},
		"ranges":            {3<<20 + 12345, nil},
		"breaks":            {3<<20 + 1, func(k *clienttest.Track) { k.Breaks = []int{0, 1, 65536, 65535, 700000, 1<<20 - 1, 0, 0, 200000} }},
		"expires":           {5 << 20, func(k *clienttest.Track) { k.Lasts = 2 }},
		"expires and broke": {2 << 20, func(k *clienttest.Track) { k.Lasts = 1; k.Breaks = []int{99999, 0} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := clienttest.New(t)
			_, plain := noise(t, c.size)
			k := s.Seal(t, "x", plain)
			if c.fault != nil {
				c.fault(k)
			}
			var got bytes.Buffer
			var last int64
			st, err := impatient(s).Download(t.Context(), "x", client.Choice{}, &got, func(n, size int64) {
				if last = n; size != int64(c.size) || n != int64(got.Len()) {
					t.Errorf("told of %d of %d with %d written", n, size, got.Len())
				}
			})
			if err != nil || !bytes.Equal(got.Bytes(), plain) || last != int64(c.size) || st.Size != last || len(k.Breaks) > 0 {
				t.Errorf("%d of %d bytes, equal %v: %v", got.Len(), c.size, bytes.Equal(got.Bytes(), plain), err)
			}
			if k.Lasts > 0 && k.Grant < 2 {
				t.Error("no URL was renewed")
			}
		})
	}
}

// Wherever a byte is flipped, what is written are the blocks before it.
func TestFlippedByte(t *testing.T) {
	t.Parallel()
	s := clienttest.New(t)
	_, plain := noise(t, 1<<20+70000)
	k := s.Seal(t, "x", plain)
	for _, in := range []*[]byte{&k.Sealed, &k.Hashes} {
		whole := *in
		for _, at := range []int{0, len(whole) - 1, rand.IntN(len(whole)), rand.IntN(len(whole))} {
			*in = bytes.Clone(whole)
			(*in)[at] ^= 1 << rand.IntN(8)
			good := at / playback.BlockSize * playback.BlockSize
			if in == &k.Hashes {
				good = at / playback.HashSize * playback.BlockSize
			}
			var got bytes.Buffer
			_, err := impatient(s).Download(t.Context(), "x", client.Choice{}, &got, nil)
			if !errors.Is(err, playback.ErrCorrupt) || !strings.Contains(err.Error(), "the audio is damaged at byte") {
				t.Errorf("flipped at %d: %v", at, err)
			}
			if !bytes.Equal(got.Bytes(), plain[:good]) {
				t.Errorf("flipped at %d: %d bytes are written, not the %d before it", at, got.Len(), good)
			}
		}
		*in = whole
	}
}

func TestDownloadRefuses(t *testing.T) {
	t.Parallel()
	swap := func(old, by string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/stream") {
				return false
			}
			const good = `{"size": 10, "url": "http://127.0.0.1:1/", "hashes_url": "http://127.0.0.1:1/", "block_size": 65536,
				"key": {"scheme": "aes-128-ctr", "value": "BwcHBwcHBwcHBwcHBwcHBw"}}`
			_, _ = w.Write([]byte(strings.Replace(good, old, by, 1)))
			return true
		}
	}
	cdn := func(object string, f http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, object) {
				f(w, r)
			}
			return strings.HasSuffix(r.URL.Path, object)
		}
	}
	for name, c := range map[string]struct {
		before func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		"another scheme":   {swap("aes-128-ctr", "rot13"), `scheme "rot13" is not known`},
		"a short key":      {swap("BwcHBwcHBwcHBwcHBwcHBw", "Bwc"), "key is not one of aes-128-ctr"},
		"other blocks":     {swap("65536", "1000"), "blocks have 1000 bytes"},
		"no size":          {swap("10", "0"), "has 0 bytes"},
		"no URL":           {swap(`"url": "http://127.0.0.1:1/"`, `"url": ""`), "no URL"},
		"nobody there":     {swap("", ""), "given up after 8 tries without progress: GET 127.0.0.1:1: "},
		"few hashes":       {cdn("hashes", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("few")) }), "the hashes are not the 544 bytes"},
		"no ranges":        {cdn("data", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("all")) }), "storage answers 200"},
		"always forbidden": {cdn("data", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }), "storage answers 403"},
		"always busy":      {cdn("data", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }), "given up after 8 tries"},
		"not entitled": {
			cdn("stream", func(w http.ResponseWriter, _ *http.Request) {
				clienttest.Refuse(w, 403, "needs premium", "premium_required")
			}),
			"stream x: 403: needs premium",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := clienttest.New(t)
			_, plain := noise(t, 1<<20+1)
			s.Seal(t, "x", plain)
			s.Before = c.before
			var got bytes.Buffer
			_, err := impatient(s).Download(t.Context(), "x", client.Choice{Format: "ogg", Quality: "96"}, &got, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || got.Len() > 0 {
				t.Errorf("%v, %d bytes written", err, got.Len())
			}
		})
	}
}

// A track that is published anew has other bytes: they must not follow the old.
func TestPublishedAnewWhileFetched(t *testing.T) {
	t.Parallel()
	s := clienttest.New(t)
	_, plain := noise(t, 3<<20)
	s.Seal(t, "x", plain).Lasts = 2
	var got bytes.Buffer
	_, err := impatient(s).Download(t.Context(), "x", client.Choice{}, &got, func(int64, int64) {
		s.Do(func() { s.Tracks["x"].Key = bytes.Repeat([]byte{8}, 16) })
	})
	if err == nil || !strings.Contains(err.Error(), "published anew") || !bytes.Equal(got.Bytes(), plain[:1<<20]) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestDownloadToAFullDisk(t *testing.T) {
	t.Parallel()
	s := clienttest.New(t)
	s.Seal(t, "x", []byte("sound"))
	if _, err := impatient(s).Download(t.Context(), "x", client.Choice{}, full{}, nil); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Error(err)
	}
}
