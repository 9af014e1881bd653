package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
)

// upload is the command's flags.
type upload struct {
	metadata       ingest.Metadata
	allowDuplicate bool
	parallel       int
	wait           bool
}

func (a *app) uploadCommand() *cobra.Command {
	var u upload
	cmd := &cobra.Command{
		Use: "upload FILE|FOLDER…", Short: "Upload audio files and folders of them",
		Long: `Upload audio files and folders of them, and follow them until they can be played.

What is said here goes before the files' tags. An upload that is interrupted goes on
where it is when the same command is run again, if the file is still the same.`,
		Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return extensions(), cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.upload(cmd.Context(), u, args) },
	}
	m, flags := &u.metadata, cmd.Flags()
	flags.StringVar(&m.Title, "title", "", "title, of one file only")
	flags.StringArrayVar(&m.Artists, "artist", nil, "main artist; can be repeated")
	flags.StringVar(&m.Album, "album", "", "album")
	flags.StringVar(&m.Label, "label", "", "name of the record label")
	flags.StringArrayVar(&m.Genres, "genre", nil, "genre; can be repeated")
	flags.StringVar(&m.ReleaseDate, "release-date", "", "2016, 2016-04 or 2016-04-23")
	flags.StringArrayVar(&m.Copyrights, "copyright", nil, "copyright or licence; can be repeated")
	flags.StringArrayVar(&m.Markets, "market", nil, "country that may play it, such as SE; can be repeated (default: all)")
	flags.BoolVar(&m.Explicit, "explicit", false, "explicit lyrics")
	flags.BoolVar(&u.allowDuplicate, "allow-duplicate", false, "also what the catalogue has already")
	flags.IntVar(&u.parallel, "parallel", 2, "files to send at once")
	flags.BoolVar(&u.wait, "wait", true, "follow each upload to its end")
	return cmd
}

// plan finds the files and refuses what cannot be uploaded, before anything is.
func (u *upload) plan(args []string) ([]file, error) {
	if u.parallel < 1 {
		return nil, usage{fmt.Errorf("--parallel is %d, not at least 1", u.parallel)}
	}
	files, err := find(args)
	if err != nil {
		return nil, usage{err}
	}
	if u.metadata.Title != "" && len(files) > 1 {
		return nil, usage{fmt.Errorf("--title is for one file, and there are %d", len(files))}
	}
	var bad []error
	for _, f := range files {
		a := u.announcement(f)
		check := ingest.Upload{Filename: a.Filename, ContentType: a.ContentType, Size: f.size, Metadata: a.Metadata}
		if err := check.Check(); err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", f.path, err))
		}
	}
	if len(bad) > 0 {
		return nil, usage{errors.Join(bad...)}
	}
	return files, nil
}

func (u *upload) announcement(f file) client.Announcement {
	t, _ := contentType(f.path)
	return client.Announcement{
		Filename: filepath.Base(f.path), ContentType: t, Size: f.size, AllowDuplicate: u.allowDuplicate, Metadata: u.metadata,
	}
}
