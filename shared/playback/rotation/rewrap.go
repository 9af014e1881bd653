package rotation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/crash"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/playback"
)

// batch is how many tracks are written in one transaction: some thousand
// mutations, far below Spanner's limit.
const batch = 50

// passes is how often all rows are gone through before it is clear that somebody
// still wraps with another key.
const passes = 3

// Deps are what the steps work with.
type Deps struct {
	Writer *event.Writer
	Keyset *playback.Keyset
	Now    func() time.Time
	// Force skips what only looks at the record and at the clock. What would lose
	// audio is refused all the same.
	Force bool
}

// Progress is how far Rewrap is.
type Progress struct {
	Pass      int `json:"pass"`
	Seen      int `json:"seen"`      // rows of this pass
	Stale     int `json:"stale"`     // of them under another key than the primary
	Rewrapped int `json:"rewrapped"` // rows, of all passes
	Broken    int `json:"broken"`    // rows of this pass that no key opens
}

// BrokenError names rows that no key of the keyset opens.
type BrokenError struct {
	Rows  int
	First error
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("%d rows are wrapped with a key that the keyset does not have, or for another file; the first: %v", e.Rows, e.First)
}

// Rewrap wraps every content key that is not under the primary anew, beside all
// that goes on: a transaction reads a track's rows and replaces what is stale of
// them, so that a row which somebody else writes is read again, and publish, which
// reads the same attempts, copies either kind before or after, never in between.
// What caches hold of a track is out of date then: a CatalogChanged follows from
// the same transaction.
//
// Each batch is done or not: end it where you may, it is run again and finds what
// is left. The pass that finds nothing left is noted; until then instances that
// do not know of the primary yet may go on adding rows under the old one.
func Rewrap(ctx context.Context, d Deps, dryRun bool, tell func(Progress)) (Progress, error) {
	primary, err := d.Keyset.Primary()
	if err != nil {
		return Progress{}, err
	}
	all, err := Records(ctx, d.Writer.Spanner)
	if err != nil {
		return Progress{}, err
	}
	if r := all[primary]; !d.Force && !dryRun && (r.Deployed == nil || r.Primary == nil) {
		return Progress{}, fmt.Errorf("key %d is not known to be the primary of all instances: deploy the keyset first", primary)
	}
	wrapper, err := d.Keyset.Wrapper()
	if err != nil {
		return Progress{}, err
	}
	p := pass{d: d, primary: primary, wrapper: wrapper, dryRun: dryRun, tell: tell}
	for range passes {
		p.at = Progress{Pass: p.at.Pass + 1, Rewrapped: p.at.Rewrapped}
		p.broken = nil
		for _, table := range tables {
			if err := scan(ctx, d.Writer.Spanner, table, func(rows []row) error { return p.rows(ctx, rows) }); err != nil {
				return p.at, err
			}
		}
		switch {
		case p.broken != nil:
			return p.at, &BrokenError{Rows: p.at.Broken, First: p.broken}
		case dryRun:
			return p.at, nil
		case p.at.Stale == 0:
			return p.at, rewrapped(ctx, d.Writer.Spanner, primary, d.Now())
		}
	}
	return p.at, fmt.Errorf("rows under another key than %d keep appearing: an instance with another keyset is still at work", primary)
}

// pass goes once through all rows.
type pass struct {
	d       Deps
	primary uint32
	wrapper *playback.Wrapper
	dryRun  bool
	tell    func(Progress)
	at      Progress
	broken  error // the first
}

func (p *pass) stale(r row) bool {
	id, ok := playback.WrappedUnder(r.wrapped)
	return !ok || id != p.primary
}

func (p *pass) rows(ctx context.Context, rows []row) error {
	var tracks []string
	for _, r := range rows {
		p.at.Seen++
		if !p.stale(r) {
			continue
		}
		p.at.Stale++
		if _, err := p.wrapper.Unwrap(r.wrapped, r.binding); err != nil {
			if p.at.Broken++; p.broken == nil {
				p.broken = fmt.Errorf("%s: %w", r, err)
			}
			continue
		}
		// In the order of the keys, equal ones are neighbours.
		if n := len(tracks); n == 0 || tracks[n-1] != r.binding.TrackID {
			tracks = append(tracks, r.binding.TrackID)
		}
	}
	for some := range slices.Chunk(tracks, batch) {
		if p.dryRun {
			break
		}
		n, err := p.write(ctx, some)
		if err != nil {
			return err
		}
		p.at.Rewrapped += n
		p.tell(p.at)
		crash.Point("rewrap:batch")
	}
	p.tell(p.at)
	return nil
}

// write replaces what is stale of some tracks' rows, as they are now.
func (p *pass) write(ctx context.Context, tracks []string) (n int, err error) {
	var keys []spanner.KeySet
	for _, t := range tracks {
		keys = append(keys, spanner.Key{t}.AsPrefix())
	}
	err = p.d.Writer.Write(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
		n = 0
		var events []proto.Message
		var mutations []*spanner.Mutation
		for _, table := range tables {
			rows, err := read(ctx, tx, table, spanner.KeySets(keys...), 0)
			if err != nil {
				return nil, err
			}
			changed := ""
			for _, r := range rows {
				if !p.stale(r) {
					continue
				}
				again, err := p.wrapper.Rewrap(r.wrapped, r.binding)
				if err != nil {
					continue // it is counted where rows are scanned
				}
				n++
				mutations = append(mutations, r.update(again))
				// Only renditions are what a stream is answered from.
				if track := r.binding.TrackID; table == tables[1] && track != changed {
					events = append(events, &eventpb.CatalogChanged{Kind: "track", Id: track})
					changed = track
				}
			}
		}
		return events, tx.BufferWrite(mutations)
	})
	if err != nil {
		return 0, fmt.Errorf("re-wrap the keys of %d tracks: %w", len(tracks), err)
	}
	return n, nil
}
