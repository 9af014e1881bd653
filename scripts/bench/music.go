package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os/exec"
	"path/filepath"
)

const (
	sampleRate   = 44100
	trackSeconds = 180
)

// music writes stereo music-like samples (16-bit, little-endian, interleaved):
// per bar a chord of detuned oscillators with four harmonics under an envelope,
// with a beat of noise over it. Tones alone would be too easy for an encoder,
// noise alone too hard. The same seed makes the same bytes on any machine: all
// sums are of integers.
func music(w io.Writer, seed uint64, seconds int) error {
	const bar, beat = 2 * sampleRate, sampleRate / 2
	var table [1 << 12]int32
	for i := range table {
		table[i] = int32(math.Round(3000 * math.Sin(2*math.Pi*float64(i)/float64(len(table)))))
	}
	random := seed*0x9E3779B97F4A7C15 + 1
	next := func() uint64 { // xorshift64
		random ^= random << 13
		random ^= random >> 7
		random ^= random << 17
		return random
	}
	var phase, step [4]uint32
	var frame [4]byte
	out := bufio.NewWriterSize(w, 1<<16)
	for n := range seconds * sampleRate {
		if n%bar == 0 {
			root := 110 + next()%110
			for i, interval := range []uint64{4, 5, 6, 8} { // of a major chord, in quarters
				// Detuned by up to 1 %: 2^32 steps a turn.
				step[i] = uint32(root * interval * (10000 + next()%100) * (1 << 32) / (4 * 10000 * sampleRate))
			}
		}
		fade := int32(bar-n%bar)*180/bar + 76 // of 256
		var left, right int32
		for i := range phase {
			phase[i] += step[i]
			for h := range uint32(4) {
				v := table[phase[i]*(h+1)>>20] / int32(h+1)
				left += v * int32(3-i%2) / 3
				right += v * int32(2+i%2) / 3
			}
		}
		noise := int32(next()>>52) - 2048
		hit := max(0, 256-int32(n%beat)/16) // decays within 93 ms
		left, right = left*fade/256+noise*hit/256, right*fade/256+(noise*hit/512)
		binary.LittleEndian.PutUint16(frame[:], uint16(int16(min(max(left, -32768), 32767))))
		binary.LittleEndian.PutUint16(frame[2:], uint16(int16(min(max(right, -32768), 32767))))
		if _, err := out.Write(frame[:]); err != nil {
			return err
		}
	}
	return out.Flush()
}

// flac makes a FLAC file of the music, tagged as a label's would be.
func (w *world) flac(ctx context.Context, seed uint64, seconds int) (string, error) {
	path := filepath.Join(w.dir, fmt.Sprintf("music-%d-%d.flac", seed, seconds))
	cmd := exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "s16le", "-ar", fmt.Sprint(sampleRate), "-ac", "2", "-i", "pipe:0",
		"-fflags", "+bitexact", "-flags:a", "+bitexact", "-metadata", fmt.Sprintf("title=Piece %d", seed), "-metadata", "artist=Oscillators", "-metadata", "album=Figures", path)
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	var messages tail
	cmd.Stderr = &messages
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("make music: %w", err)
	}
	werr := music(in, seed, seconds)
	_ = in.Close() // ffmpeg says below whether it had all
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("make music: %w: %s", err, &messages)
	}
	return path, werr
}
