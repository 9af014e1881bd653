package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/segue-audio/segue/shared/ingest"
)

// The music is Debian's package singularity-music: the soundtrack of Endgame:
// Singularity by Max McCracken (Maxstack), CC BY-SA 3.0.
const (
	pkg       = "singularity-music"
	musicPath = "usr/share/games/singularity/music"
	copyright = "2007-2008, 2012 Max McCracken (Maxstack), http://emhsoft.com/singularity; licensed under CC BY-SA 3.0, https://creativecommons.org/licenses/by-sa/3.0/"
)

// Its three shortest tracks: 43 s, 43 s and 104 s.
var firstFiles = []string{"lose/Chimes They Fade.ogg", "lose/March Thee to Dis.ogg", "win/Apex Aleph.ogg"}

// fetch finds the first pieces in dir, where it puts them if need be. Where the
// package cannot be had, generated pieces stand in.
func fetch(ctx context.Context, dir string, out io.Writer) ([]piece, error) {
	root := filepath.Join(dir, pkg)
	pieces := musicPieces(root)
	if complete(pieces) {
		return pieces, nil
	}
	err := download(ctx, dir, root)
	if err == nil && complete(pieces) {
		return pieces, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	fmt.Fprintf(out, "Debian's package %s cannot be had (%v): generated pieces stand in\n", pkg, err)
	return generate(ctx, filepath.Join(dir, "generated"))
}

func musicPieces(root string) []piece {
	var all []piece
	for i, f := range firstFiles {
		all = append(all, piece{
			file: filepath.Join(root, musicPath, filepath.FromSlash(f)), contentType: "audio/ogg",
			// The rest is in the files' tags, which have no numbers and no copyright.
			metadata: ingest.Metadata{TrackNumber: int64(i + 1), Copyrights: []string{copyright}, Genres: []string{"soundtrack"}},
		})
	}
	return all
}

func complete(pieces []piece) bool {
	for _, p := range pieces {
		if _, err := os.Stat(p.file); err != nil {
			return false
		}
	}
	return true
}

// download unpacks beside the target and renames: a folder of the package's
// name is a complete one.
func download(ctx context.Context, dir, root string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(dir, pkg+"-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := getPackage(ctx, temp); err != nil {
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

func getPackage(ctx context.Context, dir string) error {
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

// generate makes three short pieces of a few tones each.
func generate(ctx context.Context, dir string) ([]piece, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var all []piece
	for i, chord := range [][3]int{{220, 277, 330}, {196, 247, 294}, {247, 311, 370}} {
		p := piece{file: filepath.Join(dir, fmt.Sprintf("piece-%d.flac", i+1)), contentType: "audio/flac"}
		all = append(all, p)
		if complete([]piece{p}) {
			continue
		}
		sound := fmt.Sprintf("aevalsrc='0.2*sin(2*PI*%d*t)+0.2*sin(2*PI*%d*t)*sin(PI*t)+0.1*sin(2*PI*%d*t)*sin(2*PI*t)|0.2*sin(2*PI*%d*t)':d=30:s=48000",
			chord[0], chord[1], chord[2], chord[0])
		temp := p.file + ".new.flac"
		err := command(ctx, dir, "ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", sound,
			"-metadata", fmt.Sprintf("title=Piece %d", i+1), "-metadata", "artist=Segue", "-metadata", "album=Generated Pieces",
			"-metadata", fmt.Sprintf("track=%d", i+1), "-metadata", "copyright=Generated; no rights reserved (CC0 1.0)", temp)
		if err != nil {
			return nil, err
		}
		if err := os.Rename(temp, p.file); err != nil {
			return nil, err
		}
	}
	return all, nil
}
