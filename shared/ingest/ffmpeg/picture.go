package ffmpeg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Picture is the picture that a file's tags carry, as it lies there: the front
// cover where one says so, else the first; nil if there is none. A video is no
// picture. Of one that is longer than limit the rest is dropped, and its length
// told: no more than limit is ever held.
func Picture(ctx context.Context, file string, limit int64) (picture []byte, size int64, err error) {
	stream, err := attached(ctx, file)
	if err != nil || stream < 0 {
		return nil, 0, err
	}
	out := limited{left: limit}
	args := append([]string{"-nostdin", "-v", "error"}, input(file)...)
	_, err = run(ctx, &out, "ffmpeg", append(args, "-map", "0:"+strconv.Itoa(stream), "-c", "copy", "-frames:v", "1", "-f", "image2pipe", "pipe:1")...)
	if err != nil {
		return nil, 0, err
	}
	return out.b.Bytes(), out.size, nil
}

// attached is the number of the stream that ffmpeg makes of a picture in the
// tags; -1 if there is none.
func attached(ctx context.Context, file string) (int, error) {
	var out bytes.Buffer
	args := append([]string{"-v", "error", "-of", "json"}, input(file)...)
	_, err := run(ctx, &out, "ffprobe", append(args, "-select_streams", "v", "-show_entries", "stream=index:stream_disposition=attached_pic:stream_tags=comment")...)
	if err != nil {
		return -1, err
	}
	var p struct {
		Streams []struct {
			Index       int `json:"index"`
			Disposition struct {
				AttachedPic int `json:"attached_pic"`
			} `json:"disposition"`
			Tags map[string]string `json:"tags"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(out.Bytes(), &p); err != nil {
		return -1, fmt.Errorf("ffprobe's answer: %w", err)
	}
	found := -1
	for _, s := range p.Streams {
		if s.Disposition.AttachedPic == 0 {
			continue
		}
		// The types of pictures of ID3, which FLAC and Ogg took over, have names.
		if s.Tags["comment"] == "Cover (front)" {
			return s.Index, nil
		}
		if found < 0 {
			found = s.Index
		}
	}
	return found, nil
}

// limited keeps the beginning of what is written to it.
type limited struct {
	b          bytes.Buffer
	left, size int64
}

func (l *limited) Write(p []byte) (int, error) {
	keep := min(l.left, int64(len(p)))
	l.b.Write(p[:keep])
	l.left -= keep
	l.size += int64(len(p))
	return len(p), nil
}

// WebP encodes pixels of three bytes each, red, green and blue. It is the
// pixels alone: the file has no metadata.
func WebP(ctx context.Context, rgb []byte, width, height int) ([]byte, error) {
	dir, err := os.MkdirTemp("", "webp-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	raw := filepath.Join(dir, "rgb")
	if err := os.WriteFile(raw, rgb, 0o600); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	_, err = run(ctx, &out, "ffmpeg", "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe",
		"-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", fmt.Sprintf("%dx%d", width, height), "-i", "file:"+raw,
		"-frames:v", "1", "-c:v", "libwebp", "-preset", "photo", "-quality", strconv.Itoa(webpQuality), "-f", "image2pipe", "pipe:1")
	if bad := (*ErrFile)(nil); errors.As(err, &bad) {
		// The pixels are ours, so nobody's file is at fault.
		return nil, fmt.Errorf("encode a WebP of %d × %d px: %s", width, height, bad.Reason)
	}
	if err != nil {
		return nil, fmt.Errorf("encode a WebP of %d × %d px: %w", width, height, err)
	}
	return out.Bytes(), nil
}

const webpQuality = 82 // of 100
