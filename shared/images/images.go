// Package images says where the pictures of the catalogue lie and how large they
// are: each in three sizes, as JPEG and as WebP, in a bucket that everybody may
// read. It is all that an answer needs; how a picture is checked and made is
// shared/images/render.
package images

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"time"
)

// Prefix of every object.
const Prefix = "images/"

// MaxBytes is how long a picture's file may be.
const MaxBytes = 20 << 20

// Unnamed is how long the objects of a picture that no row names are kept, for
// whoever is about to name it. What is half as old is not relied upon, but written
// anew: so nobody names what the clean-up is about to remove.
const Unnamed = 24 * time.Hour

// version is of the way in which render makes the sizes: objects are never
// written again, so another way needs other names.
const version = 1

// sides are the squares that the sizes fit in, in pixels.
var sides = []int{640, 300, 64}

// The formats of each size, by the objects' extensions.
const (
	JPEG = "jpg"
	WebP = "webp"
)

// Image is a picture of which all objects are written.
type Image struct {
	ID string
	// Width and height of the original, the right way up.
	Width, Height int64
}

// ID is the id of a picture: the same bytes have the same one, so that an
// album's cover is stored once, however many files carry it.
func ID(picture []byte) string {
	h := sha256.New()
	h.Write([]byte{version})
	h.Write(picture)
	return hex.EncodeToString(h.Sum(nil))[:40]
}

// Size is one of a picture's sizes.
type Size struct {
	Side          int // of the square that it fits in
	Width, Height int
}

// Sizes are the picture's three, the largest first. None is larger than the
// original: those of a small one are equal.
func (i Image) Sizes() []Size {
	all := make([]Size, len(sides))
	for n, side := range sides {
		scale := min(1, float64(side)/float64(max(i.Width, i.Height, 1)))
		fit := func(length int64) int { return max(1, int(math.Round(float64(length)*scale))) }
		all[n] = Size{Side: side, Width: fit(i.Width), Height: fit(i.Height)}
	}
	return all
}

// Object is the name of a size's object in the images bucket, and its path below
// the bucket's public address.
func (i Image) Object(s Size, format string) string {
	return fmt.Sprintf("%s%s/%d.%s", Prefix, i.ID, s.Side, format)
}

// Objects are the names of all.
func (i Image) Objects() []string {
	var all []string
	for _, s := range i.Sizes() {
		all = append(all, i.Object(s, JPEG), i.Object(s, WebP))
	}
	return all
}

// Link is a size as the Web API tells of it, with the address of the WebP.
type Link struct {
	URL     string `json:"url"`
	Height  int    `json:"height"`
	Width   int    `json:"width"`
	WebPURL string `json:"webp_url"`
}

// Links are the picture's sizes under the bucket's public address, the largest
// first, equal ones once. Of no picture there are none: [], never null.
func (i Image) Links(base string) []Link {
	all := []Link{}
	if i.ID == "" {
		return all
	}
	for _, s := range i.Sizes() {
		if n := len(all); n > 0 && all[n-1].Width == s.Width && all[n-1].Height == s.Height {
			continue
		}
		all = append(all, Link{
			URL: base + "/" + i.Object(s, JPEG), WebPURL: base + "/" + i.Object(s, WebP), Height: s.Height, Width: s.Width,
		})
	}
	return all
}
