package upload

import (
	"context"
	"net/http"
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
)

func TestMain(m *testing.M) { emutest.Main(m) }

func deps(t *testing.T) Deps {
	t.Helper()
	d := Deps{Spanner: emutest.Database(t), Bucket: emutest.Bucket(t), HTTP: http.DefaultClient, Now: time.Now, NewID: id.Random}
	var err error
	if d.Signer, err = config.Load[gcp.SignerConfig](t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// as is a call of a label's account.
func as(ctx context.Context, label string) context.Context {
	return httpapi.WithCaller(ctx, httpapi.Caller{Subject: label})
}

// announce is a request that nothing is wrong with.
func announce(size int64) CreateRequest {
	return CreateRequest{Filename: "Hold Up.flac", ContentType: "audio/flac", Size: &size}
}

func create(t *testing.T, d Deps, label string, r CreateRequest) CreateResponse {
	t.Helper()
	got, err := Create(as(t.Context(), label), r, d)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func rows(t *testing.T, c *spanner.Client) (n int) {
	t.Helper()
	err := c.Single().Read(t.Context(), "Uploads", spanner.AllKeys(), []string{"UploadId"}).Do(func(*spanner.Row) error { n++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}
