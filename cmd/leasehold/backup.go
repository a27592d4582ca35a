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
		Short: "Copy a data folder, also while it is served",
		Long: `Copy a data folder as it is at one moment, also while a server works on it: the
server then makes the copy, and goes on serving. The copy is a data folder.

Files that never change again are not copied but linked where that is possible: only bodies
between 8 and 256 KiB take time and space in a backup on the same file system. It guards
against deletion and mistakes; copy it elsewhere to guard against the loss of the disk.
A backup that did not end is no data folder, and is removed as far as possible.`,
		Example: `  leasehold backup --data ./store --to ./backups/monday
  leasehold check --data ./backups/monday`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if data == "" || to == "" {
				return errors.New("name the data folder with --data DIR, and with --to DIR a folder that is not there yet")
			}
			if err := datadir.Backup(cmd.Context(), data, to, engines); err != nil {
				return &exitError{exitInternal, err}
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "backup of %s is in %s\n", data, to)
			return err
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data `folder`, required")
	cmd.Flags().StringVar(&to, "to", "", "`folder` to make the copy in, which is not there yet or empty; required")
	return cmd
}
