package auth

import (
	"errors"
	"net/http"
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
)

// What was sent to one account is worth nothing when it is sent again to the host of another, not
// even to one that has the same keys and trusts the same issuer.
func TestReplayedToAnotherHost(t *testing.T) {
	none := func(*SAS) {}
	request := func(query string) *Request { return target("GET", "cont", "dir/b", query) }
	inPath := vector()
	inPath.PathStyle, inPath.RawPath = true, "/acct/cont/dir/a%20b.txt"
	inPath.Header.Set("Authorization", "SharedKey acct:IkiDaLGZ1DtBaIc5v0xlHx+tBeOX7PL+eO1yP8ldlQU=")
	bearer := withToken(goodToken(func(c map[string]any) { c["aud"] = "https://acct.blob.core.windows.net" }))
	for name, req := range map[string]*Request{
		"key":             vector(),
		"key, path style": inPath,
		"account SAS":     request(accountSAS(t, none)),
		"blob SAS":        request(serviceSAS(t, "b", "dir/b", none)),
		"container SAS":   request(serviceSAS(t, "c", "", none)),
		"policy":          request(serviceSAS(t, "c", "", func(s *SAS) { *s = SAS{Version: "2026-12-06", Resource: "c", Policy: "full"} })),
		"delegation SAS":  request(delegationSAS(t, testDelegationKey, none, nil)),
		"token":           bearer,
	} {
		env := tokenEnv(t)
		env.Audiences = nil
		if _, err := Authenticate(req, env); err != nil {
			t.Fatalf("%s: %s", name, detailOf(err))
		}
		env.Account.Name, req.Account = "acct2", "acct2"
		for _, pathStyle := range []bool{false, true} {
			req.PathStyle = pathStyle
			if _, err := Authenticate(req, env); !errors.Is(err, fault.AuthenticationFailed) && !errors.Is(err, fault.InvalidAuthenticationInfo) {
				t.Errorf("%s, path style %v: %v", name, pathStyle, err)
			}
		}
	}
}

// A key's signature with the name of another account written over it is none either.
func TestReplayedUnderAnotherName(t *testing.T) {
	req, env := vector(), testEnv(t)
	env.Account.Name, req.Account = "acct2", "acct2"
	req.Header = http.Header{"Authorization": {"SharedKey acct2:rD+mxYA+PQxeE5E8P+zxW5dC97AgZgw8jKptU7RRBwQ="}, "X-Ms-Date": req.Header["X-Ms-Date"]}
	if _, err := Authenticate(req, env); !errors.Is(err, fault.AuthenticationFailed) {
		t.Error(err)
	}
}
