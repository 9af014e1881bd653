package playback

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"time"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"
)

// SignBytes signs as a service account does: RSA PKCS #1 v1.5 over SHA-256 of
// the text, for instance IAM's signBlob.
type SignBytes func(ctx context.Context, text []byte) ([]byte, error)

// GCSOptions say in whose name URLs are signed, and where the bucket answers.
// Exactly one of PrivateKey, SignBytes and Handle signs.
type GCSOptions struct {
	Bucket string
	// GoogleAccessID is the signing service account's email; with a Handle it may
	// be empty, and is then that of the client's credentials.
	GoogleAccessID string
	// PrivateKey is the account's key as PEM.
	PrivateKey []byte
	SignBytes  SignBytes
	// Handle signs through its client's credentials: IAM's signBlob, one call for
	// each URL, where they hold no private key, as on Cloud Run.
	Handle *storage.BucketHandle
	// Host and Insecure address something other than storage.googleapis.com over
	// HTTPS: host or host:port, and plain HTTP.
	Host     string
	Insecure bool
}

// GCSV4 signs Cloud Storage V4 URLs, one signature for each object, for where
// there is no CDN. They can last seven days at most.
type GCSV4 struct {
	opts GCSOptions
	sign SignBytes
}

// NewGCSV4 checks the options, so that a bad key fails at start.
func NewGCSV4(opts GCSOptions) (*GCSV4, error) {
	if opts.Bucket == "" {
		return nil, errors.New("GCS signer: no bucket")
	}
	ways := 0
	for _, given := range []bool{len(opts.PrivateKey) > 0, opts.SignBytes != nil, opts.Handle != nil} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, fmt.Errorf("GCS signer: give one of a private key, a signing function and a bucket handle, not %d", ways)
	}
	if opts.GoogleAccessID == "" && opts.Handle == nil {
		return nil, errors.New("GCS signer: no service account email")
	}
	if opts.Host == "" {
		// Named, since the library would otherwise take an emulator's from the
		// environment, and call it over HTTPS.
		opts.Host = "storage.googleapis.com"
	}
	g := &GCSV4{opts: opts, sign: opts.SignBytes}
	if len(opts.PrivateKey) > 0 {
		key, err := parseRSA(opts.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("GCS signer: %w", err)
		}
		g.sign = signWith(key)
	}
	return g, nil
}

// Sign implements Signer.
func (g *GCSV4) Sign(ctx context.Context, folder string, expires time.Time) (URLs, error) {
	if err := checkFolder(folder); err != nil {
		return URLs{}, err
	}
	// The storage library dates signatures by the system's clock, and so must this.
	if time.Until(expires) <= 0 {
		return URLs{}, fmt.Errorf("signed URL would expire at %s, which is past", expires.Format(time.RFC3339))
	}
	var urls URLs
	// Signatures may be calls: they wait for each other no longer than needed.
	group, ctx := errgroup.WithContext(ctx)
	for object, to := range map[string]*string{DataObject: &urls.Data, HashesObject: &urls.Hashes, SeekObject: &urls.Seek} {
		group.Go(func() error {
			signed, err := inContext(ctx, func() (string, error) { return g.signObject(ctx, folder+object, expires) })
			if err != nil {
				return fmt.Errorf("sign URL of %s%s: %w", folder, object, err)
			}
			*to = signed
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return URLs{}, err
	}
	return urls, nil
}

func (g *GCSV4) signObject(ctx context.Context, object string, expires time.Time) (string, error) {
	opts := &storage.SignedURLOptions{
		GoogleAccessID: g.opts.GoogleAccessID,
		Method:         http.MethodGet,
		Expires:        expires,
		Scheme:         storage.SigningSchemeV4,
		Hostname:       g.opts.Host,
		Insecure:       g.opts.Insecure,
	}
	if g.opts.Handle != nil {
		return g.opts.Handle.SignedURL(object, opts)
	}
	opts.SignBytes = func(text []byte) ([]byte, error) { return g.sign(ctx, text) }
	return storage.SignedURL(g.opts.Bucket, object, opts)
}

// signWith keeps the parsed key: the storage library would parse its PEM anew
// for every URL.
func signWith(key *rsa.PrivateKey) SignBytes {
	return func(_ context.Context, text []byte) ([]byte, error) {
		sum := sha256.Sum256(text)
		return rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	}
}

func parseRSA(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("private key is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		key, err1 := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err1 != nil {
			return nil, fmt.Errorf("private key is neither PKCS #8 nor PKCS #1: %w", errors.Join(err, err1))
		}
		return key, nil
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("private key is %T, not RSA", parsed)
	}
	return key, nil
}
