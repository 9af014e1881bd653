package playback

import (
	"fmt"
	"strings"
	"testing"
)

func TestRenditionsAreSixInAStableOrder(t *testing.T) {
	t.Parallel()
	const want = "[ogg/96 ogg/160 ogg/320 aac/96 aac/160 aac/320]"
	for range 3 {
		if got := fmt.Sprint(Renditions()); got != want {
			t.Fatalf("renditions are %s, want %s", got, want)
		}
	}
	for _, r := range Renditions() {
		if err := r.Validate(); err != nil {
			t.Errorf("%s: %v", r, err)
		}
	}
}

func TestMIMETypes(t *testing.T) {
	t.Parallel()
	for format, want := range map[Format]string{
		Ogg: `audio/ogg; codecs="vorbis"`, AAC: `audio/mp4; codecs="mp4a.40.2"`, "mp3": "",
	} {
		if got := format.MIMEType(); got != want {
			t.Errorf("%s: %q, want %q", format, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, r := range Renditions() {
		if f, err := ParseFormat(string(r.Format)); err != nil || f != r.Format {
			t.Errorf("%s: %v %v", r, f, err)
		}
		if q, err := ParseQuality(r.Bitrate.String()); err != nil || q != r.Bitrate {
			t.Errorf("%s: %v %v", r, q, err)
		}
	}
	for _, s := range []string{"", "OGG", "mp3", "ogg ", "aac,ogg"} {
		_, err := ParseFormat(s)
		if err == nil || !strings.Contains(err.Error(), "ogg or aac") {
			t.Errorf("format %q: %v", s, err)
		}
	}
	for _, s := range []string{"", "0", "128", "096", "+160", "160.0", "160kbps"} {
		_, err := ParseQuality(s)
		if err == nil || !strings.Contains(err.Error(), "96, 160 or 320") {
			t.Errorf("quality %q: %v", s, err)
		}
	}
	if err := (Rendition{Format: AAC, Bitrate: 128}).Validate(); err == nil {
		t.Error("aac/128 is valid")
	}
}
