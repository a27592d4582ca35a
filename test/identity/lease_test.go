// Package identity takes leases through the default Azure credential, in the
// environment that "leasehold env" prints.
package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
)

func TestLease(t *testing.T) {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := azblob.NewClient("https://"+os.Getenv("AZURE_STORAGE_ACCOUNT")+".blob.core.windows.net/", credential, nil)
	if err != nil {
		t.Fatal(err)
	}
	use(t, client)
}

// TestRefused: a token that is none is refused in a way that the client understands.
func TestRefused(t *testing.T) {
	r, err := http.NewRequest("GET", "https://"+os.Getenv("AZURE_STORAGE_ACCOUNT")+".blob.core.windows.net/?comp=list", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer e30.e30.e30")
	r.Header.Set("x-ms-version", "2025-01-05")
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	w.Body.Close()
	if challenge := w.Header.Get("WWW-Authenticate"); w.StatusCode != 401 || !strings.HasPrefix(challenge, "Bearer authorization_uri=https://") {
		t.Errorf("%s, challenge %q", w.Status, challenge)
	}
}

func use(t *testing.T, client *azblob.Client) {
	ctx := context.Background()
	box := fmt.Sprintf("go-%x", random())
	must(t)(client.CreateContainer(ctx, box, nil))
	must(t)(client.UploadBuffer(ctx, box, "sample-blob.txt", []byte("sample"), nil))
	blob := client.ServiceClient().NewContainerClient(box).NewBlobClient("sample-blob.txt")
	held, err := lease.NewBlobClient(blob, nil)
	if err != nil {
		t.Fatal(err)
	}
	must(t)(held.AcquireLease(ctx, 30, nil))
	must(t)(held.RenewLease(ctx, nil))
	must(t)(held.ReleaseLease(ctx, nil))
	_, err = held.BreakLease(ctx, nil)
	noLease(t, err)

	whole, err := lease.NewContainerClient(client.ServiceClient().NewContainerClient(box), nil)
	if err != nil {
		t.Fatal(err)
	}
	must(t)(whole.AcquireLease(ctx, 30, nil))
	must(t)(whole.RenewLease(ctx, nil))
	must(t)(whole.ReleaseLease(ctx, nil))
	_, err = whole.BreakLease(ctx, nil)
	noLease(t, err)
	must(t)(client.DeleteContainer(ctx, box, nil))
}

// noLease wants the refusal to break a lease that was released.
func noLease(t *testing.T, err error) {
	t.Helper()
	var refusal *azcore.ResponseError
	if !errors.As(err, &refusal) || refusal.StatusCode != 409 || refusal.ErrorCode != "LeaseNotPresentWithLeaseOperation" {
		t.Errorf("break after release: %v", err)
	}
}

func must(t *testing.T) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func random() []byte {
	b := make([]byte, 8)
	rand.Read(b)
	return b
}
