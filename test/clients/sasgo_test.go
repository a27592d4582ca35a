package clients

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/leasehold/leasehold/test/harness"
)

// TestGoSAS uses signatures of the official Go SDK.
func TestGoSAS(t *testing.T) {
	w := newSASWorld(t)
	s := goSigner{w.delegationCredential(t), nil}
	var err error
	if s.key, err = service.NewSharedKeyCredential(sasAccount, harness.AccountKey(sasAccount)); err != nil {
		t.Fatal(err)
	}
	made := map[string]string{}
	var cases []*sasCase
	for _, c := range w.cases() {
		if c.Services == "q" {
			continue // this SDK signs for blobs only
		}
		q, err := s.sign(c)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		cases, made[c.Name] = append(cases, c), q.Encode()
	}
	w.judgeAll(t, cases, made)
}

// bearer is a token that is there already.
type bearer string

func (b bearer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(b), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// delegationCredential asks for a user delegation key by the public name of the account, which the
// SDK reads it from.
func (w *sasWorld) delegationCredential(t *testing.T) *sas.UserDelegationCredential {
	t.Helper()
	transport := w.http.Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, w.at.Secure)
	}
	client, err := service.NewClient("https://"+sasAccount+".blob.core.windows.net/", bearer(w.token),
		&service.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: &http.Client{Transport: transport}}})
	if err != nil {
		t.Fatal(err)
	}
	cred, err := client.GetUserDelegationCredential(t.Context(), service.KeyInfo{Start: to.Ptr(clock(-3)), Expiry: to.Ptr(clock(3))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

// goSigner signs with the SDK.
type goSigner struct {
	delegation *sas.UserDelegationCredential
	key        *sas.SharedKeyCredential
}

func (s *goSigner) sign(c *sasCase) (sas.QueryParameters, error) {
	from, until, _ := strings.Cut(c.IP, "-")
	addresses := sas.IPRange{Start: net.ParseIP(from), End: net.ParseIP(until)}
	if c.Kind == "account" {
		return sas.AccountSignatureValues{
			Protocol: sas.Protocol(c.Protocol), StartTime: moment(c.Start), ExpiryTime: moment(c.Expiry), Permissions: c.Permissions,
			IPRange: addresses, ResourceTypes: c.Types, EncryptionScope: c.Scope,
		}.SignWithSharedKey(s.key)
	}
	v := sas.BlobSignatureValues{
		Protocol: sas.Protocol(c.Protocol), StartTime: moment(c.Start), ExpiryTime: moment(c.Expiry), SnapshotTime: moment(c.Snapshot),
		Permissions: c.Permissions, IPRange: addresses, Identifier: c.Policy, ContainerName: c.Container, BlobName: c.Blob,
		ContentType: c.ContentType, BlobVersion: c.Version, CorrelationID: c.Correlation, EncryptionScope: c.Scope,
		SignedDelegatedUserObjectID: c.User, SignedRequestHeaders: c.Headers, SignedRequestQueryParameters: c.Queries,
	}
	if c.Directory {
		v.BlobName, v.Directory = "", c.Blob
	}
	if c.Kind == "service" {
		return v.SignWithSharedKey(s.key)
	}
	return v.SignWithUserDelegation(s.delegation)
}

// moment reads a time of a case; the zero time for none.
func moment(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err) // the cases are ours
	}
	return at
}
