package browse

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/images"
	"github.com/segue-audio/segue/shared/registry"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// add writes a track that plays in Sweden only, in a state.
func add(t *testing.T, c *spanner.Client, state string) string {
	t.Helper()
	var track string
	_, err := c.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx *spanner.ReadWriteTransaction) (err error) {
		track, err = catalog.Draft{
			LabelID: "label", UploadID: id.Random(), Title: "Sorry", Artists: []string{"Beyoncé"}, ReleaseDate: "2016",
			Markets: []string{"SE"}, SourceSha256: make([]byte, 32),
			Cover: images.Image{ID: "c0ver", Width: 1000, Height: 500}, CoverFrom: catalog.CoverFromTags,
		}.Add(ctx, tx, id.Random)
		if err != nil {
			return err
		}
		return tx.BufferWrite([]*spanner.Mutation{spanner.UpdateMap("Tracks", map[string]any{
			"TrackId": track, "State": state, "UpdatedAt": spanner.CommitTimestamp,
		})})
	})
	if err != nil {
		t.Fatal(err)
	}
	return track
}

func TestTrackByMarket(t *testing.T) {
	t.Parallel()
	store := &catalog.Store{Spanner: emutest.Database(t)}
	track := add(t, store.Spanner, catalog.StatePlayable)
	yes, no := true, false
	for name, c := range map[string]struct {
		asked, token string
		playable     *bool
	}{
		"none":                         {"", "US", nil},
		"one that allows it":           {"SE", "US", &yes},
		"one that does not":            {"US", "SE", &no},
		"the caller's":                 {"from_token", "SE", &yes},
		"the caller's, not allowed":    {"from_token", "US", &no},
		"of a token that names no one": {"from_token", "", nil},
	} {
		r := TrackRequest{ID: track, Market: c.asked}
		if err := r.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := Track(httpapi.WithCaller(t.Context(), httpapi.Caller{Market: c.token}), r, Deps{Store: store})
		if err != nil || got.ID != track || got.Name != "Sorry" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if p := got.IsPlayable; (p == nil) != (c.playable == nil) || (p != nil && *p != *c.playable) {
			t.Errorf("%s: is_playable is %v", name, p)
		}
		if (got.AvailableMarkets == nil) != (c.playable != nil) {
			t.Errorf("%s: available_markets are %v", name, got.AvailableMarkets)
		}
	}
}

func TestTracksThatAreNotThere(t *testing.T) {
	t.Parallel()
	store := &catalog.Store{Spanner: emutest.Database(t)}
	for name, track := range map[string]string{
		"unknown": id.Random(), "processing": add(t, store.Spanner, catalog.StateProcessing), "failed": add(t, store.Spanner, catalog.StateFailed),
		"no id": "spotify:track:x", "not UTF-8": "\xff",
	} {
		var e *errs.Error
		_, err := Track(t.Context(), TrackRequest{ID: track}, Deps{Store: store})
		if !errors.As(err, &e) || e.Code != errs.NotFound || e.Message != "there is no track "+track {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMarketsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, market := range []string{"se", "SWE", "XX", "UK", "FROM_TOKEN", " ", "\xff"} {
		err := (&TrackRequest{Market: market}).Validate()
		_, why := catalog.ParseMarket(market)
		if errs.CodeOf(err) != errs.Invalid || errs.From(err).Message != "query parameter market: "+why.Error() {
			t.Errorf("%q: %v", market, err)
		}
	}
}

// Not parallel: a function finds its stores through the environment.
func TestFunction(t *testing.T) {
	client := emutest.Database(t)
	issuer, err := identity.New(identity.Options{Dir: t.TempDir(), Issuer: "https://accounts.test", Audience: "https://api.test"})
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(issuer.JWKS())
	t.Cleanup(keys.Close)
	for k, v := range map[string]string{
		"SEGUE_PROJECT": "p", "SEGUE_SPANNER_DATABASE": client.DatabaseName(), "SEGUE_TOKEN_ISSUER": "https://accounts.test",
		"SEGUE_TOKEN_AUDIENCE": "https://api.test", "SEGUE_JWKS_URL": keys.URL, "SEGUE_IMAGES_URL": "https://img.test/",
	} {
		t.Setenv(k, v)
	}
	token, err := issuer.AccessToken(identity.Claims{Subject: "u", ClientID: "c", Market: "SE"})
	if err != nil {
		t.Fatal(err)
	}
	track := add(t, client, catalog.StatePlayable)
	f := registry.All()[0]
	for path, want := range map[string]int{
		"/v1/tracks/" + track:                        http.StatusOK,
		"/v1/tracks/" + track + "?market=from_token": http.StatusOK,
		"/v1/tracks/" + track + "?market=sweden":     http.StatusBadRequest,
		"/v1/tracks/" + id.Random():                  http.StatusNotFound,
		"/v1/tracks/%ff":                             http.StatusNotFound,
		"/v1/tracks/%00":                             http.StatusNotFound,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.test"+path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		f.HTTP(rec, r)
		var o catalog.TrackObject
		if err := json.Unmarshal(rec.Body.Bytes(), &o); rec.Code != want || err != nil {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
		if want == http.StatusOK && o.Href != "http://api.test/v1/tracks/"+track {
			t.Errorf("%s: href is %s", path, o.Href)
		}
		wide := images.Link{URL: "https://img.test/images/c0ver/640.jpg", WebPURL: "https://img.test/images/c0ver/640.webp", Width: 640, Height: 320}
		if want == http.StatusOK && (len(o.Album.Images) != 3 || o.Album.Images[0] != wide) {
			t.Errorf("%s: images are %+v", path, o.Album.Images)
		}
	}
}
