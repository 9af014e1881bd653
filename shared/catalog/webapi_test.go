package catalog

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/segue-audio/segue/shared/images"
)

// object is a track as a client reads it.
func object(t *testing.T, tr Track, market string) map[string]any {
	t.Helper()
	b, err := json.Marshal(tr.Object(Base{API: "https://api.example", Images: "https://img.example"}, market))
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err := json.Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

var sorry = Track{
	ID: "t", Title: "Sorry", DiscNumber: 1, TrackNumber: 4, DurationMs: 232_000, Explicit: true, ISRC: "USSM11603245",
	Artists: []Artist{{ID: "a", Name: "Beyoncé"}}, Markets: []string{"SE", "DE"},
	Album: Album{
		ID: "l", Name: "Lemonade", Type: "album", Artists: []Artist{{ID: "a", Name: "Beyoncé"}}, ReleaseDate: "2016-04",
		Label: "Parkwood", Copyrights: []string{"2016 Parkwood"}, TotalTracks: 12,
		Cover: images.Image{ID: "x", Width: 500, Height: 250},
	},
}

func TestTrackObject(t *testing.T) {
	t.Parallel()
	const artist = `{"external_urls": {}, "href": "https://api.example/v1/artists/a", "id": "a", "name": "Beyoncé",
		"type": "artist", "uri": "spotify:artist:a"}`
	want := `{
		"album": {
			"album_type": "album", "artists": [` + artist + `], "copyrights": [{"text": "2016 Parkwood", "type": "C"}], "external_urls": {},
			"href": "https://api.example/v1/albums/l", "id": "l", "images": [
				{"url": "https://img.example/images/x/640.jpg", "webp_url": "https://img.example/images/x/640.webp", "height": 250, "width": 500},
				{"url": "https://img.example/images/x/300.jpg", "webp_url": "https://img.example/images/x/300.webp", "height": 150, "width": 300},
				{"url": "https://img.example/images/x/64.jpg", "webp_url": "https://img.example/images/x/64.webp", "height": 32, "width": 64}
			], "label": "Parkwood", "name": "Lemonade",
			"release_date": "2016-04", "release_date_precision": "month", "total_tracks": 12, "type": "album", "uri": "spotify:album:l"
		},
		"artists": [` + artist + `], "disc_number": 1, "duration_ms": 232000, "explicit": true, "external_ids": {"isrc": "USSM11603245"},
		"external_urls": {}, "href": "https://api.example/v1/tracks/t", "id": "t", "is_local": false, "is_playable": true, "name": "Sorry",
		"popularity": 0, "preview_url": null, "track_number": 4, "type": "track", "uri": "spotify:track:t"
	}`
	var o map[string]any
	if err := json.Unmarshal([]byte(want), &o); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(o, object(t, sorry, "SE")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// With a market asked, the answer is whether it plays there; without, where it
// does.
func TestTrackObjectByMarket(t *testing.T) {
	t.Parallel()
	everywhere := sorry
	everywhere.Markets, everywhere.ISRC, everywhere.Artists, everywhere.Album.Copyrights = nil, "", nil, nil
	everywhere.Album.Cover = images.Image{}
	for name, c := range map[string]struct {
		track    Track
		market   string
		playable any
		markets  int
	}{
		"allowed": {sorry, "DE", true, 0}, "refused": {sorry, "US", false, 0}, "everywhere": {everywhere, "US", true, 0},
		"no market": {sorry, "", nil, 2}, "no market, everywhere": {everywhere, "", nil, 249},
	} {
		o := object(t, c.track, c.market)
		if o["is_playable"] != c.playable {
			t.Errorf("%s: is_playable = %v", name, o["is_playable"])
		}
		album, _ := o["album"].(map[string]any)
		for _, of := range []map[string]any{o, album} {
			if markets, _ := of["available_markets"].([]any); len(markets) != c.markets {
				t.Errorf("%s: %d markets of the %v", name, len(markets), of["type"])
			}
		}
	}
	o := object(t, everywhere, "SE")
	album, _ := o["album"].(map[string]any)
	empty := []any{o["artists"], album["copyrights"], album["images"], o["external_ids"]}
	if diff := cmp.Diff([]any{[]any{}, []any{}, []any{}, map[string]any{}}, empty); diff != "" {
		t.Errorf("what is not known is empty, never null (-want +got)\n%s", diff)
	}
}
