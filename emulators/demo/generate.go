package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

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
