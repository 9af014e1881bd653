package gcs

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
)

// quantum is the unit of a session's chunks: all but the last are a multiple.
const quantum = 256 << 10

// unknown is a length that is not said.
const unknown = -1

// rangePattern also takes an open end (0-*), which some clients send when they
// stream what they do not know the length of.
var rangePattern = regexp.MustCompile(`^bytes (?:\*|([0-9]+)-([0-9]+|\*))/([0-9]+|\*)$`)

// chunk is what one request to a session says it carries: the bytes from first
// up to end of an object of total bytes.
type chunk struct {
	query             bool // carries nothing: asks what is held
	first, end, total int64
}

// parseChunk reads Content-Range. A request without it is the whole object, and
// without a body too, a question.
func parseChunk(header string, length int64) (chunk, error) {
	if header == "" {
		return chunk{query: length == 0, end: length, total: length}, nil
	}
	m := rangePattern.FindStringSubmatch(header)
	if m == nil {
		return chunk{}, invalidArgument("Content-Range is not bytes FIRST-LAST/TOTAL, with * for a total that is not known, or bytes */TOTAL: " + header)
	}
	c := chunk{query: m[1] == "", end: unknown, total: unknown}
	last := int64(unknown)
	for i, target := range map[int]*int64{1: &c.first, 2: &last, 3: &c.total} {
		if m[i] == "" || m[i] == "*" {
			continue
		}
		n, err := strconv.ParseUint(m[i], 10, 62)
		if err != nil {
			return chunk{}, invalidArgument("Content-Range is out of bounds: " + header)
		}
		*target = int64(n)
	}
	if c.query {
		if length > 0 {
			return chunk{}, invalidArgument("Content-Range says that there is no content, but the request has a body: " + header)
		}
		return c, nil
	}
	if c.end = c.total; last >= 0 {
		c.end = last + 1
	}
	if last >= 0 && last < c.first || c.total >= 0 && (c.end > c.total || c.first > c.total) {
		return chunk{}, invalidArgument("Content-Range ends before it begins or after its total: " + header)
	}
	if got, want := length, c.end-c.first; got >= 0 && c.end >= 0 && got != want {
		return chunk{}, refuse(http.StatusBadRequest, "InvalidArgument", "invalid",
			fmt.Sprintf("Invalid request.  There were %d byte(s) in the request body.  There should have been %d byte(s) (starting at offset %d and ending at offset %d) according to the Content-Range header.", got, want, c.first, c.end-1), "")
	}
	return c, nil
}

// within is the chunk of an object whose length may be known from before.
func (c chunk) within(total int64) chunk {
	if c.total < 0 {
		if c.total = total; c.end < 0 {
			c.end = total
		}
	}
	return c
}

// last tells whether nothing comes after the chunk.
func (c chunk) last() bool { return c.end == c.total }

// taken is where what is kept of the chunk ends: all of the last one, and the
// whole quanta of any other.
func (c chunk) taken() int64 {
	if c.last() {
		return c.end
	}
	return c.end - (c.end-c.first)%quantum
}
