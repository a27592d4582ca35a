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
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/leasehold/leasehold/hold"
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

  AZURE_STORAGE_CONNECTION_STRING
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
		fields := connectionFields(text)
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
			return p, false, errors.New("the account key in the environment is not Base64")
		}
	}
	return p, p.endpoint != "", nil
}

// connectionFields parses "Name=value;…" and returns the fields by lower-case name.
func connectionFields(text string) map[string]string {
	fields := make(map[string]string)
	for part := range strings.SplitSeq(text, ";") {
		if name, value, ok := strings.Cut(part, "="); ok {
			fields[strings.ToLower(strings.TrimSpace(name))] = value
		}
	}
	return fields
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

// open returns the target of a URL. It uses the account key if the URL is in the account of that key.
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

// status adds the exit status to an error of a client command.
func status(err error) error {
	if err == nil {
		return nil
	}
	var response *azcore.ResponseError
	code := exitUnreachable
	switch {
	case errors.Is(err, hold.ErrHeld):
		code = exitNotAcquired
	case errors.Is(err, hold.ErrLost):
		code = exitLost
	case errors.Is(err, hold.ErrNotFound):
		code = exitNotFound
	case errors.Is(err, context.Canceled):
		code = exitInterrupted
	case errors.As(err, &response):
		switch response.StatusCode {
		case 401, 403:
			code = exitNotPermitted
		case 404:
			code = exitNotFound
		case 409, 412:
			code = exitNotAcquired
		case 400:
			code = exitUsage
		}
	}
	return &exitError{code, err}
}
