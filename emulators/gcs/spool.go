package gcs

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// sizes is the range of lengths an upload may have; max < 0 is no bound.
type sizes struct{ min, max int64 }

func parseSizes(header string) (sizes, error) {
	if header == "" {
		return sizes{max: -1}, nil
	}
	low, high, ok := strings.Cut(header, ",")
	from, errFrom := strconv.ParseUint(strings.TrimSpace(low), 10, 63)
	to, errTo := strconv.ParseUint(strings.TrimSpace(high), 10, 63)
	if !ok || errFrom != nil || errTo != nil || from > to {
		return sizes{}, invalidArgument("x-goog-content-length-range is not MIN,MAX: " + header)
	}
	return sizes{min: int64(from), max: int64(to)}, nil
}

func (s sizes) check(n int64) error {
	switch {
	case s.max >= 0 && n > s.max:
		return refuse(http.StatusBadRequest, "EntityTooLarge", "invalid", "Your proposed upload is larger than the maximum object size specified in your request.",
			fmt.Sprintf("%d bytes are more than %d", n, s.max))
	case n < s.min:
		return refuse(http.StatusBadRequest, "EntityTooSmall", "invalid", "Your proposed upload is smaller than the minimum object size specified in your request.",
			fmt.Sprintf("%d bytes are fewer than %d", n, s.min))
	}
	return nil
}

// spooled is a whole body on disk.
type spooled struct {
	*os.File
	size   int64
	crc32c string // base64, as Cloud Storage writes it
	md5    string // base64
	sha256 string // hexadecimal
}

// source remembers how reading failed, to tell a client that left from a full
// disk.
type source struct {
	body io.Reader
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// discard closes and removes the file; the object store has its own copy.
func (s *spooled) discard() error {
	return errors.Join(s.Close(), os.Remove(s.Name()))
}

// spool takes the body to disk, so that nothing is stored unless all of it
// came, and no lock is held at the pace of a client.
func spool(dir string, body io.Reader, allowed sizes) (_ *spooled, err error) {
	f, err := os.CreateTemp(dir, "upload-")
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s := &spooled{File: f}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.discard())
		}
	}()
	source := &source{body: body}
	body = source
	if allowed.max >= 0 {
		body = io.LimitReader(source, allowed.max+1)
	}
	if s.size, err = s.digest(f, body); source.err != nil {
		return nil, refuse(http.StatusBadRequest, "IncompleteBody", "invalid", "The request body ended before its length.", source.err.Error())
	} else if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := allowed.check(s.size); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return s, nil
}

// digest copies from r to w and keeps the digests of what it copied.
func (s *spooled) digest(w io.Writer, r io.Reader) (int64, error) {
	crc, sum, digest := crc32.New(crc32.MakeTable(crc32.Castagnoli)), md5.New(), sha256.New()
	n, err := io.Copy(io.MultiWriter(w, crc, sum, digest), r)
	s.crc32c = base64.StdEncoding.EncodeToString(crc.Sum(nil))
	s.md5 = base64.StdEncoding.EncodeToString(sum.Sum(nil))
	s.sha256 = hex.EncodeToString(digest.Sum(nil))
	return n, err
}

// openSpooled reads a file that is already whole, to know its digests.
func openSpooled(path string) (*spooled, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s := &spooled{File: f}
	if s.size, err = s.digest(io.Discard, f); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("spool: %w", err), f.Close())
	}
	return s, nil
}

// checkDigests compares the body with what the request says of it.
func (s *spooled) checkDigests(h http.Header) error {
	declared := [][2]string{{h.Get("Content-Md5"), s.md5}}
	if sum := h.Get(payloadHeader); sum != unsigned {
		declared = append(declared, [2]string{sum, s.sha256})
	}
	for _, line := range h.Values("X-Goog-Hash") {
		for value := range strings.SplitSeq(line, ",") {
			kind, sum, _ := strings.Cut(strings.TrimSpace(value), "=")
			switch kind {
			case "crc32c":
				declared = append(declared, [2]string{sum, s.crc32c})
			case "md5":
				declared = append(declared, [2]string{sum, s.md5})
			}
		}
	}
	return matchDigests(declared)
}

func matchDigests(declared [][2]string) error {
	for _, d := range declared {
		if d[0] != "" && d[0] != d[1] {
			return refuse(http.StatusBadRequest, "BadDigest", "invalid",
				"The checksum you specified did not match what we received.", "declared "+d[0]+", received "+d[1])
		}
	}
	return nil
}
