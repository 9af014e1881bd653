package ingesttest

import (
	"testing"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/spanner"
	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/event"
)

// Rows asks for the number of rows of each table.
func Rows(t testing.TB, client *spanner.Client, want map[string]int64) {
	t.Helper()
	for table, n := range want {
		var got int64
		err := client.Single().Query(t.Context(), spanner.Statement{SQL: "SELECT COUNT(*) FROM " + table}).Do(func(r *spanner.Row) error {
			return r.Columns(&got)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got != n {
			t.Errorf("%d rows in %s, want %d", got, table, n)
		}
	}
}

// Events are the messages of one kind that were published since the last call.
func Events[M proto.Message](t testing.TB, topics *pubsub.Client) []M {
	t.Helper()
	var all []M
	var zero M
	for _, r := range emutest.Received(t, topics, event.Topic(zero)) {
		m := zero.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(r.GetMessage().GetData(), m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m.(M))
	}
	return all
}
