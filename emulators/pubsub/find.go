package pubsub

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

const (
	installJava = "install a Java runtime (apt-get install default-jre-headless)"
	installJar  = "install it with `gcloud components install pubsub-emulator` or `apt-get install google-cloud-cli-pubsub-emulator`"
)

// find says which java runs which jar, or what must be installed.
func (o Options) find() (java, jar string, err error) {
	java, err = exec.LookPath("java")
	if err != nil {
		return "", "", fmt.Errorf("java is missing: %s: %w", installJava, err)
	}
	jar = o.Jar
	if jar == "" {
		if jar, err = gcloudJar(); err != nil {
			return "", "", fmt.Errorf("the Pub/Sub emulator is missing: %s: %w", installJar, err)
		}
	}
	if _, err := os.Stat(jar); err != nil {
		return "", "", fmt.Errorf("the Pub/Sub emulator is missing: %s: %w", installJar, err)
	}
	return java, jar, nil
}

// gcloudJar is the emulator's jar below the root of the gcloud CLI, which is
// where the command on PATH points to in the end.
func gcloudJar() (string, error) {
	command, err := exec.LookPath("gcloud")
	if err != nil {
		return "", err
	}
	command, err = filepath.EvalSymlinks(command)
	if err != nil {
		return "", err
	}
	root := filepath.Dir(filepath.Dir(command))
	jars, err := filepath.Glob(filepath.Join(root, "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"))
	if err != nil {
		return "", err
	}
	if len(jars) == 0 {
		return "", errors.New("no emulator below " + root)
	}
	return slices.Max(jars), nil
}
