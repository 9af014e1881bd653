package state

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"cloud.google.com/go/spanner"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// Exporter keeps a file in step with a database. It is not for concurrent use.
type Exporter struct {
	Client *spanner.Client
	File   string
}

// Export writes the rows as they are at one moment. A file that holds the same
// already is left as it is: equal rows make equal bytes, so its checksum, the
// last 32 bytes, tells.
func (e *Exporter) Export(ctx context.Context) (s Summary, err error) {
	temp, err := os.CreateTemp(filepath.Dir(e.File), "."+filepath.Base(e.File)+".*") // mode 0600
	if err != nil {
		return s, fmt.Errorf("export %s: %w", e.File, err)
	}
	defer func() {
		// After the rename there is none of that name.
		if rerr := os.Remove(temp.Name()); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}()
	sum := sha256.New()
	s, err = writeSnapshot(ctx, e.Client, io.MultiWriter(temp, sum))
	if err == nil && !endsWith(e.File, sum.Sum(nil)) {
		s.Written = true
		if _, err = temp.Write(sum.Sum(nil)); err == nil {
			err = temp.Sync()
		}
	}
	err = errors.Join(err, temp.Close())
	if err == nil && s.Written {
		err = replace(temp.Name(), e.File)
	}
	if err != nil {
		return Summary{}, fmt.Errorf("export %s: %w", e.File, err)
	}
	if stat, err := os.Stat(e.File); err == nil {
		s.Bytes = stat.Size()
	}
	return s, nil
}

func replace(temp, file string) error {
	if err := os.Rename(temp, file); err != nil {
		return err
	}
	// The name itself is to survive a power cut.
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// endsWith says whether the file has this checksum. One that cannot be read is
// to be written anew.
func endsWith(file string, sum []byte) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	end := make([]byte, len(sum))
	if _, err := f.Seek(-int64(len(sum)), io.SeekEnd); err != nil {
		return false
	}
	_, err = io.ReadFull(f, end)
	return err == nil && bytes.Equal(end, sum)
}

func writeSnapshot(ctx context.Context, client *spanner.Client, w io.Writer) (s Summary, err error) {
	buffered := bufio.NewWriterSize(w, 1<<20)
	if _, err := buffered.WriteString(magic); err != nil {
		return s, err
	}
	packed, err := gzip.NewWriterLevel(buffered, gzip.BestSpeed)
	if err != nil {
		return s, err
	}
	// One moment for all tables, the schema's included.
	tx := client.ReadOnlyTransaction()
	defer tx.Close()
	h := header{}
	if h.Schema, err = schemaVersion(ctx, tx); err != nil {
		return s, err
	}
	if h.Tables, err = describe(ctx, tx); err != nil {
		return s, err
	}
	s.Schema, s.Tables = h.Schema, len(h.Tables)
	first, err := json.Marshal(h)
	if err == nil {
		err = writeFrame(packed, first)
	}
	for _, t := range h.Tables {
		if err != nil {
			break
		}
		var n int
		n, err = writeTable(ctx, tx, t, packed)
		s.Rows += n
	}
	if err == nil {
		err = packed.Close()
	}
	if err == nil {
		err = buffered.Flush()
	}
	return s, err
}

func writeTable(ctx context.Context, r reader, t table, w io.Writer) (n int, err error) {
	err = r.Read(ctx, t.Name, spanner.AllKeys(), t.columns()).Do(func(row *spanner.Row) error {
		values := &structpb.ListValue{Values: make([]*structpb.Value, row.Size())}
		for i := range values.Values {
			values.Values[i] = row.ColumnValue(i)
		}
		frame, err := proto.MarshalOptions{Deterministic: true}.Marshal(values)
		if err != nil {
			return err
		}
		n++
		return writeFrame(w, frame)
	})
	if err != nil {
		return n, fmt.Errorf("table %s: %w", t.Name, err)
	}
	return n, writeFrame(w, nil)
}

func writeFrame(w io.Writer, frame []byte) error {
	if _, err := w.Write(binary.AppendUvarint(nil, uint64(len(frame)))); err != nil {
		return err
	}
	_, err := w.Write(frame)
	return err
}
