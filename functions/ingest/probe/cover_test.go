package probe

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/images"
	"github.com/segue-audio/segue/shared/images/imagestest"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// pictureFile writes a picture for ffmpeg.
func pictureFile(t *testing.T, picture []byte, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withAPIC is an MP3 with a picture in its tags.
func withAPIC(t *testing.T, picture []byte) string {
	t.Helper()
	sound, err := os.ReadFile(ingesttest.Audio(t, "sine=440:d=1", "-id3v2_version", "0", "a.mp3"))
	if err != nil {
		t.Fatal(err)
	}
	return pictureFile(t, append(imagestest.APIC(picture, "image/jpeg"), sound...), "a.mp3")
}

type albumCover struct {
	id, from      string
	width, height int64
}

// cover is that of the only album.
func (w *world) cover(t *testing.T) (c albumCover) {
	t.Helper()
	n := 0
	err := w.Writer.Spanner.Single().Read(t.Context(), "Albums", spanner.AllKeys(), []string{"CoverId", "CoverFrom", "CoverWidth", "CoverHeight"}).Do(func(r *spanner.Row) error {
		var id, from spanner.NullString
		var width, height spanner.NullInt64
		err := r.Columns(&id, &from, &width, &height)
		c = albumCover{id.StringVal, from.StringVal, width.Int64, height.Int64}
		n++
		return err
	})
	if err != nil || n != 1 {
		t.Fatalf("%d albums, %v", n, err)
	}
	return c
}

func (w *world) albumsChanged(t *testing.T) int {
	t.Helper()
	return len(ingesttest.Events[*eventpb.CatalogChanged](t, w.topics))
}

// sendPicture announces and sends a picture, and delivers it.
func (w *world) sendPicture(t *testing.T, label string, picture []byte) (*ingest.Upload, event.Finalized) {
	t.Helper()
	u := ingesttest.Announce(t, w.Writer.Spanner, ingest.Upload{LabelID: label, Filename: "cover.jpg"}, len(picture))
	_, err := w.Writer.Spanner.Apply(t.Context(), []*spanner.Mutation{spanner.Update("Uploads", []string{"UploadId", "ContentType"}, []any{u.ID, "image/jpeg"})})
	if err != nil {
		t.Fatal(err)
	}
	n := w.put(t, u.Object, picture)
	return w.deliver(t, n), n
}

// Every container's way of carrying a cover.
func TestEmbeddedCovers(t *testing.T) {
	t.Parallel()
	jpeg, png := imagestest.JPEG(t, 800, 400), imagestest.PNG(t, imagestest.Picture(200, 100))
	j, p := pictureFile(t, jpeg, "c.jpg"), pictureFile(t, png, "c.png")
	block := "METADATA_BLOCK_PICTURE=" + base64.StdEncoding.EncodeToString(imagestest.BlockPicture(png, "image/png"))
	attach := []string{"-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v", "attached_pic"}
	with := func(picture string, args ...string) []string {
		return append(append([]string{"-i", picture}, attach...), args...)
	}
	for name, c := range map[string]struct {
		args    []string
		picture []byte
	}{
		"FLAC":          {with(j, "a.flac"), jpeg},
		"FLAC, PNG":     {with(p, "a.flac"), png},
		"MP3":           {with(j, "-id3v2_version", "3", "a.mp3"), jpeg},
		"MP3, ID3v2.4":  {with(p, "-id3v2_version", "4", "a.mp3"), png},
		"M4A":           {with(j, "a.m4a"), jpeg},
		"M4A, PNG":      {with(p, "a.m4a"), png},
		"Ogg Vorbis":    {[]string{"-c:a", "libvorbis", "-metadata", block, "a.ogg"}, png},
		"Opus":          {[]string{"-c:a", "libopus", "-ar", "48000", "-metadata", block, "a.opus"}, png},
		"none":          {[]string{"a.flac"}, nil},
		"a real video":  {[]string{"-f", "lavfi", "-i", "testsrc=d=1:s=64x64", "a.m4a"}, nil},
		"two, no front": {append(append([]string{"-i", p, "-i", j}, "-map", "0", "-map", "1", "-map", "2", "-c:v", "copy", "-disposition:v", "attached_pic", "-metadata:s:v:0", "comment=Cover (back)", "-metadata:s:v:1", "comment=Cover (front)"), "a.flac"), jpeg},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			_, n := w.upload(t, ingest.Upload{}, ingesttest.Audio(t, "sine=440:d=1", c.args...))
			for range 2 { // the second delivery changes nothing
				if u := w.deliver(t, n); u.Status != ingest.Processing || len(u.Warnings) > 0 {
					t.Fatalf("%s: %s, %q", u.Status, u.Reason, u.Warnings)
				}
			}
			want, objects := albumCover{}, 0
			if c.picture != nil {
				want, objects = albumCover{images.ID(c.picture), "tags", 800, 400}, 6
				if &c.picture[0] == &png[0] {
					want.width, want.height = 200, 100
				}
			}
			if got := w.cover(t); got != want || len(ingesttest.Objects(t, w.Images)) != objects || w.albumsChanged(t) != 0 {
				t.Errorf("the cover is %+v, want %+v", got, want)
			}
		})
	}
}

// A cover that cannot be used is left out, and said to be; the track is not
// refused for it.
func TestBadEmbeddedCovers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		picture []byte
		want    string
	}{
		"a bomb":        {imagestest.Bomb(t, 30_000, 30_000), "it is 30000 × 30000 px, at most 20000 px a side and 50 megapixels are taken"},
		"a hidden bomb": {imagestest.Bomb(t, 16_000, 16_000), "it is 16000 × 16000 px, at most"},
		"a long file":   {append(imagestest.JPEG(t, 10, 10), make([]byte, 21<<20)...), "at most 20971520 (20 MiB) are taken"},
		"truncated":     {imagestest.JPEG(t, 300, 300)[:900], "it is a broken JPEG: "},
		"text":          {[]byte("a picture, they said"), "it is none of JPEG, PNG, GIF and WebP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			_, n := w.upload(t, ingest.Upload{}, withAPIC(t, c.picture))
			u := w.deliver(t, n)
			if u.Status != ingest.Processing || len(u.Warnings) != 1 || !strings.HasPrefix(u.Warnings[0], "the embedded cover was left out: ") || !strings.Contains(u.Warnings[0], c.want) {
				t.Errorf("%s: %s, %q", u.Status, u.Reason, u.Warnings)
			}
			if got := w.cover(t); got != (albumCover{}) || len(ingesttest.Objects(t, w.Images)) > 0 {
				t.Errorf("the cover is %+v", got)
			}
		})
	}
}

func TestPictures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	picture := imagestest.Talkative(imagestest.JPEG(t, 800, 400), 6)
	u, n := w.sendPicture(t, "label", picture)
	want := images.Image{ID: images.ID(picture), Width: 400, Height: 800}
	for range 2 {
		if u.Status != ingest.Stored || u.Image != want || u.TrackID != "" || u.Generation == 0 {
			t.Errorf("%+v", u)
		}
		u = w.deliver(t, n)
	}
	for words, bad := range map[string][]byte{
		"not a picture that can be used: it is none of JPEG, PNG, GIF and WebP": []byte("fLaC"),
		"not a picture that can be used: it is a broken JPEG: ":                 picture[:500],
		"not a picture that can be used: it is empty":                           nil,
	} {
		if u, _ := w.sendPicture(t, "label", bad); u.Status != ingest.Failed || !strings.HasPrefix(u.Reason, words) {
			t.Errorf("%s: %s, want %s", u.Status, u.Reason, words)
		}
	}
	if n := len(ingesttest.Objects(t, w.Images)); n != 6 {
		t.Errorf("%d objects", n)
	}
	w.rows(t, map[string]int64{"Tracks": 0, "Albums": 0, "Outbox": 0})
}

// What is named by request goes before what the tags have, and of two of a kind
// the first stays.
func TestWhichCoverWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var pictures [4][]byte
	var ids [4]string
	for i := range pictures {
		pictures[i] = imagestest.JPEG(t, 100+i, 100)
		ids[i] = images.ID(pictures[i])
	}
	first, _ := w.sendPicture(t, "label", pictures[2])
	second, _ := w.sendPicture(t, "label", pictures[3])
	theirs, _ := w.sendPicture(t, "other", pictures[3])
	plain := ingesttest.Audio(t, "sine=300:d=1", "a.mp3")
	for _, step := range []struct {
		what    string
		picture []byte // in the tags
		named   string
		want    albumCover
		changed int
		warned  bool
	}{
		{"none", nil, "", albumCover{}, 0, false},
		{"another label's", nil, theirs.ID, albumCover{}, 0, true},
		{"the first of tags", pictures[0], "", albumCover{ids[0], "tags", 100, 100}, 1, false},
		{"the second of tags", pictures[1], "", albumCover{ids[0], "tags", 100, 100}, 0, false},
		{"the first named", pictures[1], first.ID, albumCover{ids[2], "request", 102, 100}, 1, false},
		{"the second named", nil, second.ID, albumCover{ids[2], "request", 102, 100}, 0, false},
		{"tags after it", pictures[1], "", albumCover{ids[2], "request", 102, 100}, 0, false},
	} {
		file := plain
		if step.picture != nil {
			file = withAPIC(t, step.picture)
		}
		m := ingest.Metadata{Title: step.what, Artists: []string{"A"}, Album: "B", Cover: step.named}
		_, n := w.upload(t, ingest.Upload{AllowDuplicate: true, Metadata: m}, file)
		for i := range 2 {
			u := w.deliver(t, n)
			if u.Status != ingest.Processing || (len(u.Warnings) > 0) != step.warned {
				t.Errorf("%s: %s %s %q", step.what, u.Status, u.Reason, u.Warnings)
			}
			want := step.changed
			if i > 0 {
				want = 0
			}
			if got := w.albumsChanged(t); got != want {
				t.Errorf("%s: %d events of the album, want %d", step.what, got, want)
			}
			if got := w.cover(t); got != step.want {
				t.Errorf("%s: %+v, want %+v", step.what, got, step.want)
			}
		}
	}
}

// Two tracks of one album at once, with different covers: one of them, whole.
func TestTwoCoversAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	covers := map[albumCover]bool{}
	var g errgroup.Group
	for i := range 4 {
		picture := imagestest.JPEG(t, 100+i, 50+i)
		covers[albumCover{images.ID(picture), "tags", int64(100 + i), int64(50 + i)}] = true
		m := ingest.Metadata{Artists: []string{"A"}, Album: "B"}
		_, n := w.upload(t, ingest.Upload{Metadata: m}, withAPIC(t, picture))
		g.Go(func() error { return Probe(t.Context(), n, w.Deps) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := w.cover(t); !covers[got] || w.albumsChanged(t) != 0 {
		t.Errorf("the cover is %+v, of none", got)
	}
	w.rows(t, map[string]int64{"Tracks": 4, "Albums": 1})
}

// Between the images and the row nothing leads to them; the next delivery finds
// them.
func TestDiesBetweenImagesAndRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, n := w.upload(t, ingest.Upload{}, withAPIC(t, imagestest.JPEG(t, 100, 100)))
	u := ingesttest.Read(t, w.Writer.Spanner, strings.TrimPrefix(n.Object, ingest.Prefix))
	generation, err := strconv.ParseInt(n.Generation, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := w.examine(t.Context(), u, generation); err != nil || f.cover.ID == "" {
		t.Fatal(err)
	}
	w.rows(t, map[string]int64{"Tracks": 0, "Albums": 0})
	before := ingesttest.Objects(t, w.Images)
	if u := w.deliver(t, n); u.Status != ingest.Processing || w.cover(t).id == "" {
		t.Errorf("%s: %s", u.Status, u.Reason)
	}
	if after := ingesttest.Objects(t, w.Images); len(before) != 6 || len(after) != 6 {
		t.Errorf("%d objects, then %d", len(before), len(after))
	}
}

// A duplicate may bring its track's album the cover that it has not.
func TestCoverOfADuplicate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := ingesttest.Audio(t, "sine=440:d=1", "-metadata", "album=A", "a.flac")
	_, n := w.upload(t, ingest.Upload{}, file)
	track := w.deliver(t, n).TrackID
	picture, _ := w.sendPicture(t, "label", imagestest.JPEG(t, 100, 100))
	w.albumsChanged(t)
	for i := range 2 {
		_, n = w.upload(t, ingest.Upload{Metadata: ingest.Metadata{Cover: picture.ID}}, file)
		if u := w.deliver(t, n); u.Status != ingest.Duplicate || u.DuplicateOf != track {
			t.Fatalf("%s: %s", u.Status, u.Reason)
		}
		if c, changed := w.cover(t), w.albumsChanged(t); c.id != picture.Image.ID || c.from != "request" || changed != 1-i {
			t.Errorf("the album has %+v, told %d times", c, changed)
		}
	}
}
