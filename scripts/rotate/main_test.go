package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/emulators/cdn"
	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/playback"
	"github.com/segue-audio/segue/shared/playback/rotation"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// desk is an operator's: a folder of keys, a CDN, and instances that are replaced
// on request.
type desk struct {
	t      *testing.T
	writer *event.Writer
	env    map[string]string
	in     string
	dir    string
	clock  time.Time
	broken string // why no instance comes up
	// meanwhile is what happens while the instances come up.
	meanwhile func()
}

func newDesk(t *testing.T, writer *event.Writer) *desk {
	t.Helper()
	d := &desk{t: t, writer: writer, dir: t.TempDir(), clock: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	_, kek, err := playback.CreateLocalKeyset(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	slots, err := rotation.OpenSlots(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slots.New(); err != nil {
		t.Fatal(err)
	}
	empty := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(empty.Close)
	c, err := cdn.New(cdn.Options{Origin: empty.URL, Bucket: "audio", Keys: slots.Keys, Now: func() time.Time { return d.clock }})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop(context.WithoutCancel(t.Context())) })
	mux := http.NewServeMux()
	mux.Handle(cdn.KeysPath, c.Keys())
	mux.Handle(cdn.KeysPath+"/", c.Keys())
	mux.HandleFunc("POST /_emulators/functions/deploy", d.deploy)
	harness := httptest.NewServer(mux)
	t.Cleanup(harness.Close)
	d.env = map[string]string{"SEGUE_KEYS": d.dir, "SEGUE_KEYSET_KEK": kek, "SEGUE_URL": harness.URL, "SEGUE_CDN_URL": c.URL()}
	return d
}

// deploy is what the harness answers, from the folder as it is.
func (d *desk) deploy(w http.ResponseWriter, r *http.Request) {
	if d.broken != "" {
		http.Error(w, d.broken, http.StatusServiceUnavailable)
		return
	}
	slots, err := rotation.OpenSlots(d.dir)
	if err != nil {
		d.t.Error(err)
		return
	}
	k, err := playback.ReadKeyset(r.Context(), d.file("keyset.json"), d.env["SEGUE_KEYSET_KEK"])
	if err != nil {
		d.t.Error(err)
		return
	}
	answer, err := files(&step{Deps: rotation.Deps{Keyset: k}}, slots)
	if err != nil {
		d.t.Error(err)
	}
	if d.meanwhile != nil {
		d.meanwhile()
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (d *desk) file(name string) string {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		d.t.Error(err)
	}
	return string(text)
}

// run is one command line; it asks for a status and for words.
func (d *desk) run(status int, says, line string) (out string) {
	d.t.Helper()
	var o, e bytes.Buffer
	a := &app{
		getenv: func(k string) string { return d.env[k] }, in: strings.NewReader(d.in), out: &o, err: &e,
		clock: func() time.Time { return d.clock }, http: http.DefaultClient,
		open: func(context.Context) (*event.Writer, error) { return d.writer, nil },
	}
	got := a.run(d.t.Context(), strings.Fields(line))
	if all := o.String() + e.String(); got != status || !strings.Contains(all, says) {
		d.t.Fatalf("rotate %s: %d, %q; want %d, %q", line, got, all, status, says)
	}
	return o.String()
}

func (d *desk) files() map[string]bool {
	d.t.Helper()
	all := map[string]bool{}
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			all[e.Name()] = true
		}
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			d.t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
	return all
}

func TestKeysetByHand(t *testing.T) {
	t.Parallel()
	writer, _ := emutest.Writer(t)
	d := newDesk(t, writer)
	begin := d.file("keyset.json")
	d.run(0, "all instances know keys", "deploy")
	d.run(0, "enabled        0 attempts", "keyset status")
	d.run(0, "added; wrote "+d.dir+"/keyset.json, the former is "+d.dir+"/keyset.json.before-20261124T120000Z", "keyset add")
	if d.file("keyset.json.before-20261124T120000Z") != begin {
		t.Error("the former is another")
	}
	d.run(1, "not known to all instances yet", "keyset promote")
	d.broken = "they do not come up"
	d.run(1, "503 Service Unavailable: they do not come up", "deploy")
	d.run(1, "not known to all instances yet", "keyset promote")
	d.broken = ""
	d.run(0, "all instances know keys", "deploy")
	d.run(0, "is the primary; wrote", "keyset promote")
	d.run(1, "deploy the keyset first", "keyset rewrap")
	d.run(0, "", "deploy --done")
	d.run(0, "0 of 0 rows would be", "keyset rewrap --dry-run")
	d.run(0, "0 rows re-wrapped", "keyset rewrap")
	var old, primary keyStatus
	lines := strings.Split(d.run(0, "", "keyset status --json"), "\n")
	if err := json.Unmarshal([]byte(lines[0]), &old); err != nil || old.Primary || old.PrimaryAt != nil || old.Added != nil {
		t.Errorf("the old key is %+v: %v", old, err)
	}
	if err := json.Unmarshal([]byte(lines[1]), &primary); err != nil || !primary.Primary || primary.Rewrapped == nil || primary.Added == nil {
		t.Errorf("the new key is %+v: %v", primary, err)
	}
	d.run(1, `{"error":"rewrap ended 0s ago: in 30m0s, caches have forgotten`, fmt.Sprintf("keyset retire %d --json", old.ID))
	d.run(0, "disabled; wrote", fmt.Sprintf("keyset retire %d --now 2026-11-24T12:30:00Z", old.ID))
	d.run(0, "disabled", "keyset status")
	d.run(0, "", "deploy")
	// In a pipe: a keyset comes out alone, and nothing is written.
	d.in = d.file("keyset.json")
	out := d.run(0, "destroyed", fmt.Sprintf("keyset retire %d --destroy --keyset - --now 2026-11-24T12:30:00Z", old.ID))
	if _, err := playback.OpenKeyset(t.Context(), out, d.env["SEGUE_KEYSET_KEK"]); err != nil || d.in != d.file("keyset.json") {
		t.Errorf("from the pipe: %v", err)
	}
	d.run(0, "destroyed; wrote", fmt.Sprintf("keyset retire %d --destroy --force", old.ID))
	if got := len(d.files()); got != 8 { // kek, keyset and 4 former ones, one CDN key, cdn.json
		t.Errorf("%d files: %v", got, d.files())
	}
	// A keyset that lacks what a file has is not put in its place.
	if err := os.WriteFile(filepath.Join(d.dir, "other.json"), []byte(begin), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run(1, fmt.Sprintf("other.json has key %d, which the new keyset lacks", old.ID), "keyset add --out "+d.dir+"/other.json")
}

func TestCDNByHand(t *testing.T) {
	t.Parallel()
	writer, _ := emutest.Writer(t)
	d := newDesk(t, writer)
	d.run(0, "sign with segue-1", "deploy")
	d.run(0, "segue-1  signs since 2026-11-24T12:00:00Z\n", "cdn status")
	d.run(1, `no CDN key "segue-2"`, "cdn use segue-2")
	// It dies after the key is kept, before the CDN knows it.
	url := d.env["SEGUE_URL"]
	d.env["SEGUE_URL"] = "http://127.0.0.1:1"
	d.run(1, "refused", "cdn new")
	slots, err := rotation.OpenSlots(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	if name, err := slots.New(); err != nil || name != "segue-2" {
		t.Fatal(name, err)
	}
	d.run(1, `the CDN refuses what "segue-2" signs`, "cdn use segue-2")
	d.run(0, "segue-2  unknown to the CDN\n", "cdn status")
	d.run(0, "gcloud compute backend-buckets add-signed-url-key b --key-name=segue-2 --key-file="+d.dir+"/cdn-segue-2\n", "cdn new --print-gcloud --backend-bucket b")
	d.env["SEGUE_URL"] = url
	if out := d.run(0, "CDN key segue-2 is in", "cdn new"); strings.Contains(out, strings.TrimSpace(d.file("cdn-segue-2"))) {
		t.Error("the key is shown")
	}
	d.run(1, "both slots are taken, by segue-1 and segue-2", "cdn new")
	d.run(1, `"segue-1" signs: use another first`, "cdn retire segue-1")
	d.run(0, "segue-2 signs from the next", "cdn use segue-2")
	d.run(0, "segue-2  signs from the next deployment on\n", "cdn status")
	d.run(1, "deploy first", "cdn retire segue-1 --force")
	d.run(0, "sign with segue-2", "deploy")
	d.clock = d.clock.Add(playback.StreamTTL - time.Second)
	d.run(1, `URLs that "segue-1" signed are still good: wait 1s`, "cdn retire segue-1")
	d.run(0, "gcloud compute backend-buckets delete-signed-url-key segue-audio --key-name=segue-1\n", "cdn retire segue-1 --print-gcloud --force")
	d.clock = d.clock.Add(time.Second)
	if want := "segue-1:" + strings.TrimSpace(d.file("cdn-segue-1")) + ",segue-2:" + strings.TrimSpace(d.file("cdn-segue-2")) + "\n"; d.run(0, "", "cdn secret") != want {
		t.Errorf("the secret is not %q", want)
	}
	d.run(0, "CDN key segue-1 is gone", "cdn retire segue-1")
	d.run(1, `no CDN key "segue-1"`, "cdn retire segue-1")
	if files := d.files(); files["cdn-segue-1"] || !files["cdn-segue-2"] {
		t.Errorf("files: %v", files)
	}
	// A name is never used twice.
	d.run(0, "CDN key segue-3 is in", "cdn new")
	d.run(0, "CDN key segue-3 is gone", "cdn retire segue-3 --force")
	d.run(0, "CDN key segue-4 is in", "cdn new")
}

func TestCalledWrongly(t *testing.T) {
	t.Parallel()
	d := &desk{t: t, env: map[string]string{}}
	for line, says := range map[string]string{
		"turn":                            `no command "turn"`,
		"keyset":                          "",
		"keyset turn":                     `no command "turn"`,
		"cdn turn":                        `no command "turn"`,
		"keyset status x":                 "unknown command",
		"keyset status":                   "set SEGUE_KEYS or give --keyset",
		"keyset add --keyset k":           "set SEGUE_KEYSET_KEK or give --kek",
		"keyset rewrap --now today":       `--now "today" is not a time`,
		"keyset rewrap --destroy":         "unknown flag",
		"keyset retire":                   "accepts 1 arg",
		"keyset retire first":             `"first" is not the id of a key`,
		"keyset retire 4294967296":        "is not the id of a key",
		"cdn status":                      "set SEGUE_KEYS or give --dir",
		"cdn use":                         "accepts 1 arg",
		"deploy":                          "set SEGUE_KEYS or give --keyset",
		"cdn secret --dir " + t.TempDir(): "",
	} {
		if says == "" {
			d.run(0, "", line)
			continue
		}
		d.run(2, says, line)
	}
	d.run(0, "gcloud secrets versions add segue-keyset", "deploy --print-gcloud")
	file := filepath.Join(t.TempDir(), "keyset.json")
	for line, says := range map[string]string{
		"keyset status --kek file:///none --keyset " + file: "no such file",
		"keyset status --kek x --keyset -":                  "keyset is empty",
		"cdn status --dir " + file:                          "no such file",
	} {
		d.run(1, says, line)
	}
}

// Another key is chosen while the instances come up with the former: the note of
// the deployment does not take the choice back.
func TestUsedDuringDeploy(t *testing.T) {
	t.Parallel()
	writer, _ := emutest.Writer(t)
	d := newDesk(t, writer)
	d.run(0, "segue-2", "cdn new")
	d.meanwhile = func() { d.run(0, "segue-2", "cdn use segue-2") }
	d.run(1, `instances sign with CDN key "segue-1", but "segue-2" is to sign`, "deploy")
	d.meanwhile = nil
	d.run(0, "sign with segue-2", "deploy")
}
