package stream

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/go-cmp/cmp"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/playback"
)

func TestEachRenditionOpensWithItsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Date(2100, 3, 1, 12, 0, 0, 999, time.FixedZone("CET", 3600))
	w.deps.Now = func() time.Time { return now }
	gain, peak, seek := -3.25, 0.91, int64(16)
	s := w.add(t, 1, func(l *playback.Live) {
		switch l.Format {
		case playback.AAC:
			l.GainDb, l.Peak, l.Cipher, l.SeekSize = &gain, &peak, playback.AES256CTR, &seek
		case playback.Ogg:
			l.EncoderDelay = 0
		}
	})
	expires := time.Date(2100, 3, 1, 11, 10, 0, 0, time.UTC)
	for r, l := range s.live {
		got, err := w.play(t.Context(), premium, Request{ID: s.track, Format: string(r.Format), Quality: r.Bitrate.String()})
		if err != nil {
			t.Fatal(err)
		}
		want := Response{
			TrackID: s.track, Format: r.Format, Bitrate: r.Bitrate, MIMEType: r.Format.MIMEType(), Size: l.Size, DurationMs: 1000, ExpiresAt: expires,
			Key:    Key{Scheme: l.Cipher, ID: l.AttemptID, Value: base64.RawURLEncoding.EncodeToString(s.keys[r]), ExpiresAt: expires},
			GainDb: l.GainDb, Peak: l.Peak, EncoderDelay: l.EncoderDelay, TotalSamples: 44_100, HeadSize: 100, SampleRate: 44_100, BlockSize: 65_536,
			URL: got.URL, HashesURL: got.HashesURL, SeekURL: got.SeekURL,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", r, diff)
		}
		urls := map[string]string{"data": got.URL, "hashes": got.HashesURL}
		if l.SeekSize != nil && got.SeekURL != nil {
			urls["seek"] = *got.SeekURL
		} else if l.SeekSize != nil || got.SeekURL != nil {
			t.Errorf("%s: seek_url is %v of a table of %v bytes", r, got.SeekURL, l.SeekSize)
		}
		for object, u := range urls {
			if !strings.HasPrefix(u, "https://cdn.test/"+l.Folder+object+"?URLPrefix=") || !strings.Contains(u, "&Expires=4107582600&KeyName=key-1&Signature=") {
				t.Errorf("%s: %s is at %s", r, object, u)
			}
		}
	}
}

func TestEntitlement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.add(t, 1, nil)
	for _, c := range []struct {
		product, format, quality string
		want                     playback.Rendition // zero: refused
	}{
		{"free", "", "", playback.Rendition{Format: playback.Ogg, Bitrate: 160}},
		{"free", "aac", "", playback.Rendition{Format: playback.AAC, Bitrate: 160}},
		{"free", "", "96", playback.Rendition{Format: playback.Ogg, Bitrate: 96}},
		{"free", "ogg", "320", playback.Rendition{}},
		{"free", "aac", "320", playback.Rendition{}},
		{"", "", "320", playback.Rendition{}}, // a token without a user
		{"Premium", "", "320", playback.Rendition{}},
		{"premium", "", "", playback.Rendition{Format: playback.Ogg, Bitrate: 160}},
		{"premium", "ogg", "320", playback.Rendition{Format: playback.Ogg, Bitrate: 320}},
		{"premium", "aac", "320", playback.Rendition{Format: playback.AAC, Bitrate: 320}},
	} {
		got, err := w.play(t.Context(), httpapi.Caller{Product: c.product, Market: "SE"}, Request{ID: s.track, Format: c.format, Quality: c.quality})
		if c.want.Bitrate == 0 {
			e := errs.From(err)
			if e.Code != errs.Forbidden || e.Reason != "premium_required" || e.Message != "320 kbit/s needs a premium subscription" || got != (Response{}) {
				t.Errorf("%+v: %+v, %v", c, got, err)
			}
			continue
		}
		if err != nil || got.Format != c.want.Format || got.Bitrate != c.want.Bitrate {
			t.Errorf("%+v: %s/%d, %v", c, got.Format, got.Bitrate, err)
		}
	}
}

func TestTracksThatDoNotPlay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.add(t, 1, func(l *playback.Live) { l.Markets = []string{"DE", "NO"} })
	nobody := id.Random()
	for name, c := range map[string]struct {
		track, market, message, reason string
	}{
		"unknown":          {nobody, "SE", "there is no track " + nobody, ""},
		"not UTF-8":        {"\xff", "SE", "there is no track \xff", ""},
		"in this market":   {s.track, "SE", "track " + s.track + " is not available in SE", "not_available_in_market"},
		"in a lower case":  {s.track, "no", "track " + s.track + " is not available in no", "not_available_in_market"},
		"its own market":   {s.track, "NO", "", ""},
		"no market at all": {s.track, "", "", ""},
	} {
		got, err := w.play(t.Context(), httpapi.Caller{Product: "premium", Market: c.market}, Request{ID: c.track, Quality: "320"})
		if c.message == "" {
			if err != nil || got.TrackID != s.track {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var e *errs.Error
		if !errors.As(err, &e) || e.Code != errs.NotFound || e.Message != c.message || e.Reason != c.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Request{
		`format "mp3" is not known: use ogg or aac`:                                                  {Format: "mp3"},
		`format "OGG" is not known: use ogg or aac`:                                                  {Format: "OGG"},
		`quality "128" is not known: use 96, 160 or 320`:                                             {Quality: "128"},
		`quality "160 " is not known: use 96, 160 or 320`:                                            {Quality: "160 "},
		`query parameter offset: -1 is negative`:                                                     {Offset: -1},
		`query parameter context: "album" is not of the form spotify:kind:id`:                        {Context: "album"},
		`query parameter context: "spotify:album:1" is not of the form spotify:kind:id`:              {Context: "spotify:album:1"},
		`query parameter context: "segue:album:` + lemonade + `" is not of the form spotify:kind:id`: {Context: "segue:album:" + lemonade},
	} {
		if err := r.Validate(); errs.CodeOf(err) != errs.Invalid || errs.From(err).Message != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

const lemonade = "7dK54iZuOxXFarGhXwEXfF"

func TestNextFollowsTheAlbum(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	third, first, second := w.add(t, 3, nil), w.add(t, 1, nil), w.add(t, 2, nil)
	if first.album != third.album {
		t.Fatal("the tracks are on two albums")
	}
	album := id.URI("album", first.album)
	for name, c := range map[string]struct{ track, context, want string }{
		"first": {first.track, album, second.track}, "second": {second.track, album, third.track}, "last": {third.track, album, ""},
		"no context": {first.track, "", ""}, "a playlist, not known yet": {first.track, id.URI("playlist", lemonade), ""},
	} {
		got, err := w.play(t.Context(), free, Request{ID: c.track, Context: c.context, Offset: 2})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if (got.Next == nil) != (c.want == "") || (got.Next != nil && *got.Next != Next{Context: "album", TrackID: c.want}) {
			t.Errorf("%s: next is %+v", name, got.Next)
		}
	}
	_, err := w.play(t.Context(), free, Request{ID: first.track, Context: id.URI("album", lemonade)})
	if want := "track " + first.track + " is not on album " + lemonade; errs.CodeOf(err) != errs.Invalid || errs.From(err).Message != want {
		t.Errorf("another album: %v", err)
	}
}

// A key that was wrapped for another row never leaves.
func TestForeignKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.add(t, 1, nil)
	other := newWorld(t)
	w.deps.Keys = other.deps.Keys
	if got, err := w.play(t.Context(), free, Request{ID: s.track}); err == nil || errs.CodeOf(err) != errs.Internal || got != (Response{}) {
		t.Errorf("answered %+v, %v", got, err)
	}
}

// A key that was wrapped anew since it was cached is read again.
func TestKeyThatWasWrappedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.add(t, 1, nil)
	first, err := w.play(t.Context(), free, Request{ID: s.track})
	if err != nil {
		t.Fatal(err)
	}
	// Another keyset, and the row under it; what is cached is under the first.
	w.deps.Keys = newWorld(t).deps.Keys
	l := s.live[playback.Rendition{Format: playback.Ogg, Bitrate: playback.Medium}]
	key, wrapped, err := w.deps.Keys.NewContentKey(nil, playback.AES128CTR, l.Binding())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Apply(t.Context(), []*spanner.Mutation{spanner.Update("Renditions", []string{"TrackId", "Format", "Bitrate", "WrappedKey"}, []any{s.track, "ogg", 160, wrapped})}); err != nil {
		t.Fatal(err)
	}
	got, err := w.play(t.Context(), free, Request{ID: s.track})
	if err != nil || got.Key.Value != base64.RawURLEncoding.EncodeToString(key) || got.Key.Value == first.Key.Value {
		t.Errorf("%+v, %v", got.Key, err)
	}
}

func TestKeyIsNotCached(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	Response{}.Headers(h)
	if got := h.Values("Cache-Control"); !slices.Equal(got, []string{"no-store"}) {
		t.Errorf("Cache-Control: %v", got)
	}
}
