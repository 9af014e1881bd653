package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/segue-audio/segue/shared/playback"
	"github.com/segue-audio/segue/shared/playback/rotation"
)

func (a *app) keysetCommand() *cobra.Command {
	status := command("status", "The keys, and how many rows each wraps", cobra.NoArgs, a.keysetStatus)
	add := command("add", "Add a key that opens, but does not wrap yet", cobra.NoArgs, a.keysetAdd)
	promote := command("promote", "Make the newest key the one that wraps", cobra.NoArgs, a.keysetPromote)
	rewrap := command("rewrap", "Wrap every content key that is not under the primary anew", cobra.NoArgs, a.keysetRewrap)
	rewrap.Flags().BoolVar(&a.dryRun, "dry-run", false, "only count the rows")
	retire := command("retire KEY", "Disable a key that wraps nothing any more, or destroy a disabled one", cobra.ExactArgs(1), a.keysetRetire)
	retire.Flags().BoolVar(&a.destroy, "destroy", false, "destroy the disabled key; rows that are restored from a backup need it")
	g := group("keyset", "The keyset that content keys are wrapped with", status, add, promote, rewrap, retire)
	a.keysetFlags(g)
	for _, c := range []*cobra.Command{add, promote, retire} {
		c.Flags().StringVar(&a.to, "out", "", "the `file` to write, - for standard output (default: the keyset's own)")
	}
	return g
}

func (a *app) keysetFlags(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&a.keyset, "keyset", "", "`file` of the encrypted keyset, - for standard input (default $SEGUE_KEYS/keyset.json)")
	flags.StringVar(&a.kek, "kek", "", "`URI` of the key that it is encrypted with (default $SEGUE_KEYSET_KEK)")
}

// step is a keyset that was read and what to do with it.
type step struct {
	rotation.Deps
	file, text string
}

// begin reads the keyset and connects to the rows.
func (a *app) begin(ctx context.Context) (*step, error) {
	now, err := a.now()
	if err != nil {
		return nil, err
	}
	s := &step{file: a.keyset, Deps: rotation.Deps{Now: now, Force: a.force}}
	if s.file == "" {
		dir, err := a.or("", "SEGUE_KEYS", "--keyset")
		if err != nil {
			return nil, err
		}
		s.file = filepath.Join(dir, "keyset.json")
	}
	kek, err := a.or(a.kek, "SEGUE_KEYSET_KEK", "--kek")
	if err != nil {
		return nil, err
	}
	var text []byte
	if s.file == "-" {
		text, err = io.ReadAll(a.in)
	} else {
		text, err = os.ReadFile(s.file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the keyset: %w", err)
	}
	s.text = string(text)
	if s.Keyset, err = playback.ReadKeyset(ctx, s.text, kek); err != nil {
		return nil, err
	}
	s.Writer, err = a.open(ctx)
	return s, err
}

// changed is what a step did to the keyset.
type changed struct {
	Step   string `json:"step"`
	Key    uint32 `json:"key"`
	File   string `json:"file,omitempty"`
	Former string `json:"former,omitempty"` // where the keyset of before is
}

// save writes the keyset where it belongs. On standard output, it is alone.
func (a *app) save(ctx context.Context, s *step, c changed, destroyed uint32, did string) error {
	text, err := s.Keyset.Encrypt(ctx)
	if err != nil {
		return err
	}
	to, was := a.to, ""
	if to == "" {
		to, was = s.file, s.text
	}
	if to == "-" {
		fmt.Fprintf(a.err, "rotate: key %d: %s\n", c.Key, did)
		_, err := fmt.Fprintln(a.out, text)
		return err
	}
	c.File = to
	if c.Former, err = playback.SaveKeyset(to, was, text, destroyed, s.Now()); err != nil {
		return err
	}
	words := fmt.Sprintf("key %d: %s; wrote %s", c.Key, did, c.File)
	if c.Former != "" {
		words += ", the former is " + c.Former
	}
	return a.result(c, words)
}

func (a *app) keysetAdd(ctx context.Context, _ []string) error {
	s, err := a.begin(ctx)
	if err != nil {
		return err
	}
	id, err := rotation.Add(ctx, s.Deps)
	if err != nil {
		return err
	}
	if err := a.save(ctx, s, changed{Step: "add", Key: id}, 0, "added"); err != nil {
		return err
	}
	a.next("rotate deploy, then rotate keyset promote")
	return nil
}

func (a *app) keysetPromote(ctx context.Context, _ []string) error {
	s, err := a.begin(ctx)
	if err != nil {
		return err
	}
	id, err := rotation.Promote(ctx, s.Deps)
	if err != nil {
		return err
	}
	if err := a.save(ctx, s, changed{Step: "promote", Key: id}, 0, "is the primary"); err != nil {
		return err
	}
	a.next("rotate deploy, then rotate keyset rewrap")
	return nil
}

func (a *app) keysetRetire(ctx context.Context, given []string) error {
	id, err := strconv.ParseUint(given[0], 10, 32)
	if err != nil {
		return usage{fmt.Errorf("%q is not the id of a key: rotate keyset status lists them", given[0])}
	}
	s, err := a.begin(ctx)
	if err != nil {
		return err
	}
	key, destroyed, did := uint32(id), uint32(0), "disabled"
	if a.destroy {
		destroyed, did = key, "destroyed"
	}
	if err := rotation.Retire(ctx, s.Deps, key, a.destroy); err != nil {
		return err
	}
	if err := a.save(ctx, s, changed{Step: "retire", Key: key}, destroyed, did); err != nil {
		return err
	}
	a.next("rotate deploy")
	return nil
}
