package publish

import (
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// In whatever order renditions are complete, doubled or not, and however often
// and late their events come: the track is published once, with the attempts
// that were complete first when it was, and nothing else is left.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(string(rune('a'+seed)), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			u := w.track(t)
			random := rand.New(rand.NewPCG(seed, 1))
			steps := playback.Renditions()
			for range random.IntN(4) {
				steps = append(steps, steps[random.IntN(6)])
			}
			random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })

			first := map[playback.Rendition]*ingest.Attempt{}
			var late []*eventpb.RenditionReady
			for _, r := range steps {
				a := w.attempt(t, u, r, complete)
				if first[r] == nil {
					first[r] = a
				}
				// Events now, later, or both, and some that come before at once.
				var now []*eventpb.RenditionReady
				for range random.IntN(3) {
					now = append(now, ready(u, a))
				}
				late = append(late, ready(u, a))
				if random.IntN(3) == 0 {
					now = append(now, late[random.IntN(len(late))])
				}
				w.atOnce(t, now)
			}
			random.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
			for chunk := range slices.Chunk(late, 1+random.IntN(4)) {
				w.atOnce(t, chunk)
			}
			var want []*ingest.Attempt
			for _, a := range first {
				want = append(want, a)
			}
			w.published(t, u, want)
		})
	}
}

func (w *world) atOnce(t *testing.T, events []*eventpb.RenditionReady) {
	t.Helper()
	var g errgroup.Group
	for _, m := range events {
		g.Go(func() error {
			w.deliver(t, m)
			return nil
		})
	}
	_ = g.Wait()
}
