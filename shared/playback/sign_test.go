package playback_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"os"
	"testing"

	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/emulators/cdn"
	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/playback"
	"github.com/segue-audio/segue/shared/playback/playbacktest"
)

func into(bucket *storage.BucketHandle) playbacktest.Storage {
	return func(t *testing.T, object string, content []byte) {
		t.Helper()
		w := bucket.Object(object).NewWriter(t.Context())
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Both implementations of Signer, on what checks their URLs.
func TestCloudCDN(t *testing.T) {
	t.Parallel()
	bucket := emutest.Bucket(t)
	key := []byte("0123456789abcdef")
	front, err := cdn.New(cdn.Options{
		Origin: os.Getenv("SEGUE_STORAGE_URL"), Bucket: bucket.BucketName(), Keys: map[string][]byte{"key-1": key},
		Transport: gcp.Bearer{Token: os.Getenv("SEGUE_STORAGE_BEARER"), Base: http.DefaultTransport},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := front.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = front.Stop(context.WithoutCancel(t.Context())) })
	signer, err := playback.NewCloudCDN(front.URL(), "key-1", base64.URLEncoding.EncodeToString(key))
	if err != nil {
		t.Fatal(err)
	}
	playbacktest.TestSigner(t, signer, into(bucket))
}

func TestGCSV4(t *testing.T) {
	t.Parallel()
	bucket := emutest.Bucket(t)
	c, err := config.Load[gcp.SignerConfig](t.Context())
	if err != nil {
		t.Fatal(err)
	}
	host, insecure, err := c.Host()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := playback.NewGCSV4(playback.GCSOptions{
		Bucket: bucket.BucketName(), GoogleAccessID: c.Email, PrivateKey: []byte(c.Key), Host: host, Insecure: insecure,
	})
	if err != nil {
		t.Fatal(err)
	}
	playbacktest.TestSigner(t, signer, into(bucket))
}
