package gcp

import (
	"fmt"
	"net/url"

	"cloud.google.com/go/storage"
)

// SignerConfig says in whose name Cloud Storage URLs are signed. In production
// all of it is empty: the function's own service account signs through IAM.
type SignerConfig struct {
	// StorageURL is where clients reach Cloud Storage, if not at Google's.
	StorageURL string `env:"SEGUE_STORAGE_URL"`
	Email      string `env:"SEGUE_SIGNER_EMAIL"`
	// Key is a service account's private key as PEM.
	Key string `env:"SEGUE_SIGNER_KEY"`
}

// Host is where clients reach Cloud Storage: host or host:port, "" for Google's,
// and whether that speaks plain HTTP.
func (c SignerConfig) Host() (host string, insecure bool, err error) {
	if c.StorageURL == "" {
		return "", false, nil
	}
	u, err := url.Parse(c.StorageURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || (u.Path != "" && u.Path != "/") {
		return "", false, fmt.Errorf("SEGUE_STORAGE_URL %q is not of the form https://host", c.StorageURL)
	}
	return u.Host, u.Scheme == "http", nil
}

// SignURL signs a V4 URL for an object of the bucket; o says for what.
func (c SignerConfig) SignURL(bucket *storage.BucketHandle, object string, o storage.SignedURLOptions) (string, error) {
	host, insecure, err := c.Host()
	if err != nil {
		return "", err
	}
	o.Scheme, o.GoogleAccessID, o.PrivateKey = storage.SigningSchemeV4, c.Email, []byte(c.Key)
	o.Hostname, o.Insecure = host, insecure
	if c.Key == "" {
		o.PrivateKey = nil
	}
	signed, err := bucket.SignedURL(object, &o)
	if err != nil {
		return "", fmt.Errorf("sign a URL for %s: %w", object, err)
	}
	return signed, nil
}
