package deadletter

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/id"
)

var columns = []string{
	"DeadLetterId", "MessageId", "Data", "Attributes", "Error", "FailedAt", "TraceId", "UploadId", "FirstSeen", "ReplayedAt",
}

func scan(row *spanner.Row) (*Letter, error) {
	var (
		l                   Letter
		message, attributes string
		data                []byte
		failed, replayed    spanner.NullTime
		upload              spanner.NullString
	)
	if err := row.Columns(&l.ID, &message, &data, &attributes, &l.Error, &failed, &l.TraceID, &upload, &l.FirstSeen, &replayed); err != nil {
		return nil, err
	}
	var all map[string]string
	if err := json.Unmarshal([]byte(attributes), &all); err != nil {
		return nil, fmt.Errorf("attributes of dead letter %s: %w", l.ID, err)
	}
	l.DeadLetter = event.NewDeadLetter(message, data, all)
	l.FailedAt, l.ReplayedAt, l.UploadID = failed.Time, replayed.Time, upload.StringVal
	return &l, nil
}

// Read reads one by its id.
func Read(ctx context.Context, client *spanner.Client, letter string) (*Letter, error) {
	// What is not even UTF-8 cannot be sent to Spanner.
	if !id.Valid(letter) {
		return nil, missing(letter)
	}
	row, err := client.Single().ReadRow(ctx, "DeadLetters", spanner.Key{letter}, columns)
	if spanner.ErrCode(err) == codes.NotFound {
		return nil, missing(letter)
	}
	if err != nil {
		return nil, fmt.Errorf("read dead letter %s: %w", letter, err)
	}
	return scan(row)
}

// Selection is which letters are meant; zero are those that wait for an operator.
type Selection struct {
	Function, Topic string    // "": any
	Since           time.Time // first seen at or after; zero: ever
	Replayed        bool      // those that were replayed too
	OldestFirst     bool
	Limit           int // 0: all
}

// Find lists letters, the newest first, as of one moment.
func Find(ctx context.Context, client *spanner.Client, s Selection, each func(*Letter) error) error {
	return find(ctx, client, s, columns, func(row *spanner.Row) error {
		l, err := scan(row)
		if err != nil {
			return err
		}
		return each(l)
	})
}

// IDs is Find for the ids alone, of which many fit into memory.
func IDs(ctx context.Context, client *spanner.Client, s Selection) (ids []string, err error) {
	err = find(ctx, client, s, columns[:1], func(row *spanner.Row) error {
		var id string
		err := row.Columns(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

func find(ctx context.Context, client *spanner.Client, s Selection, columns []string, each func(*spanner.Row) error) error {
	where, order := []string{"TRUE"}, "DESC"
	params := map[string]any{}
	add := func(condition, name string, value any) {
		where = append(where, condition)
		params[name] = value
	}
	if s.Function != "" {
		add("Function = @function", "function", s.Function)
	}
	if s.Topic != "" {
		add("Topic = @topic", "topic", s.Topic)
	}
	if !s.Since.IsZero() {
		add("FirstSeen >= @since", "since", s.Since)
	}
	if !s.Replayed {
		where = append(where, "ReplayedAt IS NULL")
	}
	if s.OldestFirst {
		order = "ASC"
	}
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM DeadLetters WHERE " + strings.Join(where, " AND ") + " ORDER BY FirstSeen " + order + ", DeadLetterId"
	if s.Limit > 0 {
		sql += " LIMIT @limit"
		params["limit"] = int64(s.Limit)
	}
	err := client.Single().Query(ctx, spanner.Statement{SQL: sql, Params: params}).Do(each)
	if err != nil {
		return fmt.Errorf("list dead letters: %w", err)
	}
	return nil
}
