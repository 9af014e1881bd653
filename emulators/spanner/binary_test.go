package spanner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func TestFindBinary(t *testing.T) {
	const script = "#!/bin/sh\nexit 1\n"
	for _, tc := range []struct {
		name  string
		given string // under the test's directory
		mode  os.FileMode
		setUp func(t *testing.T, dir string)
		want  string // a path under the test's directory
		fails []string
	}{
		{
			name: "given", given: "mine", want: "mine",
			setUp: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "mine"), script, 0o755) },
		},
		{
			name: "given but not executable", given: "mine", fails: []string{"mine", "not an executable"},
			setUp: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "mine"), script, 0o644) },
		},
		{
			name: "behind gcloud's symbolic link", want: "sdk/" + inSDK,
			setUp: func(t *testing.T, dir string) {
				write(t, filepath.Join(dir, "sdk/bin/gcloud"), script, 0o755)
				write(t, filepath.Join(dir, "sdk", inSDK), script, 0o755)
				if err := os.Symlink(filepath.Join(dir, "sdk/bin/gcloud"), filepath.Join(dir, "gcloud")); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "where gcloud says", want: "elsewhere/" + inSDK,
			setUp: func(t *testing.T, dir string) {
				write(t, filepath.Join(dir, "gcloud"), "#!/bin/sh\necho "+dir+"/elsewhere\n", 0o755)
				write(t, filepath.Join(dir, "elsewhere", inSDK), script, 0o755)
			},
		},
		{
			name: "component not installed", fails: []string{"gcloud components install", "apt-get install", inSDK},
			setUp: func(t *testing.T, dir string) {
				write(t, filepath.Join(dir, "gcloud"), "#!/bin/sh\necho "+dir+"/elsewhere\n", 0o755)
			},
		},
		{
			name: "no gcloud", fails: []string{"no gcloud", "SPANNER_EMULATOR_BIN"},
			setUp: func(*testing.T, string) {},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			tc.setUp(t, dir)
			t.Setenv("PATH", dir)
			given := ""
			if tc.given != "" {
				given = filepath.Join(dir, tc.given)
			}
			got, err := findBinary(t.Context(), given)
			if tc.fails == nil {
				if err != nil || got != filepath.Join(dir, tc.want) {
					t.Errorf("got %q, %v", got, err)
				}
				return
			}
			for _, want := range tc.fails {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		})
	}
}
