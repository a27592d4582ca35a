package main

import (
	"context"
	"errors"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/hold"
)

func newElect() *cobra.Command {
	f := &lockFlags{}
	cmd := &cobra.Command{
		Use:   "elect TARGET -- COMMAND [ARG...]",
		Short: "Run a command for each term as elected leader",
		Long: `Campaign for the lease of a blob or container, run a command for each term of leadership, and campaign
again after losing the lease. Each command runs as under lock. The election ends when a command ends by
itself, with the exit status of the command, or when this process is told to stop.

` + targetHelp,
		Example: `  leasehold elect jobs/leader --create --describe "$(hostname)" -- ./serve-as-leader.sh`,
		Args:    targetAndCommand,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.runElection(cmd, args[0], args[1:])
		},
	}
	f.add(cmd)
	return cmd
}

func (f *lockFlags) runElection(cmd *cobra.Command, name string, command []string) error {
	o, err := f.options(cmd)
	if err != nil {
		return err
	}
	t, err := target(name)
	if err != nil {
		return err
	}
	k := &keeper{grace: f.grace, target: t, command: command}
	e, err := hold.NewElection(t, &hold.ElectionOptions{Options: hold.Options{Extensions: true, OnEvent: k.event}, Lock: *o})
	if err != nil {
		return err
	}
	if k.client, err = hold.New(t, &hold.Options{Extensions: true}); err != nil {
		return err
	}
	k.notices = notices(cmd)
	if f.create {
		if _, err := k.client.Inspect(cmd.Context()); bloberror.HasCode(err, bloberror.ContainerNotFound) {
			_ = makeContainer(cmd.Context(), name) // if it failed the election says that the container is missing
		}
	}
	var outcome error
	over := errors.New("the command ended")
	err = e.Run(cmd.Context(), func(_ context.Context, term hold.Term) error {
		outcome = k.run(term.Lock)
		if errors.Is(outcome, hold.ErrLost) {
			return nil // the next term
		}
		return over
	})
	if errors.Is(err, over) {
		return outcome
	}
	if cmd.Context().Err() != nil {
		return &exitError{exitInterrupted, errors.New("interrupted while campaigning")}
	}
	return status(err)
}
