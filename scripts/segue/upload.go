package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

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
	noCover        bool
}

func (a *app) uploadCommand() *cobra.Command {
	var u upload
	cmd := &cobra.Command{
		Use: "upload FILE|FOLDER…", Short: "Upload audio files and folders of them",
		Long: `Upload audio files and folders of them, and follow them until they can be played.

What is said here goes before the files' tags, and so does a picture beside the
files that is called cover, folder or front (.jpg, .jpeg, .png, .webp).

An upload that is interrupted goes on where it is when the same command is run
again, if the file is still the same.`,
		Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return extensions(), cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.upload(cmd.Context(), u, args) },
	}
	metadataFlags(cmd, &u.metadata)
	flags := cmd.Flags()
	flags.BoolVar(&u.allowDuplicate, "allow-duplicate", false, "also what the catalogue has already")
	flags.BoolVar(&u.noCover, "no-cover", false, "not the pictures beside the files")
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
	if given := ofOneFile(u.metadata); len(given) > 0 && len(files) > 1 {
		verb := "is"
		if len(given) > 1 {
			verb = "are"
		}
		return nil, usage{fmt.Errorf("%s %s for one file, and there are %d", strings.Join(given, ", "), verb, len(files))}
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
