package catalog

import (
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/emulators/emutest"
)

func TestAddFindsNamesAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change          func(*Draft)
		albums, artists int // after both
	}{
		"the same":                {func(*Draft) {}, 1, 2},
		"case, width and spaces":  {func(d *Draft) { d.Album, d.Artists = " LEMONADE ", []string{"beyonce\u0301", "ＪＡＹ-Z"} }, 1, 2},
		"another album":           {func(d *Draft) { d.Album = "4" }, 2, 2},
		"an accent":               {func(d *Draft) { d.Artists[0] = "Beyonce" }, 2, 3},
		"others' album":           {func(d *Draft) { d.AlbumArtists = []string{"Various"} }, 2, 3},
		"said of the album":       {func(d *Draft) { d.AlbumArtists, d.Artists = d.Artists, []string{"Jack White"} }, 1, 3},
		"artists in other order":  {func(d *Draft) { slices.Reverse(d.Artists) }, 2, 2},
		"a single of that name":   {func(d *Draft) { d.Album, d.Title = "", "Lemonade" }, 1, 2},
		"a single":                {func(d *Draft) { d.Album = "" }, 2, 2},
		"an artist twice":         {func(d *Draft) { d.Artists, d.Album = []string{"Solange", "SOLANGE"}, "A Seat" }, 2, 3},
		"another label":           {func(d *Draft) { d.LabelID = "other" }, 2, 4},
		"names that run together": {func(d *Draft) { d.Artists = []string{"BeyoncéJAY-Z"} }, 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := emutest.Database(t)
			mustAdd(t, client, song("label", "Hold Up"))
			d := song("label", "Sorry")
			c.change(&d)
			mustAdd(t, client, d)
			if n := len(column[string](t, client, "Albums", "AlbumId")); n != c.albums {
				t.Errorf("%d albums", n)
			}
			if n := len(column[string](t, client, "Artists", "ArtistId")); n != c.artists {
				t.Errorf("%d artists", n)
			}
			if n := len(column[string](t, client, "Tracks", "TrackId")); n != 2 {
				t.Errorf("%d tracks", n)
			}
		})
	}
}

// Uploads of a whole album are accepted at the same time.
func TestAlbumIsNeverDoubled(t *testing.T) {
	t.Parallel()
	client := emutest.Database(t)
	g, ctx := errgroup.WithContext(t.Context())
	for i := range 8 {
		g.Go(func() error {
			d := song("label", string(rune('A'+i)))
			d.TrackNumber = int64(i + 1)
			_, err := add(ctx, client, d)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	albums := column[string](t, client, "Albums", "AlbumId")
	if len(albums) != 1 || len(column[string](t, client, "Artists", "ArtistId")) != 2 {
		t.Fatalf("albums %v", albums)
	}
	tracks := column[string](t, client, "Tracks", "AlbumId")
	if len(tracks) != 8 || slices.ContainsFunc(tracks, func(a string) bool { return a != albums[0] }) {
		t.Errorf("the tracks are on albums %v, want 8 on %v", tracks, albums)
	}
	if n := len(column[string](t, client, "AlbumArtists", "Name")); n != 2 {
		t.Errorf("%d artists of the album", n)
	}
}

func TestAddWritesAllThatIsKnown(t *testing.T) {
	t.Parallel()
	client := emutest.Database(t)
	d := song("label", "Hold Up")
	d.Credits = append(d.Credits, Credit{Name: "Ezra Koenig", Role: "writer"}, Credit{Name: "Diplo", Role: "producer"})
	track := mustAdd(t, client, d)
	var credits []string
	err := client.Single().Read(t.Context(), "Credits", spanner.Key{track}.AsPrefix(), []string{"Role", "Name", "ArtistId"}).Do(func(r *spanner.Row) error {
		var role, name string
		var artist spanner.NullString
		err := r.Columns(&role, &name, &artist)
		if artist.Valid != (role == RoleMainArtist) {
			t.Errorf("%s %s has the artist %v", role, name, artist)
		}
		credits = append(credits, role+" "+name)
		return err
	})
	want := []string{"main_artist Beyoncé", "main_artist JAY-Z", "producer Jack White", "producer Diplo", "writer Ezra Koenig"}
	if err != nil || !slices.Equal(credits, want) {
		t.Errorf("credits are %q: %v", credits, err)
	}
	if got := column[string](t, client, "Tracks", "State"); got[0] != StateProcessing {
		t.Errorf("the track is %s", got[0])
	}
}

// What an upload may carry (ingest.Metadata), the columns must take: a refusal
// would come back for ever.
func TestAddTakesTheLongest(t *testing.T) {
	t.Parallel()
	client := emutest.Database(t)
	long := strings.Repeat("ß", 500) // a thousand characters, folded
	d := song("label", long)
	d.Artists, d.Album, d.Label, d.Copyrights, d.Genres = []string{long}, long, long, []string{long}, []string{long[:400]}
	d.AlbumArtists, d.Credits = []string{long}, []Credit{{Name: long, Role: "featured_artist"}}
	mustAdd(t, client, d)
	mustAdd(t, client, d)
	if n := len(column[string](t, client, "Albums", "AlbumId")); n != 1 {
		t.Errorf("%d albums", n)
	}
}

func TestAddDefaults(t *testing.T) {
	t.Parallel()
	client := emutest.Database(t)
	d := Draft{
		LabelID: "label", UploadID: "u", Title: "Untitled", Artists: []string{"Unknown Artist"}, ReleaseDate: "0000", SourceSha256: make([]byte, 32),
	}
	album := publish(t, client, mustAdd(t, client, d))
	store := &Store{Spanner: client}
	tracks := column[string](t, client, "AlbumTracks", "TrackId")
	got, err := store.Track(t.Context(), tracks[0])
	if err != nil {
		t.Fatal(err)
	}
	if got.DiscNumber != 1 || got.TrackNumber != 1 || got.Album.ID != album || got.Album.Type != "single" || got.Album.Name != "Untitled" ||
		got.Album.ReleaseDate.Precision() != "year" || len(got.Markets) != 0 {
		t.Errorf("the track is %+v", got)
	}
}
