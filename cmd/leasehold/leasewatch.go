package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/hold"
)

// leaseChange is a change of a lease that watch has seen.
type leaseChange struct {
	Time   time.Time    `json:"time"`
	Name   string       `json:"name"`
	State  string       `json:"state"`
	Epoch  uint64       `json:"epoch,omitempty"`
	Holder *shownHolder `json:"holder,omitempty"`
}

type watchFlags struct {
	prefix, output string
	every          time.Duration
}

// minWatch is the shortest interval between two looks: each look is a request.
const minWatch = 100 * time.Millisecond

func newLeaseWatch() *cobra.Command {
	f := &watchFlags{}
	cmd := &cobra.Command{
		Use:   "watch [TARGET]",
		Short: "Print the changes of leases as they happen",
		Long: `Print the lease of TARGET, or the live leases whose names begin with --prefix, and then each change on a
line of its own, until interrupted. The server is asked at intervals, so a change that is undone within one can
be missed.

` + targetHelp,
		Example: `  leasehold lease watch jobs/nightly
  leasehold lease watch --prefix jobs/ -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.every < minWatch {
				return usageError("--interval: %v is less than %v", f.every, minWatch)
			}
			if (len(args) == 1) == cmd.Flags().Changed("prefix") {
				return usageError("name either a TARGET or a --prefix")
			}
			var err error
			if len(args) == 1 {
				err = f.one(cmd, args[0])
			} else {
				err = f.many(cmd)
			}
			if cmd.Context().Err() != nil {
				return nil // Ctrl-C is how a watch ends
			}
			return status(err)
		},
	}
	cmd.Flags().StringVar(&f.prefix, "prefix", "", "watch the leases whose names have this prefix")
	cmd.Flags().DurationVar(&f.every, "interval", time.Second, "time between two looks")
	outputFlag(cmd, &f.output, "text", "json")
	return cmd
}

// one watches one target.
func (f *watchFlags) one(cmd *cobra.Command, name string) error {
	t, err := target(name)
	if err != nil {
		return err
	}
	c, err := hold.New(t, &hold.Options{Extensions: true})
	if err != nil {
		return err
	}
	for info, err := range c.Watch(cmd.Context(), &hold.WatchOptions{Interval: f.every}) {
		if err != nil {
			return err
		}
		full, err := c.Inspect(cmd.Context()) // for the holder
		if err == nil {
			info = full
		}
		s := shown(c, &info)
		if err := f.print(cmd.OutOrStdout(), &leaseChange{time.Now(), s.URL, s.State, s.Epoch, s.Holder}); err != nil {
			return err
		}
	}
	return nil
}

// many watches the live leases of the account.
func (f *watchFlags) many(cmd *cobra.Command) error {
	ctx := cmd.Context()
	p, named, err := placeFromEnv(os.Getenv)
	if err != nil {
		return err
	}
	if !named {
		return usageError("no account is named: set %s, or %s", envConnection, envAccount)
	}
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for before := map[string]liveLease{}; ; {
		leases, err := p.liveLeases(ctx, f.prefix, "")
		if errors.Is(err, errNoIndex) {
			leases, err = p.walkLeases(ctx, f.prefix, "")
		}
		if err != nil {
			return err
		}
		now := make(map[string]liveLease, len(leases))
		for _, l := range leases {
			now[l.name()] = l
		}
		for _, change := range changes(before, now, time.Now()) {
			if err := f.print(cmd.OutOrStdout(), &change); err != nil {
				return err
			}
		}
		before = now
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// changes returns the differences between two lists of live leases, in the order of names. A lease
// that is in the list no more is available.
func changes(before, now map[string]liveLease, at time.Time) (all []leaseChange) {
	names := slices.AppendSeq(slices.Collect(maps.Keys(now)), maps.Keys(before))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		old, was := before[name]
		l, is := now[name]
		switch {
		case !is:
			all = append(all, leaseChange{at, name, string(hold.StateAvailable), old.Epoch, nil})
		case !was || old.State != l.State || old.Epoch != l.Epoch || old.Holder.Principal != l.Holder.Principal:
			c := leaseChange{Time: at, Name: name, State: l.State, Epoch: l.Epoch}
			if !l.Holder.Since.IsZero() {
				c.Holder = &l.Holder
			}
			all = append(all, c)
		}
	}
	return all
}

// print writes a change on one line.
func (f *watchFlags) print(w io.Writer, c *leaseChange) error {
	if f.output == "json" {
		return json.NewEncoder(w).Encode(c)
	}
	who := ""
	if c.Holder != nil {
		who = "  " + c.Holder.Principal + " from " + c.Holder.Address
	}
	_, err := fmt.Fprintf(w, "%s  %-9s  %s%s\n", c.Time.Local().Format("15:04:05"), c.State, c.Name, who)
	return err
}

// breakFilter selects the leases that break --prefix breaks.
type breakFilter struct {
	prefix    string
	olderThan time.Duration
	dryRun    bool
}

// add adds the flags to a command that breaks the lease of one TARGET, which then breaks those of a
// filter, too.
func (b *breakFilter) add(cmd *cobra.Command, f *leaseFlags) {
	one := cmd.RunE
	cmd.Use = "break [TARGET]"
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		many := cmd.Flags().Changed("prefix")
		switch {
		case many == (len(args) == 1):
			return usageError("name either a TARGET or a --prefix")
		case !many && (b.dryRun || b.olderThan > 0):
			return usageError("--dry-run and --older-than go with --prefix")
		case !many:
			return one(cmd, args)
		case !b.dryRun && !f.yes:
			return usageError("--prefix breaks many leases: look with --dry-run, then confirm with --yes")
		case cmd.Flags().Changed("epoch"):
			return usageError("--epoch belongs to one lease: name a TARGET")
		}
		return status(b.run(cmd, f))
	}
	fl := cmd.Flags()
	fl.StringVar(&b.prefix, "prefix", "", "break all leases whose names have this prefix; needs --yes")
	fl.DurationVar(&b.olderThan, "older-than", 0, "with --prefix, only leases held for longer than this")
	fl.BoolVar(&b.dryRun, "dry-run", false, "with --prefix, print the leases and break none")
}

// run breaks the selected leases and prints the name of each. It goes on after a failure.
func (b *breakFilter) run(cmd *cobra.Command, f *leaseFlags) error {
	p, named, err := placeFromEnv(os.Getenv)
	if err != nil {
		return err
	}
	if !named {
		return usageError("no account is named: set %s, or %s", envConnection, envAccount)
	}
	leases, err := p.liveLeases(cmd.Context(), b.prefix, "")
	if errors.Is(err, errNoIndex) && b.olderThan == 0 {
		leases, err = p.walkLeases(cmd.Context(), b.prefix, "")
	}
	if err != nil {
		return err
	}
	o := &hold.BreakOptions{}
	if cmd.Flags().Changed("period") {
		o.Period = &f.period
	}
	var failed error
	for _, l := range leases {
		if b.olderThan > 0 && (l.Holder.Since.IsZero() || time.Since(l.Holder.Since) <= b.olderThan) {
			continue
		}
		if b.dryRun {
			fmt.Fprintln(cmd.OutOrStdout(), "would break", l.name())
			continue
		}
		if err := breakOne(cmd.Context(), l.name(), o); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %s", l.name(), brief(cmd, err)))
			continue
		}
		fmt.Fprintln(cmd.OutOrStdout(), "broke", l.name())
	}
	return failed
}

// breakOne breaks the lease of one name. It is no error if the lease has ended meanwhile.
func breakOne(ctx context.Context, name string, o *hold.BreakOptions) error {
	t, err := target(name)
	if err != nil {
		return err
	}
	c, err := hold.New(t, nil)
	if err != nil {
		return err
	}
	if _, err = c.Break(ctx, o); errors.Is(err, hold.ErrNotLeased) {
		return nil
	}
	return err
}
