package main

import (
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/server"
)

// exampleConfig is a configuration file with a comment on each setting. A test reads it.
//
//go:embed example.toml
var exampleConfig string

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check a configuration file, or print an example",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var cert, key, output string
	check := &cobra.Command{
		Use:   "check FILE",
		Short: "Read a configuration as serve would, and print what it says",
		Long: `Read a configuration file as serve would, with the key files and secrets that it names, and
print its accounts, principals, groups, roles and issuers. No key is shown. The exit status is 64
if anything is wrong; the error names the file and the line or the setting.`,
		Example: `  leasehold config check leasehold.toml
  leasehold config check leasehold.toml --tls-cert server.pem --tls-key server.key`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cert != "" || key != "" {
				if _, err := server.LoadCertificate(cert, key); err != nil {
					return err
				}
			}
			s, err := config.Check(args[0])
			if err != nil {
				return err
			}
			return printConfig(cmd.OutOrStdout(), output, s)
		},
	}
	outputFlag(check, &output, "text", "json")
	check.Flags().StringVar(&cert, "tls-cert", "", "also check this certificate `file`")
	check.Flags().StringVar(&key, "tls-key", "", "`file` with the key of the certificate")
	example := &cobra.Command{
		Use:     "example",
		Short:   "Print a full configuration file with comments",
		Example: `  leasehold config example >leasehold.toml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), exampleConfig)
			return err
		},
	}
	cmd.AddCommand(check, example)
	return cmd
}

func printConfig(w io.Writer, form string, s *config.Summary) error {
	if form == "json" {
		return printJSON(w, s)
	}
	for _, a := range s.Accounts {
		fmt.Fprintf(w, "account    %s, keys: %d\n", a.Name, a.Keys)
	}
	for _, part := range []struct {
		name string
		all  []string
	}{{"principal", s.Principals}, {"group", s.Groups}, {"role", s.Roles}, {"issuer", s.Issuers}} {
		for _, text := range part.all {
			fmt.Fprintf(w, "%-10s %s\n", part.name, strings.ReplaceAll(text, "\n", " "))
		}
	}
	_, err := fmt.Fprintln(w, "ok")
	return err
}
