package holdtest

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
)

const (
	a = "aaaaaaaa-0000-4000-8000-000000000000"
	b = "bbbbbbbb-0000-4000-8000-000000000000"
	c = "cccccccc-0000-4000-8000-000000000000"
)

// send does a request to box/one with headers given as name, value, name, value…, and returns the
// status and the error code, if there is one.
func send(t *testing.T, s *Store, method, query string, headers ...string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, Endpoint+"/box/one"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if code := resp.Header.Get("x-ms-error-code"); code != "" {
		return strconv.Itoa(resp.StatusCode) + " " + code
	}
	return strconv.Itoa(resp.StatusCode)
}

func action(t *testing.T, s *Store, name string, headers ...string) string {
	t.Helper()
	return send(t, s, "PUT", "?comp=lease", append([]string{"x-ms-lease-action", name}, headers...)...)
}

// states bring a store with a blob that was never leased into each state of a lease of ID a.
var states = map[string]func(t *testing.T, s *Store){
	"available": func(*testing.T, *Store) {},
	"leased": func(t *testing.T, s *Store) {
		action(t, s, "acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", a)
	},
	"expired": func(t *testing.T, s *Store) {
		action(t, s, "acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", a)
		<-time.After(15 * time.Second)
	},
	"breaking": func(t *testing.T, s *Store) {
		action(t, s, "acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", a)
		action(t, s, "break")
	},
	"broken": func(t *testing.T, s *Store) {
		action(t, s, "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", a)
		action(t, s, "break")
	},
}

// TestOutcomes has the outcomes of the protocol that leases of one blob can have.
func TestOutcomes(t *testing.T) {
	const (
		leaseMismatch = "409 LeaseIdMismatchWithLeaseOperation"
		notPresent    = "409 LeaseNotPresentWithLeaseOperation"
		brokenRenew   = "409 LeaseIsBrokenAndCannotBeRenewed"
		noLease       = "412 LeaseNotPresentWithBlobOperation"
		mismatch      = "412 LeaseIdMismatchWithBlobOperation"
		missing       = "412 LeaseIdMissing"
		lost          = "412 LeaseLost"
	)
	acquire := func(id string) func(*testing.T, *Store) string {
		return func(t *testing.T, s *Store) string {
			return action(t, s, "acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", id)
		}
	}
	with := func(name, id string) func(*testing.T, *Store) string {
		return func(t *testing.T, s *Store) string { return action(t, s, name, "x-ms-lease-id", id) }
	}
	change := func(from, to string) func(*testing.T, *Store) string {
		return func(t *testing.T, s *Store) string {
			return action(t, s, "change", "x-ms-lease-id", from, "x-ms-proposed-lease-id", to)
		}
	}
	use := func(method, id string) func(*testing.T, *Store) string {
		return func(t *testing.T, s *Store) string { return send(t, s, method, "", "x-ms-lease-id", id) }
	}
	order := []string{"available", "leased", "breaking", "broken", "expired"}
	for _, row := range []struct {
		attempt string
		do      func(*testing.T, *Store) string
		want    [5]string
	}{
		{"acquire a", acquire(a), [5]string{"201", "201", "409 LeaseIsBreakingAndCannotBeAcquired", "201", "201"}},
		{"acquire b", acquire(b), [5]string{"201", "409 LeaseAlreadyPresent", "409 LeaseAlreadyPresent", "201", "201"}},
		{"renew a", with("renew", a), [5]string{leaseMismatch, "200", brokenRenew, brokenRenew, "200"}},
		{"renew b", with("renew", b), [5]string{leaseMismatch, leaseMismatch, leaseMismatch, leaseMismatch, leaseMismatch}},
		{"change a to b", change(a, b), [5]string{notPresent, "200", "409 LeaseIsBreakingAndCannotBeChanged", notPresent, notPresent}},
		{"change b to a", change(b, a), [5]string{notPresent, "200", leaseMismatch, notPresent, notPresent}},
		{"change b to c", change(b, c), [5]string{notPresent, leaseMismatch, leaseMismatch, notPresent, notPresent}},
		{"release a", with("release", a), [5]string{leaseMismatch, "200", "200", "200", "200"}},
		{"release b", with("release", b), [5]string{leaseMismatch, leaseMismatch, leaseMismatch, leaseMismatch, leaseMismatch}},
		{"break", with("break", ""), [5]string{notPresent, "202", "202", "202", "202"}},
		{"write", use("PUT", ""), [5]string{"201", missing, missing, "201", "201"}},
		{"write a", use("PUT", a), [5]string{noLease, "201", "201", lost, lost}},
		{"write b", use("PUT", b), [5]string{noLease, mismatch, mismatch, mismatch, mismatch}},
		{"read", use("HEAD", ""), [5]string{"200", "200", "200", "200", "200"}},
		{"read a", use("HEAD", a), [5]string{noLease, "200", "200", lost, lost}},
		{"read b", use("GET", b), [5]string{noLease, mismatch, mismatch, mismatch, mismatch}},
		{"delete", use("DELETE", ""), [5]string{"202", missing, missing, "202", "202"}},
	} {
		for i, state := range order {
			synctest.Test(t, func(t *testing.T) {
				s := NewStore()
				s.Container("box")
				send(t, s, "PUT", "")
				states[state](t, s)
				if got := row.do(t, s); got != row.want[i] {
					t.Errorf("%s, %s: %s, want %s", row.attempt, state, got, row.want[i])
				}
			})
		}
	}
}

func TestBadRequests(t *testing.T) {
	s := NewStore()
	if got := send(t, s, "PUT", ""); got != "404 ContainerNotFound" {
		t.Error("a blob without a container:", got)
	}
	s.Container("box")
	if got := action(t, s, "break"); got != "404 BlobNotFound" {
		t.Error("break of nothing:", got)
	}
	send(t, s, "PUT", "")
	for _, h := range [][]string{
		{"sing"}, {"acquire"}, {"acquire", "x-ms-lease-duration", "14", "x-ms-proposed-lease-id", a},
		{"acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", "x"},
		{"change", "x-ms-lease-id", a, "x-ms-proposed-lease-id", "x"},
	} {
		if got := action(t, s, h[0], h[1:]...); got != "400 InvalidHeaderValue" {
			t.Error(h, got)
		}
	}
	if got := send(t, s, "PUT", "?comp=tags"); got != "400 InvalidQueryParameterValue" {
		t.Error("an operation it does not know:", got)
	}
}

// TestSDK uses the store as the SDK's clients do.
func TestSDK(t *testing.T) {
	s, ctx := NewStore(), t.Context()
	one := s.Blob("box", "one")
	text := streaming.NopCloser(bytes.NewReader([]byte("text")))
	up, err := one.Upload(ctx, text, &blockblob.UploadOptions{Metadata: map[string]*string{"k": new("v")}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := one.GetProperties(ctx, nil)
	if err != nil || *p.ContentLength != 4 || *p.Metadata["K"] != "v" || *p.ETag != *up.ETag || *p.LeaseState != "available" {
		t.Errorf("%+v, %v", p, err)
	}
	down, err := one.DownloadStream(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	got.ReadFrom(down.Body)
	if got.String() != "text" {
		t.Errorf("got %q", got.String())
	}
	stale := &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: new(azcore.ETag(`"0x1"`))}}
	_, err = one.SetMetadata(ctx, nil, &blob.SetMetadataOptions{AccessConditions: stale})
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) || answer.ErrorCode != "ConditionNotMet" || answer.StatusCode != 412 {
		t.Error(err)
	}
	if _, err := s.Container("box").Delete(ctx, nil); err != nil {
		t.Error(err)
	}
	if _, err := one.GetProperties(ctx, nil); !errors.As(err, &answer) || answer.ErrorCode != "ContainerNotFound" {
		t.Error(err)
	}
	if s.Holder("box/one") != "" || s.Requests() == 0 {
		t.Error("a blob that is gone is held")
	}
}
