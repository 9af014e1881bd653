package spanner

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner/admin/database/apiv1/databasepb"
	"cloud.google.com/go/spanner/admin/instance/apiv1/instancepb"
	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// rig is a proxy whose clock the test moves, and a bare gRPC client of it.
type rig struct {
	*proxy
	spannerpb.SpannerClient
	clock   *clock
	session string
}

const rigDatabase = "projects/p/instances/local/databases/main"

func startEmulator(t *testing.T, o Options) *Emulator {
	t.Helper()
	o.Binary = os.Getenv("SPANNER_EMULATOR_BIN")
	e := New(o)
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Stop(context.Background()) })
	return e
}

func newRig(t *testing.T, o Options) *rig {
	t.Helper()
	e := startEmulator(t, o)
	r := &rig{proxy: newProxy(e.upstream, e.options), clock: &clock{t: time.Now()}}
	r.now = r.clock.now
	cc := serve(t, newServer(e.upstream, r.proxy))
	if _, err := instancepb.NewInstanceAdminClient(cc).CreateInstance(t.Context(), &instancepb.CreateInstanceRequest{
		Parent: "projects/p", InstanceId: "local",
		Instance: &instancepb.Instance{Config: "projects/p/instanceConfigs/emulator-config", DisplayName: "local", NodeCount: 1},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := databasepb.NewDatabaseAdminClient(cc).CreateDatabase(t.Context(), &databasepb.CreateDatabaseRequest{
		Parent: "projects/p/instances/local", CreateStatement: "CREATE DATABASE main",
		ExtraStatements: []string{"CREATE TABLE T (K INT64 NOT NULL) PRIMARY KEY (K)"},
	}); err != nil {
		t.Fatal(err)
	}
	r.SpannerClient = spannerpb.NewSpannerClient(cc)
	r.session = r.newSession(t)
	return r
}

func (r *rig) newSession(t *testing.T) string {
	t.Helper()
	s, err := r.SpannerClient.CreateSession(t.Context(), &spannerpb.CreateSessionRequest{
		Database: rigDatabase, Session: &spannerpb.Session{Multiplexed: true},
	})
	if err != nil || !s.Multiplexed {
		t.Fatalf("session %v: %v", s, err)
	}
	return s.Name
}

func begin(o *spannerpb.TransactionOptions) *spannerpb.TransactionSelector {
	return &spannerpb.TransactionSelector{Selector: &spannerpb.TransactionSelector_Begin{Begin: o}}
}

func (r *rig) sql(t *testing.T, sel *spannerpb.TransactionSelector, sql string) (*spannerpb.ResultSet, error) {
	t.Helper()
	return r.SpannerClient.ExecuteSql(t.Context(), &spannerpb.ExecuteSqlRequest{
		Session: r.session, Transaction: sel, Sql: sql, Seqno: 1,
	})
}

// lock begins a transaction that holds the emulator's one lock.
func (r *rig) lock(t *testing.T) []byte {
	t.Helper()
	res, err := r.sql(t, begin(readWriteOptions()), "INSERT INTO T (K) VALUES (1)")
	if err != nil {
		t.Fatal(err)
	}
	return res.Metadata.Transaction.Id
}

func (r *rig) commit(t *testing.T, id []byte) (*spannerpb.CommitResponse, error) {
	t.Helper()
	return r.SpannerClient.Commit(t.Context(), &spannerpb.CommitRequest{
		Session: r.session, Transaction: &spannerpb.CommitRequest_TransactionId{TransactionId: id},
	})
}

func (r *rig) mapped() int {
	m := r.find(r.session)
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.open)
}

func TestAbortedCommitIsRolledBackAndCarriesRetryInfo(t *testing.T) {
	r := newRig(t, Options{AbortRate: 1})
	id := r.lock(t)
	for range 2 { // an aborted transaction stays aborted
		_, err := r.commit(t, id)
		if status.Code(err) != codes.Aborted {
			t.Fatalf("got %v", err)
		}
		details := status.Convert(err).Details()
		if len(details) != 1 || details[0].(*errdetails.RetryInfo).RetryDelay.AsDuration() <= 0 {
			t.Errorf("details are %v", details)
		}
	}
	if n := r.mapped(); n != 0 {
		t.Errorf("%d mappings are left", n)
	}
	_, err := r.own.Commit(t.Context(), &spannerpb.CommitRequest{
		Session: r.find(r.session).take(), Transaction: &spannerpb.CommitRequest_TransactionId{TransactionId: id},
	})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("in the emulator it is not rolled back: a commit there returns %v", err)
	}
	r.lock(t)
}

func TestCommitSentAgainIsAnsweredAgain(t *testing.T) {
	r := newRig(t, Options{})
	id := r.lock(t)
	first, err := r.commit(t, id)
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.commit(t, id)
	if err != nil || !first.CommitTimestamp.AsTime().Equal(second.CommitTimestamp.AsTime()) {
		t.Errorf("%v, then %v, %v", first, second, err)
	}
}

func TestFailedBeginLeavesNoMappingAndNoLock(t *testing.T) {
	r := newRig(t, Options{})
	for range 5 {
		for _, bad := range []string{"INSERT INTO T (K) VALUES ('x')", "SELECT nothing FROM T", "INSERT INTO T (K) VALUES (1), (1)"} {
			if _, err := r.sql(t, begin(readWriteOptions()), bad); err == nil {
				t.Fatalf("%s: no error", bad)
			}
			if n := r.mapped(); n != 0 {
				t.Fatalf("%s: %d mappings are left", bad, n)
			}
		}
		id := r.lock(t)
		if _, err := r.SpannerClient.Rollback(t.Context(), &spannerpb.RollbackRequest{Session: r.session, TransactionId: id}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTransactionAbortedByTheEmulatorLeavesNoMapping(t *testing.T) {
	r := newRig(t, Options{})
	// Each of two transactions wants the one lock, so one of them is aborted; it
	// is the emulator's choice which.
	ids := [][]byte{}
	for range 2 {
		x, err := r.SpannerClient.BeginTransaction(t.Context(), &spannerpb.BeginTransactionRequest{Session: r.session, Options: readWriteOptions()})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, x.Id)
	}
	aborted := 0
	count := func(err error) {
		if status.Code(err) == codes.Aborted {
			aborted++
		} else if err != nil {
			t.Error(err)
		}
	}
	for _, id := range ids {
		_, err := r.sql(t, selectorOf(id), "INSERT INTO T (K) VALUES (1)")
		count(err)
	}
	if aborted > 0 && r.mapped() != 1 {
		t.Errorf("%d mappings are left after an abort", r.mapped())
	}
	aborted = 0
	for _, id := range ids {
		_, err := r.commit(t, id)
		count(err)
	}
	if aborted != 1 || r.mapped() != 0 {
		t.Errorf("%d commits of 2 were aborted, %d mappings are left", aborted, r.mapped())
	}
	if _, err := r.SpannerClient.Rollback(t.Context(), &spannerpb.RollbackRequest{Session: r.session, TransactionId: []byte("none")}); err != nil {
		t.Errorf("rollback of what is not there: %v", err)
	}
}

func TestAbandonedTransactionIsAbortedWhenAnotherNeedsItsLock(t *testing.T) {
	r := newRig(t, Options{})
	// The emulator now and then lets the newer transaction win by itself.
	for range 8 {
		abandoned := r.lock(t)
		r.clock.advance(r.limits.readWriteIdle)
		id := r.lock(t)
		if _, err := r.SpannerClient.Rollback(t.Context(), &spannerpb.RollbackRequest{Session: r.session, TransactionId: id}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.commit(t, abandoned); status.Code(err) != codes.Aborted {
			t.Errorf("the abandoned one: %v", err)
		}
	}
}

func TestDeletedSessionTakesItsTransactionsWithIt(t *testing.T) {
	r := newRig(t, Options{})
	r.lock(t)
	if _, err := r.SpannerClient.GetSession(t.Context(), &spannerpb.GetSessionRequest{Name: r.session}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.SpannerClient.DeleteSession(t.Context(), &spannerpb.DeleteSessionRequest{Name: r.session}); err != nil {
		t.Fatal(err)
	}
	if r.find(r.session) != nil {
		t.Error("the mapping is still there")
	}
	list, err := r.SpannerClient.ListSessions(t.Context(), &spannerpb.ListSessionsRequest{Database: rigDatabase})
	if err != nil || len(list.Sessions) != 0 {
		t.Errorf("sessions %v, %v", list, err)
	}
	if _, err := r.sql(t, nil, "SELECT 1"); status.Code(err) != codes.NotFound {
		t.Errorf("a call on the deleted session: %v", err)
	}
	r.session = r.newSession(t)
	r.lock(t) // would be aborted if the lock were still held
}

func TestIdleSessionsLetGoWhenAnotherIsCreated(t *testing.T) {
	r := newRig(t, Options{})
	ro := &spannerpb.TransactionOptions{Mode: &spannerpb.TransactionOptions_ReadOnly_{ReadOnly: &spannerpb.TransactionOptions_ReadOnly{}}}
	for range 5 {
		if _, err := r.sql(t, begin(ro), "SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
	r.clock.advance(r.limits.sessionIdle)
	r.newSession(t)
	if n := r.mapped(); n != 0 {
		t.Errorf("%d mappings are left", n)
	}
	if _, err := r.sql(t, begin(ro), "SELECT 1"); err != nil {
		t.Errorf("the idle session: %v", err)
	}
}

func TestStreamCancelledMidwayGivesItsSessionBack(t *testing.T) {
	r := newRig(t, Options{})
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := r.SpannerClient.ExecuteStreamingSql(ctx, &spannerpb.ExecuteSqlRequest{
			Session: r.session, Sql: "SELECT x, REPEAT('x', 10000) FROM UNNEST(GENERATE_ARRAY(1, 300)) x",
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
		cancel()
		for err == nil {
			_, err = s.Recv()
		}
		if errors.Is(err, io.EOF) {
			t.Fatal("the stream ended before it was cancelled")
		}
		await(t, func() bool {
			m := r.find(r.session)
			m.mu.Lock()
			defer m.mu.Unlock()
			return len(m.free) == 1 && len(m.open) == 0
		})
	}
	list, err := r.SpannerClient.ListSessions(t.Context(), &spannerpb.ListSessionsRequest{Database: rigDatabase})
	if err != nil || len(list.Sessions) != 1 || !strings.HasPrefix(list.Sessions[0].Name, rigDatabase) {
		t.Errorf("sessions %v, %v", list, err)
	}
}

// await waits for a condition that nothing signals.
func await(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it did not happen within ten seconds")
		}
	}
}
