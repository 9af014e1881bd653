package spanner_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	gospanner "cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/emulators/spanner"
)

// never and always stand for the dice.
func never() float64  { return 0.999999 }
func always() float64 { return 0 }

func TestConcurrentReadsShareOneMultiplexedSession(t *testing.T) {
	c := open(t, spanner.Options{})
	fill(t, c, 5)
	var g errgroup.Group
	for i := range 8 {
		g.Go(func() error {
			for k := range 20 {
				id, want := fmt.Sprintf("r%d", k%5), int64(k%5)
				from := reader(c.Single())
				if i%2 == 0 {
					ro := c.ReadOnlyTransaction()
					defer ro.Close()
					from = ro
					if n, err := number(t.Context(), ro, "r4"); err != nil || n != 4 {
						return fmt.Errorf("first read: %d, %w", n, err)
					}
				}
				if n, err := number(t.Context(), from, id); err != nil || n != want {
					return fmt.Errorf("%s is %d: %w", id, n, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyTransactionSeesOneSnapshot(t *testing.T) {
	c := open(t, spanner.Options{})
	fill(t, c, 2)
	ro := c.ReadOnlyTransaction()
	defer ro.Close()
	for k := range 5 {
		if n, err := number(t.Context(), ro, "r1"); err != nil || n != 1 {
			t.Fatalf("read %d: %d, %v", k, n, err)
		}
		if _, err := c.Apply(t.Context(), []*gospanner.Mutation{
			gospanner.Update("Counters", []string{"ID", "N"}, []any{"r1", 100 + k}),
		}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := number(t.Context(), c.Single(), "r1"); err != nil || n != 104 {
		t.Fatalf("after: %d, %v", n, err)
	}
}

func TestConcurrentIncrementsLoseNothing(t *testing.T) {
	for _, rate := range []float64{0, 0.05, 0.5} {
		t.Run(fmt.Sprintf("abort rate %v", rate), func(t *testing.T) {
			c := open(t, spanner.Options{AbortRate: rate, Rand: rand.New(rand.NewPCG(1, 2)).Float64})
			fill(t, c, 1)
			const workers, each = 4, 10
			var runs atomic.Int64
			var g errgroup.Group
			for w := range workers {
				g.Go(func() error {
					for range each {
						if err := increment(t.Context(), c, w%2 == 0, &runs); err != nil {
							return err
						}
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
			if n, err := number(t.Context(), c.Single(), "r0"); err != nil || n != workers*each {
				t.Fatalf("counter is %d after %d increments: %v", n, workers*each, err)
			}
			t.Logf("%d runs of %d transactions", runs.Load(), workers*each)
			if rate == 0.5 && runs.Load() < workers*each*3/2 {
				t.Errorf("%d runs of %d transactions: too few for the abort rate", runs.Load(), workers*each)
			}
		})
	}
}

// increment reads and writes by key or by SQL.
func increment(ctx context.Context, c *gospanner.Client, sql bool, runs *atomic.Int64) error {
	_, err := c.ReadWriteTransaction(ctx, func(ctx context.Context, tx *gospanner.ReadWriteTransaction) error {
		runs.Add(1)
		if sql {
			_, err := tx.Update(ctx, gospanner.Statement{SQL: "UPDATE Counters SET N = N + 1 WHERE ID = 'r0'"})
			return err
		}
		n, err := number(ctx, tx, "r0")
		if err != nil {
			return err
		}
		return tx.BufferWrite([]*gospanner.Mutation{gospanner.Update("Counters", []string{"ID", "N"}, []any{"r0", n + 1})})
	})
	return err
}

func TestAbortedCommitRunsTheFunctionAgainAndAppliesOnce(t *testing.T) {
	var dice atomic.Int64
	c := open(t, spanner.Options{AbortRate: 0.5, Rand: func() float64 {
		if dice.Add(1) == 2 { // the first commit is fill's
			return always()
		}
		return never()
	}})
	fill(t, c, 1)
	var runs atomic.Int64
	if err := increment(t.Context(), c, true, &runs); err != nil {
		t.Fatal(err)
	}
	if runs.Load() != 2 {
		t.Errorf("the function ran %d times, want 2", runs.Load())
	}
	if n, err := number(t.Context(), c.Single(), "r0"); err != nil || n != 1 {
		t.Errorf("counter is %d, want 1: %v", n, err)
	}
}
