package playback

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/cache"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/event/eventpb"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/limit"
)

// SetEntitlement says what an account may play from now on. One of an epoch that
// is older than what is there changes nothing, so that events may come in any
// order.
func (a *Access) SetEntitlement(ctx context.Context, account string, e Entitlement) error {
	if e.Product != Free && e.Product != Premium {
		return errs.New(errs.Invalid, "product %q is neither free nor premium", e.Product)
	}
	text := fmt.Sprintf(`{"product":%q,"epoch":%d}`, e.Product, e.Epoch)
	if err := setEntitlement.Run(ctx, a.Redis, []string{entitlementKey(account)}, text, e.Epoch, remember.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("set the entitlement of an account: %w", err)
	}
	return nil
}

var setEntitlement = redis.NewScript(`
local read, there = pcall(cjson.decode, redis.call('GET', KEYS[1]) or '')
if read and type(there) == 'table' and (tonumber(there.epoch) or 0) > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1`)

// EndSignIn makes all tokens of a sign-in invalid that are of an epoch before
// first: at a sign-out, a revocation, a change of password.
func (a *Access) EndSignIn(ctx context.Context, session string, first int64) error {
	if err := raise.Run(ctx, a.Redis, []string{limit.SignInKey(session)}, first, remember.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("end a sign-in: %w", err)
	}
	return nil
}

var raise = redis.NewScript(`
if (tonumber(redis.call('GET', KEYS[1])) or 0) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

// TakeDown ends the playing of a track, or lets it be played again. The event
// that it causes brings the change to Redis, and again if that fails.
func TakeDown(ctx context.Context, w *event.Writer, track string, down bool) error {
	if !id.Valid(track) {
		return errs.New(errs.NotFound, "there is no track %s", track)
	}
	at := spanner.NullTime{Time: w.Now(), Valid: down}
	return w.Write(ctx, func(ctx context.Context, tx *spanner.ReadWriteTransaction) ([]proto.Message, error) {
		row, err := tx.ReadRow(ctx, "Tracks", spanner.Key{track}, []string{"AlbumId", "TakenDownAt"})
		if spanner.ErrCode(err) == codes.NotFound {
			return nil, errs.New(errs.NotFound, "there is no track %s", track)
		}
		if err != nil {
			return nil, err
		}
		var album string
		var was spanner.NullTime
		if err := row.Columns(&album, &was); err != nil || was.Valid == down {
			return nil, err // it is so already
		}
		rows := []*spanner.Mutation{spanner.Update("Tracks", []string{"TrackId", "TakenDownAt", "UpdatedAt"}, []any{track, at, spanner.CommitTimestamp})}
		err = tx.Read(ctx, "Renditions", spanner.Key{track}.AsPrefix(), []string{"Format", "Bitrate"}).Do(func(r *spanner.Row) error {
			var format string
			var bitrate int64
			err := r.Columns(&format, &bitrate)
			rows = append(rows, spanner.Update("Renditions", []string{"TrackId", "Format", "Bitrate", "TakenDownAt"}, []any{track, format, bitrate, at}))
			return err
		})
		if err != nil {
			return nil, err
		}
		return []proto.Message{&eventpb.CatalogChanged{Kind: "track", Id: track}, &eventpb.CatalogChanged{Kind: "album", Id: album}}, tx.BufferWrite(rows)
	})
}

// Refresh brings what changed of a track to Redis: whether it is taken down, and
// that its renditions are to be read again. However often and in whatever order
// it is called, the latest state stays.
func (a *Access) Refresh(ctx context.Context, client *spanner.Client, track string) error {
	before := a.Now() // where Spanner does not tell its time
	tx := client.Single()
	row, err := tx.ReadRow(ctx, "Tracks", spanner.Key{track}, []string{"TakenDownAt"})
	var down spanner.NullTime
	switch {
	case spanner.ErrCode(err) == codes.NotFound: // gone: what is cached must go, too
	case err != nil:
		return fmt.Errorf("read track %s: %w", track, err)
	default:
		if err := row.Columns(&down); err != nil {
			return err
		}
	}
	if at, err := tx.Timestamp(); err == nil {
		before = at
	}
	if err := cache.Put(ctx, a.Redis, takedownKey(track), before, downText(down.Valid), remember); err != nil {
		return fmt.Errorf("takedown of track %s: %w", track, err)
	}
	return ForgetRenditions(ctx, a.Redis, track, before)
}

func downText(down bool) string {
	if down {
		return "1"
	}
	return "0"
}

func saysDown(text string) bool {
	value, err := cache.Value(text)
	return err == nil && value == "1"
}
