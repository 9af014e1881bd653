package spanner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// inSDK is the emulator's path under the root of the gcloud CLI.
const inSDK = "bin/cloud_spanner_emulator/emulator_main"

// findBinary returns the path of Google's emulator: the given one, else the
// gcloud CLI's.
func findBinary(ctx context.Context, given string) (string, error) {
	if given != "" {
		if err := executable(given); err != nil {
			return "", fmt.Errorf("the Spanner emulator's binary cannot be run: %w", err)
		}
		return given, nil
	}
	gcloud, err := exec.LookPath("gcloud")
	if err != nil {
		return "", missing("there is no gcloud CLI on PATH")
	}
	looked := make([]string, 0, 2)
	// The CLI takes a second to say where it is; its symbolic link says it at once.
	for _, root := range []func() (string, error){
		func() (string, error) { return linkedRoot(gcloud) },
		func() (string, error) { return reportedRoot(ctx, gcloud) },
	} {
		dir, err := root()
		if err != nil {
			return "", missing(err.Error())
		}
		path := filepath.Join(dir, filepath.FromSlash(inSDK))
		if err = executable(path); err == nil {
			return path, nil
		}
		looked = append(looked, err.Error())
	}
	return "", missing(strings.Join(looked, "; "))
}

func linkedRoot(gcloud string) (string, error) {
	target, err := filepath.EvalSymlinks(gcloud)
	if err != nil {
		return "", fmt.Errorf("resolve gcloud: %w", err)
	}
	return filepath.Dir(filepath.Dir(target)), nil
}

func reportedRoot(ctx context.Context, gcloud string) (string, error) {
	out, err := exec.CommandContext(ctx, gcloud, "info", "--format=value(installation.sdk_root)").Output()
	if err != nil {
		return "", fmt.Errorf("ask gcloud for its root: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not an executable file", path)
	}
	return nil
}

func missing(why string) error {
	return errors.New("the Cloud Spanner emulator is missing (" + why + "): install it with " +
		"`gcloud components install cloud-spanner-emulator` or " +
		"`apt-get install google-cloud-cli-spanner-emulator`, or set SPANNER_EMULATOR_BIN")
}
