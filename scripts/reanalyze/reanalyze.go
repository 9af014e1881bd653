package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/ingest/analysis"
)

// batch is how many tracks are asked for in one transaction.
const batch = 100

// selection is which tracks are meant.
type selection struct {
	track  string
	all    bool
	after  string // the last id that is not meant
	dryRun bool
}

// anew says whether what has an analysis of this version is meant too.
func (s selection) anew() bool { return s.all || s.track != "" }

type deps struct {
	writer  *event.Writer
	uploads *storage.BucketHandle
	out     io.Writer
}

// count is how many tracks were looked at, and what became of them.
type count struct{ seen, asked, gone, newer int }

func (n count) String() string {
	all := fmt.Sprintf("%d tracks: %d asked for, %d without a source", n.seen, n.asked, n.gone)
	if n.newer > 0 {
		all += fmt.Sprintf(", %d skipped with an analysis newer than this build's (%d)", n.newer, analysis.Version)
	}
	return all
}

// reanalyze asks for the analysis of what s means, a batch after the other. Each
// batch is one transaction with its events: end it where you may, what was asked
// for stays so. To run it again asks for the rest, and again for what the function
// has not done yet, which does no harm; with --all it asks for everything again,
// so that it says from where to go on.
func reanalyze(ctx context.Context, d deps, s selection) error {
	var n count
	after := s.after
	for {
		page, err := d.find(ctx, s, after)
		if err == nil && len(page) == 0 {
			break
		}
		if err == nil {
			err = d.batch(ctx, s, page, &n)
		}
		switch {
		case err != nil && s.all && !s.dryRun && after != "":
			return fmt.Errorf("%w; the last track asked for is %s: go on with --all --after %[2]s", err, after)
		case err != nil:
			return err
		}
		after = page[len(page)-1].TrackID
		words := n.String()
		if s.dryRun {
			words = strings.Replace(words, "asked for", "would be asked for", 1)
		}
		fmt.Fprintln(d.out, words)
	}
	switch {
	case n.seen == 0 && s.track != "":
		return fmt.Errorf("there is no playable track %s", s.track)
	case n.newer > 0 && s.track != "":
		return fmt.Errorf("the analysis of track %s is newer than this build's, which is version %d: it stays", s.track, analysis.Version)
	case n.gone > 0 && s.track != "":
		return errors.New("it cannot be analysed without its source")
	case n.seen == 0 && s.after != "":
		fmt.Fprintf(d.out, "nothing to do behind track %s\n", s.after)
	case n.seen == 0:
		fmt.Fprintf(d.out, "nothing to do: every playable track has an analysis of version %d\n", analysis.Version)
	}
	return nil
}

// batch asks for one page of tracks and counts them.
func (d deps) batch(ctx context.Context, s selection, page []*candidate, n *count) error {
	if err := d.look(ctx, page); err != nil {
		return err
	}
	var present []*candidate
	gone := 0
	for _, c := range page {
		switch {
		case newer(c.Version):
		case c.gone:
			fmt.Fprintf(d.out, "track %s: its source is gone (upload %s)\n", c.TrackID, c.UploadID)
			gone++
		default:
			present = append(present, c)
		}
	}
	asked := len(present)
	if !s.dryRun {
		var err error
		if asked, err = d.ask(ctx, s, present); err != nil {
			return err
		}
	}
	n.seen, n.asked, n.gone, n.newer = n.seen+len(page), n.asked+asked, n.gone+gone, n.newer+len(page)-gone-asked
	return nil
}
