package gcs

import "testing"

// FuzzContentRange asks that what is read lies within its bounds.
func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"", "bytes */*", "bytes */5", "bytes 0-4/5", "bytes 0-4/*", "bytes 0-*/*", "bytes 3-*/5", "bytes 5-4/*", "bytes 9223372036854775807-9223372036854775807/*"} {
		f.Add(s, int64(5))
		f.Add(s, int64(0))
		f.Add(s, int64(-1))
	}
	f.Fuzz(func(t *testing.T, header string, length int64) {
		c, err := parseChunk(header, max(length, unknown))
		if err != nil || c.query {
			return
		}
		if c.first < 0 || c.end < unknown || c.end >= 0 && c.end < c.first || c.total >= 0 && c.end > c.total || c.taken() > c.end {
			t.Errorf("%q of %d is %+v, taken to %d", header, length, c, c.taken())
		}
	})
}
