package catalog

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/images"
)

// Draft is a track to be: what is known of it before it can be played.
type Draft struct {
	LabelID  string // the account that uploaded it
	UploadID string

	Title        string
	Artists      []string
	Album        string // "": a single, named after its track
	AlbumArtists []string
	Label        string
	Copyrights   []string
	Genres       []string
	ReleaseDate  Date
	DiscNumber   int64
	TrackNumber  int64
	Credits      []Credit
	Explicit     bool
	ISRC         string
	Markets      []string
	Cover        images.Image // of its album; zero: none
	CoverFrom    string       // CoverFromRequest or CoverFromTags

	DurationMs       int64
	SourceSha256     []byte
	SourceSamples    int64
	SourceSampleRate int64
}

// Credit is somebody's part in a track.
type Credit struct {
	Name string `json:"name"`
	Role string `json:"role"`
}

// Added is what came of a draft.
type Added struct {
	Track, Album string
	// CoverChanged: the album was there already, and has another cover now.
	CoverChanged bool
}

// Add is Place for those who want the track alone.
func (d Draft) Add(ctx context.Context, tx *spanner.ReadWriteTransaction, newID id.Source) (track string, err error) {
	added, err := d.Place(ctx, tx, newID)
	return added.Track, err
}

// Place writes the draft as a track in state processing, in tx. Artists and album
// that the label has already are found by their folded names: the reads lock
// the names' index rows, so that concurrent transactions cannot both create.
func (d Draft) Place(ctx context.Context, tx *spanner.ReadWriteTransaction, newID id.Source) (Added, error) {
	a := adder{Draft: d, tx: tx, newID: newID, artists: map[string]string{}}
	album, err := a.album(ctx)
	if err != nil {
		return Added{}, err
	}
	track := newID()
	a.insert("Tracks", map[string]any{
		"TrackId": track, "LabelId": d.LabelID, "AlbumId": album, "UploadId": d.UploadID, "State": StateProcessing,
		"Title": d.Title, "DiscNumber": max(d.DiscNumber, 1), "TrackNumber": max(d.TrackNumber, 1), "DurationMs": d.DurationMs,
		"Explicit": d.Explicit, "Isrc": d.ISRC, "Markets": list(d.Markets), "SourceSha256": d.SourceSha256,
		"SourceSamples": d.SourceSamples, "SourceSampleRate": d.SourceSampleRate,
		"CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
	})
	for i, name := range d.Artists {
		artist, err := a.artist(ctx, name)
		if err != nil {
			return Added{}, err
		}
		a.insert("Credits", map[string]any{"TrackId": track, "Role": RoleMainArtist, "Position": i, "Name": name, "ArtistId": artist})
	}
	for i, c := range d.Credits {
		a.insert("Credits", map[string]any{"TrackId": track, "Role": c.Role, "Position": i, "Name": c.Name})
	}
	return Added{Track: track, Album: album, CoverChanged: a.coverChanged}, tx.BufferWrite(a.rows)
}

// Again is for a draft whose track is there: all that it may bring is a cover.
func (d Draft) Again(ctx context.Context, tx *spanner.ReadWriteTransaction, track string) (Added, error) {
	if d.Cover.ID == "" {
		return Added{Track: track}, nil
	}
	row, err := tx.ReadRow(ctx, "Tracks", spanner.Key{track}, []string{"AlbumId"})
	if err != nil {
		return Added{}, fmt.Errorf("read track %s: %w", track, err)
	}
	var album string
	if err := row.Columns(&album); err != nil {
		return Added{}, err
	}
	a := adder{Draft: d, tx: tx}
	if err := a.cover(ctx, album); err != nil {
		return Added{}, err
	}
	return Added{Track: track, Album: album, CoverChanged: a.coverChanged}, tx.BufferWrite(a.rows)
}

type adder struct {
	Draft
	tx      *spanner.ReadWriteTransaction
	newID   id.Source
	rows    []*spanner.Mutation
	artists map[string]string // folded name → id, of this transaction

	coverChanged bool
}

func (a *adder) insert(table string, row map[string]any) {
	a.rows = append(a.rows, spanner.InsertMap(table, row))
}

// artist finds or creates one of the label's artists.
func (a *adder) artist(ctx context.Context, name string) (string, error) {
	key := Fold(name)
	if known, ok := a.artists[key]; ok {
		return known, nil
	}
	artist, err := a.find(ctx, "Artists", "ArtistsByName", spanner.Key{a.LabelID, key}, "ArtistId")
	if err != nil {
		return "", fmt.Errorf("find artist %q: %w", name, err)
	}
	if artist == "" {
		artist = a.newID()
		a.insert("Artists", map[string]any{
			"ArtistId": artist, "LabelId": a.LabelID, "Name": name, "NameKey": key,
			"CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
		})
	}
	a.artists[key] = artist
	return artist, nil
}

// album finds or creates the album; what it says of itself comes from the
// first track that names it.
func (a *adder) album(ctx context.Context) (string, error) {
	name, kind := a.Album, "album"
	if name == "" {
		name, kind = a.Title, "single"
	}
	by := a.AlbumArtists
	if len(by) == 0 {
		by = a.Artists
	}
	keys := sha256.New()
	for _, n := range by {
		keys.Write([]byte(Fold(n) + "\x00"))
	}
	artistKey := keys.Sum(nil)
	album, err := a.find(ctx, "Albums", "AlbumsByName", spanner.Key{a.LabelID, artistKey, Fold(name)}, "AlbumId")
	if err != nil {
		return "", err
	}
	if album != "" {
		return album, a.cover(ctx, album)
	}
	album = a.newID()
	row := map[string]any{
		"AlbumId": album, "LabelId": a.LabelID, "Name": name, "NameKey": Fold(name), "ArtistKey": artistKey, "AlbumType": kind,
		"ReleaseDate": string(a.ReleaseDate), "ReleaseDatePrecision": a.ReleaseDate.Precision(), "LabelName": a.Label,
		"Copyrights": list(a.Copyrights), "Genres": list(a.Genres),
		"CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
	}
	if a.Cover.ID != "" {
		maps.Copy(row, a.coverColumns())
	}
	a.insert("Albums", row)
	for i, n := range by {
		artist, err := a.artist(ctx, n)
		if err != nil {
			return "", err
		}
		a.insert("AlbumArtists", map[string]any{"AlbumId": album, "Position": i, "ArtistId": artist, "Name": n})
	}
	return album, nil
}

func (a *adder) find(ctx context.Context, table, index string, key spanner.Key, column string) (string, error) {
	row, err := a.tx.ReadRowUsingIndex(ctx, table, index, key, []string{column})
	if spanner.ErrCode(err) == codes.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var found string
	return found, row.Columns(&found)
}

// list keeps a nil slice from becoming a NULL array.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
