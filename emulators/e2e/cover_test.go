package e2e

import (
	"bytes"
	"image/jpeg"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/images/imagestest"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// A label sends a picture, then a track that names it: a listener sees it
// without a signature, which the track's audio needs.
func TestCover(t *testing.T) {
	t.Parallel()
	ctx, label := within(t, 3*time.Minute), segue.as(t, "LABEL")
	picture := filepath.Join(t.TempDir(), "cover.jpg")
	if err := os.WriteFile(picture, imagestest.Talkative(imagestest.JPEG(t, 1000, 500), 6), 0o600); err != nil {
		t.Fatal(err)
	}
	cover, err := label.Cover(picture, nil).Store(ctx, 500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	sound := ingesttest.Audio(t, "sine=517:d=2", "a.flac")
	upload, err := label.Upload(ctx, sound, client.Announcement{
		Filename: "a.flac", ContentType: "audio/flac", Metadata: ingest.Metadata{Artists: []string{"Painter"}, Album: "With a Cover", Cover: cover},
	})
	if err != nil {
		t.Fatal(err)
	}
	status, err := label.Follow(ctx, upload.ID, 500*time.Millisecond, func(client.Status) {})
	if err != nil || status.Status != ingest.Playable || len(status.Warnings) > 0 {
		t.Fatalf("%+v, %v", status, err)
	}
	listener := segue.as(t, "FREE")
	var track catalog.TrackObject
	if err := listener.Call(ctx, http.MethodGet, "/v1/tracks/"+status.TrackID, nil, &track); err != nil {
		t.Fatal(err)
	}
	env := segue.env(t)
	if n := len(track.Album.Images); n != 3 {
		t.Fatalf("%d images: %+v", n, track.Album.Images)
	}
	for _, i := range track.Album.Images {
		if !strings.HasPrefix(i.URL, env["SEGUE_IMAGES_URL"]+"/images/") {
			t.Errorf("the image is at %s", i.URL)
		}
		a, b := fetch(t, http.MethodGet, i.URL, nil)
		c, err := jpeg.DecodeConfig(bytes.NewReader(b))
		if a.status != http.StatusOK || err != nil || c.Width != i.Width || c.Height != i.Height || i.Height <= i.Width ||
			a.header.Get("Content-Type") != "image/jpeg" || !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%+v: %d %v, %v, %d × %d px", i, a.status, a.header, err, c.Width, c.Height)
		}
		if a, b := fetch(t, http.MethodGet, i.WebPURL, nil); a.status != http.StatusOK || a.header.Get("Content-Type") != "image/webp" || !bytes.HasPrefix(b, []byte("RIFF")) {
			t.Errorf("%s: %d %v", i.WebPURL, a.status, a.header)
		}
		name := strings.TrimPrefix(i.URL, env["SEGUE_IMAGES_URL"])
		if a, _ := fetch(t, http.MethodGet, env["SEGUE_STORAGE_URL"]+"/"+env["SEGUE_IMAGES_BUCKET"]+name, nil); a.status < http.StatusUnauthorized {
			t.Errorf("the bucket itself answers %d", a.status)
		}
	}
	var stream struct {
		URL string `json:"url"`
	}
	if err := listener.Call(ctx, http.MethodGet, "/v1/tracks/"+status.TrackID+"/stream", nil, &stream); err != nil {
		t.Fatal(err)
	}
	plain, _, _ := strings.Cut(stream.URL, "?")
	if a, _ := fetch(t, http.MethodGet, plain, nil); a.status != http.StatusForbidden {
		t.Errorf("audio without a signature: %d", a.status)
	}
}
