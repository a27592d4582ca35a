package auth

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
)

// What the public is told, by version.
func TestPublicAnswers(t *testing.T) {
	env := tokenEnv(t)
	env.Account.AllowPublicAccess = true
	env.PublicAccess = func(container string) (PublicAccess, error) {
		switch container {
		case "open":
			return PublicContainer, nil
		case "broken":
			return PublicNone, errLookup
		}
		return PublicNone, nil
	}
	tests := []struct {
		version, container string
		p                  Permission
		want               error
		challenge          bool
	}{
		{"2019-12-12", "cont", PermGetBlob, fault.NoAuthenticationInformation, true},
		{"2019-12-12", "open", PermPutBlob, fault.NoAuthenticationInformation, true},
		{"2019-10-10", "cont", PermGetBlob, fault.ResourceNotFound, false},
		{"", "cont", PermGetBlob, fault.ResourceNotFound, false},
		{"", "open", PermGetBlob, nil, false},
		{"2026-12-06", "open", PermListBlobs, nil, false},
		{"2026-12-06", "", PermListContainers, fault.NoAuthenticationInformation, true},
		{"2026-12-06", "broken", PermGetBlob, errLookup, false},
	}
	for _, tt := range tests {
		req := target("GET", tt.container, "b", "")
		req.Version = tt.version
		g, err := Authenticate(req, env)
		if err != nil || g.Principal.Kind != KindAnonymous {
			t.Fatalf("%+v, %v", g.Principal, err)
		}
		err = g.Allow(tt.p, Resource{Container: tt.container, Blob: "b"})
		if !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
		if e, ok := fault.Of(err); ok && (len(e.Header) == 1) != tt.challenge {
			t.Errorf("%+v: header %v", tt, e.Header)
		}
	}
	env.AuthorizationURI = ""
	if got := challenge(env); got != nil {
		t.Errorf("challenge without an issuer is %q", got)
	}
}

// The scheme is chosen by header first, then by query.
func TestSchemes(t *testing.T) {
	env := tokenEnv(t)
	signed := accountSAS(t, func(*SAS) {})
	tests := []struct {
		name, query, authorization string
		want                       Kind
		err                        error
	}{
		{"nothing", "", "", KindAnonymous, nil},
		{"signature", signed, "", KindAccountSAS, nil},
		{"name of the signature escaped", strings.Replace(signed, "&sig=", "&%73Ig=", 1), "", KindAccountSAS, nil},
		{"empty signature", "sig=", "", KindAnonymous, fault.AuthenticationFailed},
		{"token", "", "Bearer " + goodToken(func(map[string]any) {}), KindBearer, nil},
		{"token and signature", signed, "Bearer " + goodToken(func(map[string]any) {}), KindAccountSAS, nil},
		{"empty header", "", "", KindAnonymous, nil},
		{"scheme only", "", "Bearer", KindBearer, fault.InvalidAuthenticationInfo},
		{"unknown scheme and signature", signed, "Digest x", KindAnonymous, fault.InvalidAuthenticationInfo},
		{"key and signature", signed, "SharedKey acct:x", KindKey, fault.AuthenticationFailed},
	}
	for _, tt := range tests {
		req := target("GET", "cont", "b", tt.query)
		req.Header = http.Header{"X-Ms-Date": {"Tue, 03 Mar 2026 08:00:00 GMT"}}
		if tt.authorization != "" {
			req.Header.Set("Authorization", tt.authorization)
		}
		g, err := Authenticate(req, env)
		if !errors.Is(err, tt.err) || err == nil && g.Principal.Kind != tt.want {
			t.Errorf("%s: %v, %v", tt.name, g.Principal.Kind, err)
		}
		if err != nil && g.Principal.Kind != KindAnonymous {
			t.Errorf("%s: refused with a principal", tt.name)
		}
	}
	for k := KindAnonymous; k <= KindBearer; k++ {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
}
