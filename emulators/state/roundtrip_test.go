package state_test

import (
	"context"
	"math"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"cloud.google.com/go/spanner"
	"pgregory.net/rapid"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/state"
)

const everyShape = "SELECT * FROM Shapes ORDER BY Id"

func TestRowsOfEveryShapeSurvive(t *testing.T) {
	t.Parallel()
	from, to := emutest.Database(t), emutest.Database(t)
	ddl(t, from, shapes...)
	ddl(t, to, shapes...)
	late := time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	apply(
		t, from,
		spanner.InsertMap("Zoo", map[string]any{"Id": 7, "Name": "lion"}),
		spanner.InsertMap("Animals", map[string]any{"Id": 7, "N": 1}),
		spanner.InsertMap("Aliases", map[string]any{"Id": 1, "Whose": 7}),
		spanner.InsertMap("Aliases", map[string]any{"Id": 2, "Whose": spanner.NullInt64{}}),
		spanner.InsertMap("Shapes", map[string]any{"Id": 1}), // NULL everywhere
		spanner.InsertMap("Shapes", map[string]any{
			"Id": 2, "B": false, "I": int64(math.MinInt64), "F": math.Copysign(0, -1), "R": float32(math.SmallestNonzeroFloat32), "N": big.NewRat(-1, 8), "S": "", "Y": []byte{},
			"D": civil.Date{Year: 1, Month: 1, Day: 1}, "T": time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), "J": spanner.NullJSON{Value: map[string]any{}, Valid: true},
			"ListB": []bool{}, "ListI": []int64{}, "ListF": []float64{}, "ListN": []spanner.NullNumeric{}, "ListS": []string{}, "ListY": [][]byte{}, "ListD": []civil.Date{}, "ListT": []time.Time{}, "ListJ": []spanner.NullJSON{},
		}),
		spanner.InsertMap("Shapes", map[string]any{
			"Id": 3, "B": true, "I": int64(math.MaxInt64), "F": math.NaN(), "R": float32(math.Inf(-1)), "N": new(big.Rat).SetFrac(big.NewInt(1), big.NewInt(1_000_000_000)),
			"S": "\x00\u2028 ½ 𝄞 \"';", "Y": []byte{0, 255, '\n'}, "D": civil.Date{Year: 9999, Month: 12, Day: 31}, "T": late,
			"J": spanner.NullJSON{Value: []any{1.5, nil, "x", map[string]any{"ä": "<>"}}, Valid: true}, "Committed": spanner.CommitTimestamp,
			"ListB": []spanner.NullBool{{}, {Bool: true, Valid: true}}, "ListI": []spanner.NullInt64{{}, {Int64: math.MaxInt64, Valid: true}},
			"ListF": []spanner.NullFloat64{{}, {Float64: math.Inf(1), Valid: true}, {Float64: math.SmallestNonzeroFloat64, Valid: true}},
			"ListN": []spanner.NullNumeric{{}}, "ListS": []spanner.NullString{{}, {StringVal: "", Valid: true}}, "ListY": [][]byte{nil, {}, {0}},
			"ListD": []spanner.NullDate{{}}, "ListT": []spanner.NullTime{{}, {Time: late, Valid: true}}, "ListJ": []spanner.NullJSON{{}},
		}),
		spanner.InsertMap("Shapes", map[string]any{"Id": 4, "S": strings.Repeat("x", 2<<20), "Y": make([]byte, 5<<20)}),
	)
	file := export(t, from)
	s, err := state.Import(t.Context(), to, file)
	if err != nil {
		t.Fatal(err)
	}
	if s.Rows < 8 || s.Schema < 4 || s.Tables < 14 || len(s.Dropped) != 0 {
		t.Errorf("summary = %+v", s)
	}
	for _, sql := range []string{everyShape, "SELECT * FROM Zoo", "SELECT * FROM Animals", "SELECT * FROM Aliases ORDER BY Id", "SELECT * FROM SchemaMigrations ORDER BY Version"} {
		same(t, from, to, sql)
	}
	if got := content(t, to, "SELECT Loud FROM Zoo@{FORCE_INDEX=_BASE_TABLE}"); len(got) != 1 || got[0][0].GetStringValue() != "LION" {
		t.Errorf("the generated column = %v", got)
	}
	// What was restored is exported as the same bytes: nothing is to be written.
	again := state.Exporter{Client: to, File: file}
	if s, err := again.Export(t.Context()); err != nil || s.Written {
		t.Errorf("export after restore = %+v, %v", s, err)
	}
}

func TestAnyRowsSurvive(t *testing.T) {
	t.Parallel()
	from := emutest.Database(t)
	ddl(t, from, shapes...)
	dir := t.TempDir()
	all := []string{"B", "I", "F", "S", "Y", "T", "ListI", "ListS", "ListY", "ListT"}
	// A database a check would be slow: rows pile up in one, restored once.
	id := int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		var rows []*spanner.Mutation
		for range rapid.IntRange(1, 8).Draw(rt, "rows") {
			id++
			row := map[string]any{"Id": id}
			for _, c := range all {
				if rapid.Bool().Draw(rt, "set") {
					row[c] = draw(rt, c)
				}
			}
			rows = append(rows, spanner.InsertMap("Shapes", row))
		}
		apply(t, from, rows...)
	})
	file := filepath.Join(dir, "spanner.snapshot")
	e := state.Exporter{Client: from, File: file}
	if _, err := e.Export(t.Context()); err != nil {
		t.Fatal(err)
	}
	to := emutest.Database(t)
	ddl(t, to, shapes...)
	if _, err := state.Import(t.Context(), to, file); err != nil {
		t.Fatal(err)
	}
	if len(content(t, to, everyShape)) != int(id) {
		t.Errorf("%d rows, want %d", len(content(t, to, everyShape)), id)
	}
	same(t, from, to, everyShape)
}

func draw(t *rapid.T, column string) any {
	instant := rapid.Map(rapid.Int64Range(-62135596800, 253402300799), func(s int64) time.Time { return time.Unix(s, s&0xfffffff).UTC() })
	switch column {
	case "B":
		return rapid.Bool().Draw(t, column)
	case "I":
		return rapid.Int64().Draw(t, column)
	case "F":
		return rapid.Float64().Draw(t, column)
	case "S":
		return rapid.String().Draw(t, column)
	case "Y":
		return rapid.SliceOf(rapid.Byte()).Draw(t, column)
	case "T":
		return instant.Draw(t, column)
	case "ListI":
		return rapid.SliceOf(rapid.Ptr(rapid.Int64(), true)).Draw(t, column)
	case "ListS":
		return rapid.SliceOf(rapid.Ptr(rapid.String(), true)).Draw(t, column)
	case "ListY":
		return rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, column)
	}
	return rapid.SliceOf(instant).Draw(t, column)
}

func TestAnExportIsOfOneMoment(t *testing.T) {
	t.Parallel()
	from := emutest.Database(t)
	ddl(t, from, shapes...)
	// Each commit writes a pair, in tables that are read one after the other.
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	first := make(chan struct{})
	go func() {
		for i := int64(0); ; i++ {
			_, err := from.Apply(ctx, []*spanner.Mutation{
				spanner.InsertMap("Aliases", map[string]any{"Id": i}), spanner.InsertMap("Shapes", map[string]any{"Id": i}),
			})
			if err != nil {
				ended <- err
				return
			}
			if i == 0 {
				close(first)
			}
		}
	}()
	<-first
	for range 3 {
		file := export(t, from)
		to := emutest.Database(t)
		ddl(t, to, shapes...)
		if _, err := state.Import(t.Context(), to, file); err != nil {
			t.Fatal(err)
		}
		a, b := content(t, to, "SELECT Id FROM Aliases ORDER BY Id"), content(t, to, "SELECT Id FROM Shapes ORDER BY Id")
		if len(a) != len(b) || len(a) == 0 {
			t.Errorf("%d rows of one table, %d of the other", len(a), len(b))
		}
	}
	cancel()
	if err := <-ended; spanner.ErrCode(err).String() != "Canceled" {
		t.Errorf("the writer ended with %v", err)
	}
}
