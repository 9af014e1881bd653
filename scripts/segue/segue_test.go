package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/client/clienttest"
)

// shell is where commands are run: a server, a folder and an environment.
type shell struct {
	*clienttest.Server
	dir, cache string
	env        map[string]string
	change     func(*app)
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{Server: clienttest.New(t), dir: t.TempDir(), cache: filepath.Join(t.TempDir(), "cache")}
	s.env = map[string]string{"SEGUE_URL": s.URL + "/", "SEGUE_TOKEN": "t"}
	return s
}

// run is one process: only the folders and the server outlive it.
func (s *shell) run(ctx context.Context, args ...string) (code int, out, err string) {
	var stdout, stderr bytes.Buffer
	a := &app{
		getenv: func(k string) string { return s.env[k] }, out: &stdout, err: &stderr, http: s.Client(), poll: time.Millisecond, chunk: 256 << 10,
		cache: func() (string, error) { return s.cache, nil },
		sleep: func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) },
	}
	if s.change != nil {
		s.change(a)
	}
	code = a.run(ctx, args)
	// Ids and addresses are new in every run.
	clean := func(b string) string {
		for i, u := range s.Uploads() {
			b = strings.ReplaceAll(b, u.ID, fmt.Sprintf("ID%d", i+1))
		}
		return strings.ReplaceAll(strings.ReplaceAll(b, s.dir+"/", ""), s.dir, "DIR")
	}
	return code, clean(stdout.String()), clean(stderr.String())
}

// files writes some into the shell's folder and gives its path.
func (s *shell) files(t *testing.T, names ...string) string {
	t.Helper()
	for _, n := range names {
		s.write(t, n, []byte("sound of "+n))
	}
	return s.dir
}

func (s *shell) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const track = "0123456789abcdefghijAB"

// What is called wrongly is told so, by name, with code 2, and sends nothing.
func TestUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
		want string
	}{
		"no command that is": {nil, []string{"play"}, `there is no command "play"`},
		"an unknown flag":    {nil, []string{"upload", "--loud", "x"}, "unknown flag: --loud; see segue upload --help"},
		"no file":            {nil, []string{"upload"}, "requires at least 1 arg"},
		"no such file":       {nil, []string{"upload", "DIR/none.flac"}, "none.flac: no such file"},
		"no audio":           {nil, []string{"upload", "DIR/notes.txt"}, "notes.txt is not audio by its name: it ends in none of flac, m4a"},
		"an empty folder":    {nil, []string{"upload", "DIR/empty"}, "there is no audio in empty"},
		"a device":           {nil, []string{"upload", os.DevNull}, "is neither a file nor a folder"},
		"a title for two":    {nil, []string{"upload", "--title", "T", "DIR/a.flac", "DIR/b.flac"}, "--title is for one file, and there are 2"},
		"no one at work":     {nil, []string{"upload", "--parallel", "0", "DIR/a.flac"}, "--parallel is 0"},
		"no such market":     {nil, []string{"upload", "--market", "XX", "DIR/a.flac"}, `a.flac: metadata.markets: "XX" is not a country`},
		"no such date":       {nil, []string{"upload", "--release-date", "May", "DIR/a.flac"}, "metadata.release_date"},
		"no upload":          {nil, []string{"status"}, "requires at least 1 arg"},
		"no id":              {nil, []string{"status", "x"}, `"x" is not the id of an upload`},
		"two tracks":         {nil, []string{"stream", track, track}, "accepts 1 arg(s)"},
		"no track":           {nil, []string{"stream", "spotify:album:" + track}, "is neither the id of a track nor spotify:track:id"},
		"no format":          {nil, []string{"stream", track, "--format", "mp3"}, `--format: format "mp3" is not known: use ogg or aac`},
		"no quality":         {nil, []string{"stream", track, "--quality", "1"}, `--quality: quality "1" is not known`},
		"JSON and audio":     {nil, []string{"stream", track, "--json"}, "give -o"},
		"onto a device":      {nil, []string{"stream", track, "-o", os.DevNull}, "/dev/null is not a regular file"},
		"onto a folder":      {nil, []string{"stream", track, "-o", "DIR/empty"}, "empty is not a regular file"},
		"nowhere":            {map[string]string{"SEGUE_TOKEN": "t"}, []string{"status", track}, "Set SEGUE_URL or give --url"},
		"no URL":             {nil, []string{"status", track, "--url", "localhost:8080"}, `"localhost:8080" is not a URL`},
		"no token":           {map[string]string{"SEGUE_URL": "http://127.0.0.1", "SEGUE_TOKEN_FREE": "t"}, []string{"status", track}, "set SEGUE_TOKEN or SEGUE_TOKEN_LABEL or give --token"},
		"a label's token": {
			map[string]string{"SEGUE_URL": "http://127.0.0.1", "SEGUE_TOKEN_LABEL": "t"},
			[]string{"stream", track},
			"set SEGUE_TOKEN or SEGUE_TOKEN_PREMIUM or SEGUE_TOKEN_FREE",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			s.files(t, "a.flac", "b.flac", "notes.txt", "empty/.hidden.flac", "empty/.git/x.flac")
			if c.env != nil {
				s.env = c.env
			}
			for i := range c.args {
				c.args[i] = strings.Replace(c.args[i], "DIR", s.dir, 1)
			}
			code, out, err := s.run(t.Context(), c.args...)
			json := slices.Contains(c.args, "--json") // which is told there, too
			if code != 2 || (out != "") != json || !strings.Contains(err, c.want) || s.Count("") > 0 {
				t.Errorf("code %d, %q, want %q", code, out+err, c.want)
			}
		})
	}
}

func recordToken(got *string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		*got = r.Header.Get("Authorization")
		clienttest.Refuse(w, http.StatusForbidden, "no", "")
		return true
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	env := map[string]string{}
	for _, c := range []struct{ set, command, want string }{
		{"SEGUE_TOKEN_FREE", "stream", "SEGUE_TOKEN_FREE"},
		{"SEGUE_TOKEN_PREMIUM", "stream", "SEGUE_TOKEN_PREMIUM"},
		{"SEGUE_TOKEN_LABEL", "status", "SEGUE_TOKEN_LABEL"},
		{"SEGUE_TOKEN_LABEL", "stream", "SEGUE_TOKEN_PREMIUM"},
		{"SEGUE_TOKEN", "stream", "SEGUE_TOKEN"},
		{"SEGUE_TOKEN", "status", "SEGUE_TOKEN"},
		{"--token", "status", "given"},
	} {
		s := newShell(t)
		env[c.set] = c.set
		s.env = maps.Clone(env)
		s.env["SEGUE_URL"] = s.URL
		args := []string{c.command, track}
		if c.set == "--token" {
			args = append(args, "--token", "given")
		}
		got := ""
		s.Before = recordToken(&got)
		if code, _, _ := s.run(t.Context(), args...); code != 1 || got != "Bearer "+c.want {
			t.Errorf("%s with %s: code %d, %q", c.command, c.set, code, got)
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	for _, shellName := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, _ := s.run(t.Context(), "completion", shellName); code != 0 || !strings.Contains(out, "segue") {
			t.Errorf("%s: %d", shellName, code)
		}
	}
	for args, want := range map[string]string{
		"stream --format ": "ogg\naac\n:4\n", "stream --quality ": "96\n160\n320\n:4\n", "upload ": "flac\nm4a\nmp3\noga\nogg\nopus\nwav\nwave\n:8\n",
	} {
		if _, out, _ := s.run(t.Context(), append([]string{"__complete"}, strings.Split(args, " ")...)...); out != want {
			t.Errorf("%s: %q", args, out)
		}
	}
}
