package images

import (
	"fmt"
	"net/url"
	"strings"
)

// Config is where clients find the images.
type Config struct {
	// URL is the public address of the images bucket, the CDN's: images/… follows.
	URL string `env:"SEGUE_IMAGES_URL, required"`
}

// Validate refuses what would make every link a dead one.
func (c *Config) Validate() error {
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("SEGUE_IMAGES_URL: %q is not an HTTP URL", c.URL)
	}
	c.URL = strings.TrimRight(c.URL, "/")
	return nil
}
