package demo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// source is a package of music.
type source struct {
	pkg  string
	list func(ctx context.Context, root string) ([]piece, error)
}

// pieces finds the package's tracks in dir, where it unpacks it if need be.
func (s source) pieces(ctx context.Context, dir string) ([]piece, error) {
	root := filepath.Join(dir, s.pkg)
	all, err := s.list(ctx, root)
	if err == nil && complete(all) {
		return all, nil
	}
	if err := download(ctx, dir, root, s.pkg); err != nil {
		return nil, err
	}
	if all, err = s.list(ctx, root); err != nil {
		return nil, err
	}
	if !complete(all) {
		return nil, errors.New("it lacks files that it had")
	}
	return all, nil
}

// first are the pieces to begin with. Where the package cannot be had,
// generated ones stand in.
func first(ctx context.Context, dir string, out io.Writer) ([]piece, error) {
	all, err := singularity.pieces(ctx, dir)
	if err == nil {
		return all[:firstTracks], nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	fmt.Fprintf(out, "Debian's package %s cannot be had (%v): generated pieces stand in\n", singularity.pkg, err)
	return generate(ctx, filepath.Join(dir, "generated"))
}

func complete(pieces []piece) bool {
	for _, p := range pieces {
		if _, err := os.Stat(p.file); err != nil {
			return false
		}
	}
	return len(pieces) > 0
}

func hash(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, err
	}
	return sum.Sum(nil), nil
}

// download unpacks beside the target and renames: a folder of the package's
// name is a complete one.
func download(ctx context.Context, dir, root, pkg string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(dir, pkg+"-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := getPackage(ctx, temp, pkg); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(temp, "*.deb"))
	if err != nil || len(debs) != 1 {
		return errors.Join(err, fmt.Errorf("apt-get download left %d packages", len(debs)))
	}
	if err := command(ctx, temp, "dpkg-deb", "-x", debs[0], "unpacked"); err != nil {
		return err
	}
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	return os.Rename(filepath.Join(temp, "unpacked"), root)
}

func getPackage(ctx context.Context, dir, pkg string) error {
	get := func() error { return command(ctx, dir, "apt-get", "download", "-o", "APT::Sandbox::User=root", pkg) }
	err := get()
	if err == nil || os.Geteuid() != 0 {
		return err
	}
	// A machine that is new has no list of packages yet.
	if e := command(ctx, dir, "apt-get", "update", "-q"); e != nil {
		return errors.Join(err, e)
	}
	return get()
}

func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(text)))
	}
	return nil
}
