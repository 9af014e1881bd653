package upload

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/ingest"
)

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	d := deps(t)
	many := func(s string) []string { return strings.Split(strings.Repeat(s+",", 100)+s, ",") }
	long := strings.Repeat("é", 501)
	for _, c := range []struct {
		want   string
		change func(*CreateRequest)
	}{
		{"size is missing: the file's length in bytes", func(r *CreateRequest) { r.Size = nil }},
		{"size is missing: the file's length in bytes", func(r *CreateRequest) { r.Resumable, r.Size = true, nil }},
		{"size is negative", func(r *CreateRequest) { r.Resumable, *r.Size = true, -1 }},
		{`content_type "video/mp4" is none of`, func(r *CreateRequest) { r.Resumable, r.ContentType = true, "video/mp4" }},
		{"filename is empty", func(r *CreateRequest) { r.Filename = "" }},
		{"filename is empty", func(r *CreateRequest) { r.Filename = `\` }},
		{"filename is not text of at most 500 characters", func(r *CreateRequest) { r.Filename = long }},
		{"filename is not text of at most 500 characters", func(r *CreateRequest) { r.Filename = "\xff.flac" }},
		{`content_type "" is none of audio/flac, audio/x-flac, `, func(r *CreateRequest) { r.ContentType = "" }},
		{`content_type "video/mp4" is none of`, func(r *CreateRequest) { r.ContentType = "video/mp4" }},
		{"size is negative", func(r *CreateRequest) { *r.Size = -1 }},
		{"size 1073741825 is above the limit of 1073741824 bytes (1 GiB)", func(r *CreateRequest) { *r.Size = 1<<30 + 1 }},
		{"size is negative; metadata.isrc: \"x\" is not an ISRC", func(r *CreateRequest) { *r.Size, r.Metadata.ISRC = -1, "x" }},
		{"metadata.title is not text of at most 500 characters", func(r *CreateRequest) { r.Metadata.Title = long }},
		{"metadata.album is not text of at most 500 characters", func(r *CreateRequest) { r.Metadata.Album = "a\x00" }},
		{"metadata.label is not text of at most 500 characters", func(r *CreateRequest) { r.Metadata.Label = "\xff" }},
		{"metadata.artists has an empty entry", func(r *CreateRequest) { r.Metadata.Artists = []string{"a", " \t"} }},
		{"metadata.artists has more than 100 entries", func(r *CreateRequest) { r.Metadata.Artists = many("a") }},
		{"metadata.album_artists has an empty entry", func(r *CreateRequest) { r.Metadata.AlbumArtists = []string{""} }},
		{"metadata.genres has more than 100 entries", func(r *CreateRequest) { r.Metadata.Genres = many("pop") }},
		{"metadata.copyrights is not text of at most 500 characters", func(r *CreateRequest) { r.Metadata.Copyrights = []string{long} }},
		{"metadata.credits.name has an empty entry", func(r *CreateRequest) { r.Metadata.Credits = []catalog.Credit{{Role: "producer"}} }},
		{`metadata.credits: role "main_artist" is none of performer, `, func(r *CreateRequest) {
			r.Metadata.Credits = []catalog.Credit{{Name: "a", Role: "main_artist"}}
		}},
		{"metadata.credits has more than 100 entries", func(r *CreateRequest) {
			r.Metadata.Credits = make([]catalog.Credit, 101)
			for i := range r.Metadata.Credits {
				r.Metadata.Credits[i] = catalog.Credit{Name: "a", Role: "writer"}
			}
		}},
		{"metadata.disc_number and track_number are between 1 and 9999", func(r *CreateRequest) { r.Metadata.DiscNumber = -1 }},
		{"metadata.disc_number and track_number are between 1 and 9999", func(r *CreateRequest) { r.Metadata.TrackNumber = 10_000 }},
		{`metadata.release_date: "2023-02-30" is not a date of the form`, func(r *CreateRequest) { r.Metadata.ReleaseDate = "2023-02-30" }},
		{`metadata.markets: "UK" is not a country code of ISO 3166-1`, func(r *CreateRequest) { r.Metadata.Markets = []string{"SE", "UK"} }},
	} {
		r := announce(1)
		c.change(&r)
		err := r.Validate()
		if err == nil {
			_, err = Create(as(t.Context(), "label"), r, d)
		}
		if errs.CodeOf(err) != errs.Invalid || !strings.HasPrefix(errs.From(err).Message, c.want) || strings.Contains(errs.From(err).Message, "\n") {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
	if n := rows(t, d.Spanner); n != 0 {
		t.Errorf("%d uploads are recorded", n)
	}
}

func TestCreateRecordsWhatWasAnnounced(t *testing.T) {
	t.Parallel()
	d := deps(t)
	now := time.Now().Truncate(time.Second).Add(999 * time.Millisecond)
	d.Now = func() time.Time { return now }
	r := announce(1 << 30)
	r.Filename, r.AllowDuplicate = `C:\music/..\Hold Up.flac`, true
	r.Metadata = ingest.Metadata{
		Title: "Hold Up", Artists: []string{"Beyoncé"}, ISRC: "us-sm1-16-03244", Markets: []string{"SE"}, DiscNumber: 9999, TrackNumber: 2,
		Credits: []catalog.Credit{{Name: "Diplo", Role: "producer"}}, ReleaseDate: "2016-04", Explicit: new(true), Genres: []string{"pop"},
	}
	got := create(t, d, "label", r)
	u, err := ingest.Read(t.Context(), d.Spanner.Single(), got.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := &ingest.Upload{
		ID: got.ID, LabelID: "label", Object: "uploads/" + got.ID, Filename: "Hold Up.flac", ContentType: "audio/flac", Size: 1 << 30,
		AllowDuplicate: true, Metadata: r.Metadata, Status: ingest.Waiting, ExpiresAt: now.Add(time.Hour - 999*time.Millisecond).UTC(),
	}
	want.Metadata.ISRC = "USSM11603244"
	if diff := cmp.Diff(want, u); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !got.ExpiresAt.Equal(want.ExpiresAt) || got.Method != http.MethodPut {
		t.Errorf("answered %+v", got)
	}
}

// put sends a file as the answer says, or otherwise, and returns the status.
func put(t *testing.T, method, to string, headers map[string]string, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestURLTakesTheFileOnce(t *testing.T) {
	t.Parallel()
	d := deps(t)
	got := create(t, d, "label", announce(5))
	if s := put(t, got.Method, got.UploadURL, got.Headers, "sound"); s != http.StatusOK {
		t.Fatalf("PUT: %d", s)
	}
	if s := put(t, got.Method, got.UploadURL, got.Headers, "noise"); s != http.StatusPreconditionFailed {
		t.Errorf("second PUT: %d", s)
	}
	r, err := d.Bucket.Object("uploads/" + got.ID).NewReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || string(b) != "sound" || r.Attrs.ContentType != "audio/flac" {
		t.Errorf("stored %q of type %s: %v", b, r.Attrs.ContentType, err)
	}
}

func TestURLTakesNothingElse(t *testing.T) {
	t.Parallel()
	d := deps(t)
	for name, c := range map[string]struct {
		method, body string
		header       map[string]string // "" removes one
		url          func(string) string
		want         int
	}{
		"shorter":          {body: "soun", want: http.StatusBadRequest},
		"longer":           {body: "sounds", want: http.StatusBadRequest},
		"empty":            {body: "", want: http.StatusBadRequest},
		"another type":     {header: map[string]string{"Content-Type": "audio/mpeg"}, want: http.StatusForbidden},
		"no type":          {header: map[string]string{"Content-Type": ""}, want: http.StatusBadRequest},
		"a wider range":    {body: "sounds", header: map[string]string{"x-goog-content-length-range": "0,99"}, want: http.StatusForbidden},
		"no range":         {body: "sounds", header: map[string]string{"x-goog-content-length-range": ""}, want: http.StatusBadRequest},
		"no precondition":  {header: map[string]string{"x-goog-if-generation-match": ""}, want: http.StatusBadRequest},
		"a read":           {method: http.MethodGet, want: http.StatusForbidden},
		"a deletion":       {method: http.MethodDelete, want: http.StatusForbidden},
		"another object":   {url: func(u string) string { return strings.Replace(u, "/uploads/", "/uploads/x", 1) }, want: http.StatusForbidden},
		"without its sign": {url: func(u string) string { b, _, _ := strings.Cut(u, "?"); return b }, want: http.StatusForbidden},
	} {
		got := create(t, d, "label", announce(5))
		headers := maps.Clone(got.Headers)
		for k, v := range c.header {
			if headers[k] = v; v == "" {
				delete(headers, k)
			}
		}
		method, to, body := got.Method, got.UploadURL, "sound"
		if c.method != "" {
			method = c.method
		}
		if c.url != nil {
			to = c.url(to)
		}
		if c.body != "" || name == "empty" {
			body = c.body
		}
		if s := put(t, method, to, headers, body); s != c.want {
			t.Errorf("%s: %d, want %d", name, s, c.want)
		}
		if _, err := d.Bucket.Object("uploads/" + got.ID).Attrs(t.Context()); err == nil {
			t.Errorf("%s: an object is there", name)
		}
	}
}

func TestURLLastsAnHour(t *testing.T) {
	t.Parallel()
	d := deps(t)
	got := create(t, d, "label", announce(5))
	u, err := url.Parse(got.UploadURL)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := time.Parse("20060102T150405Z", u.Query().Get("X-Goog-Date"))
	if err != nil {
		t.Fatal(err)
	}
	lasts, err := time.ParseDuration(u.Query().Get("X-Goog-Expires") + "s")
	if off := signed.Add(lasts).Sub(got.ExpiresAt).Abs(); err != nil || off > time.Second || lasts > urlTTL {
		t.Errorf("the URL ends %s from what was said: %v", off, err)
	}
}
