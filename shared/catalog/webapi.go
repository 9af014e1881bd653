package catalog

import (
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/images"
)

// Base is what the addresses in answers begin with.
type Base struct {
	API    string // where the client asked
	Images string // where images/… lies, for everybody
}

// TrackObject is the Web API's track. Fields that it deprecates stay.
type TrackObject struct {
	Album            AlbumObject       `json:"album"`
	Artists          []ArtistObject    `json:"artists"`
	AvailableMarkets []string          `json:"available_markets,omitempty"`
	DiscNumber       int64             `json:"disc_number"`
	DurationMs       int64             `json:"duration_ms"`
	Explicit         bool              `json:"explicit"`
	ExternalIDs      map[string]string `json:"external_ids"`
	ExternalURLs     map[string]string `json:"external_urls"`
	Href             string            `json:"href"`
	ID               string            `json:"id"`
	IsLocal          bool              `json:"is_local"`
	IsPlayable       *bool             `json:"is_playable,omitempty"` // only when a market was asked
	Name             string            `json:"name"`
	Popularity       int               `json:"popularity"`
	PreviewURL       *string           `json:"preview_url"`
	TrackNumber      int64             `json:"track_number"`
	Type             string            `json:"type"`
	URI              string            `json:"uri"`
}

// AlbumObject is the Web API's simplified album, with the label and the
// copyrights of the full one: a licence is shown wherever its music is.
type AlbumObject struct {
	AlbumType            string            `json:"album_type"`
	Artists              []ArtistObject    `json:"artists"`
	AvailableMarkets     []string          `json:"available_markets,omitempty"`
	Copyrights           []Copyright       `json:"copyrights"`
	ExternalURLs         map[string]string `json:"external_urls"`
	Href                 string            `json:"href"`
	ID                   string            `json:"id"`
	Images               []images.Link     `json:"images"`
	Label                string            `json:"label"`
	Name                 string            `json:"name"`
	ReleaseDate          string            `json:"release_date"`
	ReleaseDatePrecision string            `json:"release_date_precision"`
	TotalTracks          int               `json:"total_tracks"`
	Type                 string            `json:"type"`
	URI                  string            `json:"uri"`
}

// ArtistObject is the Web API's simplified artist.
type ArtistObject struct {
	ExternalURLs map[string]string `json:"external_urls"`
	Href         string            `json:"href"`
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Type         string            `json:"type"`
	URI          string            `json:"uri"`
}

// Copyright is a line of an album's copyrights; C is the work's, P the sound
// recording's.
type Copyright struct {
	Text string `json:"text"`
	Type string `json:"type"`
}

// Object renders the track for a client that asked at base, for a market or for
// none ("").
func (t Track) Object(base Base, market string) TrackObject {
	o := TrackObject{
		Album: t.Album.Object(base), Artists: artistObjects(t.Artists, base.API),
		DiscNumber: t.DiscNumber, DurationMs: t.DurationMs, Explicit: t.Explicit,
		ExternalIDs: map[string]string{}, ExternalURLs: map[string]string{},
		Href: base.API + "/v1/tracks/" + t.ID, ID: t.ID, Name: t.Title, TrackNumber: t.TrackNumber,
		Type: "track", URI: id.URI("track", t.ID),
	}
	if t.ISRC != "" {
		o.ExternalIDs["isrc"] = t.ISRC
	}
	if market != "" {
		playable := t.PlayableIn(market)
		o.IsPlayable = &playable
		return o
	}
	o.AvailableMarkets = t.Markets
	if len(t.Markets) == 0 {
		o.AvailableMarkets, _ = Markets()
	}
	o.Album.AvailableMarkets = o.AvailableMarkets
	return o
}

// Object renders the album.
func (a Album) Object(base Base) AlbumObject {
	o := AlbumObject{
		AlbumType: a.Type, Artists: artistObjects(a.Artists, base.API), Copyrights: []Copyright{},
		ExternalURLs: map[string]string{}, Href: base.API + "/v1/albums/" + a.ID, ID: a.ID, Images: a.Cover.Links(base.Images),
		Label: a.Label, Name: a.Name, ReleaseDate: string(a.ReleaseDate), ReleaseDatePrecision: a.ReleaseDate.Precision(),
		TotalTracks: a.TotalTracks, Type: "album", URI: id.URI("album", a.ID),
	}
	for _, c := range a.Copyrights {
		o.Copyrights = append(o.Copyrights, Copyright{Text: c, Type: "C"})
	}
	return o
}

func artistObjects(artists []Artist, base string) []ArtistObject {
	out := make([]ArtistObject, len(artists))
	for i, a := range artists {
		out[i] = ArtistObject{
			ExternalURLs: map[string]string{}, Href: base + "/v1/artists/" + a.ID, ID: a.ID, Name: a.Name,
			Type: "artist", URI: id.URI("artist", a.ID),
		}
	}
	return out
}
