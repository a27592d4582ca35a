package service_test

import (
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/auth"
)

// TestOneReaderOfSourceQueries: a signature for a snapshot reads the snapshot in a source, however
// its query is spelled, and never the current blob.
func TestOneReaderOfSourceQueries(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/b", []byte("then"), "x-ms-blob-type", "BlockBlob")
	snapshot := s.want(201, "", "PUT", "/box/b?comp=snapshot", nil).get("x-ms-snapshot")
	s.want(201, "", "PUT", "/box/b", []byte("now"), "x-ms-blob-type", "BlockBlob")
	k, err := auth.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	signed := auth.SignServiceSAS(auth.SAS{Version: "2020-12-06", Permissions: "r", Expiry: "2026-03-03T09:00:00Z", Resource: "bs", Snapshot: snapshot},
		account, "box", "b", k)
	for from, to := range map[string]string{
		"snapshot=":                           "then",
		"Snapshot=":                           "then",
		"SNAPSHOT=":                           "then",
		"%53napshot=":                         "then",
		"snapsho%74=":                         "then",
		"snapshot=&snapshot=":                 "",
		"snapshot&Snapshot=":                  "",
		"x=%zz&snapshot=":                     "",
		"versionid=&snapshot=":                "then",
		"versionid=x&snapshot=":               "",
		"snapshot=" + snapshot + "&snapshot=": "",
	} {
		query := strings.Replace(signed, "snapshot=", from, 1)
		for _, way := range [][]string{nil, {"x-ms-requires-sync", "true"}, {"x-ms-blob-type", "BlockBlob"}} {
			s.do("DELETE", "/box/copy", nil)
			a := s.do("PUT", "/box/copy", nil, append([]string{"x-ms-copy-source", here + "/box/b?" + query}, way...)...)
			if got := s.do("GET", "/box/copy", nil); (a.status < 300) != (to != "") || a.status < 300 && string(got.body) != to {
				t.Errorf("%s by %v: %d %s, then %q", query, way, a.status, a.code(), got.body)
			}
		}
		// The same query reads the same state directly.
		if got := s.do("GET", "/box/b?"+query, nil); (got.status == 200) != (to != "") || got.status == 200 && string(got.body) != to {
			t.Errorf("GET by %s: %d %q", query, got.status, got.body)
		}
	}
}

// TestRepeatedParametersAreRefused: by every operation, also those that nobody reads.
func TestRepeatedParametersAreRefused(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/b", []byte("x"), "x-ms-blob-type", "BlockBlob")
	for _, target := range []string{"/box/b?x=1&x=2", "/box/b?snapshot=&snapshot=", "/box/b?timeout=1&TIMEOUT=1", "/box?restype=container&comp=list&Comp=list"} {
		s.want(400, "InvalidQueryParameterValue", "GET", target, nil)
	}
	s.want(200, "", "GET", "/box?restype=container&comp=list&include=metadata&include=tags", nil)
}

// TestDirectorySignaturesFindNothing: a search sees the whole container.
func TestDirectorySignaturesFindNothing(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/out", []byte("x"), "x-ms-blob-type", "BlockBlob", "x-ms-tags", "k=v")
	k, err := auth.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(resource, directory string) string {
		in := auth.SAS{Version: "2026-12-06", Permissions: "rlf", Expiry: "2026-03-03T09:00:00Z", Resource: resource}
		return auth.SignServiceSAS(in, account, "box", directory, k)
	}
	const find = "/box?restype=container&comp=blobs&where=k%3D'v'"
	s.want(200, "", "GET", find+"&"+signed("c", ""), nil)
	s.want(403, "AuthorizationFailure", "GET", find+"&prefix=dir/&"+signed("d", "dir"), nil)
	s.want(403, "AuthorizationFailure", "GET", find+"&"+signed("d", ""), nil)
	s.want(403, "AuthenticationFailed", "GET", find+"&"+signed("d", "dir"), nil)
	s.want(200, "", "GET", "/box?restype=container&comp=list&prefix=dir/&"+signed("d", "dir"), nil)
}

// TestLeaseListTellsHolders to those who may end their leases, and names of blobs to those who may
// list them.
func TestLeaseListTellsHolders(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/b", []byte("x"), "x-ms-blob-type", "BlockBlob")
	for _, target := range []string{"/box?restype=container&comp=lease", "/box/b?comp=lease"} {
		s.want(201, "", "PUT", target, nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1")
	}
	k, err := auth.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		types, letters  string
		status, holders int
	}{
		{"s", "l", 403, 0}, {"c", "l", 403, 0}, {"sc", "w", 403, 0}, {"sc", "l", 200, 0},
		{"sco", "ld", 200, 2}, {"sc", "lw", 200, 1}, {"so", "lw", 403, 0}, {"sco", "lw", 200, 2}, {"sco", "lr", 200, 0},
	} {
		query := auth.SignAccountSAS(auth.SAS{Version: "2026-12-06", Services: "b", Types: tt.types, Permissions: tt.letters, Expiry: "2026-03-03T09:00:00Z"}, account, k)
		for _, accept := range []string{"application/xml", "application/json"} {
			a := s.do("GET", "/?comp=leases&"+query, nil, "Accept", accept)
			text := strings.ToLower(string(a.body))
			holders := strings.Count(text, "<holder>") + strings.Count(text, `"holder"`)
			if a.status != tt.status || holders != tt.holders || strings.Contains(text, "principal") != (holders > 0) {
				t.Errorf("%+v: %d %s", tt, a.status, a.body)
			}
		}
	}
}
