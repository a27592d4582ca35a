package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/datadir"
	"github.com/leasehold/leasehold/internal/durable"
)

// keyBytes is the size of an account key, as on the real service.
const keyBytes = 64

func newAccount() *cobra.Command {
	var configFile, data string
	var slot int
	cmd := &cobra.Command{
		Use:   "account",
		Short: "List the configured accounts and rotate their keys",
		Args:  cobra.NoArgs,
	}
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the accounts, without their keys",
		Example: `  leasehold account list --config leasehold.toml`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return listAccounts(configFile, cmd.OutOrStdout()) },
	}
	rotate := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Replace one of an account's keys",
		Long: `Write a new random key into one of the account's key files. A running server picks it
up within a second and refuses the old key from then on. To rotate without an outage:
move all clients to the other key, rotate this one, and move them back.`,
		Example: `  leasehold account rotate acct --config leasehold.toml --key 2`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return rotateKey(configFile, args[0], slot, cmd.OutOrStdout())
		},
	}
	revoke := &cobra.Command{
		Use:   "revoke-delegation-keys",
		Short: "Revoke all user delegation keys",
		Long: `Replace the secret from which the user delegation keys of a data folder are derived, for
all its accounts. A running server picks it up within a second.`,
		Example: `  leasehold account revoke-delegation-keys --data /srv/leasehold`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if data == "" {
				return errors.New("no data folder: name one with --data DIR")
			}
			return durable.Replace(filepath.Join(data, datadir.Identity, config.DelegationSecretFile), config.NewSecret()+"\n")
		},
	}
	for _, c := range []*cobra.Command{list, rotate} {
		c.Flags().StringVar(&configFile, "config", "", "configuration `file`")
	}
	rotate.Flags().IntVar(&slot, "key", 2, "`number` of the key file, 1 or 2")
	revoke.Flags().StringVar(&data, "data", "", "data `folder`")
	cmd.AddCommand(list, rotate, revoke)
	return cmd
}

func listAccounts(configFile string, out io.Writer) error {
	file, err := config.Read(configFile)
	if err != nil {
		return err
	}
	all, err := file.All(false)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ACCOUNT\tKEYS\tPUBLIC ACCESS\tHTTPS ONLY\tKEY FILES")
	shown := map[string]bool{}
	for _, c := range file.Accounts {
		shown[c.Name] = true
		fmt.Fprintf(w, "%s\t%d\t%t\t%t\t%q\n", c.Name, len(all[c.Name].Keys), c.PublicAccess, c.RequireHTTPS, c.KeyFiles)
	}
	for name, a := range all {
		if !shown[name] {
			fmt.Fprintf(w, "%s\t%d\tfalse\tfalse\tfrom %s\n", name, len(a.Keys), config.AccountsVariable)
		}
	}
	return w.Flush()
}

func rotateKey(configFile, name string, slot int, out io.Writer) error {
	file, err := config.Read(configFile)
	if err != nil {
		return err
	}
	for _, c := range file.Accounts {
		if c.Name != name {
			continue
		}
		if slot < 1 || slot > len(c.KeyFiles) {
			return fmt.Errorf("account %s has %d key files: choose one with --key N; a key can be rotated only if it has a file of its own",
				name, len(c.KeyFiles))
		}
		key := make([]byte, keyBytes)
		rand.Read(key)
		path := c.KeyFiles[slot-1]
		if err := durable.Replace(path, base64.StdEncoding.EncodeToString(key)+"\n"); err != nil {
			return &exitError{exitInternal, err}
		}
		fmt.Fprintf(out, "%s has a new key. A running server picks it up within a second and refuses the old one.\n", path)
		if len(c.KeyFiles) > 1 {
			fmt.Fprintf(out, "When all clients use the new key, rotate the other one with --key %d.\n", 3-slot)
		}
		return nil
	}
	return fmt.Errorf("account %q is not in the configuration; name the file with --config", name)
}
