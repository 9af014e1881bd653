package e2e

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
)

// noOrphans holds the folders of the audio bucket against those of the rows, a
// day later.
func (r *running) noOrphans(t *testing.T) {
	t.Helper()
	tomorrow := time.Now().Add(25 * time.Hour).UTC().Format(time.RFC3339)
	if resp, body := fetch(t, http.MethodPost, r.url+"/_emulators/schedule/ingest-cleanup?at="+url.QueryEscape(tomorrow), nil); resp.status != http.StatusOK {
		t.Fatalf("the clean-up: %d: %s", resp.status, body)
	}
	db := r.database(t)
	for deadline := time.Now().Add(time.Minute); ; wait(t) {
		folders := map[string]bool{}
		for _, o := range r.objects(t, "") {
			folders[o[:strings.LastIndexByte(o, '/')+1]] = true
		}
		rows := map[string]bool{}
		err := db.Single().Read(t.Context(), "Renditions", spanner.AllKeys(), []string{"Folder"}).Do(func(row *spanner.Row) error {
			var f string
			err := row.Columns(&f)
			rows[f] = true
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if maps.Equal(folders, rows) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the bucket has %v, rows lead to %v", slices.Sorted(maps.Keys(folders)), slices.Sorted(maps.Keys(rows)))
		}
	}
}
