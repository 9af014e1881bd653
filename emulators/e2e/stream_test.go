package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// stream is the answer of GET /v1/tracks/{id}/stream, as a client reads it.
type stream struct {
	TrackID      string `json:"track_id"`
	Format       string `json:"format"`
	Bitrate      int    `json:"bitrate"`
	Size         int64  `json:"size"`
	DurationMs   int64  `json:"duration_ms"`
	URL          string `json:"url"`
	HashesURL    string `json:"hashes_url"`
	SeekURL      string `json:"seek_url"`
	EncoderDelay int    `json:"encoder_delay"`
	TotalSamples int    `json:"total_samples"`
	HeadSize     int64  `json:"head_size"`
	BlockSize    int    `json:"block_size"`
	Key          struct {
		Scheme string `json:"scheme"`
		ID     string `json:"id"`
		Value  string `json:"value"`
	} `json:"key"`
	GainDb *float64 `json:"gain_db"`
	Peak   *float64 `json:"peak"`
	Next   *struct {
		Context string `json:"context"`
		TrackID string `json:"track_id"`
	} `json:"next"`
}

// upload sends a file and follows it to its end.
func upload(t *testing.T, file, name, contentType string, m ingest.Metadata) client.Status {
	t.Helper()
	label := segue.as(t, "LABEL")
	ctx := within(t, 4*time.Minute)
	target, err := label.Upload(ctx, file, client.Announcement{Filename: name, ContentType: contentType, Metadata: m})
	if err != nil {
		t.Fatal(err)
	}
	return follow(ctx, t, label, target.ID)
}

func follow(ctx context.Context, t *testing.T, c *client.Client, id string) client.Status {
	t.Helper()
	last := 0.0
	s, err := c.Follow(ctx, id, 500*time.Millisecond, func(s client.Status) {
		if s.Status == ingest.Processing && s.Progress < last {
			t.Errorf("progress fell from %v to %v", last, s.Progress)
		}
		last = s.Progress
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func playable(t *testing.T, file, name, contentType string, m ingest.Metadata) string {
	t.Helper()
	s := upload(t, file, name, contentType, m)
	if s.Status != ingest.Playable || s.TrackID == "" || s.Progress != 1 {
		t.Fatalf("upload of %s ends as %+v", name, s)
	}
	return s.TrackID
}

func streamOf(t *testing.T, user, track, query string) stream {
	t.Helper()
	var s stream
	if err := segue.as(t, user).Call(t.Context(), http.MethodGet, "/v1/tracks/"+track+"/stream"+query, nil, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// ranges fetches a URL in pieces of odd sizes.
func ranges(t *testing.T, url string, size int64) []byte {
	t.Helper()
	var all []byte
	for i, step := int64(0), int64(1); i < size; i, step = i+step, step*3+7 {
		last := min(i+step, size) - 1
		resp, body := fetch(t, http.MethodGet, url, http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", i, last)}})
		if want := fmt.Sprintf("bytes %d-%d/%d", i, last, size); resp.status != http.StatusPartialContent || resp.header.Get("Content-Range") != want {
			t.Fatalf("range answers %d, Content-Range %q; want %q", resp.status, resp.header.Get("Content-Range"), want)
		}
		all = append(all, body...)
	}
	return all
}

// open fetches a rendition through the CDN, checks its blocks and decrypts it.
func (s stream) open(t *testing.T) (ciphertext, plaintext []byte) {
	t.Helper()
	ciphertext = ranges(t, s.URL, s.Size)
	resp, hashes := fetch(t, http.MethodGet, s.HashesURL, nil)
	blocks := (len(ciphertext) + s.BlockSize - 1) / s.BlockSize
	if resp.status != http.StatusOK || len(hashes) != 32*blocks {
		t.Fatalf("hashes answer %d with %d bytes, want %d", resp.status, len(hashes), 32*blocks)
	}
	for i := range blocks {
		if err := playback.VerifyBlock(hashes, i, ciphertext[i*s.BlockSize:min((i+1)*s.BlockSize, len(ciphertext))]); err != nil {
			t.Fatalf("block %d: %v", i, err)
		}
	}
	key, err := base64.RawURLEncoding.DecodeString(s.Key.Value)
	if err != nil || s.Key.Scheme != "aes-128-ctr" || len(key) != 16 {
		t.Fatalf("key = %+v", s.Key)
	}
	plaintext = make([]byte, len(ciphertext))
	if err := playback.Decrypt(key, 0, plaintext, ciphertext); err != nil {
		t.Fatal(err)
	}
	return ciphertext, plaintext
}

// seek fetches the table and one fragment or page by it, which decrypts alone.
func (s stream) seek(t *testing.T, ciphertext, plaintext []byte) {
	t.Helper()
	resp, body := fetch(t, http.MethodGet, s.SeekURL, nil)
	table, err := playback.ParseSeekTable(body)
	if resp.status != http.StatusOK || err != nil {
		t.Fatalf("the seek table answers %d: %v", resp.status, err)
	}
	i := table.Find(7000)
	if p := table[i]; p.Ms > 7000 || p.Ms < 5000 || i+1 == len(table) {
		t.Fatalf("7 s are at %+v of %d points", p, len(table))
	}
	from, to := table[i].Offset, table[i+1].Offset
	resp, part := fetch(t, http.MethodGet, s.URL, http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", from, to-1)}})
	if resp.status != http.StatusPartialContent || !bytes.Equal(part, ciphertext[from:to]) {
		t.Fatalf("the range of 7 s answers %d with %d bytes", resp.status, len(part))
	}
	key, err := base64.RawURLEncoding.DecodeString(s.Key.Value)
	if err != nil {
		t.Fatal(err)
	}
	opened := make([]byte, len(part))
	if err := playback.Decrypt(key, int64(from), opened, part); err != nil || !bytes.Equal(opened, plaintext[from:to]) {
		t.Errorf("the part of 7 s does not open alone: %v", err)
	}
}

func TestUploadBecomesSixRenditionsOfTheSameAudio(t *testing.T) {
	t.Parallel()
	const seconds = 12.345
	file := fixture(t, "12.345", "title=Rising Tones", "artist=The Generators", "album=Fixtures", "track=3/9", "disc=2",
		"date=2026-11-24", "ISRC=SEABC2600001", "copyright=CC0", "composer=Nobody")
	source := decode(t, file)
	track := playable(t, file, "fixture.flac", "audio/flac", ingest.Metadata{})
	keys, folders := map[string]bool{}, map[string]bool{}
	for _, format := range []string{"ogg", "aac"} {
		for _, quality := range []int{96, 160, 320} {
			s := streamOf(t, "PREMIUM", track, fmt.Sprintf("?format=%s&quality=%d", format, quality))
			if s.TrackID != track || s.Format != format || s.Bitrate != quality || s.GainDb == nil || s.Peak == nil || *s.Peak <= 0.1 || *s.Peak > 1.2 || s.Next != nil {
				t.Errorf("stream = %+v", s)
			}
			if off := s.DurationMs - 12345; off < -1 || off > 1 {
				t.Errorf("duration_ms = %d", s.DurationMs)
			}
			keys[s.Key.Value], folders[s.URL[:strings.LastIndex(s.URL, "/data?")]] = true, true
			ciphertext, plaintext := s.open(t)
			if !plays(t, write(t, "opened", plaintext)) {
				t.Errorf("%s/%d: what was decrypted cannot be played", format, quality)
			}
			if plays(t, write(t, "stored", ciphertext)) {
				t.Errorf("%s/%d: the stored bytes can be played", format, quality)
			}
			name := write(t, "open."+map[string]string{"ogg": "ogg", "aac": "mp4"}[format], plaintext)
			p, ok := ffprobe(t, name)
			if want := map[string]string{"ogg": "vorbis", "aac": "aac"}[format]; !ok || p.Streams[0].Codec != want || p.Streams[0].Rate != "44100" {
				t.Errorf("%s/%d: ffprobe says %+v", format, quality, p)
			} else if off := p.seconds(t) - seconds; off < -0.05 || off > 0.05 {
				t.Errorf("%s/%d is %v s long, want %v", format, quality, p.seconds(t), seconds)
			}
			s.seek(t, ciphertext, plaintext)
			if quality == 320 {
				compare(t, s, decode(t, name), source)
			}
		}
	}
	if len(keys) != 6 || len(folders) != 6 {
		t.Errorf("six renditions have %d keys and %d folders", len(keys), len(folders))
	}
}

// compare holds a decoded rendition against its source at the delay that the
// answer gives: there it fits, a few samples off it does not.
func compare(t *testing.T, s stream, got, source []float64) {
	t.Helper()
	if s.TotalSamples != len(source) {
		t.Errorf("total_samples = %d, the source has %d", s.TotalSamples, len(source))
	}
	if len(got) < s.EncoderDelay+s.TotalSamples {
		t.Fatalf("%s: %d samples decoded, want %d after a delay of %d", s.Format, len(got), s.TotalSamples, s.EncoderDelay)
	}
	if c := correlation(got[s.EncoderDelay:s.EncoderDelay+s.TotalSamples], source); c < 0.99 {
		t.Errorf("%s: correlation with the source is %.4f", s.Format, c)
	}
	if c := correlation(got[s.EncoderDelay+40:], source); c > 0.95 {
		t.Errorf("%s: correlation is %.4f at the wrong delay: the test proves nothing", s.Format, c)
	}
}

func TestEveryAcceptedContainer(t *testing.T) {
	t.Parallel()
	flac := fixture(t, "3")
	for _, test := range []struct{ name, contentType string }{
		{"a.wav", "audio/wav"}, {"a.mp3", "audio/mpeg"}, {"a.ogg", "audio/ogg"}, {"a.opus", "audio/ogg"}, {"a.m4a", "audio/mp4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := t.TempDir() + "/" + test.name
			// A codec by name: what .ogg means differs between builds of ffmpeg.
			args := []string{"-v", "error", "-nostdin", "-i", flac, "-metadata", "title=In " + test.name, "-metadata", "artist=The Generators"}
			if test.name == "a.ogg" {
				args = append(args, "-c:a", "libvorbis")
			}
			ffmpeg(t, nil, append(args, file)...)
			track := playable(t, file, test.name, test.contentType, ingest.Metadata{})
			var got struct {
				Name    string `json:"name"`
				Artists []struct {
					Name string `json:"name"`
				} `json:"artists"`
				DurationMs int64 `json:"duration_ms"`
			}
			if err := segue.as(t, "FREE").Call(t.Context(), http.MethodGet, "/v1/tracks/"+track, nil, &got); err != nil {
				t.Fatal(err)
			}
			if got.Name != "In "+test.name || len(got.Artists) != 1 || got.Artists[0].Name != "The Generators" || got.DurationMs < 2950 || got.DurationMs > 3050 {
				t.Errorf("track = %+v", got)
			}
		})
	}
}
