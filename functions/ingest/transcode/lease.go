package transcode

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// A lease is short and renewed while the work goes on, so that the work of a
// dead process is taken over soon. It only saves work: two attempts at once are
// safe, since publish picks one.
const (
	lease      = 15 * time.Second
	leaseRenew = 5 * time.Second
)

// errLeased asks Pub/Sub to deliver the event again, later.
var errLeased = errors.New("another attempt at this rendition is under way")

// errLost ends work that nobody wants any more.
var errLost = errors.New("the attempt's lease is lost")

// begin records a new attempt, or returns none when there is nothing to do.
func (d Deps) begin(ctx context.Context, m *eventpb.TranscodeRequested) (*ingest.Attempt, []byte, error) {
	r := playback.Rendition{Format: playback.Format(m.GetFormat()), Bitrate: playback.Quality(m.GetBitrate())}
	if err := r.Validate(); err != nil {
		return nil, nil, err
	}
	a := &ingest.Attempt{
		TrackID: m.GetTrackId(), Rendition: r, ID: d.NewID(), Cipher: d.Cipher, State: ingest.Leased,
		Folder: "audio/" + d.NewID() + "/",
	}
	key, wrapped, err := d.Keys.NewContentKey(nil, d.Cipher, a.Binding())
	if err != nil {
		return nil, nil, err
	}
	a.WrappedKey = wrapped
	wanted := false
	_, err = d.Writer.Spanner.ReadWriteTransaction(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) error {
		var err error
		if wanted, err = d.wanted(ctx, tx, m, a); err != nil || !wanted {
			return err
		}
		a.LeaseUntil = d.Now().Add(lease)
		return tx.BufferWrite([]*spanner.Mutation{spanner.InsertMap("RenditionAttempts", map[string]any{
			"TrackId": a.TrackID, "Format": string(a.Format), "Bitrate": int64(a.Bitrate), "AttemptId": a.ID, "State": a.State,
			"LeaseUntil": a.LeaseUntil, "Folder": a.Folder, "Cipher": string(a.Cipher), "WrappedKey": a.WrappedKey,
			"CreatedAt": spanner.CommitTimestamp,
		})})
	})
	if err != nil || !wanted {
		return nil, nil, err
	}
	return a, key, nil
}

// wanted says whether the rendition is still to be made.
func (d Deps) wanted(ctx context.Context, tx *spanner.ReadWriteTransaction, m *eventpb.TranscodeRequested, a *ingest.Attempt) (bool, error) {
	u, err := ingest.Read(ctx, tx, m.GetUploadId())
	if err != nil {
		return false, err
	}
	if u.Settled() || u.TrackID != m.GetTrackId() {
		return false, nil
	}
	others, err := ingest.Attempts(ctx, tx, a.TrackID, string(a.Format), int64(a.Bitrate))
	if err != nil {
		return false, err
	}
	for _, o := range others {
		switch {
		case o.State == ingest.Complete:
			return false, nil
		case o.LeaseUntil.After(d.Now()):
			return false, errLeased
		}
	}
	return true, nil
}

// keepLease renews the lease until stop is called. The context that it returns
// ends when the lease is lost.
func (d Deps) keepLease(ctx context.Context, a *ingest.Attempt) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(cmp.Or(d.renew, leaseRenew))
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			_, err := d.Writer.Spanner.Apply(ctx, []*spanner.Mutation{spanner.Update("RenditionAttempts",
				[]string{"TrackId", "Format", "Bitrate", "AttemptId", "LeaseUntil"}, append(a.Key(), d.Now().Add(lease)))})
			if spanner.ErrCode(err) == codes.NotFound {
				cancel(errLost)
				return
			}
		}
	})
	return ctx, sync.OnceFunc(func() {
		close(done)
		// A renewal under way is cut: it would wait for as long as Spanner is away.
		cancel(nil)
		wg.Wait()
	})
}

// complete makes the attempt count, with the event that tells of it. An attempt
// that nobody waits for any more goes away instead.
func (d Deps) complete(ctx context.Context, m *eventpb.TranscodeRequested, a *ingest.Attempt) error {
	unwanted := false
	err := d.Writer.Write(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
		unwanted = false
		row, err := tx.ReadRow(ctx, "RenditionAttempts", a.Key(), []string{"State"})
		if spanner.ErrCode(err) == codes.NotFound {
			unwanted = true
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read attempt %s: %w", a.ID, err)
		}
		var state string
		if err := row.Columns(&state); err != nil {
			return nil, err
		}
		if state == ingest.Removing {
			unwanted = true // its objects may be gone
			return nil, nil
		}
		u, err := ingest.Read(ctx, tx, m.GetUploadId())
		if err != nil {
			return nil, err
		}
		if u.Settled() {
			unwanted = true
			return nil, nil
		}
		done := spanner.UpdateMap("RenditionAttempts", map[string]any{
			"TrackId": a.TrackID, "Format": string(a.Format), "Bitrate": int64(a.Bitrate), "AttemptId": a.ID,
			"State": ingest.Complete, "Size": a.Size, "Sha256": a.Sha256, "HeadSize": a.HeadSize, "EncoderDelay": a.Delay,
			"TotalSamples": a.TotalSamples, "SampleRate": a.SampleRate, "SeekSize": a.SeekSize,
			"CompletedAt": spanner.CommitTimestamp,
		})
		ready := &eventpb.RenditionReady{
			UploadId: m.GetUploadId(), TrackId: a.TrackID, Format: string(a.Format), Bitrate: int32(a.Bitrate), AttemptId: a.ID,
		}
		return []proto.Message{ready}, tx.BufferWrite([]*spanner.Mutation{done})
	})
	if err != nil {
		return fmt.Errorf("complete attempt %s: %w", a.ID, err)
	}
	if unwanted {
		return a.Discard(ctx, d.Writer.Spanner, d.Audio)
	}
	return nil
}
