package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segue-audio/segue/shared/playback/rotation"
)

// keyStatus is one key, and what is known of it.
type keyStatus struct {
	ID      uint32 `json:"id"`
	State   string `json:"state"` // enabled, disabled or missing
	Primary bool   `json:"primary"`
	rotation.Use
	Added     *time.Time `json:"added"`
	Deployed  *time.Time `json:"deployed"`
	PrimaryAt *time.Time `json:"primary_since"`
	Rewrapped *time.Time `json:"rewrapped"`
}

func (k keyStatus) String() string {
	text := fmt.Sprintf("%10d  %-8s  %6d attempts, %6d renditions", k.ID, k.State, k.Attempts, k.Renditions)
	if k.Primary {
		text += "  primary"
	}
	for _, t := range []struct {
		what string
		at   *time.Time
	}{{"added", k.Added}, {"deployed", k.Deployed}, {"wraps since", k.PrimaryAt}, {"rewrapped", k.Rewrapped}} {
		if t.at != nil {
			text += fmt.Sprintf("  %s %s", t.what, t.at.UTC().Format(time.RFC3339))
		}
	}
	return text
}

// keysetStatus lists the keys in the order of their age, and those that rows are
// wrapped with but the keyset lacks.
func (a *app) keysetStatus(ctx context.Context, _ []string) error {
	s, err := a.begin(ctx)
	if err != nil {
		return err
	}
	keys, err := s.Keyset.Keys()
	if err != nil {
		return err
	}
	records, err := rotation.Records(ctx, s.Writer.Spanner)
	if err != nil {
		return err
	}
	uses, unknown, err := rotation.Uses(ctx, s.Writer.Spanner)
	if err != nil {
		return err
	}
	for _, k := range keys {
		r := records[k.ID]
		one := keyStatus{
			ID: k.ID, State: "disabled", Primary: k.Primary, Use: uses[k.ID],
			Added: r.Added, Deployed: r.Deployed, PrimaryAt: r.Primary, Rewrapped: r.Rewrapped,
		}
		if k.Enabled {
			one.State = "enabled"
		}
		delete(uses, k.ID)
		if err := a.result(one, one.String()); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(uses)) {
		one := keyStatus{ID: id, State: "missing", Use: uses[id]}
		if err := a.result(one, one.String()); err != nil {
			return err
		}
	}
	if n := unknown.Total(); n > 0 || len(uses) > 0 {
		return fmt.Errorf("%d rows are wrapped with a key that the keyset lacks, %d with none", total(uses), n)
	}
	return nil
}

func total(uses map[uint32]rotation.Use) (n int) {
	for _, u := range uses {
		n += u.Total()
	}
	return n
}

// tellEvery is how many rows lie between two lines of progress.
const tellEvery = 10_000

func (a *app) keysetRewrap(ctx context.Context, _ []string) error {
	s, err := a.begin(ctx)
	if err != nil {
		return err
	}
	told := 0
	end, err := rotation.Rewrap(ctx, s.Deps, a.dryRun, func(p rotation.Progress) {
		if p.Seen < told {
			told = 0 // another pass
		}
		if p.Seen-told >= tellEvery {
			told = p.Seen
			fmt.Fprintf(a.err, "pass %d: %d rows seen, %d stale; %d re-wrapped\n", p.Pass, p.Seen, p.Stale, p.Rewrapped)
		}
	})
	words := fmt.Sprintf("%d rows re-wrapped; of %d, %d are under another key than the primary", end.Rewrapped, end.Seen, end.Stale)
	if a.dryRun {
		words = fmt.Sprintf("%d of %d rows would be re-wrapped", end.Stale, end.Seen)
	}
	if end != (rotation.Progress{}) {
		if rerr := a.result(end, words); rerr != nil {
			return errors.Join(err, rerr)
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: what is done stays; run it again for the rest: %w", err)
		}
		return err
	}
	if !a.dryRun {
		a.next("wait half an hour, then rotate keyset retire KEY")
	}
	return nil
}
