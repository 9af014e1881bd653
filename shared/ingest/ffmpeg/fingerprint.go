package ffmpeg

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

const (
	// FingerprintSeconds of a file's begin are what its fingerprint is made of.
	FingerprintSeconds = 120
	// fingerprintRate is what Chromaprint works at, in Hz; our resampler takes any
	// rate, its own does not.
	fingerprintRate = 11025
)

// Count decodes the whole file: it counts its samples per channel, and takes
// Chromaprint's raw fingerprint, which is empty of less than 3 seconds. A file
// that does not decode to its end is ErrFile. Both in one run, since a run of its
// own for the fingerprint costs twice as much on top: it decodes again.
func Count(ctx context.Context, file string) (samples int64, fingerprint []byte, err error) {
	var n counter
	// Beside the file, under a name of its own: the same file may be counted twice
	// at once.
	out, err := os.CreateTemp(filepath.Dir(file), "chromaprint-*")
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, out.Close(), os.Remove(out.Name())) }()
	args := append([]string{"-nostdin", "-v", "error", "-xerror", "-y"}, input(file)...)
	args = append(args, "-map", "0:a:0", "-ac", "1", "-c:a", "pcm_s16le", "-f", "s16le", "pipe:1",
		"-map", "0:a:0", "-t", strconv.Itoa(FingerprintSeconds), "-ac", "1", "-ar", strconv.Itoa(fingerprintRate),
		"-f", "chromaprint", "-fp_format", "raw", "file:"+out.Name())
	if _, err = run(ctx, &n, "ffmpeg", args...); err != nil {
		return int64(n) / 2, nil, err
	}
	fingerprint, err = io.ReadAll(out)
	return int64(n) / 2, fingerprint, err
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

var _ io.Writer = (*counter)(nil)
