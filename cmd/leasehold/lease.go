package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/hold"
)

// leaseFlags holds the flags of the lease commands. Each command registers a subset.
type leaseFlags struct {
	duration string
	proposed string
	wait     time.Duration
	create   bool
	id, to   string
	period   time.Duration
	yes      bool
	output   string
}

func newLease() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lease",
		Short: "Acquire, renew, change, release, break, show and list leases",
		Long:  "Work with leases of blobs and containers, on Leasehold or on Azure.\n\n" + targetHelp,
		Example: `  ID=$(leasehold lease acquire jobs/nightly --duration 60s --create)
  leasehold lease renew jobs/nightly --id "$ID"
  leasehold lease release jobs/nightly --id "$ID"
  leasehold lease show jobs/nightly -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAcquire(), newRenew(), newChange(), newRelease(), newBreak(), newShow(), newWait(), newList(), newLeaseWatch())
	return cmd
}

// leaseCommand returns a command for one target.
func leaseCommand(use, short, example string, run func(*cobra.Command, *hold.Client) error) *cobra.Command {
	return &cobra.Command{
		Use:     use + " TARGET",
		Short:   short,
		Long:    short + ".\n\n" + targetHelp,
		Example: example,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := target(args[0])
			if err != nil {
				return err
			}
			c, err := hold.New(t, &hold.Options{Extensions: true})
			if err != nil {
				return err
			}
			return run(cmd, c)
		},
	}
}

// leaseDuration parses the duration of a lease: "infinite", or 15s to 60s.
func leaseDuration(text string) (time.Duration, error) {
	if text == "infinite" || text == "-1" {
		return hold.Infinite, nil
	}
	d, err := time.ParseDuration(text)
	if n, e := strconv.Atoi(text); e == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 15*time.Second || d > time.Minute || d%time.Second != 0 {
		return 0, fmt.Errorf("duration %q: whole seconds from 15s to 60s, or infinite", text)
	}
	return d, nil
}

func newAcquire() *cobra.Command {
	f := &leaseFlags{}
	cmd := leaseCommand("acquire", "Acquire a lease and print its ID",
		`  ID=$(leasehold lease acquire jobs/nightly --duration 30s --wait 5m)`,
		func(cmd *cobra.Command, c *hold.Client) error {
			d, err := leaseDuration(f.duration)
			if err != nil {
				return err
			}
			if f.wait == 0 && !f.create {
				g, err := c.Acquire(cmd.Context(), d, &hold.AcquireOptions{ProposedID: hold.ID(f.proposed)})
				if err != nil {
					return status(explainHeld(cmd.Context(), cmd, c, err))
				}
				return printGrant(cmd.OutOrStdout(), f.output, c, g.ID, g.Epoch)
			}
			l, err := acquireLock(cmd, c, f.wait, &hold.LockOptions{Duration: d, CreateIfMissing: f.create})
			if err != nil {
				return status(err)
			}
			epoch, _ := l.Epoch()
			id := l.HandOff()
			if f.proposed != "" {
				if _, err := c.Change(cmd.Context(), id, hold.ID(f.proposed), nil); err != nil {
					return status(err)
				}
				id = hold.ID(f.proposed)
			}
			return printGrant(cmd.OutOrStdout(), f.output, c, id, epoch)
		})
	outputFlag(cmd, &f.output, "text", "json", "env")
	fl := cmd.Flags()
	fl.StringVar(&f.duration, "duration", "30s", "duration of the lease: 15s to 60s, or infinite")
	fl.StringVar(&f.proposed, "proposed-id", "", "ID for the lease (a GUID)")
	fl.DurationVar(&f.wait, "wait", 0, "how long to wait while someone else holds the lease; 0: not at all")
	fl.BoolVar(&f.create, "create", false, "create the container and an empty blob if they are missing")
	return cmd
}

// printGrant prints the ID of a lease.
func printGrant(w io.Writer, form string, c *hold.Client, id hold.ID, epoch uint64) error {
	var err error
	switch form {
	case "json":
		return printJSON(w, struct {
			URL   string  `json:"url"`
			ID    hold.ID `json:"id"`
			Epoch uint64  `json:"epoch,omitempty"`
		}{c.Target().String(), id, epoch})
	case "env":
		_, err = fmt.Fprintf(w, "LEASE_URL=%s\nLEASE_ID=%s\nLEASE_EPOCH=%d\n", quote(c.Target().String()), id, epoch)
	default:
		_, err = fmt.Fprintln(w, id)
	}
	return err
}

func newRenew() *cobra.Command {
	f := &leaseFlags{}
	cmd := leaseCommand("renew", "Renew a lease for its duration", `  leasehold lease renew jobs/nightly --id "$ID"`,
		func(cmd *cobra.Command, c *hold.Client) error {
			_, err := c.Renew(cmd.Context(), hold.ID(f.id), nil)
			return status(err)
		})
	requireID(cmd, f)
	return cmd
}

func requireID(cmd *cobra.Command, f *leaseFlags) {
	cmd.Flags().StringVar(&f.id, "id", os.Getenv("LEASE_ID"), "ID of the lease; default $LEASE_ID")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := hold.ParseID(f.id); err != nil {
			return fmt.Errorf("--id: %q is no lease ID (a GUID)", f.id)
		}
		return run(cmd, args)
	}
}

func newChange() *cobra.Command {
	f := &leaseFlags{}
	cmd := leaseCommand("change", "Change the ID of a lease", `  leasehold lease change jobs/nightly --id "$ID" --to "$(uuidgen)"`,
		func(cmd *cobra.Command, c *hold.Client) error {
			g, err := c.Change(cmd.Context(), hold.ID(f.id), hold.ID(f.to), nil)
			if err != nil {
				return status(err)
			}
			return printGrant(cmd.OutOrStdout(), f.output, c, g.ID, g.Epoch)
		})
	requireID(cmd, f)
	outputFlag(cmd, &f.output, "text", "json", "env")
	cmd.Flags().StringVar(&f.to, "to", "", "new ID of the lease (a GUID)")
	cmd.MarkFlagRequired("to")
	return cmd
}

func newRelease() *cobra.Command {
	f := &leaseFlags{}
	cmd := leaseCommand("release", "Release a lease", `  leasehold lease release jobs/nightly --id "$ID"`,
		func(cmd *cobra.Command, c *hold.Client) error {
			return status(c.Release(cmd.Context(), hold.ID(f.id), nil))
		})
	requireID(cmd, f)
	return cmd
}

func newBreak() *cobra.Command {
	f := &leaseFlags{}
	var epoch uint64
	cmd := leaseCommand("break", "Break a lease, whoever holds it, and print how long it still lasts", `  leasehold lease break jobs/nightly --period 0s --yes
  leasehold lease break --prefix jobs/ --older-than 24h --dry-run`,
		func(cmd *cobra.Command, c *hold.Client) error {
			if err := confirm(cmd, c, f.yes); err != nil {
				return err
			}
			o := &hold.BreakOptions{}
			if cmd.Flags().Changed("period") {
				o.Period = &f.period
			}
			ctx := cmd.Context()
			if cmd.Flags().Changed("epoch") {
				ctx = policy.WithHTTPHeader(ctx, http.Header{"Leasehold-If-Epoch": {strconv.FormatUint(epoch, 10)}})
			}
			left, err := c.Break(ctx, o)
			if errors.Is(err, hold.ErrNotLeased) {
				return &exitError{exitNotAcquired, err}
			}
			if err != nil {
				return status(err)
			}
			return printBroken(cmd.OutOrStdout(), f.output, c, left)
		})
	outputFlag(cmd, &f.output, "text", "json", "env")
	fl := cmd.Flags()
	fl.DurationVar(&f.period, "period", 0, "how much longer the holder keeps the lease, 0s to 60s; default: its remaining time, or 0s if it is infinite")
	fl.Uint64Var(&epoch, "epoch", 0, "break only the lease with this epoch, as show and list print it; Leasehold only")
	fl.BoolVar(&f.yes, "yes", false, "break without asking for confirmation")
	new(breakFilter).add(cmd, f)
	return cmd
}

// printBroken prints how long a broken lease still lasts.
func printBroken(w io.Writer, form string, c *hold.Client, left time.Duration) error {
	var err error
	switch form {
	case "json":
		return printJSON(w, struct {
			URL       string `json:"url"`
			Remaining int64  `json:"remaining"` // seconds
		}{c.Target().String(), int64(left / time.Second)})
	case "env":
		_, err = fmt.Fprintf(w, "LEASE_URL=%s\nLEASE_REMAINING=%d\n", quote(c.Target().String()), int64(left/time.Second))
	default:
		_, err = fmt.Fprintln(w, left)
	}
	return err
}

// confirm makes the user of a terminal type the name of the target, so that no lease is broken by a
// slip.
func confirm(cmd *cobra.Command, c *hold.Client, yes bool) error {
	stat, err := os.Stdin.Stat()
	if yes || err != nil || stat.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	name := c.Target().String()
	name = name[strings.LastIndex(name, "/")+1:]
	fmt.Fprintf(cmd.ErrOrStderr(), "The holder of the lease on %s will lose it. Type %q to confirm: ", c.Target(), name)
	line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if strings.TrimSpace(line) != name {
		return errors.New("not broken: the name does not match")
	}
	return nil
}

// shownLease is what show and wait print.
type shownLease struct {
	URL      string       `json:"url"`
	State    string       `json:"state"`
	Infinite bool         `json:"infinite"`
	ETag     string       `json:"etag"`
	Epoch    uint64       `json:"epoch,omitempty"`
	Holder   *shownHolder `json:"holder,omitempty"`
	Text     *hold.Holder `json:"description,omitempty"`
}

// shownHolder is the holder of a lease as the server sees it.
type shownHolder struct {
	Principal string    `json:"principal,omitempty"`
	Address   string    `json:"address,omitempty"`
	Client    string    `json:"client,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Renewed   time.Time `json:"renewed,omitzero"`
}

// shown returns the state of a lease in the form that commands print.
func shown(c *hold.Client, i *hold.Info) *shownLease {
	l := &shownLease{c.Target().String(), string(i.State), i.Infinite, string(i.ETag), i.Epoch, nil, i.Holder}
	if i.Observed != nil {
		h := shownHolder(*i.Observed)
		l.Holder = &h
	}
	return l
}

func newShow() *cobra.Command {
	f := &leaseFlags{}
	cmd := leaseCommand("show", "Show the lease of a blob or container", `  leasehold lease show jobs/nightly
  eval "$(leasehold lease show jobs/nightly -o env)"; echo "$LEASE_STATE"`,
		func(cmd *cobra.Command, c *hold.Client) error {
			info, err := c.Inspect(cmd.Context())
			if err != nil {
				return status(err)
			}
			return printLease(cmd.OutOrStdout(), f.output, shown(c, &info))
		})
	outputFlag(cmd, &f.output, "text", "json", "env")
	return cmd
}

func printLease(w io.Writer, form string, l *shownLease) error {
	switch form {
	case "json":
		return printJSON(w, l)
	case "env":
		_, err := fmt.Fprintf(w, "LEASE_URL=%s\nLEASE_STATE=%s\nLEASE_EPOCH=%d\n", quote(l.URL), l.State, l.Epoch)
		return err
	}
	fmt.Fprintf(w, "%s: %s", l.URL, l.State)
	if l.Infinite {
		fmt.Fprint(w, ", infinite")
	}
	if l.Epoch != 0 {
		fmt.Fprintf(w, ", epoch %d", l.Epoch)
	}
	fmt.Fprintln(w)
	if l.Text != nil {
		fmt.Fprintf(w, "  described by its holder as: %s\n", l.Text)
	}
	if s := l.Holder; s != nil {
		fmt.Fprintf(w, "  seen by the server: %s from %s with %s, since %s, renewed %s\n", s.Principal, s.Address, s.Client,
			s.Since.Format(time.RFC3339), s.Renewed.Format(time.RFC3339))
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func newWait() *cobra.Command {
	f := &leaseFlags{}
	cmd := leaseCommand("wait", "Wait until a lease is free", `  leasehold lease wait jobs/nightly --timeout 10m && echo free`,
		func(cmd *cobra.Command, c *hold.Client) error {
			ctx, cancel := withTimeout(cmd.Context(), f.wait)
			defer cancel()
			for info, err := range c.Watch(ctx, nil) {
				switch {
				case err != nil && ctx.Err() != nil && cmd.Context().Err() == nil:
					return &exitError{exitNotAcquired, errors.New("the lease is still held")}
				case err != nil:
					return status(err)
				case !info.State.Locked():
					return nil
				}
			}
			if cmd.Context().Err() != nil {
				return status(cmd.Context().Err())
			}
			return &exitError{exitNotAcquired, errors.New("the lease is still held")}
		})
	cmd.Flags().DurationVar(&f.wait, "timeout", 0, "how long to wait; 0: for ever")
	return cmd
}
