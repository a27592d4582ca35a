package auth_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/fault"
)

// These tests hold what the Go SDK signs against what this package verifies. The SDK's requests are
// written out and read back, so that they arrive as over a connection, but none is made.

const sdkSecret = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

// judge is a transport that authenticates requests and keeps the results.
type judge struct {
	t         *testing.T
	pathStyle bool
	results   []error
	grants    []auth.Grant
	answer    func(*auth.Request) string // body of 200, "" for 404
}

var sdkNow = time.Date(2026, 3, 3, 8, 5, 0, 0, time.UTC)

func (j *judge) Do(out *http.Request) (*http.Response, error) {
	tls := out.URL.Scheme == "https"
	var wire bytes.Buffer
	if err := out.Write(&wire); err != nil {
		return nil, err
	}
	in, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		return nil, err
	}
	raw, query, _ := strings.Cut(in.RequestURI, "?")
	r := &auth.Request{
		Method: in.Method, RawPath: raw, RawQuery: query, Header: in.Header, ContentLength: in.ContentLength, TLS: tls,
		Remote: netip.MustParseAddr("10.1.2.3"), Version: in.Header.Get("X-Ms-Version"), Account: "acct", PathStyle: j.pathStyle,
	}
	path, err := url.PathUnescape(strings.TrimPrefix(raw, "/"))
	if err != nil {
		return nil, err
	}
	if j.pathStyle {
		path = strings.TrimPrefix(strings.TrimPrefix(path, "acct"), "/")
	}
	r.Container, r.Blob, _ = strings.Cut(path, "/")

	key, err := auth.ParseKey(sdkSecret)
	if err != nil {
		return nil, err
	}
	env := &auth.Env{
		Account: &auth.Account{Name: "acct", Keys: []*auth.Key{key}}, Now: sdkNow, DelegationSecret: []byte("secret"),
		Issuers: []string{""}, Access: auth.NewAccess([]auth.Assignment{{Principal: "oid", Role: auth.RoleOwner}}, nil),
	}
	if date, err := time.Parse(http.TimeFormat, in.Header.Get("X-Ms-Date")); err == nil {
		env.Now = date // the SDK signs with the clock of the machine
	}
	g, err := auth.Authenticate(r, env)
	j.results, j.grants = append(j.results, err), append(j.grants, g)
	status, body := http.StatusNotFound, ""
	if j.answer != nil {
		if body = j.answer(r); body != "" {
			status = http.StatusOK
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{"X-Ms-Error-Code": {"BlobNotFound"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: out}, nil
}

// verified checks that n requests were made and all verified.
func (j *judge) verified(n int, kind auth.Kind) {
	j.t.Helper()
	if len(j.results) != n {
		j.t.Errorf("%d requests, want %d", len(j.results), n)
	}
	for i, err := range j.results {
		if err != nil || j.grants[i].Principal.Kind != kind {
			full, _ := fault.Of(err)
			j.t.Errorf("request %d: %v %+v", i, j.grants[i].Principal.Kind, full)
		}
	}
	j.results, j.grants = nil, nil
}

func (j *judge) options() policy.ClientOptions {
	return policy.ClientOptions{Transport: j, Retry: policy.RetryOptions{MaxRetries: -1}}
}

// awkward are blob names that need care in paths and strings-to-sign.
var awkward = []string{
	"a", "dir/a b.txt", "a+b", "100%", "%41", "a//b", "..", "a/../b", "end/", "end.", "(x)!*'~,;:@&=$", "ü/日本", "a?b#c", `back\slash`, "\"<>^`{|}",
}

func TestSDKSharedKey(t *testing.T) {
	for _, base := range []string{"https://acct.blob.example/", "https://127.0.0.1:10000/acct/"} {
		j := &judge{t: t, pathStyle: strings.Contains(base, "127")}
		cred, err := service.NewSharedKeyCredential("acct", sdkSecret)
		if err != nil {
			t.Fatal(err)
		}
		client, err := service.NewClientWithSharedKeyCredential(base, cred, &service.ClientOptions{ClientOptions: j.options()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, c := context.Background(), client.NewContainerClient("cont")
		meta := map[string]*string{"a1": to.Ptr("1"), "a_b": to.Ptr("2"), "Zeta": to.Ptr("x  y"), "zA": to.Ptr("")}
		n := 0
		done := func(err error) {
			t.Helper()
			n++
			if len(j.results) != n {
				t.Fatalf("no request: %v", err)
			}
		}
		_, err = c.Create(ctx, &container.CreateOptions{Metadata: meta})
		done(err)
		_, err = c.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: to.Ptr("a+b c;d&e"), Marker: to.Ptr("ü"),
			Include: container.ListBlobsInclude{Tags: true, Metadata: true}}).NextPage(ctx)
		done(err)
		_, err = client.GetProperties(ctx, nil)
		done(err)
		for _, name := range awkward {
			b := c.NewBlockBlobClient(name)
			_, err = b.Upload(ctx, streaming.NopCloser(strings.NewReader("hello")), &blockblob.UploadOptions{Metadata: meta,
				HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: to.Ptr("text/plain"), BlobContentLanguage: to.Ptr("de")},
				AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}})
			done(err)
			_, err = b.StageBlock(ctx, base64.StdEncoding.EncodeToString([]byte("\xfb\xff\xfe")), streaming.NopCloser(strings.NewReader("x")), nil)
			done(err)
			_, err = b.Upload(ctx, streaming.NopCloser(strings.NewReader("")), nil)
			done(err)
			_, err = b.DownloadStream(ctx, &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: 1, Count: 2}})
			done(err)
			_, err = b.GetProperties(ctx, nil)
			done(err)
			_, err = b.Delete(ctx, nil)
			done(err)
		}
		j.verified(n, auth.KindKey)
	}
}

// kinds of signature that the SDK makes, by what they need changed in otherwise equal values.
var sdkSignatures = map[string]func(*sas.BlobSignatureValues){
	"container": func(v *sas.BlobSignatureValues) { v.BlobName = ""; v.Permissions = "racwdl" },
	"blob":      func(v *sas.BlobSignatureValues) {},
	"snapshot": func(v *sas.BlobSignatureValues) {
		v.SnapshotTime = time.Date(2026, 3, 3, 8, 0, 0, 123456700, time.UTC)
	},
	"range": func(v *sas.BlobSignatureValues) {
		v.IPRange = sas.IPRange{Start: []byte{10, 1, 2, 3}, End: []byte{10, 1, 2, 9}}
	},
	"overrides": func(v *sas.BlobSignatureValues) {
		v.ContentDisposition, v.ContentType = `attachment; filename="a+b c"`, "text/plain; x=1"
	},
	"scope": func(v *sas.BlobSignatureValues) { v.EncryptionScope = "scope" },
	"old":   func(v *sas.BlobSignatureValues) { v.Version = "2026-02-06" },
}

func TestSDKServiceSAS(t *testing.T) {
	cred, err := service.NewSharedKeyCredential("acct", sdkSecret)
	if err != nil {
		t.Fatal(err)
	}
	sdkSAS(t, auth.KindServiceSAS, sdkSignatures, func(v sas.BlobSignatureValues) (sas.QueryParameters, error) { return v.SignWithSharedKey(cred) })
}

func TestSDKDelegationSAS(t *testing.T) {
	key := auth.DelegationKey{ObjectID: "oid", Tenant: "tid", Start: sdkNow.Add(-time.Hour), Expiry: sdkNow.Add(time.Hour), Service: "b", Version: "2026-12-06"}
	j := &judge{t: t, answer: func(*auth.Request) string {
		return fmt.Sprintf("<UserDelegationKey><SignedOid>oid</SignedOid><SignedTid>tid</SignedTid><SignedStart>%s</SignedStart>"+
			"<SignedExpiry>%s</SignedExpiry><SignedService>b</SignedService><SignedVersion>2026-12-06</SignedVersion><Value>%s</Value></UserDelegationKey>",
			auth.FormatTime(key.Start), auth.FormatTime(key.Expiry), base64.StdEncoding.EncodeToString(key.Value([]byte("secret"), "acct")))
	}}
	client, err := service.NewClient("https://acct.blob.example/", noToken{}, &service.ClientOptions{ClientOptions: j.options()})
	if err != nil {
		t.Fatal(err)
	}
	cred, err := client.GetUserDelegationCredential(context.Background(), service.KeyInfo{Start: to.Ptr(auth.FormatTime(key.Start)), Expiry: to.Ptr(auth.FormatTime(key.Expiry))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]func(*sas.BlobSignatureValues){
		"object": func(v *sas.BlobSignatureValues) { v.AuthorizedObjectID, v.CorrelationID = "x", "y" },
		"bound": func(v *sas.BlobSignatureValues) {
			v.SignedRequestHeaders = map[string]string{"x-ms-version": sas.Version}
		},
	}
	for name, change := range sdkSignatures {
		if name != "old" {
			kinds[name] = change
		}
	}
	sdkSAS(t, auth.KindDelegationSAS, kinds, func(v sas.BlobSignatureValues) (sas.QueryParameters, error) { return v.SignWithUserDelegation(cred) })
}

func sdkSAS(t *testing.T, kind auth.Kind, kinds map[string]func(*sas.BlobSignatureValues), sign func(sas.BlobSignatureValues) (sas.QueryParameters, error)) {
	for name, change := range kinds {
		for _, blobName := range awkward {
			v := sas.BlobSignatureValues{Protocol: sas.ProtocolHTTPS, StartTime: sdkNow.Add(-time.Minute), ExpiryTime: sdkNow.Add(time.Minute),
				Permissions: "racwd", ContainerName: "cont", BlobName: blobName}
			change(&v)
			q, err := sign(v)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			j := &judge{t: t}
			target := "https://acct.blob.example/cont/" + url.PathEscape(blobName) + "?" + q.Encode()
			b, err := blob.NewClientWithNoCredential(target, &blob.ClientOptions{ClientOptions: j.options()})
			if err != nil {
				t.Fatal(err)
			}
			if name == "snapshot" {
				if b, err = b.WithSnapshot("2026-03-03T08:00:00.1234567Z"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := b.GetProperties(context.Background(), nil); err != nil && len(j.results) == 0 {
				t.Fatalf("%s, %s: %v", name, blobName, err)
			}
			j.verified(1, kind)
			if t.Failed() {
				t.Fatalf("%s, %s: %s", name, blobName, target)
			}
		}
	}
}

func TestSDKAccountSAS(t *testing.T) {
	cred, err := service.NewSharedKeyCredential("acct", sdkSecret)
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []string{"", "scope"} {
		q, err := sas.AccountSignatureValues{Protocol: sas.ProtocolHTTPSandHTTP, ExpiryTime: sdkNow.Add(time.Minute), Permissions: "rwdxlacti",
			ResourceTypes: "sco", EncryptionScope: scope}.SignWithSharedKey(cred)
		if err != nil {
			t.Fatal(err)
		}
		j := &judge{t: t}
		client, err := service.NewClientWithNoCredential("http://acct.blob.example/?"+q.Encode(), &service.ClientOptions{ClientOptions: j.options()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.NewListContainersPager(nil).NextPage(context.Background()); err == nil || len(j.results) == 0 {
			t.Fatal(err)
		}
		j.verified(1, auth.KindAccountSAS)
	}
}

// noToken is a credential whose tokens nobody trusts.
type noToken struct{}

func (noToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "x", ExpiresOn: time.Unix(1<<40, 0)}, nil
}
