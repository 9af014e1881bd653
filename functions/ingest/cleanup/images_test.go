package cleanup

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/images"
	"github.com/segue-audio/segue/shared/images/imagestest"
	"github.com/segue-audio/segue/shared/images/render"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// picture stores one, and returns it and its folder.
func (w *world) picture(t *testing.T, width int) (images.Image, string) {
	t.Helper()
	i, err := render.Store(t.Context(), w.Images, imagestest.JPEG(t, width, 10), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return i, images.Prefix + i.ID + "/"
}

// Covers that an album shows, or that a track may yet name, stay; those of
// refused duplicates, or that lost to another, go after a day.
func TestImages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.track(t)
	shown, a := w.picture(t, 10)
	kept, b := w.picture(t, 20)
	_, c := w.picture(t, 30)
	_, d := w.picture(t, 40)
	var album string
	err := w.Spanner.Single().Read(t.Context(), "Albums", spanner.AllKeys(), []string{"AlbumId"}).Do(func(r *spanner.Row) error { return r.Columns(&album) })
	if err != nil {
		t.Fatal(err)
	}
	u := ingesttest.Announce(t, w.Spanner, ingest.Upload{}, 1)
	u.Status, u.Image = ingest.Stored, kept
	apply(t, w.Spanner, u.Update(), spanner.Update("Albums", []string{"AlbumId", "CoverId"}, []any{album, shown.ID}))
	today := w.Deps
	today.Now = time.Now
	if got, err := Clean(t.Context(), today); err != nil || got["images"] != 0 {
		t.Errorf("today: %v, %v", got, err)
	}
	objects(t, w.Images, a, b, c, d)
	w.clean(t, map[string]int{"images": 2})
	objects(t, w.Images, a, b)
	w.clean(t, nil)
}

// Someone sends the picture again while the clean-up is about to remove it: at
// the first removal, or after it. All its objects are there in the end.
func TestImageIsWantedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]int{"before": 1, "amid": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.track(t)
			i, _ := w.picture(t, 500)
			later := w.Now()
			beside := w.hooks.over(t, w.Images.BucketName())
			var mu sync.Mutex
			n := 0
			w.hooks.set(func(r *http.Request) {
				if r.Method != http.MethodDelete {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if n++; n != at {
					return
				}
				if _, err := render.Store(t.Context(), beside, imagestest.JPEG(t, 500, 10), later); err != nil {
					t.Error(err)
				}
			})
			w.clean(t, nil)
			objects(t, w.Images, i.Objects()...)
		})
	}
}

// Terms of tracks that are gone go, those of others stay.
func TestTerms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there, gone := w.track(t).TrackID, id.Random()
	for n := range 5 {
		for _, track := range []string{there, gone} {
			apply(t, w.Spanner, spanner.Insert("FingerprintTerms", []string{"LabelId", "Version", "Term", "TrackId"}, []any{"label", 1, n - 2, track}))
		}
	}
	w.clean(t, map[string]int{"terms": 5})
	ingesttest.Rows(t, w.Spanner, map[string]int64{"FingerprintTerms": 5})
	w.clean(t, nil)
}

// What becomes of uploads and their files, and when.
func TestUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const file = true
	type upload struct {
		*ingest.Upload
		file bool
	}
	announce := func(u ingest.Upload, file bool, status ingest.Status) upload {
		a := ingesttest.Announce(t, w.Spanner, u, 1)
		if file {
			ingesttest.Put(t, w.Uploads, a.Object, []byte("x"))
		}
		a.Status = status
		apply(t, w.Spanner, a.Update())
		return upload{a, file}
	}
	never := announce(ingest.Upload{}, !file, ingest.Waiting)
	all := []upload{
		never,
		announce(ingest.Upload{}, file, ingest.Waiting), // nobody has looked at it yet
		announce(ingest.Upload{}, file, ingest.Processing),
		announce(ingest.Upload{}, file, ingest.Playable),
		announce(ingest.Upload{}, file, ingest.Stored),
	}
	announce(ingest.Upload{}, file, ingest.Failed)
	announce(ingest.Upload{}, file, ingest.Duplicate)
	ingesttest.Put(t, w.Uploads, ingest.Prefix+id.Random(), []byte("x")) // of no upload
	ingesttest.Put(t, w.Uploads, ingest.Prefix+"x", []byte("x"))         // none of ours
	session := ingesttest.Announce(t, w.Spanner, ingest.Upload{}, 1)
	apply(t, w.Spanner, spanner.Update("Uploads", []string{"UploadId", "ExpiresAt"}, []any{session.ID, time.Now().Add(7 * 24 * time.Hour)}))

	w.Now = func() time.Time { return time.Now().Add(24 * time.Hour) }
	w.clean(t, nil) // the URL was good for an hour, and less than a day has passed since
	w.Now = func() time.Time { return time.Now().Add(26 * time.Hour) }
	w.clean(t, map[string]int{"uploads": 1})
	if u := ingesttest.Read(t, w.Spanner, never.ID); u.Status != ingest.Failed || !strings.HasPrefix(u.Reason, "no file came before its upload URL expired") {
		t.Errorf("the upload without a file is %s: %s", u.Status, u.Reason)
	}
	for _, a := range append(all[1:], upload{session, !file}) {
		if u := ingesttest.Read(t, w.Spanner, a.ID); u.Status != a.Status && u.Status != ingest.Waiting {
			t.Errorf("an upload that was %s is %s: %s", a.Status, u.Status, u.Reason)
		}
	}
	stay := []string{ingest.Prefix + "x"}
	for _, u := range all {
		if u.file {
			stay = append(stay, u.Object)
		}
	}
	w.Now = func() time.Time { return time.Now().Add(31 * 24 * time.Hour) }
	w.clean(t, map[string]int{"files": 3, "uploads": 1})
	objects(t, w.Uploads, stay...)
	w.clean(t, nil)
}
