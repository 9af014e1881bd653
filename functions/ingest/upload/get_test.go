package upload

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/deadletter"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
	"github.com/segue-audio/segue/shared/registry"
)

func TestUploadsThatAreNotThere(t *testing.T) {
	t.Parallel()
	d := deps(t)
	theirs := create(t, d, "other", announce(5)).ID
	for name, upload := range map[string]string{
		"unknown": id.Random(), "another label's": theirs, "no id": "x", "empty": "", "not UTF-8": strings.Repeat("\xff", id.Length),
	} {
		var e *errs.Error
		_, err := Get(as(t.Context(), "label"), GetRequest{ID: upload}, d)
		if !errors.As(err, &e) || e.Code != errs.NotFound || e.Message != "there is no upload "+upload {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// attempt is one try at a rendition of a track.
func attempt(track string, r playback.Rendition, state string) *spanner.Mutation {
	return spanner.InsertMap("RenditionAttempts", map[string]any{
		"TrackId": track, "Format": string(r.Format), "Bitrate": int64(r.Bitrate), "AttemptId": id.Random(), "State": state,
		"LeaseUntil": time.Now(), "Folder": "audio/" + id.Random() + "/", "Cipher": "aes-128-ctr", "WrappedKey": []byte{1},
		"CreatedAt": spanner.CommitTimestamp,
	})
}

// arrive makes an upload's track, as the probe does.
func arrive(t *testing.T, d Deps, upload string) (track string) {
	t.Helper()
	_, err := d.Spanner.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx *spanner.ReadWriteTransaction) (err error) {
		track, err = catalog.Draft{
			LabelID: "label", UploadID: upload, Title: "Hold Up", Artists: []string{"Beyoncé"}, ReleaseDate: "2016", SourceSha256: make([]byte, 32),
		}.Add(ctx, tx, id.Random)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return track
}

func TestGetTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	d := deps(t)
	all := playback.Renditions()
	for name, c := range map[string]struct {
		status         ingest.Status
		complete       []playback.Rendition
		leased         []playback.Rendition
		reason, copyOf string
		want           float64
	}{
		"waiting":                {status: ingest.Waiting, want: 0},
		"probed":                 {status: ingest.Processing, want: 1. / 8},
		"at work":                {status: ingest.Processing, leased: all, want: 1. / 8},
		"three":                  {status: ingest.Processing, complete: all[:3], leased: all, want: 4. / 8},
		"two tries at one":       {status: ingest.Processing, complete: append(all[:1:1], all[0]), want: 2. / 8},
		"all, not yet published": {status: ingest.Processing, complete: all, want: 7. / 8},
		"playable":               {status: ingest.Playable, complete: all, want: 1},
		"failed":                 {status: ingest.Failed, complete: all[:2], reason: "not audio", want: 0},
		"duplicate":              {status: ingest.Duplicate, copyOf: "t", reason: "the same file", want: 1},
	} {
		created := create(t, d, "label", announce(5))
		u := ingest.Upload{ID: created.ID, Status: c.status, Reason: c.reason, DuplicateOf: c.copyOf}
		var rows []*spanner.Mutation
		if c.status != ingest.Waiting && c.copyOf == "" {
			u.TrackID = arrive(t, d, created.ID)
		}
		for _, r := range c.complete {
			rows = append(rows, attempt(u.TrackID, r, ingest.Complete))
		}
		for _, r := range c.leased {
			rows = append(rows, attempt(u.TrackID, r, ingest.Leased))
		}
		if _, err := d.Spanner.Apply(t.Context(), append(rows, u.Update())); err != nil {
			t.Fatal(err)
		}
		got, err := Get(as(t.Context(), "label"), GetRequest{ID: created.ID}, d)
		want := GetResponse{
			ID: u.ID, Status: c.status, Reason: c.reason, TrackID: u.TrackID, DuplicateOf: c.copyOf, Progress: c.want,
			Filename: "Hold Up.flac", ExpiresAt: created.ExpiresAt,
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
}

// An upload whose event is a dead letter is said to be delayed, until it has come
// to an end.
func TestGetTellsOfADelay(t *testing.T) {
	t.Parallel()
	d := deps(t)
	upload := create(t, d, "label", announce(5)).ID
	letter := event.NewDeadLetter("1", nil, map[string]string{"CloudPubSubDeadLetterSourceSubscription": "ingest-probe.upload-finalized"})
	if _, _, err := deadletter.Keep(t.Context(), d.Spanner, letter, upload); err != nil {
		t.Fatal(err)
	}
	const delay = "delayed: the file has arrived, but could not be looked at; it will be tried again by an operator"
	if got, err := Get(as(t.Context(), "label"), GetRequest{ID: upload}, d); err != nil || got.Status != ingest.Waiting || got.Reason != delay {
		t.Errorf("%s: %s, %v", got.Status, got.Reason, err)
	}
	if err := ingest.Fail(t.Context(), d.Spanner, upload, 0, "a reason"); err != nil {
		t.Fatal(err)
	}
	if got, err := Get(as(t.Context(), "label"), GetRequest{ID: upload}, d); err != nil || got.Reason != "a reason" {
		t.Errorf("%s: %s, %v", got.Status, got.Reason, err)
	}
}

// Not parallel: a function finds its stores through the environment.
func TestFunction(t *testing.T) {
	client, bucket := emutest.Database(t), emutest.Bucket(t)
	issuer, err := identity.New(identity.Options{Dir: t.TempDir(), Issuer: "https://accounts.test", Audience: "https://api.test"})
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(issuer.JWKS())
	t.Cleanup(keys.Close)
	for k, v := range map[string]string{
		"SEGUE_PROJECT": "p", "SEGUE_SPANNER_DATABASE": client.DatabaseName(), "SEGUE_TOKEN_ISSUER": "https://accounts.test",
		"SEGUE_TOKEN_AUDIENCE": "https://api.test", "SEGUE_JWKS_URL": keys.URL, "SEGUE_UPLOADS_BUCKET": bucket.BucketName(),
		"SEGUE_IMAGES_URL": "https://img.test",
	} {
		t.Setenv(k, v)
	}
	call := func(method, path, body string, want int, scopes ...string) (o map[string]any) {
		t.Helper()
		token, err := issuer.AccessToken(identity.Claims{Subject: "label", ClientID: "c", Scopes: scopes})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		registry.All()[0].HTTP(rec, r)
		if err := json.Unmarshal(rec.Body.Bytes(), &o); rec.Code != want || err != nil {
			t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
		}
		return o
	}
	const good = `{"filename": "a.flac", "content_type": "audio/flac", "size": 5, "metadata": {"title": "T", "isrc": "USSM11603244"}, "new": 1}`
	call(http.MethodPost, "/v1/uploads", good, http.StatusForbidden)
	call(http.MethodPost, "/v1/uploads", `{"filename": "a.flac", "content_type": "audio/flac"}`, http.StatusBadRequest, scope)
	call(http.MethodPost, "/v1/uploads", `{"size": 5, "filename": "a.flac", "content_type": "text/plain"}`, http.StatusBadRequest, scope)
	created := call(http.MethodPost, "/v1/uploads", good, http.StatusCreated, scope)
	upload, _ := created["id"].(string)
	to, _ := created["upload_url"].(string)
	headers := map[string]string{}
	signed, _ := created["headers"].(map[string]any)
	for k, v := range signed {
		headers[k], _ = v.(string)
	}
	if s := put(t, http.MethodPut, to, headers, "sound"); s != http.StatusOK {
		t.Errorf("PUT: %d", s)
	}
	got := call(http.MethodGet, "/v1/uploads/"+upload, "", http.StatusOK, scope)
	if got["status"] != "waiting" || got["progress"] != 0. || got["reason"] != nil {
		t.Errorf("GET answers %v", got)
	}
	call(http.MethodGet, "/v1/uploads/"+upload, "", http.StatusForbidden, "streaming")
	if _, is := created["resumable"]; is {
		t.Errorf("a plain upload answers %v", created)
	}
	plain := call(http.MethodPost, "/v1/uploads", strings.Replace(good, "{", `{"resumable": false, `, 1), http.StatusCreated, scope)
	if to, _ := plain["upload_url"].(string); !strings.Contains(to, "X-Goog-Signature=") {
		t.Errorf("a plain upload answers %v", plain)
	}
	session := call(http.MethodPost, "/v1/uploads", strings.Replace(good, "{", `{"resumable": true, `, 1), http.StatusCreated, scope)
	to, _ = session["upload_url"].(string)
	if s := put(t, http.MethodPut, to, map[string]string{"Content-Type": "audio/flac"}, "sound"); s != http.StatusOK || session["resumable"] != true || session["method"] != "PUT" {
		t.Errorf("session %v: %d", session, s)
	}
	call(http.MethodGet, "/v1/uploads/"+id.Random(), "", http.StatusNotFound, scope)
}
