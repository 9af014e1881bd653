package clienttest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/playback"
)

// Track is audio behind the CDN.
type Track struct {
	Plain          []byte
	Sealed, Hashes []byte
	Key            []byte
	// Grant is the number of the last URL given out. With Lasts, a URL is good
	// for that many requests.
	Grant, Lasts int
	// Breaks cut a range's answer after so many bytes, one each.
	Breaks []int

	used int
}

// Seal adds a track.
func (s *Server) Seal(t testing.TB, id string, plain []byte) *Track {
	t.Helper()
	track := &Track{Plain: plain, Key: bytes.Repeat([]byte{7}, 16)}
	var sealed bytes.Buffer
	sealer, err := playback.NewSealer(&sealed, track.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealer.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := sealer.Close(); err != nil {
		t.Fatal(err)
	}
	track.Sealed, track.Hashes = sealed.Bytes(), sealer.Hashes()
	s.Do(func() { s.Tracks[id] = track })
	return track
}

func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	var o map[string]any
	s.Do(func() {
		t := s.Tracks[id]
		if t == nil {
			return
		}
		t.Grant++
		t.used = 0
		base := s.URL + "/cdn/" + id + "/"
		query := "?grant=" + strconv.Itoa(t.Grant)
		o = map[string]any{
			"track_id": id, "format": "ogg", "bitrate": 160, "mime_type": `audio/ogg; codecs="vorbis"`, "size": len(t.Sealed),
			"url": base + "data" + query, "hashes_url": base + "hashes" + query, "block_size": playback.BlockSize,
			"key": map[string]any{"scheme": "aes-128-ctr", "id": fmt.Sprintf("%x", t.Key[:4]), "value": base64.RawURLEncoding.EncodeToString(t.Key)},
		}
	})
	if o == nil {
		Refuse(w, http.StatusNotFound, "there is no track "+id, "")
		return
	}
	answer(w, http.StatusOK, o)
}

func (s *Server) cdn(w http.ResponseWriter, r *http.Request) {
	var content []byte
	var expired bool
	cut := -1
	s.Do(func() {
		t := s.Tracks[r.PathValue("id")]
		if t == nil {
			return
		}
		t.used++
		expired = r.URL.Query().Get("grant") != strconv.Itoa(t.Grant) || (t.Lasts > 0 && t.used > t.Lasts)
		content = t.Hashes
		if r.PathValue("object") == "data" {
			content = t.Sealed
			if len(t.Breaks) > 0 && !expired {
				cut, t.Breaks = t.Breaks[0], t.Breaks[1:]
			}
		}
	})
	switch {
	case expired || content == nil:
		http.Error(w, "Your client does not have permission", http.StatusForbidden)
	case cut >= 0:
		http.ServeContent(&cutter{ResponseWriter: w, left: cut}, r, "", time.Time{}, bytes.NewReader(content))
	default:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}

// cutter breaks the connection after some bytes of the body.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	if c.left -= n; err == nil && n < len(p) {
		_ = http.NewResponseController(c.ResponseWriter).Flush() // what was written leaves before the break
		panic(http.ErrAbortHandler)
	}
	return n, err
}
