package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segue-audio/segue/shared/playback"
)

// Add draws a key, which is in the keyset when the caller has saved that. A key
// that waits to be promoted is not joined by another: a step that died is found
// done when it is run again.
func Add(ctx context.Context, d Deps) (uint32, error) {
	newest, err := d.Keyset.Newest()
	if err != nil {
		return 0, err
	}
	if !newest.Primary && newest.Enabled && !d.Force {
		return 0, fmt.Errorf("key %d was added already and waits to be promoted", newest.ID)
	}
	id, err := d.Keyset.Add()
	if err != nil {
		return 0, err
	}
	return id, Added(ctx, d.Writer.Spanner, id, d.Now())
}

// Promote makes the newest key the primary. Before all instances have it, those
// that do not could not open what the others wrap.
func Promote(ctx context.Context, d Deps) (uint32, error) {
	newest, err := d.Keyset.Newest()
	if err != nil {
		return 0, err
	}
	if newest.Primary {
		return 0, fmt.Errorf("key %d, the newest, is the primary already: add one first", newest.ID)
	}
	all, err := Records(ctx, d.Writer.Spanner)
	if err != nil {
		return 0, err
	}
	if all[newest.ID].Deployed == nil && !d.Force {
		return 0, fmt.Errorf("key %d is not known to all instances yet: deploy the keyset first, or what some wrap with it others cannot open", newest.ID)
	}
	return newest.ID, d.Keyset.Promote(newest.ID)
}

// Retire disables a key or, if it is disabled everywhere, destroys it. As long
// as a row is wrapped with it, nothing makes it do so.
func Retire(ctx context.Context, d Deps, id uint32, destroy bool) error {
	key, err := d.Keyset.Key(id)
	switch {
	case err != nil:
		return err
	case key.Primary:
		return fmt.Errorf("key %d is the primary: promote another first", id)
	case destroy && key.Enabled:
		return fmt.Errorf("key %d is enabled: retire it without --destroy, deploy, and see that nothing misses it", id)
	case !destroy && !key.Enabled:
		return fmt.Errorf("key %d is disabled already; --destroy destroys it", id)
	}
	if !d.Force {
		if err := settled(ctx, d, id, destroy); err != nil {
			return err
		}
	}
	uses, _, err := Uses(ctx, d.Writer.Spanner)
	if err != nil {
		return err
	}
	if u := uses[id]; u.Total() > 0 {
		return fmt.Errorf("key %d still wraps %d rows (%d attempts, %d renditions): run rewrap", id, u.Total(), u.Attempts, u.Renditions)
	}
	before, err := d.Keyset.Wrapper()
	if err != nil {
		return err
	}
	change := d.Keyset.Disable
	if destroy {
		change = d.Keyset.Destroy
	}
	if err := change(id); err != nil {
		return err
	}
	after, err := d.Keyset.Wrapper()
	if err != nil {
		return err
	}
	// What the prefix says, tried.
	n, first, err := lost(ctx, d.Writer.Spanner, before, after)
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("without key %d, %d rows do not open; the first: %w", id, n, first)
	}
	return nil
}

// settled says whether nothing that was wrapped with the key can be in use any
// more, by what is known of the instances and by the clock.
func settled(ctx context.Context, d Deps, id uint32, destroy bool) error {
	primary, err := d.Keyset.Primary()
	if err != nil {
		return err
	}
	all, err := Records(ctx, d.Writer.Spanner)
	if err != nil {
		return err
	}
	r := all[primary]
	switch {
	case r.Deployed == nil || r.Primary == nil:
		return fmt.Errorf("key %d is not known to be the primary of all instances: deploy the keyset, then run rewrap", primary)
	case r.Rewrapped == nil || r.Rewrapped.Before(*r.Primary):
		return errors.New("rewrap has not seen all rows under the primary since all instances have it: run rewrap")
	case destroy && all[id].Deployed != nil:
		return fmt.Errorf("instances still have key %d enabled: deploy the keyset in which it is disabled", id)
	}
	if ago := d.Now().Sub(*r.Rewrapped); ago < playback.RewrapSettles {
		return fmt.Errorf("rewrap ended %s ago: in %s, caches have forgotten what they read before",
			ago.Round(time.Second), (playback.RewrapSettles - ago).Round(time.Second))
	}
	return nil
}
