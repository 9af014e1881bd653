package catalog

import (
	"errors"
	"strings"
	"testing"

	"cloud.google.com/go/spanner"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/images"
)

func TestTrackReadsPlayableTracksOnly(t *testing.T) {
	t.Parallel()
	client := emutest.Database(t)
	store := &Store{Spanner: client}
	d := song("label", "Hold Up")
	d.Cover, d.CoverFrom = images.Image{ID: "x", Width: 4, Height: 2}, CoverFromTags
	track := mustAdd(t, client, d)
	missing := func(what, id string) {
		t.Helper()
		var e *errs.Error
		if got, err := store.Track(t.Context(), id); !errors.As(err, &e) || e.Code != errs.NotFound || e.Message != "there is no track "+id {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	missing("a track without renditions", track)
	for what, id := range map[string]string{"unknown": id.Random(), "empty": "", "no id": "%", "not UTF-8": "\xff", "long": strings.Repeat("a", 9000)} {
		missing(what, id)
	}
	album := publish(t, client, track)
	later := song("label", "Sorry")
	later.TrackNumber, later.Artists, later.AlbumArtists = 4, []string{"Z", "A", "M"}, d.Artists
	publish(t, client, mustAdd(t, client, later))
	mustAdd(t, client, song("label", "not playable yet"))

	got, err := store.Track(t.Context(), track)
	if err != nil {
		t.Fatal(err)
	}
	want := &Track{
		ID: track, Title: "Hold Up", Artists: []Artist{{Name: "Beyoncé"}, {Name: "JAY-Z"}}, DiscNumber: 1, TrackNumber: 2,
		DurationMs: 234_000, Explicit: true, ISRC: "USSM11603244", Markets: []string{"SE", "DE"},
		Album: Album{
			ID: album, Name: "Lemonade", Type: "album", Artists: []Artist{{Name: "Beyoncé"}, {Name: "JAY-Z"}}, ReleaseDate: "2016-04-23",
			Label: "Parkwood", Copyrights: []string{"2016 Parkwood"}, Genres: []string{"pop", "soul"}, TotalTracks: 2,
			Cover: images.Image{ID: "x", Width: 4, Height: 2},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Artist{}, "ID")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for i, a := range got.Artists {
		if !id.Valid(a.ID) || a != got.Album.Artists[i] {
			t.Errorf("artist %d is %v, and %v of the album", i, a, got.Album.Artists[i])
		}
	}
	_, err = client.Apply(t.Context(), []*spanner.Mutation{spanner.UpdateMap("Tracks", map[string]any{
		"TrackId": track, "State": StateFailed, "UpdatedAt": spanner.CommitTimestamp,
	})})
	if err != nil {
		t.Fatal(err)
	}
	missing("a track that failed", track)
}

func TestArtistsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	client := emutest.Database(t)
	d := song("label", "Sorry")
	d.Artists = []string{"Z", "A", "M", "b", "9", "É", "x", "Q", "1", "2", "C"} // more than one digit's worth
	track := mustAdd(t, client, d)
	publish(t, client, track)
	got, err := (&Store{Spanner: client}).Track(t.Context(), track)
	if err != nil {
		t.Fatal(err)
	}
	for _, all := range [][]Artist{got.Artists, got.Album.Artists} {
		var names []string
		for _, a := range all {
			names = append(names, a.Name)
		}
		if diff := cmp.Diff(d.Artists, names); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestAfterFollowsTheAlbum(t *testing.T) {
	t.Parallel()
	client := emutest.Database(t)
	store := &Store{Spanner: client}
	var album string
	order := map[[2]int64]string{}
	for _, at := range [][2]int64{{2, 1}, {1, 10}, {1, 2}, {2, 3}, {1, 1}} { // uploaded in any order
		d := song("label", "T")
		d.DiscNumber, d.TrackNumber = at[0], at[1]
		order[at] = mustAdd(t, client, d)
		album = publish(t, client, order[at])
	}
	hidden := song("label", "not playable yet")
	hidden.TrackNumber = 3
	mustAdd(t, client, hidden)
	sequence := []string{order[[2]int64{1, 1}], order[[2]int64{1, 2}], order[[2]int64{1, 10}], order[[2]int64{2, 1}], order[[2]int64{2, 3}], ""}
	for i, track := range sequence[:5] {
		if got, err := store.After(t.Context(), album, track); err != nil || got != sequence[i+1] {
			t.Errorf("after track %d comes %q: %v", i, got, err)
		}
	}
	for name, c := range map[string][2]string{"another album": {id.Random(), sequence[0]}, "another track": {album, id.Random()}} {
		got, err := store.After(t.Context(), c[0], c[1])
		if want := "track " + c[1] + " is not on album " + c[0]; got != "" || errs.CodeOf(err) != errs.Invalid || errs.From(err).Message != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
