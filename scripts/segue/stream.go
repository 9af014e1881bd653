package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/playback"
)

// streamed is what was written.
type streamed struct {
	TrackID  string           `json:"track_id"`
	Format   playback.Format  `json:"format"`
	Bitrate  playback.Quality `json:"bitrate"`
	MIMEType string           `json:"mime_type"`
	Size     int64            `json:"size"`
	File     string           `json:"file"`
}

func (s streamed) String() string {
	return fmt.Sprintf("%s: %d bytes of %s at %d kbit/s", s.File, s.Size, s.Format, s.Bitrate)
}

func (a *app) streamCommand() *cobra.Command {
	var choice client.Choice
	var output string
	cmd := &cobra.Command{
		Use: "stream TRACK", Short: "Write a track's audio to standard output or a file",
		Long: `Write a track's audio, checked block by block and decrypted, to standard output or a file.

A file (-o) is there whole or not at all. Standard output gets nothing that is damaged,
but ends early when something fails: look at the exit code. With --json, -o is needed.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error { return a.stream(cmd.Context(), args[0], choice, output) },
	}
	flags := cmd.Flags()
	flags.StringVar(&choice.Format, "format", "", "ogg or aac (default ogg)")
	flags.StringVar(&choice.Quality, "quality", "", "96, 160 or 320 kbit/s (default 160)")
	flags.StringVarP(&output, "output", "o", "", "file to write (default: standard output)")
	for flag, values := range map[string][]string{"format": {"ogg", "aac"}, "quality": {"96", "160", "320"}} {
		// It fails for flags that do not exist only.
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	return cmd
}

func (a *app) stream(ctx context.Context, track string, choice client.Choice, output string) error {
	track, err := a.checkStream(track, choice, output)
	if err != nil {
		return usage{err}
	}
	c := a.console()
	closeConsole := sync.OnceFunc(c.close)
	defer closeConsole()
	cl, err := a.client(c, "SEGUE_TOKEN_PREMIUM", "SEGUE_TOKEN_FREE")
	if err != nil {
		return err
	}
	var r *row
	fetch := func(w io.Writer) (*client.Stream, error) {
		defer func() { r.end() }()
		return cl.Download(ctx, track, choice, w, func(written, size int64) {
			if r == nil {
				r = c.row(track, size, 0)
			}
			r.set(written)
		})
	}
	if output == "" {
		_, err := fetch(a.out)
		return err
	}
	s, err := toFile(output, fetch)
	if err != nil {
		return err
	}
	return c.result(streamed{TrackID: s.TrackID, Format: s.Format, Bitrate: s.Bitrate, MIMEType: s.MIMEType, Size: s.Size, File: output})
}

// toFile writes a file beside output that takes its place when it is whole. A
// process that dies before leaves the other behind, hidden, never half a file.
func toFile(output string, fetch func(io.Writer) (*client.Stream, error)) (_ *client.Stream, err error) {
	f, err := renameio.NewPendingFile(output, renameio.WithPermissions(0o644), renameio.WithExistingPermissions())
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", output, err)
	}
	defer func() { err = errors.Join(err, f.Cleanup()) }()
	s, err := fetch(f)
	if err != nil {
		return nil, err
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return nil, fmt.Errorf("write %s: %w", output, err)
	}
	return s, nil
}

// checkStream reads the track's id and refuses what cannot be written.
func (a *app) checkStream(track string, choice client.Choice, output string) (string, error) {
	if kind, value, err := id.ParseURI(track); err == nil && kind == "track" {
		track = value
	}
	if !id.Valid(track) {
		return "", fmt.Errorf("%q is neither the id of a track nor spotify:track:id", track)
	}
	if choice.Format != "" {
		if _, err := playback.ParseFormat(choice.Format); err != nil {
			return "", fmt.Errorf("--format: %w", err)
		}
	}
	if choice.Quality != "" {
		if _, err := playback.ParseQuality(choice.Quality); err != nil {
			return "", fmt.Errorf("--quality: %w", err)
		}
	}
	switch stat, err := os.Stat(output); {
	case output == "" && a.json:
		return "", errors.New("with --json the audio needs a file: give -o")
	case output == "" && a.outTerminal:
		return "", errors.New("audio is not written to a terminal: redirect it, or give -o")
	case output != "" && err == nil && !stat.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file, which could be replaced", output)
	}
	return track, nil
}
