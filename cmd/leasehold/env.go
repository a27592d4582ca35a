package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/identity"
)

type envOptions struct {
	data             string
	account          string
	noProxy          bool
	servicePrincipal bool
}

func newEnv() *cobra.Command {
	o := &envOptions{}
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the environment that points programs at the running server",
		Long: `Print the environment that points the programs of a shell at the server that
runs on a data folder, as lines for the shell.

Programs with the default Azure credential then get their tokens from the server and
reach it as https://ACCOUNT.blob.core.windows.net, through its proxy. That proxy leads
nowhere else: with it, the programs of the shell reach nothing on the internet.
The lines hold secrets that end with the server.

With --service-principal, OpenTofu and Terraform find the principal too, for state that is
kept in a container with use_azuread_auth: the ARM_ variables are set. Other ARM_
variables that name credentials or a cloud are unset.

Java gets a trust store, with the certificates that the system trusts and that of the
server, in the place of its own, and the proxy, by options that are added to those in
JAVA_TOOL_OPTIONS. Java prints them at each start.`,
		Example: `  eval "$(leasehold env)"
  eval "$(leasehold env --service-principal)"
  eval "$(leasehold env --no-proxy)"         # connection string and tokens only`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return printEnv(o, cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", "", "data `folder` of the server; that of serve --dev if absent")
	f.StringVar(&o.account, "account", config.DevAccount, "`name` of the account")
	f.BoolVar(&o.noProxy, "no-proxy", false, "leave out the proxy")
	f.BoolVar(&o.servicePrincipal, "service-principal", false, "let programs be a service principal in place of a managed identity")
	return cmd
}

func printEnv(o *envOptions, out io.Writer) error {
	data, err := (&serveOptions{data: o.data, dev: true}).dataFolder()
	if err != nil {
		return err
	}
	s, err := readState(data)
	if err != nil {
		return err
	}
	lines, err := s.environment(o)
	if err != nil {
		return err
	}
	for _, l := range lines {
		fmt.Fprintln(out, l)
	}
	return nil
}

// environment returns the lines for the shell.
func (s *runState) environment(o *envOptions) (lines []string, err error) {
	if err := config.CheckAccountName(o.account); err != nil {
		return nil, err
	}
	set := func(name, value string) { lines = append(lines, "export "+name+"="+quote(value)) }
	unset := func(names ...string) { lines = append(lines, "unset "+strings.Join(names, " ")) }

	endpoint := "http://" + s.Plain + "/" + o.account
	if s.Secure != "" && s.Proxy != "" && !o.noProxy {
		endpoint = "https://" + o.account + ".blob.core.windows.net"
	}
	set("AZURE_STORAGE_ACCOUNT", o.account)
	set("AZURE_STORAGE_SERVICE_ENDPOINT", endpoint)
	if s.Dev && o.account == config.DevAccount && s.Plain != "" {
		set("AZURE_STORAGE_CONNECTION_STRING", devConnection(s.Plain))
	}
	unset("ARM_CLIENT_ID", "ARM_TENANT_ID", "ARM_CLIENT_SECRET", "ARM_CLIENT_CERTIFICATE_PATH", "ARM_OIDC_TOKEN_FILE_PATH", "ARM_USE_OIDC", "ARM_USE_MSI",
		"ARM_USE_CLI", "ARM_USE_AZUREAD", "ARM_ACCESS_KEY", "ARM_SAS_TOKEN", "ARM_ENVIRONMENT", "ARM_METADATA_HOST", "ARM_METADATA_HOSTNAME")
	unset("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE",
		"AZURE_AUTHORITY_HOST", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET", "IMDS_ENDPOINT", "AZURE_TOKEN_CREDENTIALS")
	switch {
	case o.servicePrincipal && (s.Authority == "" || s.Client == "" || s.Proxy == "" || o.noProxy):
		return nil, errors.New("a service principal needs the proxy and the authority of serve --dev")
	case o.servicePrincipal:
		set("AZURE_AUTHORITY_HOST", "https://"+config.AuthorityHost)
		set("AZURE_TENANT_ID", identity.ADFS)
		set("AZURE_CLIENT_ID", s.Client)
		set("AZURE_CLIENT_SECRET", s.Secret)
		set("AZURE_TOKEN_CREDENTIALS", "prod")
		set("ARM_TENANT_ID", config.TenantID)
		set("ARM_CLIENT_ID", s.Client)
		set("ARM_CLIENT_SECRET", s.Secret)
		set("ARM_USE_AZUREAD", "true")
	case s.Managed != "":
		set("IDENTITY_ENDPOINT", "http://"+s.Managed+identity.ManagedPath)
		set("IDENTITY_HEADER", s.Header)
		set("AZURE_TOKEN_CREDENTIALS", "prod")
	}
	java := map[string]string{}
	if s.Bundle != "" {
		set("SSL_CERT_FILE", s.Bundle)
		set("REQUESTS_CA_BUNDLE", s.Bundle)
		set("NODE_EXTRA_CA_CERTS", s.CA)
		java["javax.net.ssl.trustStore"] = s.Java
	}
	if s.Proxy != "" && s.Secure != "" && !o.noProxy {
		java["https.proxyHost"], java["https.proxyPort"], _ = net.SplitHostPort(s.Proxy)
		java["http.proxyHost"], java["http.proxyPort"] = java["https.proxyHost"], java["https.proxyPort"]
		java["http.nonProxyHosts"] = "localhost|127.*|[::1]" // what Java does by itself, but not the SDK
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
			set(name, "http://"+s.Proxy)
		}
		set("NO_PROXY", "127.0.0.1,localhost,::1")
		set("no_proxy", "127.0.0.1,localhost,::1")
	}
	if len(java) > 0 {
		set(javaOptions, withProperties(os.Getenv(javaOptions), java))
	}
	return lines, nil
}

// quote writes a value so that a shell takes it as it is.
func quote(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }
