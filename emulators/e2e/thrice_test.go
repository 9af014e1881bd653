package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
)

// Each event of this harness arrives three times, two of them at once. What is
// left behind is looked for in the stores themselves.
func TestThreeDeliveriesLeaveOneLiveFolderPerRendition(t *testing.T) {
	t.Parallel()
	r := startIn(t, filepath.Join(t.TempDir(), "data"), "--copies", "3")
	label, ctx := r.as(t, "LABEL"), within(t, 2*time.Minute)
	target, err := label.Upload(ctx, fixture(t, "1", "title=Thrice", "artist=Thrice", "album=Thrice"), client.Announcement{Filename: "thrice.flac", ContentType: "audio/flac"})
	if err != nil {
		t.Fatal(err)
	}
	s := follow(ctx, t, label, target.ID)
	if s.Status != ingest.Playable {
		t.Fatalf("the upload ends as %+v\n%s", s, r.log())
	}
	track := s.TrackID
	var folders []string
	for _, q := range []string{"?format=ogg&quality=96", "?format=ogg&quality=160", "?format=ogg&quality=320", "?format=aac&quality=96", "?format=aac&quality=160", "?format=aac&quality=320"} {
		var played stream
		if err := r.as(t, "PREMIUM").Call(ctx, http.MethodGet, "/v1/tracks/"+track+"/stream"+q, nil, &played); err != nil {
			t.Fatal(err)
		}
		u := played.URL
		folders = append(folders, strings.TrimPrefix(u[:strings.Index(u, "/data?")+1], r.env(t)["SEGUE_CDN_URL"]+"/"))
	}
	slices.Sort(folders)
	db := r.database(t)
	// A loser is removed after the track is playable: wait for that.
	deadline := time.Now().Add(time.Minute)
	for {
		attempts, err := ingest.Attempts(t.Context(), db.Single(), track)
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		keys := map[string]bool{}
		for _, a := range attempts {
			left = append(left, a.Folder)
			keys[string(a.WrappedKey)] = true
		}
		slices.Sort(left)
		if slices.Equal(left, folders) && len(keys) == len(folders) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("attempts have folders %v, live are %v", left, folders)
		}
		wait(t)
	}
	for _, f := range folders {
		if got, want := r.objects(t, f), []string{f + "data", f + "hashes", f + "seek"}; !slices.Equal(got, want) {
			t.Errorf("objects in %s: %v", f, got)
		}
	}
	if n := count(t, db, "SELECT COUNT(*) FROM Tracks WHERE Title = 'Thrice'"); n != 1 {
		t.Errorf("%d tracks", n)
	}
	if n := count(t, db, "SELECT COUNT(*) FROM Artists WHERE Name = 'Thrice'"); n != 1 {
		t.Errorf("%d artists", n)
	}
	if err := r.stop(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}

// wait is the pause between two looks at a condition.
func wait(t *testing.T) {
	t.Helper()
	select {
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	case <-time.After(200 * time.Millisecond):
	}
}

func (r *running) database(t *testing.T) *spanner.Client {
	t.Helper()
	env := r.env(t)
	client, err := spanner.NewClientWithConfig(t.Context(), env["SEGUE_SPANNER_DATABASE"], spanner.ClientConfig{DisableNativeMetrics: true},
		option.WithEndpoint(env["SPANNER_EMULATOR_HOST"]), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func count(t *testing.T, db *spanner.Client, sql string) int64 {
	t.Helper()
	var n int64
	err := db.Single().Query(t.Context(), spanner.NewStatement(sql)).Do(func(r *spanner.Row) error { return r.Columns(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (r *running) objects(t *testing.T, prefix string) []string {
	t.Helper()
	env := r.env(t)
	u := env["SEGUE_STORAGE_URL"] + "/storage/v1/b/" + env["SEGUE_AUDIO_BUCKET"] + "/o?prefix=" + url.QueryEscape(prefix)
	resp, body := fetch(t, http.MethodGet, u, http.Header{"Authorization": {"Bearer " + env["SEGUE_STORAGE_BEARER"]}})
	var list struct {
		Items []struct {
			Name string `json:"name"`
		} `json:"items"`
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&list); err != nil || resp.status != http.StatusOK {
		t.Fatalf("list of %s: %d: %s", prefix, resp.status, body)
	}
	var names []string
	for _, i := range list.Items {
		names = append(names, i.Name)
	}
	slices.Sort(names)
	return names
}
