// Command leasehold serves blobs over the Azure Blob Storage protocol, with leases at its centre,
// and is a client of leases on Leasehold and on Azure.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leasehold/leasehold/internal/guard"
)

// Exit statuses, those of sysexits.h where one fits.
const (
	exitUsage        = 64
	exitNotFound     = 66 // no such blob or container
	exitUnreachable  = 69
	exitInternal     = 70
	exitNoFolder     = 73 // the data folder can't be used
	exitNotAcquired  = 75 // someone else holds the lease, or nothing is leased
	exitLost         = 76 // the lease was lost
	exitNotPermitted = 77
	exitNoCommand    = 127 // the command can't be started
	exitInterrupted  = 130
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == guard.Name {
		os.Exit(guard.Main(os.Args[2:])) // between lock and its command
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// run executes one command line and returns the exit status.
func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	status := exitUsage
	var e *exitError
	if errors.As(err, &e) {
		status = e.status
	}
	if !errors.As(err, &quiet{}) {
		report(os.Stderr, cmd, err)
	}
	return status
}

// exitError carries the exit status of a failed command. An error of any other type is a mistake in
// the command line.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "leasehold",
		Short: "A blob store with leases at its centre, for Azure Blob Storage clients",
		Long: `Leasehold is a blob store that speaks the Azure Blob Storage protocol. Point an
unmodified Azure SDK, tool or program at it: it acquires, renews, changes, releases and
breaks leases, and every other operation respects them, as on the real service.

Every flag can also be set in the environment: --log-level as LEASEHOLD_LOG_LEVEL.`,
		Example: `  leasehold serve --dev        # a store for development on 127.0.0.1:10000`,

		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return flagsFromEnv(cmd) },
	}
	root.AddCommand(newServe(), newLease(), newLock(), newElect(), newEnv(), newProxy(), newCheck(), newBackup(), newSAS(), newAccount(),
		newVersion(), newHealth(), newStatus(), newReset(), newClock(), newRestore(), newConfig(), newConsole(), newSnippet())
	root.Version = thisBuild().String()
	root.SetVersionTemplate("{{.Version}}\n")
	root.PersistentFlags().Bool("verbose", false, "show the whole exchange with the store when a command fails")
	root.SetFlagErrorFunc(explainFlag)
	explainArgs(root)
	return root
}

// flagsFromEnv sets flags that the command line leaves out from the environment: --log-level from
// LEASEHOLD_LOG_LEVEL, and so on.
func flagsFromEnv(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := "LEASEHOLD_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := os.LookupEnv(name)
		if !ok || f.Changed || f.Name == "help" || err != nil {
			return
		}
		if e := cmd.Flags().Set(f.Name, value); e != nil {
			err = fmt.Errorf("%s: %w", name, e)
		}
	})
	return err
}

// quiet marks an error that the command run by lock or elect has already reported.
type quiet struct{ error }
