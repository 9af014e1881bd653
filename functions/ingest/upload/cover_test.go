package upload

import (
	"strings"
	"testing"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/images"
	"github.com/segue-audio/segue/shared/ingest"
)

// pictured announces a picture and settles it.
func pictured(t *testing.T, d Deps, label string, u ingest.Upload) string {
	t.Helper()
	r := announce(5)
	r.Filename, r.ContentType = "cover.png", "image/png"
	u.ID = create(t, d, label, r).ID
	if _, err := d.Spanner.Apply(t.Context(), []*spanner.Mutation{u.Update()}); err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func TestCovers(t *testing.T) {
	t.Parallel()
	d := deps(t)
	d.Images = "https://img.test"
	image := images.Image{ID: "x", Width: 100, Height: 50}
	stored := ingest.Upload{Status: ingest.Stored, Image: image}
	good := pictured(t, d, "label", stored)
	theirs, waiting := pictured(t, d, "other", stored), pictured(t, d, "label", ingest.Upload{Status: ingest.Waiting})
	failed := pictured(t, d, "label", ingest.Upload{Status: ingest.Failed, Reason: "it is empty"})
	sound, unknown := create(t, d, "label", announce(5)).ID, id.Random()
	for cover, want := range map[string]string{
		good:                              "",
		theirs:                            "metadata.cover: there is no upload " + theirs,
		unknown:                           "metadata.cover: there is no upload " + unknown,
		waiting:                           "metadata.cover: upload " + waiting + " is waiting; send the track when it is stored",
		failed:                            "metadata.cover: upload " + failed + " has failed: it is empty",
		sound:                             "metadata.cover: upload " + sound + " is audio/flac, not a picture",
		"x":                               `metadata.cover "x" is not the id of an upload`,
		strings.Repeat("\xff", id.Length): "metadata.cover \"\\xff",
	} {
		before := rows(t, d.Spanner)
		r := announce(5)
		r.Metadata.Cover = cover
		_, err := Create(as(t.Context(), "label"), r, d)
		if (want == "") != (err == nil) || (err != nil && (errs.CodeOf(err) != errs.Invalid || !strings.HasPrefix(errs.From(err).Message, want))) {
			t.Errorf("%q: %v, want %s", cover, err, want)
		}
		if after := rows(t, d.Spanner); (after > before) != (want == "") {
			t.Errorf("%q: %d uploads, then %d", cover, before, after)
		}
	}
	got, err := Get(as(t.Context(), "label"), GetRequest{ID: good}, d)
	if err != nil || got.Status != ingest.Stored || got.Progress != 1 || got.ImageID != "x" || len(got.Images) != 2 || got.Images[0].URL != "https://img.test/images/x/640.jpg" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPicturesThatAreRefused(t *testing.T) {
	t.Parallel()
	d := deps(t)
	for want, change := range map[string]func(*CreateRequest){
		"size 20971521 is above the limit of a picture, 20971520 bytes (20 MiB)": func(r *CreateRequest) { *r.Size = 20<<20 + 1 },
		"metadata.cover is of a track, and this is a picture":                    func(r *CreateRequest) { r.Metadata.Cover = id.Random() },
		`content_type "image/gif" is none of`:                                    func(r *CreateRequest) { r.ContentType = "image/gif" },
	} {
		r := announce(20 << 20)
		r.ContentType = "image/webp"
		change(&r)
		if _, err := Create(as(t.Context(), "label"), r, d); errs.CodeOf(err) != errs.Invalid || !strings.HasPrefix(errs.From(err).Message, want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if n := rows(t, d.Spanner); n != 0 {
		t.Errorf("%d uploads are recorded", n)
	}
}
