package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/internal/datadir"
)

func newRestore() *cobra.Command {
	var from, data string
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Make a data folder from a backup",
		Long: `Verify a backup, then copy it to a new data folder. Where possible, files that never change are
linked instead of copied. A damaged backup and a folder that is not empty are refused, and
nothing is written then.`,
		Example: `  leasehold restore --from ./backups/monday --data ./store`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" || data == "" {
				return usageError("name the backup with --from DIR, and a new data folder with --data DIR")
			}
			return restore(cmd, from, data)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`folder` of the backup, required")
	cmd.Flags().StringVar(&data, "data", "", "data `folder` to make, new or empty; required")
	return cmd
}

func restore(cmd *cobra.Command, from, data string) error {
	if entries, err := os.ReadDir(data); err == nil && len(entries) > 0 {
		return &exitError{exitNoFolder, fmt.Errorf("%s is not empty: it holds %q; name another folder with --data", data, entries[0].Name())}
	}
	if _, err := os.Stat(from); err != nil {
		return folderStatus(fmt.Errorf("backup: %w", err))
	}
	if err := check(cmd.Context(), from, io.Discard, cmd.ErrOrStderr()); err != nil {
		return fmt.Errorf("the backup was not restored: %w", err)
	}
	if err := datadir.Backup(cmd.Context(), from, data, engines); err != nil {
		return &exitError{exitInternal, err}
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "restored %s to %s\n", from, data)
	return err
}
