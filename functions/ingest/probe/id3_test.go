package probe

import (
	"os"
	"testing"

	"cloud.google.com/go/spanner"
	"github.com/google/go-cmp/cmp"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// What ffprobe leaves out of an MP3's tag, several artists and the lists of
// people, is in the catalog.
func TestAcceptsPeopleOfID3(t *testing.T) {
	t.Parallel()
	frame := func(id, s string) string {
		return id + string([]byte{0, 0, 0, byte(len(s) + 1), 0, 0, 3}) + s
	}
	body := frame("TIT2", "Song") + frame("TPE1", "AC/DC\x00Björk") + frame("TPE3", "A Conductor") + frame("TCOM", "C\x00D") + frame("TXXX", "Producer\x00O") +
		frame("TIPL", "producer\x00P\x00mix\x00M") + frame("TMCL", "guitar\x00G")
	tag := "ID3\x04\x00\x00" + string([]byte{0, 0, byte(len(body) >> 7), byte(len(body) & 0x7f)}) + body
	file := ingesttest.Audio(t, "sine=440:d=1", "-id3v2_version", "0", "-write_id3v1", "0", "a.mp3")
	audio, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append([]byte(tag), audio...), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	_, n := w.upload(t, ingest.Upload{}, file)
	u := w.deliver(t, n)
	if u.Status != ingest.Processing {
		t.Fatalf("upload %+v", u)
	}
	got := map[string][]string{}
	if err := w.Writer.Spanner.Single().Read(t.Context(), "Credits", spanner.Key{u.TrackID}.AsPrefix(), []string{"Role", "Name"}).Do(func(r *spanner.Row) error {
		var role, name string
		if err := r.Columns(&role, &name); err != nil {
			return err
		}
		got[role] = append(got[role], name)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		catalog.RoleMainArtist: {"AC/DC", "Björk"}, "composer": {"C", "D"}, "producer": {"O", "P"}, "mixer": {"M"}, "performer": {"G (guitar)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
