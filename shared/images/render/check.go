// Package render checks pictures that strangers sent and makes the catalogue's
// sizes of them, without anything that the original said besides its pixels. It
// tells a picture that cannot be used (ErrPicture) from what may succeed another
// time.
package render

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"

	"github.com/bep/imagemeta"
	"golang.org/x/image/webp"

	"github.com/segue-audio/segue/shared/images"
)

// Limits of a picture. What it decodes to takes memory by its pixels, whatever
// its file's length.
const (
	maxPixels = 50_000_000
	maxSide   = 20_000
)

// ErrPicture means that the picture is at fault: trying again cannot help.
type ErrPicture struct{ Reason string }

func (e *ErrPicture) Error() string { return e.Reason }

func refuse(format string, args ...any) error {
	return &ErrPicture{Reason: fmt.Sprintf(format, args...)}
}

// TooLarge refuses a picture by the length of its file, before it is read.
func TooLarge(size int64) error {
	return refuse("it has %d bytes, at most %d (20 MiB) are taken", size, images.MaxBytes)
}

// format is a kind of picture that is taken, known by how its file begins.
type format struct {
	name   string
	is     func(b []byte) bool
	config func(b []byte) (image.Config, error)
	decode func(r io.Reader) (image.Image, error)
	exif   imagemeta.ImageFormat // Auto: has none
}

var formats = []format{
	{"JPEG", begins("\xff\xd8\xff"), config(jpeg.DecodeConfig), jpeg.Decode, imagemeta.JPEG},
	{"PNG", begins("\x89PNG\r\n\x1a\n"), config(png.DecodeConfig), png.Decode, imagemeta.PNG},
	{"GIF", begins("GIF8"), config(gif.DecodeConfig), decodeGIF, imagemeta.ImageFormatAuto},
	{"WebP", isWebP, configWebP, webp.Decode, imagemeta.WebP},
}

func begins(magic string) func([]byte) bool {
	return func(b []byte) bool { return strings.HasPrefix(string(b[:min(len(b), len(magic))]), magic) }
}

func config(f func(io.Reader) (image.Config, error)) func([]byte) (image.Config, error) {
	return func(b []byte) (image.Config, error) { return f(bytes.NewReader(b)) }
}

// isWebP knows RIFF of the form WEBP.
// https://developers.google.com/speed/webp/docs/riff_container
func isWebP(b []byte) bool {
	return len(b) >= 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP"
}

func configWebP(b []byte) (image.Config, error) {
	const flags, animated = 20, 1 << 1
	if len(b) > flags && string(b[12:16]) == "VP8X" && b[flags]&animated != 0 {
		return image.Config{}, errors.New("it is animated")
	}
	return webp.DecodeConfig(bytes.NewReader(b))
}

// picture is one that was looked at, not decoded.
type picture struct {
	images.Image
	format
	bytes       []byte
	raw         image.Point // its width and height as they are stored
	orientation orientation
}

// check reads a picture's headers and refuses what is too large to decode.
func check(b []byte) (*picture, error) {
	switch {
	case len(b) == 0:
		return nil, refuse("it is empty")
	case len(b) > images.MaxBytes:
		return nil, TooLarge(int64(len(b)))
	}
	for _, f := range formats {
		if !f.is(b) {
			continue
		}
		c, err := f.config(b)
		switch {
		case err != nil:
			return nil, refuse("it is a broken %s: %v", f.name, err)
		case c.Width <= 0 || c.Height <= 0:
			return nil, refuse("it is a broken %s: it is %d × %d px", f.name, c.Width, c.Height)
		case c.Width > maxSide || c.Height > maxSide || int64(c.Width)*int64(c.Height) > maxPixels:
			return nil, refuse("it is %d × %d px, at most %d px a side and %d megapixels are taken", c.Width, c.Height, maxSide, maxPixels/1_000_000)
		}
		p := &picture{format: f, bytes: b, raw: image.Pt(c.Width, c.Height), orientation: readOrientation(b, f.exif)}
		upright := p.orientation.size(p.raw)
		p.Image = images.Image{ID: images.ID(b), Width: int64(upright.X), Height: int64(upright.Y)}
		return p, nil
	}
	return nil, refuse("it is none of JPEG, PNG, GIF and WebP")
}
