package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/internal/datadir"
)

func newBackup() *cobra.Command {
	var data, to string
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Back up a data folder, even while a server uses it",
		Long: `Copy a data folder as of one moment. If a server is running on the folder, that server
makes the copy and goes on serving meanwhile. The copy is itself a data folder.

Where possible, files that never change are linked instead of copied: on the same file
system only bodies between 8 and 256 KiB take time and space. Such a backup protects you
from deletions and mistakes; copy it to another disk to survive the loss of this one.
An interrupted backup is never mistaken for a data folder, and is removed if possible.`,
		Example: `  leasehold backup --data ./store --to ./backups/monday
  leasehold check --data ./backups/monday`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if data == "" || to == "" {
				return errors.New("name the data folder with --data DIR, and a new folder for the copy with --to DIR")
			}
			if err := datadir.Backup(cmd.Context(), data, to, engines); err != nil {
				return &exitError{exitInternal, err}
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "backed up %s to %s\n", data, to)
			return err
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data `folder`, required")
	cmd.Flags().StringVar(&to, "to", "", "`folder` for the copy, new or empty; required")
	return cmd
}
