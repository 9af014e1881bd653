package harness

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/emulators/stores"
	"github.com/segue-audio/segue/shared/playback"
)

// fresh makes a database and a client of it that the keeper may close.
func fresh(t *testing.T) *spanner.Client {
	t.Helper()
	name := emutest.Database(t).DatabaseName()
	client, err := stores.OpenDatabase(t.Context(), os.Getenv("SPANNER_EMULATOR_HOST"), name)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func insert(t *testing.T, client *spanner.Client, table string, row map[string]any) {
	t.Helper()
	if _, err := client.Apply(t.Context(), []*spanner.Mutation{spanner.InsertMap(table, row)}); err != nil {
		t.Fatal(err)
	}
}

func artist(id string) map[string]any {
	return map[string]any{
		"ArtistId": id, "LabelId": "label", "Name": id, "NameKey": id, "CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
	}
}

func hasArtist(t *testing.T, client *spanner.Client, id string) bool {
	t.Helper()
	_, err := client.Single().ReadRow(t.Context(), "Artists", spanner.Key{id}, []string{"Name"})
	if err != nil && spanner.ErrCode(err).String() != "NotFound" {
		t.Fatal(err)
	}
	return err == nil
}

func TestTheLastExportHoldsWhatCameBeforeTheStop(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "spanner.snapshot")
	var log bytes.Buffer
	k := newKeeper(file, time.Hour, &log)
	first := fresh(t)
	if restored, err := k.restore(t.Context(), first, false); err != nil || restored {
		t.Fatalf("nothing to restore: %v, %v", restored, err)
	}
	k.begin()
	insert(t, first, "Artists", artist("a"))
	cut, cancel := context.WithCancel(t.Context())
	cancel() // the other parts took all the time that there was
	if err := k.Stop(cut); err != nil {
		t.Fatal(err)
	}
	again := newKeeper(file, time.Hour, &log)
	second := fresh(t)
	if restored, err := again.restore(t.Context(), second, false); err != nil || !restored || !hasArtist(t, second, "a") {
		t.Errorf("restored %v, %v", restored, err)
	}
	// The rows of an emulator that outlives us stay; those of ours are a mistake.
	if restored, err := again.restore(t.Context(), second, true); err != nil || !restored {
		t.Errorf("an emulator with rows: %v, %v", restored, err)
	}
	if _, err := again.restore(t.Context(), second, false); err == nil || !strings.Contains(err.Error(), "table Artists has rows") {
		t.Errorf("our own with rows: %v", err)
	}
}

func TestRowsAreExportedAllTheTime(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "spanner.snapshot")
	k := newKeeper(file, 10*time.Millisecond, &bytes.Buffer{})
	if _, err := k.restore(t.Context(), fresh(t), false); err != nil {
		t.Fatal(err)
	}
	k.begin()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := os.Stat(file); err == nil {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("nothing is exported")
		}
	}
	if err := k.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAStartThatIsCutExportsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "spanner.snapshot")
	if err := newKeeper(file, time.Hour, &bytes.Buffer{}).Stop(t.Context()); err != nil {
		t.Errorf("before there is a database: %v", err)
	}
	k := newKeeper(file, time.Hour, &bytes.Buffer{})
	client := fresh(t)
	if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := k.restore(t.Context(), client, false)
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "move the folder "+dir+" away to begin anew") {
		t.Errorf("a damaged file: %v", err)
	}
	if err := k.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "half" {
		t.Errorf("the file is now %q (%v)", b, err)
	}
}

func TestADeadStoreIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	k := newKeeper(filepath.Join(t.TempDir(), "spanner.snapshot"), time.Hour, &bytes.Buffer{})
	k.alive = func(context.Context) error { return errors.New("spanner is dead") }
	if _, err := k.restore(t.Context(), fresh(t), false); err != nil {
		t.Fatal(err)
	}
	k.begin()
	if err := k.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "spanner is dead: ") {
		t.Errorf("stop: %v", err)
	}
}

func TestKeysAreMadeOnceAndMissed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys, snapshot := filepath.Join(dir, "keys"), filepath.Join(dir, "spanner.snapshot")
	first, err := makeSecrets(keys)
	if err != nil {
		t.Fatal(err)
	}
	second, err := makeSecrets(keys)
	if err != nil || first.keyset != second.keyset || len(first.slots.Keys) != 1 || first.slots.Signs != "segue-1" {
		t.Fatalf("%v", err)
	}
	for name, key := range first.slots.Keys {
		if !bytes.Equal(key, second.slots.Keys[name]) || playback.CheckCDNKey(name, key) != nil {
			t.Errorf("key %s was %x and is %x", name, key, second.slots.Keys[name])
		}
		if stat, err := os.Stat(filepath.Join(keys, "cdn-"+name)); err != nil || stat.Mode() != 0o600 {
			t.Errorf("file of %s: %v, %v", name, stat, err)
		}
	}
	if err := os.Remove(filepath.Join(keys, "keyset.json")); err != nil {
		t.Fatal(err)
	}
	if err := checkKeys(snapshot, keys); err != nil {
		t.Errorf("without rows: %v", err)
	}
	if err := os.WriteFile(snapshot, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkKeys(snapshot, keys); err == nil || !strings.Contains(err.Error(), "keyset.json, which is missing") {
		t.Errorf("rows without their keys: %v", err)
	}
	file := filepath.Join(keys, "cdn-segue-1")
	if err := os.WriteFile(file, []byte("c2hvcnQ="), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := makeSecrets(keys); err == nil || !strings.Contains(err.Error(), file+`: CDN key "segue-1" is 5 bytes long`) {
		t.Errorf("a short key: %v", err)
	}
}
