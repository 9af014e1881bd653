// Package playbacktest holds the suite that every playback.Signer passes, on the
// storage that its URLs lead to.
package playbacktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/playback"
)

// Storage puts an object where the signer's URLs lead to.
type Storage func(t *testing.T, object string, content []byte)

// TestSigner checks what listeners and labels may rely on, whatever signs: a URL
// opens its rendition's objects, whole and in ranges, and nothing else; for its
// time, and not after it.
func TestSigner(t *testing.T, signer playback.Signer, put Storage) {
	t.Helper()
	folder, other := "audio/"+id.Random()+"/", "audio/"+id.Random()+"/"
	contents := map[string][]byte{}
	for i, object := range []string{playback.DataObject, playback.HashesObject, playback.SeekObject} {
		contents[object] = bytes.Repeat([]byte{byte('a' + i)}, 1000+i)
		put(t, folder+object, contents[object])
		put(t, other+object, []byte("another's"))
	}
	soon := time.Now().Add(time.Minute)
	urls, err := signer.Sign(t.Context(), folder, soon)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{playback.DataObject: urls.Data, playback.HashesObject: urls.Hashes, playback.SeekObject: urls.Seek}
	t.Run("opens its objects", func(t *testing.T) {
		for object, u := range all {
			if status, b := get(t, u, ""); status != http.StatusOK || !bytes.Equal(b, contents[object]) {
				t.Errorf("%s: %d, %d bytes", object, status, len(b))
			}
			if status, b := get(t, u, "bytes=16-31"); status != http.StatusPartialContent || !bytes.Equal(b, contents[object][16:32]) {
				t.Errorf("a range of %s: %d, %d bytes", object, status, len(b))
			}
		}
	})
	t.Run("opens nothing else", func(t *testing.T) {
		for what, change := range changes(folder, other) {
			for object, u := range all {
				changed := change(t, u)
				if changed == u {
					t.Fatalf("%s: nothing is changed in %s", what, u)
				}
				if status, b := get(t, changed, ""); status == http.StatusOK || status == http.StatusPartialContent {
					t.Errorf("%s, %s: %d, %d bytes", object, what, status, len(b))
				}
			}
		}
	})
	t.Run("expires", func(t *testing.T) {
		// The shortest that is signed at all.
		urls, err := signer.Sign(t.Context(), folder, time.Now().Add(2*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := get(t, urls.Data, ""); status != http.StatusOK {
			t.Fatalf("before: %d", status)
		}
		deadline, tick := time.After(10*time.Second), time.NewTicker(100*time.Millisecond)
		defer tick.Stop()
		for status := 0; status < 400 || status >= 500; {
			select {
			case <-tick.C:
				status, _ = get(t, urls.Data, "")
			case <-deadline:
				t.Fatalf("it still answers %d", status)
			}
		}
	})
	t.Run("refuses", func(t *testing.T) {
		for _, bad := range []string{"", "/", "audio", "audio/x", "/audio/x/", "audio//x/", "audio/../x/", "audio/x y/", "audio/x?/", "audio/%2e/", "audio/ä/"} {
			if urls, err := signer.Sign(t.Context(), bad, soon); err == nil || urls != (playback.URLs{}) {
				t.Errorf("folder %q is signed: %v", bad, urls)
			}
		}
		if _, err := signer.Sign(t.Context(), folder, time.Time{}); err == nil {
			t.Error("a URL without expiry is signed")
		}
	})
	t.Run("is used by many at once", func(t *testing.T) {
		failures := make(chan error, 20)
		for range cap(failures) {
			go func() {
				got, err := signer.Sign(context.WithoutCancel(t.Context()), folder, soon)
				if err == nil && !strings.Contains(got.Data, folder+playback.DataObject+"?") {
					err = fmt.Errorf("data is at %s", got.Data)
				}
				failures <- err
			}()
		}
		var all []error
		for range cap(failures) {
			all = append(all, <-failures)
		}
		if err := errors.Join(all...); err != nil {
			t.Error(err)
		}
	})
}

// changes are what somebody might try with a URL that was given.
func changes(folder, other string) map[string]func(*testing.T, string) string {
	parameter := func(t *testing.T, u string, change func(url.Values)) string {
		t.Helper()
		bare, query, _ := strings.Cut(u, "?")
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		change(values)
		return bare + "?" + values.Encode()
	}
	signature := func(v url.Values) string {
		if v.Has("X-Goog-Signature") {
			return "X-Goog-Signature"
		}
		return "Signature"
	}
	return map[string]func(*testing.T, string) string{
		"unsigned":         func(_ *testing.T, u string) string { bare, _, _ := strings.Cut(u, "?"); return bare },
		"another's folder": func(_ *testing.T, u string) string { return strings.Replace(u, folder, other, 1) },
		"the folder alone": func(_ *testing.T, u string) string {
			bare, query, _ := strings.Cut(u, "?")
			return bare[:strings.LastIndex(bare, "/")+1] + "?" + query
		},
		"out of the folder": func(_ *testing.T, u string) string {
			return strings.Replace(u, folder, folder+"../"+strings.TrimPrefix(other, "audio/"), 1)
		},
		"another signature": func(t *testing.T, u string) string {
			return parameter(t, u, func(v url.Values) {
				s := v.Get(signature(v))
				first := "0"
				if strings.HasPrefix(s, first) {
					first = "1"
				}
				v.Set(signature(v), first+s[1:])
			})
		},
		"no signature": func(t *testing.T, u string) string {
			return parameter(t, u, func(v url.Values) { v.Del(signature(v)) })
		},
		"a longer life": func(t *testing.T, u string) string {
			return parameter(t, u, func(v url.Values) {
				if v.Has("Expires") {
					v.Set("Expires", "4102444800")
				} else {
					v.Set("X-Goog-Expires", "604800")
				}
			})
		},
	}
}

// get fetches as a player does: with no credentials but the URL.
func get(t *testing.T, u, byteRange string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	if byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}
