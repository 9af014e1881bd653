package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"io"
	"time"

	"golang.org/x/image/draw"
)

// decodeLimit ends a decoding that goes round in circles: some bytes of a
// progressive JPEG can have all its pixels gone over once more.
const decodeLimit = time.Minute

// jpegQuality of the sizes, of 100.
const jpegQuality = 88

// timed fails when its context has ended.
type timed struct {
	ctx context.Context
	r   io.Reader
}

func (t timed) Read(p []byte) (int, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	return t.r.Read(p)
}

// decode reads the pixels, as they are stored.
func (p *picture) decode(ctx context.Context) (image.Image, error) {
	limited, cancel := context.WithTimeout(ctx, decodeLimit)
	defer cancel()
	m, err := p.format.decode(timed{limited, bytes.NewReader(p.bytes)})
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("decode a %s: %w", p.name, context.Cause(ctx))
	case limited.Err() != nil:
		return nil, refuse("it is a %s that takes longer than %s to decode", p.name, decodeLimit)
	case err != nil:
		return nil, refuse("it is a broken %s: %v", p.name, err)
	case m.Bounds().Size() != p.raw:
		return nil, refuse("it is a broken %s: its header says %d × %d px, and it has %d × %d", p.name, p.raw.X, p.raw.Y, m.Bounds().Dx(), m.Bounds().Dy())
	}
	return m, nil
}

// decodeGIF gives the first frame on the picture's whole area.
func decodeGIF(r io.Reader) (image.Image, error) {
	var head bytes.Buffer
	c, err := gif.DecodeConfig(io.TeeReader(r, &head))
	if err != nil {
		return nil, err
	}
	frame, err := gif.Decode(io.MultiReader(&head, r))
	if err != nil {
		return nil, err
	}
	whole := image.Rect(0, 0, c.Width, c.Height)
	if frame.Bounds() == whole {
		return frame, nil
	}
	m := image.NewRGBA(whole)
	draw.Draw(m, frame.Bounds(), frame, frame.Bounds().Min, draw.Src)
	return m, nil
}

// scale makes the sizes, each of the one before it, which costs a fraction of
// what the original would. What is transparent is white.
func (p *picture) scale(m image.Image) []*image.RGBA {
	var all []*image.RGBA
	from := m
	for i, s := range p.Sizes() {
		size := image.Pt(s.Width, s.Height)
		if i == 0 {
			size = p.orientation.size(size) // as the original lies
		}
		to := image.NewRGBA(image.Rectangle{Max: size})
		draw.Draw(to, to.Rect, image.White, image.Point{}, draw.Src)
		if from.Bounds().Size() == size {
			draw.Draw(to, to.Rect, from, from.Bounds().Min, draw.Over)
		} else {
			draw.CatmullRom.Scale(to, to.Rect, from, from.Bounds(), draw.Over, nil)
		}
		if i == 0 {
			to = p.orientation.turn(to)
		}
		all = append(all, to)
		from = to
	}
	return all
}

// encodeJPEG writes pixels alone: no EXIF, no ICC profile, no comment.
func encodeJPEG(m *image.RGBA) ([]byte, error) {
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, &jpeg.Options{Quality: jpegQuality})
	return b.Bytes(), err
}

// rgb packs the pixels, which have no transparency left, for ffmpeg.
func rgb(m *image.RGBA) []byte {
	b := make([]byte, 0, 3*m.Rect.Dx()*m.Rect.Dy())
	for i := 0; i < len(m.Pix); i += 4 {
		b = append(b, m.Pix[i], m.Pix[i+1], m.Pix[i+2])
	}
	return b
}

// Failed says whether err is the picture's fault, and why in words for whoever
// sent it.
func Failed(err error) (reason string, yes bool) {
	if bad := (*ErrPicture)(nil); errors.As(err, &bad) {
		return bad.Reason, true
	}
	return "", false
}
