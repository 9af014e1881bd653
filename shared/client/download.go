package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/segue-audio/segue/shared/playback"
)

// rangeSize is how much one request fetches: sixteen blocks.
const rangeSize = 16 * playback.BlockSize

// Download fetches a track's audio and writes it decrypted to w. Every block is
// checked before it is written, so what is in w when Download fails is the
// file's beginning, whole blocks of it, and nothing else. progress (nil for
// none) is told what is written.
func (c *Client) Download(ctx context.Context, track string, choice Choice, w io.Writer, progress func(written, size int64)) (*Stream, error) {
	d := &download{c: c, track: track, choice: choice, w: w, progress: progress}
	var err error
	if d.stream, err = c.Stream(ctx, track, choice); err != nil {
		return nil, fmt.Errorf("stream %s: %w", track, err)
	}
	if err = d.run(ctx); err != nil {
		return d.stream, fmt.Errorf("stream %s: %w", track, err)
	}
	return d.stream, nil
}

type download struct {
	c        *Client
	track    string
	choice   Choice
	w        io.Writer
	progress func(written, size int64)

	stream *Stream
	key    []byte
	hashes []byte
	offset int64 // of the first byte that is not written: a block's begin
	fresh  bool  // the URL was renewed and has not been taken yet
	block  [playback.BlockSize]byte
}

func (d *download) run(ctx context.Context) (err error) {
	if d.key, err = d.stream.key(); err != nil {
		return err
	}
	tries := d.c.attempts()
	for d.offset < d.stream.Size {
		before := d.offset
		if d.hashes == nil {
			err = d.fetchHashes(ctx)
		} else {
			err = d.fetchRange(ctx)
		}
		if d.offset > before {
			tries.moved()
		}
		switch {
		case err == nil:
			continue
		case !d.fresh && refused(err):
			// The URL has expired, or its key was changed.
			err = d.renew(ctx)
		default:
			err = tries.again(ctx, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refused is how CDN and Cloud Storage answer a URL that is no longer good.
func refused(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return true
	}
	return false
}

// renew asks for new URLs of the same bytes.
func (d *download) renew(ctx context.Context) error {
	s, err := d.c.Stream(ctx, d.track, d.choice)
	if err != nil {
		return err
	}
	if s.Key != d.stream.Key || s.Size != d.stream.Size {
		return errors.New("the track was published anew while it was fetched: start again")
	}
	d.stream, d.fresh = s, true
	return nil
}

func (d *download) get(ctx context.Context, url string, first, last int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.New("the stream's URL is malformed")
	}
	if last >= 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", first, last))
	}
	resp, err := d.c.do(d.c.storageClient(), req, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		defer resp.Body.Close()
		return nil, storageError(resp)
	}
	d.fresh = false
	return resp, nil
}

func (d *download) fetchHashes(ctx context.Context) error {
	resp, err := d.get(ctx, d.stream.HashesURL, 0, -1)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	want := d.stream.blocks() * playback.HashSize
	hashes, err := io.ReadAll(io.LimitReader(resp.Body, want+1))
	if err != nil {
		return err
	}
	if int64(len(hashes)) != want {
		return fmt.Errorf("the hashes are not the %d bytes that %d bytes of audio need: they are damaged", want, d.stream.Size)
	}
	d.hashes = hashes
	return nil
}

// fetchRange fetches what comes next; a range that breaks has still brought the
// blocks before the break.
func (d *download) fetchRange(ctx context.Context) error {
	end := min(d.offset+rangeSize, d.stream.Size)
	resp, err := d.get(ctx, d.stream.URL, d.offset, end-1)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	want := fmt.Sprintf("bytes %d-%d/%d", d.offset, end-1, d.stream.Size)
	whole := resp.StatusCode == http.StatusOK && d.offset == 0 && end == d.stream.Size
	if got := resp.Header.Get("Content-Range"); got != want && !whole {
		return fmt.Errorf("asked for %q, storage answers %d with %q", want, resp.StatusCode, got)
	}
	for d.offset < end {
		block := d.block[:min(playback.BlockSize, end-d.offset)]
		if _, err := io.ReadFull(resp.Body, block); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = lost{fmt.Errorf("a range ends early: %w", err)}
			}
			return err
		}
		if err := d.write(block); err != nil {
			return err
		}
	}
	return nil
}

// write checks a block, and only then opens it and lets it out.
func (d *download) write(block []byte) error {
	index := int(d.offset / playback.BlockSize)
	if err := playback.VerifyBlock(d.hashes, index, block); err != nil {
		return fmt.Errorf("the audio is damaged at byte %d: %w", d.offset, err)
	}
	if err := playback.Decrypt(d.key, d.offset, block, block); err != nil {
		return err
	}
	if _, err := d.w.Write(block); err != nil {
		return fmt.Errorf("write the audio: %w", err)
	}
	d.offset += int64(len(block))
	if d.progress != nil {
		d.progress(d.offset, d.stream.Size)
	}
	return nil
}
