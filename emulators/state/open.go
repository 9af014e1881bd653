package state

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// maxFrame is above the 100 MiB that Spanner allows in a commit.
const maxFrame = 128 << 20

// snapshot is a file whose checksum was found right.
type snapshot struct {
	header header
	size   int64
	file   *os.File
	frames *bufio.Reader
}

// open reads the whole file once, so that what is corrupt or cut short is known
// before anything is made of it.
func open(name string) (*snapshot, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err // names the file
	}
	s := &snapshot{file: f}
	if err := s.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("snapshot %s: %w", name, err), f.Close())
	}
	return s, nil
}

func (s *snapshot) begin() error {
	stat, err := s.file.Stat()
	if err != nil {
		return err
	}
	s.size = stat.Size()
	if err := s.checkFormat(); err != nil {
		return err
	}
	body := s.size - sha256.Size
	if body < int64(len(magic)) {
		return fmt.Errorf("it is cut short: %d bytes are no snapshot", s.size)
	}
	sum, want := sha256.New(), make([]byte, sha256.Size)
	if _, err := io.Copy(sum, io.NewSectionReader(s.file, 0, body)); err != nil {
		return err
	}
	if _, err := s.file.ReadAt(want, body); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), want) {
		return errors.New("it is corrupt or cut short: its checksum does not fit")
	}
	packed, err := gzip.NewReader(io.NewSectionReader(s.file, int64(len(magic)), body-int64(len(magic))))
	if err != nil {
		return fmt.Errorf("it cannot be unpacked: %w", err)
	}
	s.frames = bufio.NewReaderSize(packed, 1<<20)
	first, err := s.frame()
	if err != nil {
		return fmt.Errorf("its header cannot be read: %w", err)
	}
	s.header, err = parseHeader(first)
	return err
}

// checkFormat tells a newer format from damage.
func (s *snapshot) checkFormat() error {
	line := make([]byte, 80)
	n, err := s.file.ReadAt(line, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	first, _, complete := strings.Cut(string(line[:n]), "\n")
	format, ours := strings.CutPrefix(first, family)
	switch {
	case !ours || !complete:
		return errors.New("it is no snapshot, or it is corrupt: its first line is not one")
	case format != version:
		return fmt.Errorf("it has format %q, which this build does not know: it reads %s", format, version)
	}
	return nil
}

func (s *snapshot) frame() ([]byte, error) {
	n, err := binary.ReadUvarint(s.frames)
	if err != nil {
		return nil, noEOF(err)
	}
	if n > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	frame := make([]byte, n)
	_, err = io.ReadFull(s.frames, frame)
	return frame, noEOF(err)
}

// noEOF: the file says where it ends.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// row is the next one of the current table, nil at its end.
func (s *snapshot) row() (*structpb.ListValue, int, error) {
	frame, err := s.frame()
	if err != nil || len(frame) == 0 {
		return nil, 0, err
	}
	values := &structpb.ListValue{}
	return values, len(frame), proto.Unmarshal(frame, values)
}

func (s *snapshot) close() error { return s.file.Close() }
