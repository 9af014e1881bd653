package spanner_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	gospanner "cloud.google.com/go/spanner"
	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"

	"github.com/segue-audio/segue/emulators/spanner"
)

func TestDMLAndBatchDMLCommitTogether(t *testing.T) {
	c := open(t, spanner.Options{})
	fill(t, c, 3)
	_, err := c.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx *gospanner.ReadWriteTransaction) error {
		counts, err := tx.BatchUpdate(ctx, []gospanner.Statement{
			{SQL: "UPDATE Counters SET N = N + 10 WHERE TRUE"},
			{SQL: "DELETE FROM Counters WHERE ID = 'r0'"},
		})
		if err != nil {
			return err
		}
		if fmt.Sprint(counts) != "[3 1]" {
			t.Errorf("batch changed %v rows", counts)
		}
		_, err = tx.Update(ctx, gospanner.Statement{SQL: "UPDATE Counters SET N = N * 2 WHERE ID = 'r1'"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := all(t, c); fmt.Sprint(got) != "map[r1:22 r2:12]" {
		t.Errorf("rows are %v", got)
	}
}

func TestPartitionedDMLUpdatesEveryRow(t *testing.T) {
	c := open(t, spanner.Options{})
	fill(t, c, 3)
	for range 3 {
		n, err := c.PartitionedUpdate(t.Context(), gospanner.Statement{SQL: "UPDATE Counters SET N = N + 1 WHERE TRUE"})
		if err != nil || n != 3 {
			t.Fatalf("%d rows, %v", n, err)
		}
	}
	if got := all(t, c); fmt.Sprint(got) != "map[r0:3 r1:4 r2:5]" {
		t.Errorf("rows are %v", got)
	}
}

func TestFailedTransactionChangesNothingAndHoldsNothing(t *testing.T) {
	c := open(t, spanner.Options{})
	fill(t, c, 1)
	failure := errors.New("no")
	_, err := c.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx *gospanner.ReadWriteTransaction) error {
		if _, err := tx.Update(ctx, gospanner.Statement{SQL: "UPDATE Counters SET N = 9 WHERE TRUE"}); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatalf("got %v", err)
	}
	if n, err := number(t.Context(), c.Single(), "r0"); err != nil || n != 0 {
		t.Errorf("r0 is %d, %v", n, err)
	}
}

func TestConstraintViolationKeepsItsCodeAndMessage(t *testing.T) {
	const message = "r0" // the key that is there already
	c := open(t, spanner.Options{})
	fill(t, c, 1)
	_, byMutation := c.Apply(t.Context(), []*gospanner.Mutation{insert("r0", 1)})
	_, atLeastOnce := c.Apply(t.Context(), []*gospanner.Mutation{insert("r0", 1)}, gospanner.ApplyAtLeastOnce())
	_, bySQL := c.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx *gospanner.ReadWriteTransaction) error {
		_, err := tx.Update(ctx, gospanner.Statement{SQL: "INSERT INTO Counters (ID, N) VALUES ('r0', 1)"})
		return err
	})
	for name, err := range map[string]error{"mutation": byMutation, "single use": atLeastOnce, "DML": bySQL} {
		if gospanner.ErrCode(err) != codes.AlreadyExists || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := c.Apply(t.Context(), []*gospanner.Mutation{insert("r1", 1)}); err != nil {
		t.Errorf("the next transaction: %v", err)
	}
}

func TestBatchWriteAnswersForEachGroup(t *testing.T) {
	c := open(t, spanner.Options{AbortRate: 1})
	stream := c.BatchWrite(t.Context(), []*gospanner.MutationGroup{
		{Mutations: []*gospanner.Mutation{insert("a", 1)}},
		{Mutations: []*gospanner.Mutation{insert("b", 2)}},
	})
	groups := 0
	err := stream.Do(func(r *spannerpb.BatchWriteResponse) error {
		groups += len(r.Indexes)
		return nil
	})
	if err != nil || groups != 2 {
		t.Fatalf("%d groups, %v", groups, err)
	}
	if got := all(t, c); fmt.Sprint(got) != "map[a:1 b:2]" {
		t.Errorf("rows are %v", got)
	}
}

func TestQueryCancelledMidStreamLeavesTheSessionUsable(t *testing.T) {
	c := open(t, spanner.Options{})
	fill(t, c, 10)
	const big = "SELECT x, REPEAT('x', 10000) FROM UNNEST(GENERATE_ARRAY(1, 300)) x"
	for range 3 {
		ro := c.ReadOnlyTransaction()
		for _, rows := range []*gospanner.RowIterator{
			c.Single().Query(t.Context(), gospanner.Statement{SQL: big}),
			ro.Query(t.Context(), gospanner.Statement{SQL: big}),
		} {
			if _, err := rows.Next(); err != nil {
				t.Fatal(err)
			}
			rows.Stop()
		}
		if n, err := number(t.Context(), ro, "r7"); err != nil || n != 7 {
			t.Fatalf("the same transaction: %d, %v", n, err)
		}
		ro.Close()
		if _, err := c.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx *gospanner.ReadWriteTransaction) error {
			_, err := tx.Update(ctx, gospanner.Statement{SQL: "UPDATE Counters SET N = N WHERE TRUE"})
			return err
		}); err != nil {
			t.Fatalf("the next transaction: %v", err)
		}
	}
}

func TestPartitionedQueryReadsEveryRowOnce(t *testing.T) {
	c := open(t, spanner.Options{})
	fill(t, c, 10)
	tx, err := c.BatchReadOnlyTransaction(t.Context(), gospanner.StrongRead())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Cleanup(context.WithoutCancel(t.Context()))
	byQuery, err := tx.PartitionQuery(t.Context(), gospanner.Statement{SQL: "SELECT ID, N FROM Counters"}, gospanner.PartitionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	byRead, err := tx.PartitionRead(t.Context(), "Counters", gospanner.AllKeys(), []string{"ID", "N"}, gospanner.PartitionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, partitions := range map[string][]*gospanner.Partition{"query": byQuery, "read": byRead} {
		got := map[string]int64{}
		for _, p := range partitions {
			collect(t, tx.Execute(t.Context(), p), got)
		}
		if len(got) != 10 {
			t.Errorf("%s: %d rows of 10", name, len(got))
		}
	}
}

// all returns the table's rows.
func all(t *testing.T, c *gospanner.Client) map[string]int64 {
	t.Helper()
	got := map[string]int64{}
	collect(t, c.Single().Read(t.Context(), "Counters", gospanner.AllKeys(), []string{"ID", "N"}), got)
	return got
}

func collect(t *testing.T, rows *gospanner.RowIterator, into map[string]int64) {
	t.Helper()
	defer rows.Stop()
	for {
		row, err := rows.Next()
		if errors.Is(err, iterator.Done) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var id string
		var n int64
		if err := row.Columns(&id, &n); err != nil {
			t.Fatal(err)
		}
		if _, twice := into[id]; twice {
			t.Errorf("row %s came twice", id)
		}
		into[id] = n
	}
}
