package render

import (
	"bytes"
	"image"

	"github.com/bep/imagemeta"
)

// orientation is how EXIF says that the stored pixels lie, 1 to 8; 0 is unsaid.
// CIPA DC-008-2024, section 4.6.5.1.6.
type orientation int

// transposes says whether rows are columns.
func (o orientation) transposes() bool { return o >= 5 && o <= 8 }

func (o orientation) size(p image.Point) image.Point {
	if o.transposes() {
		return image.Pt(p.Y, p.X)
	}
	return p
}

// source is the stored pixel of a picture of size raw that is seen at (x, y).
func (o orientation) source(x, y int, raw image.Point) (int, int) {
	right, bottom := raw.X-1, raw.Y-1
	switch o {
	case 2:
		return right - x, y
	case 3:
		return right - x, bottom - y
	case 4:
		return x, bottom - y
	case 5:
		return y, x
	case 6:
		return y, bottom - x
	case 7:
		return right - y, bottom - x
	case 8:
		return right - y, x
	}
	return x, y
}

// turn puts a picture the right way up.
func (o orientation) turn(m *image.RGBA) *image.RGBA {
	if o < 2 || o > 8 {
		return m
	}
	raw := m.Rect.Size()
	upright := image.NewRGBA(image.Rectangle{Max: o.size(raw)})
	for y := range upright.Rect.Dy() {
		for x := range upright.Rect.Dx() {
			sx, sy := o.source(x, y, raw)
			upright.SetRGBA(x, y, m.RGBAAt(sx, sy))
		}
	}
	return upright
}

// readOrientation is what a picture's EXIF says; EXIF that is broken says
// nothing, and is no reason to refuse the picture.
func readOrientation(b []byte, f imagemeta.ImageFormat) (o orientation) {
	if f == imagemeta.ImageFormatAuto {
		return 0
	}
	_, err := imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(b), ImageFormat: f, Sources: imagemeta.EXIF,
		ShouldHandleTag: func(t imagemeta.TagInfo) bool { return t.Tag == "Orientation" && t.Namespace == "IFD0" },
		HandleTag: func(t imagemeta.TagInfo) error {
			if v, ok := t.Value.(uint16); ok && v >= 1 && v <= 8 {
				o = orientation(v)
			}
			return imagemeta.ErrStopWalking
		},
	})
	if err != nil {
		return 0
	}
	return o
}
