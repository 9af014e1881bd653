package catalog

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/images"
)

// Store reads the catalogue from Spanner.
type Store struct{ Spanner *spanner.Client }

// Track reads a playable track: its row first, then all else at once, by key.
func (s *Store) Track(ctx context.Context, track string) (*Track, error) {
	tx := s.Spanner.ReadOnlyTransaction()
	defer tx.Close()
	t, err := trackRow(ctx, tx, track)
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return albumRow(ctx, tx, &t.Album) })
	g.Go(func() (err error) {
		t.Album.TotalTracks, err = countTracks(ctx, tx, t.Album.ID)
		return err
	})
	g.Go(func() (err error) {
		t.Album.Artists, err = artists(ctx, tx, "AlbumArtists", spanner.Key{t.Album.ID})
		return err
	})
	g.Go(func() (err error) {
		t.Artists, err = artists(ctx, tx, "Credits", spanner.Key{track, RoleMainArtist})
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("read track %s: %w", track, err)
	}
	return t, nil
}

func trackRow(ctx context.Context, tx *spanner.ReadOnlyTransaction, track string) (*Track, error) {
	missing := errs.New(errs.NotFound, "there is no track %s", track)
	// What is not even UTF-8 cannot be sent to Spanner.
	if !id.Valid(track) {
		return nil, missing
	}
	row, err := tx.ReadRow(ctx, "Tracks", spanner.Key{track},
		[]string{"State", "Title", "AlbumId", "DiscNumber", "TrackNumber", "DurationMs", "Explicit", "Isrc", "Markets"})
	if spanner.ErrCode(err) == codes.NotFound {
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("read track %s: %w", track, err)
	}
	t := &Track{ID: track}
	var state string
	if err := row.Columns(&state, &t.Title, &t.Album.ID, &t.DiscNumber, &t.TrackNumber, &t.DurationMs, &t.Explicit, &t.ISRC, &t.Markets); err != nil {
		return nil, err
	}
	if state != StatePlayable {
		return nil, missing
	}
	return t, nil
}

func albumRow(ctx context.Context, tx *spanner.ReadOnlyTransaction, a *Album) error {
	row, err := tx.ReadRow(ctx, "Albums", spanner.Key{a.ID},
		[]string{"Name", "AlbumType", "ReleaseDate", "LabelName", "Copyrights", "Genres", "CoverId", "CoverWidth", "CoverHeight"})
	if err != nil {
		return err
	}
	var cover spanner.NullString
	var width, height spanner.NullInt64
	err = row.Columns(&a.Name, &a.Type, (*string)(&a.ReleaseDate), &a.Label, &a.Copyrights, &a.Genres, &cover, &width, &height)
	a.Cover = images.Image{ID: cover.StringVal, Width: width.Int64, Height: height.Int64}
	return err
}

func countTracks(ctx context.Context, tx *spanner.ReadOnlyTransaction, album string) (n int, err error) {
	err = tx.Read(ctx, "AlbumTracks", spanner.Key{album}.AsPrefix(), []string{"TrackId"}).Do(func(*spanner.Row) error {
		n++
		return nil
	})
	return n, err
}

func artists(ctx context.Context, tx *spanner.ReadOnlyTransaction, table string, parent spanner.Key) ([]Artist, error) {
	var all []Artist
	err := tx.Read(ctx, table, parent.AsPrefix(), []string{"ArtistId", "Name"}).Do(func(r *spanner.Row) error {
		var a Artist
		if err := r.Columns(&a.ID, &a.Name); err != nil {
			return err
		}
		all = append(all, a)
		return nil
	})
	return all, err
}

// After is the track that follows one on its album; "" after the last.
func (s *Store) After(ctx context.Context, album, track string) (string, error) {
	var found bool
	var next string
	err := s.Spanner.Single().Read(ctx, "AlbumTracks", spanner.Key{album}.AsPrefix(), []string{"TrackId"}).Do(func(r *spanner.Row) error {
		var at string
		if err := r.Columns(&at); err != nil {
			return err
		}
		if found && next == "" {
			next = at
		}
		found = found || at == track
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read album %s: %w", album, err)
	}
	if !found {
		return "", errs.New(errs.Invalid, "track %s is not on album %s", track, album)
	}
	return next, nil
}
