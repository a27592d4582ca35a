package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/internal/datadir"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
)

// exitDamaged is the exit status of a check that finds damage.
const exitDamaged = 1

const (
	// maxFindings is how many findings of each kind are printed.
	maxFindings = 100
	// progressEvery is the interval between two lines of progress.
	progressEvery = 2 * time.Second
)

func newCheck() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Verify a data folder",
		Long: `Verify a data folder that no server is using, such as a backup: every stored byte
against its checksum, every record, every reference between records, and the indexes.
The folder is not changed.

Each finding is one line:
  damage       data is lost or wrong; restore the folder from a backup
  garbage      nothing refers to it any more; harmless, a server removes it in time
  unreachable  a blob stored by an earlier version under a name that no request can
               have; to remove it, copy the other blobs of its container elsewhere and
               delete the container

The exit status is 0 without damage, 1 with damage, 70 if the check could not finish.`,
		Example: `  leasehold check --data ./store`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if data == "" {
				return errors.New("no data folder: name one with --data DIR")
			}
			return check(cmd.Context(), data, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data `folder`, required")
	return cmd
}

// check verifies a data folder and prints its findings.
func check(ctx context.Context, path string, out, progress io.Writer) error {
	f, err := datadir.Take(path)
	if err != nil {
		return &exitError{exitInternal, err}
	}
	defer f.Close()
	r := &checkReport{out: out, progress: progress, last: time.Now()}
	sum, err := r.run(ctx, f)
	if err != nil {
		return &exitError{exitInternal, fmt.Errorf("the check of %s could not finish: %w", path, err)}
	}
	fmt.Fprintf(out, "%d containers, %d blobs, %d segments; damage: %d, garbage: %d\n",
		sum.Containers, sum.Blobs, sum.Segments, r.damage, r.garbage)
	if r.damage > 0 {
		return &exitError{exitDamaged, fmt.Errorf("data folder %s is damaged; restore it from a backup", path)}
	}
	return nil
}

// checkReport prints the findings and the progress of a check.
type checkReport struct {
	out, progress   io.Writer
	damage, garbage int
	unreachable     int
	last            time.Time // of the latest line of progress
}

func (r *checkReport) found(f meta.Finding) {
	count, word := &r.damage, "damage"
	if f.Garbage {
		count, word = &r.garbage, "garbage"
	} else if f.Unreachable {
		count, word = &r.unreachable, "unreachable"
	}
	switch *count++; {
	case *count <= maxFindings:
		fmt.Fprintf(r.out, "%s: %s\n", word, strings.ReplaceAll(f.Text, "\n", " "))
	case *count == maxFindings+1:
		fmt.Fprintf(r.out, "%s: further findings are counted but not shown\n", word)
	}
}

func (r *checkReport) at(what string, done int) {
	if now := time.Now(); now.Sub(r.last) >= progressEvery {
		r.last = now
		fmt.Fprintf(r.progress, "checking %s: %d\n", what, done)
	}
}

// run checks the key-value store, then the records in it. A store that can't be opened counts as
// damage, unless permissions are to blame.
func (r *checkReport) run(ctx context.Context, f *datadir.Folder) (meta.Checked, error) {
	var none meta.Checked
	if missing, err := engines.MissingKV(f.KV()); err != nil || missing != "" {
		r.found(meta.Finding{Text: fmt.Sprintf("the key-value store has no file %s", missing)})
		return none, err
	}
	db, err := engines.OpenKV(f.KV(), datadir.KVOptions{})
	if errors.Is(err, os.ErrPermission) {
		return none, err
	}
	if err != nil {
		r.found(meta.Finding{Text: err.Error()})
		return none, nil
	}
	defer db.Close()
	r.at("the key-value store", 0)
	if err := verify(ctx, db); ctx.Err() != nil {
		return none, ctx.Err()
	} else if err != nil {
		r.found(meta.Finding{Text: err.Error()})
	}
	segments, err := engines.OpenSegments(f.Segments())
	if err != nil {
		return none, err
	}
	defer segments.Close()
	c := meta.Checker{DB: db, Segments: segments, Report: r.found, Progress: r.at}
	return c.Run(ctx)
}

// verify has the engine check its own files, if it can.
func verify(ctx context.Context, db kv.DB) error {
	v, ok := db.(kv.Verifier)
	if !ok {
		return nil
	}
	_, err := v.Verify(ctx)
	return err
}
