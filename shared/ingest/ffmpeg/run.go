// Package ffmpeg runs ffmpeg and ffprobe on files that strangers sent: local
// files only, known containers only, within limits of time, memory and size. It
// tells a file that cannot be used (ErrFile) from a run that may succeed another
// time.
package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/segue-audio/segue/shared/telemetry"
)

// ErrFile means that the file itself is at fault: trying again cannot help.
type ErrFile struct{ Reason string }

func (e *ErrFile) Error() string { return e.Reason }

// demuxers are those of FLAC, WAV, MP3, Ogg (Vorbis, Opus, FLAC) and M4A. The
// list keeps playlists and scripts out, which make ffmpeg open other files.
const demuxers = "flac,wav,mp3,ogg,mov,mp4,m4a,3gp,3g2,mj2"

// input are the options before any input: nothing but the named file is opened.
// And no picture of more than 50 megapixels: opening a file decodes the cover in
// its tags, to know its size, and 3 MB can become gigabytes.
func input(file string) []string {
	return []string{"-max_pixels", "50000000", "-protocol_whitelist", "file,pipe", "-format_whitelist", demuxers, "-i", "file:" + file}
}

// run runs a program and returns its messages; its output goes to out.
func run(ctx context.Context, out io.Writer, program string, args ...string) (messages string, err error) {
	return standard().run(ctx, out, program, args...)
}

func (l limits) run(ctx context.Context, out io.Writer, program string, args ...string) (messages string, err error) {
	ctx, end := telemetry.Span(ctx, program)
	defer func() { end(err) }()
	ctx, cancel := context.WithTimeout(ctx, l.wall)
	defer cancel()
	var stderr tail
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = out, &stderr
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", fmt.Errorf("%s: %w", program, err)
	}
	if err := l.apply(cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		return "", errors.Join(fmt.Errorf("limit %s: %w", program, err), cmd.Wait())
	}
	err = cmd.Wait()
	switch {
	case err == nil:
		return stderr.String(), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s was cut: %w", program, context.Cause(ctx))
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if reason := l.exceeded(exit.ProcessState, stderr.errors()); reason != "" {
			// Without messages: they would be taken for the reason.
			return "", &ErrFile{Reason: reason}
		}
		// An exit code is ffmpeg's own verdict; a signal would be the system's.
		if verdict(exit.ProcessState) && !stderr.blamesSystem() {
			return stderr.String(), &ErrFile{Reason: stderr.lastLine()}
		}
	}
	return "", fmt.Errorf("%s: %w: %s", program, err, stderr.lastLine())
}

// tail keeps the end of what is written to it: a broken file can make ffmpeg
// write a message per frame.
type tail struct{ b bytes.Buffer }

const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.b.Write(p)
	if t.b.Len() > 2*tailSize {
		t.b.Next(t.b.Len() - tailSize)
	}
	return len(p), nil
}

func (t *tail) String() string { return t.b.String() }

var (
	levels = regexp.MustCompile(`(?m)^(\[[^\]]* @ [^\]]*\] )?\[(error|fatal|panic|warning|info)\] `)
	severe = regexp.MustCompile(`^(\[[^\]]* @ [^\]]*\] )?\[(error|fatal|panic)\] `)
)

// errors are the messages that are of errors, where each names its level: among
// the others are the file's tags, which may say anything.
func (t *tail) errors() string {
	if !levels.MatchString(t.b.String()) {
		return t.b.String()
	}
	var b strings.Builder
	for line := range strings.Lines(t.b.String()) {
		if severe.MatchString(line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// blamesSystem says whether ffmpeg gave up for want of something of ours.
func (t *tail) blamesSystem() bool {
	for _, want := range []string{"No space left on device", "Too many open files", "Resource temporarily unavailable", "is not a suitable output format"} {
		if strings.Contains(t.errors(), want) {
			return true
		}
	}
	return false
}

var (
	source = regexp.MustCompile(`^\[[^\]]*\] `)
	path   = regexp.MustCompile(`(file:)?/\S*[^\s:]`)
)

// lastLine is the last message without what only this machine knows: the
// addresses of ffmpeg's objects and the file's temporary path.
func (t *tail) lastLine() string {
	lines := strings.Split(strings.TrimSpace(t.b.String()), "\n")
	last := source.ReplaceAllString(strings.ToValidUTF8(lines[len(lines)-1], "?"), "")
	return strings.TrimSpace(path.ReplaceAllString(last, "the file"))
}
