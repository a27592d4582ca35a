package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/leasehold/leasehold/hold"
	"github.com/leasehold/leasehold/internal/config"
)

// The environment variables by which Azure's own tools find an account.
const (
	envConnection = "AZURE_STORAGE_CONNECTION_STRING"
	envAccount    = "AZURE_STORAGE_ACCOUNT"
	envKey        = "AZURE_STORAGE_KEY"
	envSAS        = "AZURE_STORAGE_SAS_TOKEN"
	envEndpoint   = "AZURE_STORAGE_BLOB_ENDPOINT"
)

const targetHelp = `TARGET is a URL, with or without a SAS, or CONTAINER or CONTAINER/BLOB in the account that these
environment variables name:

  AZURE_STORAGE_CONNECTION_STRING, which may be UseDevelopmentStorage=true
  AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, and
  AZURE_STORAGE_BLOB_ENDPOINT if the account is not at ACCOUNT.blob.core.windows.net

Without a SAS and a key, the default Azure credential is used.`

// place is an account and the credentials for it.
type place struct {
	endpoint string // URL of the account, without a slash at the end and without a query
	sas      string // query without "?"
	key      *service.SharedKeyCredential
}

// placeFromEnv returns the account that the environment names. ok is false if it names none.
func placeFromEnv(getenv func(string) string) (p place, ok bool, err error) {
	account, key := getenv(envAccount), getenv(envKey)
	p.endpoint, p.sas = getenv(envEndpoint), strings.TrimPrefix(getenv(envSAS), "?")
	if text := getenv(envConnection); text != "" {
		fields, err := connectionFields(text)
		if err != nil {
			return p, false, fmt.Errorf("%s %w", envConnection, err)
		}
		account, key = fields["accountname"], fields["accountkey"]
		p.sas = strings.TrimPrefix(fields["sharedaccesssignature"], "?")
		p.endpoint = fields["blobendpoint"]
		if suffix := fields["endpointsuffix"]; p.endpoint == "" && suffix != "" {
			p.endpoint = "https://" + account + ".blob." + suffix
		}
	}
	if p.endpoint == "" && account != "" {
		p.endpoint = "https://" + account + ".blob.core.windows.net"
	}
	p.endpoint = strings.TrimSuffix(p.endpoint, "/")
	if key != "" && account != "" {
		if p.key, err = azblob.NewSharedKeyCredential(account, key); err != nil {
			return p, false, fmt.Errorf("the key of account %s in the environment is not Base64", account)
		}
	}
	return p, p.endpoint != "", nil
}

// connectionFields parses "Name=value;…" and returns the fields by lower-case name. The short form
// for the emulator stands for its fields. An error continues a sentence that begins with the name
// of the variable, and never quotes a key.
func connectionFields(text string) (map[string]string, error) {
	fields := make(map[string]string)
	for part := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, errors.New("is no connection string: its fields have the form Name=value, separated by semicolons")
		}
		fields[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	if strings.EqualFold(fields["usedevelopmentstorage"], "true") {
		host := strings.TrimSuffix(fields["developmentstorageproxyuri"], "/")
		if host == "" {
			host = "http://127.0.0.1"
		}
		return map[string]string{"accountname": config.DevAccount, "accountkey": config.DevKey,
			"blobendpoint": host + ":10000/" + config.DevAccount}, nil
	}
	if fields["blobendpoint"] == "" && fields["accountname"] == "" {
		return nil, errors.New("has no AccountName")
	}
	if fields["accountkey"] != "" && fields["accountname"] == "" {
		return nil, errors.New("has an AccountKey, but no AccountName")
	}
	return fields, nil
}

// target resolves the TARGET argument of a command.
func target(text string) (hold.Target, error) {
	p, named, err := placeFromEnv(os.Getenv)
	if err != nil {
		return hold.Target{}, err
	}
	if u, err := url.Parse(text); err == nil && u.IsAbs() && u.Host != "" {
		return p.open(text, named && strings.HasPrefix(text, p.endpoint+"/"))
	}
	if !named {
		return hold.Target{}, fmt.Errorf("%q is no URL, and no account is named: set %s, or %s", text, envConnection, envAccount)
	}
	name := strings.Trim(text, "/")
	if name == "" {
		return hold.Target{}, errors.New("the target is empty")
	}
	container, rest, _ := strings.Cut(name, "/")
	raw := p.endpoint + "/" + url.PathEscape(container)
	if rest != "" {
		raw += "/" + strings.ReplaceAll(url.PathEscape(rest), "%2F", "/")
	}
	if p.sas != "" {
		raw += "?" + p.sas
	}
	return p.open(raw, true)
}

// open returns the target of a URL. It uses the account key if the URL is in the account of that
// key.
func (p *place) open(raw string, own bool) (hold.Target, error) {
	parts, err := blob.ParseURL(raw)
	if err != nil {
		return hold.Target{}, err
	}
	signed := parts.SAS.Signature() != ""
	if !own || p.key == nil || signed {
		var cred azcore.TokenCredential
		if !signed {
			if cred, err = azidentity.NewDefaultAzureCredential(nil); err != nil {
				return hold.Target{}, err
			}
		}
		return hold.Open(raw, cred, nil)
	}
	if parts.BlobName == "" {
		c, err := container.NewClientWithSharedKeyCredential(raw, p.key, nil)
		return hold.Container(c), err
	}
	c, err := blockblob.NewClientWithSharedKeyCredential(raw, p.key, nil)
	return hold.Blob(c), err
}

// account returns a client of the account in the environment.
func (p *place) account(policies ...policy.Policy) (*service.Client, error) {
	o := &service.ClientOptions{}
	o.PerCallPolicies = policies
	switch {
	case p.key != nil:
		return service.NewClientWithSharedKeyCredential(p.endpoint+"/", p.key, o)
	case p.sas != "":
		return service.NewClientWithNoCredential(p.endpoint+"/?"+p.sas, o)
	}
	cred, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, err
	}
	return service.NewClient(p.endpoint+"/", cred, o)
}

// makeContainer creates the container of a TARGET. It is no error if the container exists.
func makeContainer(ctx context.Context, text string) error {
	p, named, err := placeFromEnv(os.Getenv)
	if err != nil {
		return err
	}
	raw := text
	if u, err := url.Parse(text); err != nil || !u.IsAbs() || u.Host == "" {
		name, _, _ := strings.Cut(strings.Trim(text, "/"), "/")
		raw = p.endpoint + "/" + url.PathEscape(name)
		if p.sas != "" {
			raw += "?" + p.sas
		}
	}
	parts, err := blob.ParseURL(raw)
	if err != nil {
		return err
	}
	parts.BlobName = ""
	c, err := p.container(parts.String(), named && strings.HasPrefix(raw, p.endpoint+"/"), parts.SAS.Signature() != "")
	if err != nil {
		return err
	}
	if _, err = c.Create(ctx, nil); bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		return nil
	}
	return err
}

// container returns a client of a container.
func (p *place) container(raw string, own, signed bool) (*container.Client, error) {
	switch {
	case own && p.key != nil && !signed:
		return container.NewClientWithSharedKeyCredential(raw, p.key, nil)
	case signed:
		return container.NewClientWithNoCredential(raw, nil)
	}
	cred, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, err
	}
	return container.NewClient(raw, cred, nil)
}
