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
		Short: "Print shell variables that point programs at the running server",
		Long: `Print export lines that point the programs of a shell at the server that runs on a
data folder.

Programs that use the default Azure credential then get tokens from the server, and reach
it as https://ACCOUNT.blob.core.windows.net through its proxy. The proxy leads nowhere
else: until the variables are unset, programs of the shell can't reach the internet.
The lines contain secrets that are valid until the server stops.

With --service-principal the ARM_ variables are set, too, so that OpenTofu and Terraform
can keep state in a container with use_azuread_auth. Other ARM_ variables for credentials
or clouds are unset.

For Java, options are added to JAVA_TOOL_OPTIONS: the proxy, and a trust store that holds
the system's certificates and the server's. Java prints these options at each start.`,
		Example: `  eval "$(leasehold env)"
  eval "$(leasehold env --service-principal)"
  eval "$(leasehold env --no-proxy)"         # connection string and tokens only`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return printEnv(o, cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", "", "data `folder` of the server; default: the folder of serve --dev")
	f.StringVar(&o.account, "account", config.DevAccount, "`name` of the account")
	f.BoolVar(&o.noProxy, "no-proxy", false, "leave the proxy out")
	f.BoolVar(&o.servicePrincipal, "service-principal", false, "have programs sign in as a service principal instead of a managed identity")
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

// environment returns the export lines.
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
		return nil, errors.New("--service-principal needs the proxy and the authority of serve --dev")
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
		java["http.nonProxyHosts"] = "localhost|127.*|[::1]" // Java's own default, which the SDK does not apply
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

// quote returns a value as one word of a POSIX shell.
func quote(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }
