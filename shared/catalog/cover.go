package catalog

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"
)

// Where an album's cover may come from. What the label names goes before what
// its files carry; of two of a kind the first stays.
const (
	CoverFromRequest = "request"
	CoverFromTags    = "tags"
)

// cover gives an album that is there the draft's cover, if that goes before the
// one it has. The read locks the album's row: of two transactions with covers
// for it one is second, and sees the first one's.
func (a *adder) cover(ctx context.Context, album string) error {
	if a.Cover.ID == "" {
		return nil
	}
	row, err := a.tx.ReadRow(ctx, "Albums", spanner.Key{album}, []string{"CoverId", "CoverFrom"})
	if err != nil {
		return fmt.Errorf("read album %s: %w", album, err)
	}
	var cover, from spanner.NullString
	if err := row.Columns(&cover, &from); err != nil {
		return err
	}
	better := !cover.Valid || (a.CoverFrom == CoverFromRequest && from.StringVal != CoverFromRequest)
	if !better {
		return nil
	}
	columns := a.coverColumns()
	columns["AlbumId"], columns["UpdatedAt"] = album, spanner.CommitTimestamp
	a.rows = append(a.rows, spanner.UpdateMap("Albums", columns))
	// The same picture, now by request, is nothing that anybody sees.
	a.coverChanged = cover.StringVal != a.Cover.ID
	return nil
}

func (a *adder) coverColumns() map[string]any {
	return map[string]any{
		"CoverId": a.Cover.ID, "CoverWidth": a.Cover.Width, "CoverHeight": a.Cover.Height, "CoverFrom": a.CoverFrom,
	}
}
