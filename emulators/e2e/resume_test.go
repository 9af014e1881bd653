package e2e

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
)

// cutter breaks the connections that a file is sent over, each at an offset of
// the file.
type cutter struct {
	mu   sync.Mutex
	cuts []int64
}

func (c *cutter) RoundTrip(r *http.Request) (*http.Response, error) {
	var first, last, size int64
	if _, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &size); err != nil || r.Body == nil {
		return http.DefaultClient.Transport.RoundTrip(r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.cuts) > 0 && c.cuts[0] <= last {
		sent := r.Clone(r.Context())
		sent.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, max(c.cuts[0]-first, 0)), broken{}))
		c.cuts = c.cuts[1:]
		r = sent
	}
	return http.DefaultClient.Transport.RoundTrip(r)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the cable is out") }

// A file whose connection breaks at ten random offsets arrives bit by bit as it
// is: sent again whole, it is found to be the very same.
func TestAnUploadThatIsCutTenTimes(t *testing.T) {
	t.Parallel()
	file := lavfi(t, "long.wav", "anoisesrc=d=4:r=192000:a=0.3", "-ac", "2", "-c:a", "pcm_f32le")
	stat, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	c := &cutter{}
	for i := range int64(10) {
		c.cuts = append(c.cuts, i*stat.Size()/10+r.Int64N(stat.Size()/10))
	}
	label := segue.as(t, "LABEL")
	label.HTTP = &http.Client{Transport: c}
	x := client.Transfer{
		Client: label, File: file, Sessions: &client.Sessions{Dir: t.TempDir()},
		Announcement: client.Announcement{Filename: "long.wav", ContentType: "audio/wav"},
	}
	ctx := within(t, 2*time.Minute)
	target, err := x.Run(ctx)
	if err != nil || len(c.cuts) > 0 {
		t.Fatalf("seed %d: %v, %d cuts are left of %d bytes", seed, err, len(c.cuts), stat.Size())
	}
	s := follow(ctx, t, label, target.ID)
	if s.Status != ingest.Playable {
		t.Fatalf("seed %d: %+v", seed, s)
	}
	again := upload(t, file, "again.wav", "audio/wav", ingest.Metadata{})
	if again.Status != ingest.Duplicate || again.DuplicateOf != s.TrackID || !strings.Contains(again.Reason, "the same file is") {
		t.Errorf("seed %d: sent whole it is %+v", seed, again)
	}
}
