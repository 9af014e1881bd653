package e2e

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
)

type trackObject struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Href    string `json:"href"`
	URI     string `json:"uri"`
	Artists []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"artists"`
	Album struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		TotalTracks int    `json:"total_tracks"`
		ReleaseDate string `json:"release_date"`
		Copyrights  []struct {
			Text string `json:"text"`
		} `json:"copyrights"`
	} `json:"album"`
	TrackNumber int               `json:"track_number"`
	DiscNumber  int               `json:"disc_number"`
	ExternalIDs map[string]string `json:"external_ids"`
	IsPlayable  *bool             `json:"is_playable"`
}

func trackOf(t *testing.T, id, query string) trackObject {
	t.Helper()
	var o trackObject
	if err := segue.as(t, "FREE").Call(t.Context(), http.MethodGet, "/v1/tracks/"+id+query, nil, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTagsAndMetadataMakeOneAlbum(t *testing.T) {
	t.Parallel()
	first := playable(t, fixture(t, "2", "title=One", "artist=Ensemble Å;Soloist", "album_artist=Ensemble Å", "album=A  Common Album",
		"track=1/2", "date=2025-03-09T00:00:00", "ISRC=se-abc-26-00002", "copyright=© 2025 Ensemble Å"), "one.flac", "audio/flac", ingest.Metadata{})
	second := playable(t, fixture(t, "2.5", "title=wrong", "track=7"), "two.flac", "audio/flac", ingest.Metadata{
		Title: "Two", Artists: []string{"ENSEMBLE Å"}, Album: "a common ALBUM", TrackNumber: 2, Markets: []string{"SE", "NO"},
	})
	a, b := trackOf(t, first, ""), trackOf(t, second, "?market=DE")
	if a.Name != "One" || len(a.Artists) != 2 || a.Artists[1].Name != "Soloist" || a.TrackNumber != 1 || a.DiscNumber != 1 ||
		a.ExternalIDs["isrc"] != "SEABC2600002" || a.Album.ReleaseDate != "2025-03-09" || a.URI != "spotify:track:"+first || a.Href != segue.url+"/v1/tracks/"+first {
		t.Errorf("first track = %+v", a)
	}
	if len(a.Album.Copyrights) != 1 || a.Album.Copyrights[0].Text != "© 2025 Ensemble Å" {
		t.Errorf("copyrights = %+v", a.Album.Copyrights)
	}
	if b.Name != "Two" || b.TrackNumber != 2 || b.Album.ID != a.Album.ID || b.Artists[0].ID != a.Artists[0].ID || b.Album.TotalTracks != 2 {
		t.Errorf("second track = %+v, first = %+v", b, a)
	}
	if b.IsPlayable == nil || *b.IsPlayable {
		t.Error("a track for SE and NO is playable in DE")
	}
	s := streamOf(t, "FREE", first, "?context=spotify:album:"+a.Album.ID+"&offset=0")
	if s.Next == nil || s.Next.Context != "album" || s.Next.TrackID != second {
		t.Errorf("next of the first track = %+v, want %s", s.Next, second)
	}
	if s := streamOf(t, "FREE", second, "?context=spotify:album:"+a.Album.ID); s.Next != nil {
		t.Errorf("next of the last track = %+v", s.Next)
	}
}

func TestTheSameFileAgainIsADuplicate(t *testing.T) {
	t.Parallel()
	file := fixture(t, "2.2")
	track := playable(t, file, "a.flac", "audio/flac", ingest.Metadata{})
	s := upload(t, file, "b.flac", "audio/flac", ingest.Metadata{})
	if s.Status != ingest.Duplicate || s.DuplicateOf != track || !strings.Contains(s.Reason, track) {
		t.Errorf("the second upload = %+v", s)
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	flac := ffmpeg(t, nil, "-v", "error", "-nostdin", "-i", fixture(t, "4"), "-f", "flac", "pipe:1")
	for _, test := range []struct {
		name, contentType string
		body              []byte
		reason            string
	}{
		{"text.mp3", "audio/mpeg", []byte("this is a text, whatever its name says\n"), "not audio"},
		{"empty.flac", "audio/flac", nil, "the file is empty"},
		{"truncated.flac", "audio/flac", flac[:len(flac)/2], "truncated"},
		{"header.flac", "audio/flac", flac[:42], "audio"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := upload(t, write(t, test.name, test.body), test.name, test.contentType, ingest.Metadata{})
			if s.Status != ingest.Failed || !strings.Contains(s.Reason, test.reason) || s.TrackID != "" {
				t.Errorf("upload = %+v, want failed because of %q", s, test.reason)
			}
			if strings.Contains(s.Reason, "/") && strings.Contains(s.Reason, "probe-") {
				t.Errorf("the reason shows a path: %q", s.Reason)
			}
		})
	}
}

func TestAnUploadURLWorksOnce(t *testing.T) {
	t.Parallel()
	label := segue.as(t, "LABEL")
	body := []byte("not audio, but that is not the point")
	a := client.Announcement{Filename: "a.mp3", ContentType: "audio/mpeg", Size: int64(len(body))}
	var target client.Target
	if err := label.Call(t.Context(), http.MethodPost, "/v1/uploads", a, &target); err != nil {
		t.Fatal(err)
	}
	if err := label.Put(t.Context(), target, strings.NewReader(string(body[1:])), a.Size-1); err == nil {
		t.Error("a body that is too short was taken")
	}
	other := target
	other.Headers = map[string]string{"Content-Type": "text/html"}
	if err := label.Put(t.Context(), other, strings.NewReader(string(body)), a.Size); err == nil {
		t.Error("another content type was taken")
	}
	if err := label.Put(t.Context(), target, strings.NewReader(string(body)), a.Size); err != nil {
		t.Errorf("the announced file: %v", err)
	}
	if err := label.Put(t.Context(), target, strings.NewReader(string(body)), a.Size); err == nil || !strings.Contains(err.Error(), "412") {
		t.Errorf("the URL's second use: %v, want 412", err)
	}
}

func status(err error) (int, string) {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Status, e.Reason
	}
	return 0, ""
}
