package hold

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/appendblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/pageblob"
	"github.com/leasehold/leasehold/hold/holdtest"
)

func TestOpen(t *testing.T) {
	for _, test := range []struct{ url, kind, shown string }{
		{"https://a.blob.core.windows.net/box", "container", ""},
		{"https://a.blob.core.windows.net/box/", "container", ""},
		{"https://a.blob.core.windows.net/box/dir/one", "blob", ""},
		{"https://a.blob.core.windows.net/box/one?sv=2026&sig=secret", "blob", "https://a.blob.core.windows.net/box/one"},
		{"http://127.0.0.1:10000/acct/box", "container", ""},
		{"http://127.0.0.1:10000/acct/box/one", "blob", ""},
		{"http://[::1]:10000/acct/box/one", "blob", ""},
		{"http://localhost:10000/acct/box", "container", ""},
		{"https://a.blob.core.windows.net", "", ""},
		{"http://127.0.0.1:10000/acct", "", ""},
		{"ftp://a/box", "", ""},
		{"box/one", "", ""},
		{"https://a/%zz", "", ""},
	} {
		target, err := Open(test.url, nil, nil)
		kind := ""
		switch target.r.(type) {
		case *blobResource:
			kind = "blob"
		case *containerResource:
			kind = "container"
		}
		if kind != test.kind || (err == nil) != (kind != "") {
			t.Errorf("%s is a %q, %v", test.url, kind, err)
		}
		if strings.Contains(target.String(), "secret") || test.shown != "" && target.String() != test.shown {
			t.Errorf("%s is shown as %s", test.url, target)
		}
	}
}

func FuzzNamesBlob(f *testing.F) {
	f.Add("https://a.blob.core.windows.net/box/one?sig=x")
	f.Add("http://[::1]:10000/acct/box")
	f.Fuzz(func(t *testing.T, s string) {
		isBlob, err := namesBlob(s)
		if err != nil && isBlob {
			t.Errorf("%q: %v, but a blob", s, err)
		}
	})
}

func TestEveryKindOfBlobClient(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		o := s.ClientOptions()
		s.Container("box")
		appends := ok(appendblob.NewClientWithNoCredential(holdtest.Endpoint+"/box/append", &appendblob.ClientOptions{ClientOptions: o}))(t)
		pages := ok(pageblob.NewClientWithNoCredential(holdtest.Endpoint+"/box/page", &pageblob.ClientOptions{ClientOptions: o}))(t)
		any := ok(blob.NewClientWithNoCredential(holdtest.Endpoint+"/box/page", &blob.ClientOptions{ClientOptions: o}))(t)
		opened := ok(Open(holdtest.Endpoint+"/box/opened", nil, &azblob.ClientOptions{ClientOptions: o}))(t)
		container := ok(Open(holdtest.Endpoint+"/opened", nil, &azblob.ClientOptions{ClientOptions: o}))(t)
		for _, target := range []Target{Blob(appends), Blob(pages), Blob(any), opened, container} {
			l, err := newClient(t, target, nil).Lock(t.Context(), &LockOptions{CreateIfMissing: true})
			if err != nil {
				t.Errorf("%s: %v", target, err)
				continue
			}
			l.Release(t.Context())
		}
		missing := ok(blob.NewClientWithNoCredential(holdtest.Endpoint+"/box/missing", &blob.ClientOptions{ClientOptions: o}))(t)
		if _, err := newClient(t, Blob(missing), nil).TryLock(t.Context(), &LockOptions{CreateIfMissing: true}); err == nil {
			t.Error("a plain blob client can't create a blob, but did")
		}
	})
}

// recorded is a blob behind a transport of the test's own.
func recorded(t *testing.T, transport policy.Transporter) Target {
	t.Helper()
	return ok(Open(holdtest.Endpoint+"/box/lock", nil, &azblob.ClientOptions{ClientOptions: policy.ClientOptions{Transport: transport}}))(t)
}
