// Package cleanup removes, once a day, what nothing leads to any more or ever
// will, such as what processes left that died at a bad moment:
//
//   - attempts at renditions that are not played and never will be: those that
//     lost, those of tracks that failed, those whose maker has been dead for a day;
//   - folders of the audio bucket that are a day old and have no row;
//   - images that are a day old and that no album and no upload names, such as the
//     covers of refused duplicates;
//   - the terms of fingerprints of tracks that are gone;
//   - objects of the uploads bucket, a month after their upload failed, was refused
//     as a duplicate, or disappeared.
//
// It also ends uploads whose file never came. It leaves: what is played; complete
// attempts of a track that is still being made, however old, since an operator's
// replay may go on with them; the files of playable tracks, of which analyses and
// renditions are made anew, and of stored pictures; rows of uploads, which tell
// their label what became of them.
//
// # Beside those at work
//
// Objects are listed first, then the rows that may lead to them are read. An
// attempt's row is written before its first object, and an image's row within
// minutes of its objects, so what is a day old and has no row then has none later.
// An attempt is claimed first, in a transaction that sees once more that it is not
// wanted: a process that wakes after a day finds the claim, or no row at all, and
// takes away what it wrote. An image is removed in the generation that was listed:
// render writes anew what is half a day old, rather than rely on it.
//
// A database without any upload is another one, or is being restored: by that,
// no object is removed.
//
// # Die where it may
//
//	after an attempt's claim      the row leads to it; the next walk removes it
//	between objects and row       the same
//	among a folder's objects      the next walk finds the rest
//	before a cursor is written    a page is walked twice
//
// A run ends before the function's time is over, and the next one goes on where
// each of its walks stopped: what a day leaves undone, the following ones do.
package cleanup

import (
	"context"
	"time"

	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/once"
)

// Config is what the function reads from its environment.
type Config struct {
	gcp.Config
	UploadsBucket string `env:"SEGUE_UPLOADS_BUCKET, required"`
	AudioBucket   string `env:"SEGUE_AUDIO_BUCKET, required"`
	ImagesBucket  string `env:"SEGUE_IMAGES_BUCKET, required"`
}

// within is a minute less than the function's timeout.
const within = 480 * time.Second

func init() {
	httpapi.RegisterJob[Config]("ingest-cleanup", once.Value(wire), Clean)
}

func wire() (Deps, error) {
	c, err := config.Load[Config](context.Background())
	if err != nil {
		return Deps{}, err
	}
	d := Deps{Now: time.Now, Within: within}
	clients := gcp.For(c.Config)
	if d.Spanner, err = clients.Spanner(); err != nil {
		return Deps{}, err
	}
	for name, bucket := range map[string]**storage.BucketHandle{c.UploadsBucket: &d.Uploads, c.AudioBucket: &d.Audio, c.ImagesBucket: &d.Images} {
		if *bucket, err = clients.Bucket(name); err != nil {
			return Deps{}, err
		}
	}
	return d, nil
}
