package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/datadir"
)

// sasVersion is the version of the signatures: the newest that all clients and servers in use
// understand.
const sasVersion = "2022-11-02"

type sasOptions struct {
	config, data      string
	dev               bool
	account, endpoint string
	permissions       string
	types             string
	policy            string
	as                string
	expires           time.Duration
	ip                string
	httpsOnly         bool
}

func newSAS() *cobra.Command {
	o := &sasOptions{}
	cmd := &cobra.Command{
		Use:   "sas [CONTAINER[/BLOB]]",
		Short: "Print a URL with a shared access signature",
		Long: `Print the URL of an account, a container or a blob with a shared access signature.

The account key comes from the server's configuration file or from LEASEHOLD_ACCOUNTS;
with --dev it is the well-known key. With --as, a user delegation key signs: the signature
then grants nothing beyond the roles of the principal.`,
		Example: `  leasehold sas --dev --permissions rl locks
  leasehold sas --config leasehold.toml --account acct --permissions rw --expires 15m locks/one
  leasehold sas --config leasehold.toml --account acct --permissions rwl --types co
  leasehold sas --config leasehold.toml --data /srv/leasehold --account acct --as worker --permissions r locks/one`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printSAS(o, strings.Join(args, ""), time.Now(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", "", "configuration `file` of the server")
	f.StringVar(&o.data, "data", "", "data `folder` of the server, for --as")
	f.BoolVar(&o.dev, "dev", false, "sign with the well-known key of devstoreaccount1")
	f.StringVar(&o.account, "account", "", "`name` of the account; default with --dev: devstoreaccount1")
	f.StringVar(&o.endpoint, "endpoint", "", "`URL` of the account; default: http://127.0.0.1:10000/NAME")
	f.StringVar(&o.permissions, "permissions", "", "permission `letters`, such as rl or racwd")
	f.StringVar(&o.types, "types", "sco", "resource `types` of an account signature: s, c, o")
	f.StringVar(&o.policy, "policy", "", "`ID` of a stored access policy of the container, which supplies the remaining fields")
	f.StringVar(&o.as, "as", "", "sign with a user delegation key of this `principal`: a configured name, or an object ID")
	f.DurationVar(&o.expires, "expires", time.Hour, "how long the signature is valid")
	f.StringVar(&o.ip, "ip", "", "IPv4 address or range `A-B` that requests may come from")
	f.BoolVar(&o.httpsOnly, "https-only", false, "refuse requests over plain HTTP")
	return cmd
}

func printSAS(o *sasOptions, target string, now time.Time, out io.Writer) error {
	if o.dev && o.account == "" {
		o.account = config.DevAccount
	}
	account, err := o.find()
	if err != nil {
		return err
	}
	container, blob, _ := strings.Cut(target, "/")
	query, err := o.sign(account, container, blob, now)
	if err != nil {
		return err
	}
	endpoint := strings.TrimSuffix(o.endpoint, "/")
	if endpoint == "" {
		endpoint = "http://" + defaultListen + "/" + o.account
	}
	for _, part := range []string{container, blob} {
		if part != "" {
			endpoint += "/" + strings.ReplaceAll(url.PathEscape(part), "%2F", "/")
		}
	}
	if container == "" {
		endpoint += "/"
	}
	_, err = fmt.Fprintln(out, endpoint+"?"+query)
	return err
}

// find returns the account that signs.
func (o *sasOptions) find() (*auth.Account, error) {
	file, err := config.Read(o.config)
	if err != nil {
		return nil, err
	}
	all, err := file.All(o.dev)
	if err != nil {
		return nil, err
	}
	if a := all[o.account]; a != nil {
		return a, nil
	}
	if o.account == "" {
		return nil, errors.New("no account: name one with --account, or use --dev")
	}
	return nil, fmt.Errorf("account %q is not configured; name the file with --config, or set %s", o.account, config.AccountsVariable)
}

// sign returns the query of the signature.
func (o *sasOptions) sign(account *auth.Account, container, blob string, now time.Time) (string, error) {
	s := auth.SAS{Version: sasVersion, Permissions: o.permissions, IP: o.ip, Policy: o.policy, Protocol: "https,http"}
	if o.httpsOnly {
		s.Protocol = "https"
	}
	if o.policy == "" {
		s.Expiry = auth.FormatTime(now.Add(o.expires))
	}
	if s.Resource = "c"; blob != "" {
		s.Resource = "b"
	}
	switch {
	case o.permissions == "" && o.policy == "":
		return "", errors.New("no permissions: name them with --permissions, such as --permissions rl")
	case o.expires <= 0:
		return "", errors.New("--expires must be positive")
	case container == "" && (o.policy != "" || o.as != ""):
		return "", errors.New("--policy and --as need a container or blob")
	case o.as != "" && o.policy != "":
		return "", errors.New("--as and --policy exclude each other: a user delegation signature can't name a policy")
	case container == "":
		s.Resource, s.Services, s.Types = "", "b", o.types
		return auth.SignAccountSAS(s, account.Name, account.Keys[0]), nil
	case o.as == "":
		return auth.SignServiceSAS(s, account.Name, container, blob, account.Keys[0]), nil
	}
	return o.delegate(s, account, container, blob, now)
}

// delegate signs with a user delegation key, which it derives from the secret in the data folder as
// the server does.
func (o *sasOptions) delegate(s auth.SAS, account *auth.Account, container, blob string, now time.Time) (string, error) {
	data, err := (&serveOptions{data: o.data, dev: o.dev}).dataFolder()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(data, datadir.Identity, config.DelegationSecretFile))
	if err != nil {
		return "", fmt.Errorf("no secret for user delegation keys, which the first run of the server makes: %w", err)
	}
	secret, err := config.ParseSecret(string(text))
	if err != nil {
		return "", err
	}
	file, err := config.Read(o.config)
	if err != nil {
		return "", err
	}
	who, err := file.Principal(o.as)
	if err != nil {
		return "", err
	}
	expiry := now.Add(o.expires)
	if o.expires > auth.MaxDelegationKeyAge {
		return "", fmt.Errorf("--expires: a user delegation key is valid for %v at most", auth.MaxDelegationKeyAge)
	}
	key := auth.DelegationKey{
		ObjectID: who.ID, Issuer: who.Issuer, Tenant: config.TenantID, Start: now.Truncate(time.Second), Expiry: expiry.Truncate(time.Second), Service: "b", Version: sasVersion,
	}
	return auth.SignDelegationSAS(s, account.Name, container, blob, key, key.Value(secret, account.Name), nil), nil
}
