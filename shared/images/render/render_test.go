package render

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"golang.org/x/image/webp"
	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/images"
	"github.com/segue-audio/segue/shared/images/imagestest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

func TestMain(m *testing.M) { emutest.Main(m) }

func read(t *testing.T, bucket *storage.BucketHandle, name string) ([]byte, storage.ReaderObjectAttrs) {
	t.Helper()
	r, err := bucket.Object(name).NewReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b, r.Attrs
}

func animated(t *testing.T) []byte {
	t.Helper()
	palette := color.Palette{imagestest.Corners[0], imagestest.Corners[2], color.RGBA{}}
	frames := make([]*image.Paletted, 2)
	for i := range frames {
		frames[i] = image.NewPaletted(image.Rect(0, 0, 90, 90), palette)
		for n := range frames[i].Pix {
			frames[i].Pix[n] = byte(i)
		}
	}
	// The first frame covers a part: what it leaves is transparent.
	frames[0] = frames[0].SubImage(image.Rect(0, 0, 90, 45)).(*image.Paletted)
	var b bytes.Buffer
	err := gif.EncodeAll(&b, &gif.GIF{Image: frames, Delay: []int{1, 1}, Config: image.Config{ColorModel: palette, Width: 90, Height: 90}})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func transparent(width, height int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range width / 2 * height {
		m.SetNRGBA(i/height, i%height, color.NRGBA{255, 0, 0, 255})
	}
	return m
}

func pngWithEXIF(t *testing.T) []byte {
	t.Helper()
	b := imagestest.PNG(t, imagestest.Picture(80, 40))
	const header = 8 + 25
	return slices.Concat(b[:header], imagestest.Chunk("eXIf", imagestest.EXIF(3)), b[header:])
}

func asWebP(t *testing.T, args ...string) []byte {
	t.Helper()
	in := t.TempDir() + "/in.png"
	if err := os.WriteFile(in, imagestest.PNG(t, imagestest.Picture(700, 350)), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(ingesttest.FFmpeg(t, append([]string{"-i", in, "-c:v", "libwebp"}, append(args, "out.webp")...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is seen of a picture, in each of its objects: its size, the colours of
// its corners, and nothing besides pixels.
func TestStore(t *testing.T) {
	t.Parallel()
	bucket := emutest.Bucket(t)
	at := imagestest.Corners
	white := color.RGBA{255, 255, 255, 255}
	flat := func(c color.RGBA) [4]color.RGBA { return [4]color.RGBA{c, c, c, c} }
	for name, c := range map[string]struct {
		picture []byte
		sizes   string
		corners [4]color.RGBA
	}{
		"JPEG":                  {imagestest.JPEG(t, 1000, 500), "640x320 300x150 64x32", at},
		"a small JPEG":          {imagestest.JPEG(t, 100, 200), "100x200 100x200 32x64", at},
		"one pixel":             {imagestest.PNG(t, transparent(1, 1)), "1x1 1x1 1x1", flat(white)},
		"a line":                {imagestest.JPEG(t, 5000, 2), "640x1 300x1 64x1", [4]color.RGBA{}},
		"EXIF orientation 6":    {imagestest.Talkative(imagestest.JPEG(t, 1000, 500), 6), "320x640 150x300 32x64", [4]color.RGBA{at[2], at[0], at[3], at[1]}},
		"EXIF orientation 3":    {pngWithEXIF(t), "80x40 80x40 64x32", [4]color.RGBA{at[3], at[2], at[1], at[0]}},
		"EXIF orientation 9":    {imagestest.Talkative(imagestest.JPEG(t, 100, 50), 9), "100x50 100x50 64x32", at},
		"CMYK":                  {imagestest.Flat(0, 255, 255, 0, false), "16x16 16x16 16x16", flat(at[0])},
		"progressive CMYK":      {imagestest.Flat(255, 0, 255, 0, true), "16x16 16x16 16x16", flat(at[1])},
		"PNG with transparency": {imagestest.PNG(t, transparent(640, 640)), "640x640 300x300 64x64", [4]color.RGBA{at[0], white, at[0], white}},
		"animated GIF":          {animated(t), "90x90 90x90 64x64", [4]color.RGBA{at[0], at[0], white, white}},
		"WebP":                  {asWebP(t), "640x320 300x150 64x32", at},
		"lossless WebP":         {asWebP(t, "-lossless", "1"), "640x320 300x150 64x32", at},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, err := Store(t.Context(), bucket, c.picture, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			var sizes []string
			for _, s := range i.Sizes() {
				sizes = append(sizes, fmt.Sprintf("%dx%d", s.Width, s.Height))
				j, attrs := read(t, bucket, i.Object(s, images.JPEG))
				seen(t, j, attrs, "image/jpeg", jpeg.Decode, s, c.corners)
				plainJPEG(t, j)
				w, attrs := read(t, bucket, i.Object(s, images.WebP))
				seen(t, w, attrs, "image/webp", webp.Decode, s, c.corners)
				// A file of this chunk alone has no place for metadata.
				if string(w[12:16]) != "VP8 " || int(binary.LittleEndian.Uint32(w[4:]))+8 != len(w) || int(binary.LittleEndian.Uint32(w[16:]))+20 > len(w)+1 {
					t.Errorf("the WebP begins with % x", w[:20])
				}
			}
			if got := strings.Join(sizes, " "); got != c.sizes {
				t.Errorf("sizes are %s, want %s", got, c.sizes)
			}
		})
	}
}

func seen(t *testing.T, b []byte, attrs storage.ReaderObjectAttrs, kind string, decode func(io.Reader) (image.Image, error), s images.Size, corners [4]color.RGBA) {
	t.Helper()
	m, err := decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	if w != s.Width || h != s.Height || attrs.ContentType != kind || attrs.CacheControl != "public, max-age=31536000, immutable" {
		t.Errorf("%d × %d px of %s, %q", w, h, attrs.ContentType, attrs.CacheControl)
	}
	for i, want := range corners {
		if want.A == 0 {
			continue
		}
		r, g, b, _ := m.At(w/4+i%2*w/2, h/4+i/2*h/2).RGBA()
		for n, v := range [][2]int{{int(r >> 8), int(want.R)}, {int(g >> 8), int(want.G)}, {int(b >> 8), int(want.B)}} {
			if d := v[0] - v[1]; d > 40 || d < -40 {
				t.Errorf("%s %d × %d: channel %d of corner %d is %d, want %d", kind, w, h, n, i, v[0], v[1])
			}
		}
	}
}

// plainJPEG asks for tables and scans only: no application segment, no comment.
func plainJPEG(t *testing.T, b []byte) {
	t.Helper()
	for at := 2; at+4 < len(b) && b[at+1] != 0xda; at += 2 + int(binary.BigEndian.Uint16(b[at+2:])) {
		if !slices.Contains([]byte{0xc0, 0xc4, 0xdb}, b[at+1]) {
			t.Errorf("the JPEG has a segment %#x", b[at+1])
		}
	}
}

func TestStoreRefuses(t *testing.T) {
	t.Parallel()
	bucket := emutest.Bucket(t)
	whole := imagestest.JPEG(t, 300, 300)
	lying := append([]byte{}, imagestest.PNG(t, image.NewGray(image.Rect(0, 0, 9, 9)))...)
	for name, c := range map[string]struct {
		picture []byte
		want    string
	}{
		"nothing":              {nil, "it is empty"},
		"text":                 {[]byte("a picture, they said"), "it is none of JPEG, PNG, GIF and WebP"},
		"text as JPEG":         {[]byte("\xff\xd8\xffand then text"), "it is a broken JPEG: invalid JPEG format"},
		"a truncated JPEG":     {whole[:len(whole)/2], "it is a broken JPEG: "},
		"a JPEG's header":      {whole[:20], "it is a broken JPEG: unexpected EOF"},
		"a truncated PNG":      {lying[:len(lying)-20], "it is a broken PNG: "},
		"a truncated GIF":      {animated(t)[:30], "it is a broken GIF: "},
		"an animated WebP":     {[]byte("RIFF\x20\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x01\x00\x00"), "it is a broken WebP: it is animated"},
		"a bomb":               {imagestest.Bomb(t, 30_000, 30_000), "it is 30000 × 30000 px, at most 20000 px a side and 50 megapixels are taken"},
		"a long one":           {imagestest.Bomb(t, 20_001, 1), "it is 20001 × 1 px, at most"},
		"many pixels":          {imagestest.Bomb(t, 10_000, 5_001), "it is 10000 × 5001 px, at most"},
		"a long file":          {append(slices.Clone(whole), make([]byte, images.MaxBytes)...), "bytes, at most 20971520 (20 MiB) are taken"},
		"a kind that is known": {[]byte("II*\x00\x08\x00\x00\x00"), "it is none of JPEG, PNG, GIF and WebP"},
	} {
		_, err := Store(t.Context(), bucket, c.picture, time.Now())
		if reason, bad := Failed(err); !bad || !strings.Contains(reason, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if names := ingesttest.Objects(t, bucket); len(names) > 0 {
		t.Errorf("refused pictures left %q", names)
	}
}

// A picture that is refused by its header costs no memory for its pixels.
func TestBombsAreNotDecoded(t *testing.T) {
	bomb := imagestest.Bomb(t, 30_000, 30_000)
	got := testing.Benchmark(func(b *testing.B) {
		for range b.N {
			if _, err := check(bomb); err == nil {
				b.Fatal("a bomb is taken")
			}
		}
	})
	if n := got.AllocedBytesPerOp(); n > 1<<20 {
		t.Errorf("it takes %d bytes", n)
	}
}

// All at once, and again after a death in between: the same six objects, each
// written once.
func TestStoreAgain(t *testing.T) {
	t.Parallel()
	bucket := emutest.Bucket(t)
	picture := imagestest.JPEG(t, 400, 400)
	var g errgroup.Group
	for range 3 {
		g.Go(func() error { _, err := Store(t.Context(), bucket, picture, time.Now()); return err })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	i := images.Image{ID: images.ID(picture), Width: 400, Height: 400}
	want := i.Objects()
	slices.Sort(want)
	if got := ingesttest.Objects(t, bucket); !slices.Equal(got, want) || len(got) != 6 {
		t.Fatalf("objects are %q", got)
	}
	kept, err := bucket.Object(want[0]).Attrs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := bucket.Object(want[5]).Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := Store(t.Context(), bucket, picture, time.Now()); err != nil || got != i {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	again, err := bucket.Object(want[0]).Attrs(t.Context())
	if err != nil || again.Generation != kept.Generation || len(ingesttest.Objects(t, bucket)) != 6 {
		t.Errorf("written again: %v, %v", again, err)
	}
	// Half a day on, the clean-up may be about to remove them.
	if _, err := Store(t.Context(), bucket, picture, time.Now().Add(13*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, name := range want {
		if o, err := bucket.Object(name).Attrs(t.Context()); err != nil || (name == want[0] && o.Generation == kept.Generation) {
			t.Errorf("relied upon: %v, %v", o, err)
		}
	}
}
