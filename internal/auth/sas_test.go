package auth

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/query"
)

const (
	testStart  = "2026-03-03T08:00:00Z"
	testExpiry = "2026-03-03T09:00:00Z"
	testOID    = "aaaaaaaa-0000-0000-0000-000000000001"
	testTenant = "bbbbbbbb-0000-0000-0000-000000000002"
)

// The published vectors of the three kinds.
func TestSASVectors(t *testing.T) {
	key := testKey(t)
	base := SAS{Version: "2026-12-06", Start: testStart, Expiry: testExpiry, Protocol: "https"}

	account := base
	account.Permissions, account.Services, account.Types = "rl", "b", "sco"
	if got, want := key.Sign([]byte(account.accountText("acct"))), "wpD3+X9f9CrmaUBb5uajrnSDtIcSUTppxaPQE9TMeeM="; got != want {
		t.Errorf("account SAS: %s, want %s", got, want)
	}

	service := base
	service.Permissions, service.Resource = "r", "b"
	if got, want := key.Sign([]byte(service.serviceText("/blob/acct/cont/dir/a b.txt"))), "IQBICgv4lZFwkCiBgDydbhhRKJgf32ZGz32t+vGnRrU="; got != want {
		t.Errorf("service SAS: %s, want %s", got, want)
	}

	d := base
	d.Permissions, d.Resource, d.Depth, d.ObjectID, d.Tenant = "rl", "d", "2", testOID, testTenant
	d.KeyStart, d.KeyExpiry, d.KeyService, d.KeyVersion = testStart, "2026-03-04T08:00:00Z", "b", "2026-12-06"
	secret, err := base64.StdEncoding.DecodeString("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		t.Fatal(err)
	}
	resource, ok := d.resource("acct", Resource{Container: "cont", Blob: "dir/sub/file"})
	if !ok || resource != "/blob/acct/cont/dir/sub" {
		t.Fatalf("resource is %q", resource)
	}
	if got, want := NewKey(secret).Sign([]byte(d.delegationText(resource, "", ""))), "2bQHfX2ekXkKEXsf3pv880wEV3ts+y+rUzBJ1q4cgiw="; got != want {
		t.Errorf("user delegation SAS: %s, want %s", got, want)
	}
	if n := strings.Count(d.delegationText(resource, "", ""), "\n") + 1; n != 28 {
		t.Errorf("%d fields, want 28", n)
	}
}

// The number of lines and the order of fields at every version at which they change.
func TestSASTexts(t *testing.T) {
	full := func(version string) *SAS {
		s := &SAS{}
		for _, name := range sasNames {
			*s.field(name) = name
		}
		s.Version, s.Resource = version, "bs"
		return s
	}
	tests := []struct{ kind, version, want string }{
		{"account", "2015-04-05", "acct sp ss srt st se sip spr 2015-04-05 "},
		{"account", "2020-10-02", "acct sp ss srt st se sip spr 2020-10-02 "},
		{"account", "2020-12-06", "acct sp ss srt st se sip spr 2020-12-06 ses "},
		{"service", "", "sp st se RES si"},
		{"service", "2012-02-12", "sp st se RES si 2012-02-12"},
		{"service", "2013-08-15", "sp st se RES si 2013-08-15 rscc rscd rsce rscl rsct"},
		{"service", "2015-02-21", "sp st se RES si 2015-02-21 rscc rscd rsce rscl rsct"},
		{"service", "2015-04-05", "sp st se RES si sip spr 2015-04-05 rscc rscd rsce rscl rsct"},
		{"service", "2018-03-28", "sp st se RES si sip spr 2018-03-28 rscc rscd rsce rscl rsct"},
		{"service", "2018-11-09", "sp st se RES si sip spr 2018-11-09 bs snapshot rscc rscd rsce rscl rsct"},
		{"service", "2020-12-06", "sp st se RES si sip spr 2020-12-06 bs snapshot ses rscc rscd rsce rscl rsct"},
		{"delegation", "2018-11-09", "sp st se RES skoid sktid skt ske sks skv sip spr 2018-11-09 bs snapshot rscc rscd rsce rscl rsct"},
		{"delegation", "2020-02-10", "sp st se RES skoid sktid skt ske sks skv saoid suoid scid sip spr 2020-02-10 bs snapshot rscc rscd rsce rscl rsct"},
		{"delegation", "2020-12-06", "sp st se RES skoid sktid skt ske sks skv saoid suoid scid sip spr 2020-12-06 bs snapshot ses rscc rscd rsce rscl rsct"},
		{"delegation", "2025-07-05", "sp st se RES skoid sktid skt ske sks skv saoid suoid scid skdutid sduoid sip spr 2025-07-05 bs snapshot ses rscc rscd rsce rscl rsct"},
		{"delegation", "2026-04-06", "sp st se RES skoid sktid skt ske sks skv saoid suoid scid skdutid sduoid sip spr 2026-04-06 bs snapshot ses HEAD QUERY rscc rscd rsce rscl rsct"},
	}
	for _, tt := range tests {
		s := full(tt.version)
		text := map[string]string{
			"account": s.accountText("acct"), "service": s.serviceText("RES"), "delegation": s.delegationText("RES", "HEAD", "QUERY"),
		}[tt.kind]
		if got := strings.ReplaceAll(text, "\n", " "); got != tt.want {
			t.Errorf("%s at %q:\n got %s\nwant %s", tt.kind, tt.version, got, tt.want)
		}
	}
	bv, b := full("2026-12-06"), full("2026-12-06")
	bv.Resource, b.Resource = "bv", "b"
	if !strings.Contains(bv.serviceText(""), "\nbv\nversionid\n") || !strings.Contains(b.serviceText(""), "\nb\n\nses\n") {
		t.Error("the snapshot slot holds the version of bv and nothing of b")
	}
}

func TestCanonicalResource(t *testing.T) {
	tests := []struct {
		version, sr, sdd string
		on               Resource
		want             string // "" if refused
	}{
		{"2026-12-06", "c", "", Resource{Container: "k", Blob: "x"}, "/blob/a/k"},
		{"2026-12-06", "c", "", Resource{Container: "k"}, "/blob/a/k"},
		{"2014-02-14", "c", "", Resource{Container: "k"}, "/a/k"},
		{"2026-12-06", "c", "", Resource{}, ""},
		{"2026-12-06", "b", "", Resource{Container: "$root", Blob: `x\y z%`}, "/blob/a/$root/x/y z%"},
		{"2026-12-06", "b", "", Resource{Container: "k"}, ""},
		{"2026-12-06", "bs", "", Resource{Container: "k", Blob: "x"}, "/blob/a/k/x"},
		{"2026-12-06", "q", "", Resource{Container: "k", Blob: "x"}, ""},
		{"2026-12-06", "d", "0", Resource{Container: "k", Blob: "x"}, "/blob/a/k"},
		{"2026-12-06", "d", "0", Resource{Container: "k"}, "/blob/a/k"},
		{"2026-12-06", "d", "1", Resource{Container: "k", Blob: "x/y/z"}, "/blob/a/k/x"},
		{"2026-12-06", "d", "2", Resource{Container: "k", Blob: `x\y/z`}, "/blob/a/k/x/y"},
		{"2026-12-06", "d", "2", Resource{Container: "k", Blob: "x/y"}, "/blob/a/k/x/y"},
		{"2026-12-06", "d", "2", Resource{Container: "k", Blob: "x"}, ""},
		{"2026-12-06", "d", "2", Resource{Container: "k", Blob: "x/"}, ""},
		{"2026-12-06", "d", "2", Resource{Container: "k", Prefix: "x/y/"}, "/blob/a/k/x/y"},
		{"2026-12-06", "d", "2", Resource{Container: "k", Prefix: "x/y"}, ""},
		{"2026-12-06", "d", "1", Resource{Container: "k"}, ""},
		{"2026-12-06", "d", "", Resource{Container: "k", Blob: "x"}, ""},
		{"2026-12-06", "d", "-1", Resource{Container: "k", Blob: "x"}, ""},
		{"2026-12-06", "d", "99999999999", Resource{Container: "k", Blob: "x"}, ""},
	}
	for _, tt := range tests {
		s := &SAS{Version: tt.version, Resource: tt.sr, Depth: tt.sdd}
		got, ok := s.resource("a", tt.on)
		if ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%+v: %q, %v", tt, got, ok)
		}
	}
}

func TestParseTime(t *testing.T) {
	good := map[string]time.Time{
		"2026-03-03":                   time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC),
		"2026-03-03T08:01Z":            time.Date(2026, 3, 3, 8, 1, 0, 0, time.UTC),
		"2026-03-03T08:01:02Z":         time.Date(2026, 3, 3, 8, 1, 2, 0, time.UTC),
		"2026-03-03T08:01:02+00:00":    time.Date(2026, 3, 3, 8, 1, 2, 0, time.UTC),
		"2026-03-03T08:01:02.1234567Z": time.Date(2026, 3, 3, 8, 1, 2, 123456700, time.UTC),
		"2026-03-03T08:01:02.5+00:00":  time.Date(2026, 3, 3, 8, 1, 2, 500000000, time.UTC),
	}
	for text, want := range good {
		if got, ok := ParseTime(text); !ok || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "2026", "2026-03-03Z", "2026-03-03T08Z", "2026-03-03T08:01", "2026-03-03T08:01:02", "2026-03-03T08:01:02.Z",
		"2026-03-03T08:01:02.12345678Z", "2026-03-03T08:01:02,5Z", "2026-03-03T08:01.5Z", "2026-03-03T08:01:02.-5Z",
		"2026-03-03T08:01:02+01:00", "2026-13-03", "2026-02-30T08:01Z", "2026-03-03 08:01:02Z", "2026-03-03T24:01Z", "2026-03-03.5Z",
	} {
		if got, ok := ParseTime(text); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-03-03", "2026-03-03T08:01Z", "2026-03-03T08:01:02.1234567Z", "2026-03-03T08:01:02+00:00", "Z", ".Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := ParseTime(text)
		if !ok {
			return
		}
		if got.Location() != time.UTC {
			t.Errorf("%q is not in UTC", text)
		}
		if again, ok := ParseTime(FormatTime(got)); !ok || !again.Equal(got.Truncate(time.Second)) {
			t.Errorf("%q: %v, again %v", text, got, again)
		}
	})
}

// target is a request for a resource of the test account with a query, over HTTPS from 10.1.2.3.
func target(method, container, blob, query string) *Request {
	path := "/" + container
	if blob != "" {
		path += "/" + blob
	}
	return &Request{
		Method: method, RawPath: path, RawQuery: query, Header: http.Header{}, TLS: true, Remote: netip.MustParseAddr("::ffff:10.1.2.3"),
		Version: "2026-12-06", Account: "acct", Container: container, Blob: blob,
	}
}

// basic are fields that every SAS of the tests has unless it changes them.
func basic(letters string) SAS {
	return SAS{Version: "2026-12-06", Permissions: letters, Start: testStart, Expiry: testExpiry}
}

func accountSAS(t testing.TB, change func(*SAS)) string {
	s := basic("rwdl")
	s.Services, s.Types = "b", "sco"
	change(&s)
	return SignAccountSAS(s, "acct", testKey(t))
}

func serviceSAS(t testing.TB, sr, blob string, change func(*SAS)) string {
	t.Helper()
	s := basic("rwdl")
	s.Resource = sr
	change(&s)
	q := SignServiceSAS(s, "acct", "cont", blob, testKey(t))
	if q == "" {
		t.Fatal("not signed")
	}
	return q
}

var testDelegationKey = DelegationKey{
	ObjectID: testOID, Tenant: testTenant, Service: "b", Version: "2026-12-06", Issuer: testIssuer,
	Start: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC), Expiry: time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC),
}

var testSecret = []byte("a secret of the server")

func delegationSAS(t testing.TB, k DelegationKey, change func(*SAS), bound *Request) string {
	t.Helper()
	s := basic("rwdl")
	s.Resource = "c"
	change(&s)
	q := SignDelegationSAS(s, "acct", "cont", "dir/b", k, k.Value(testSecret, "acct"), bound)
	if q == "" {
		t.Fatal("not signed")
	}
	return q
}

// sasEnv knows policies, a role for the delegating user, and the secret of delegation keys.
func sasEnv(t testing.TB) *Env {
	e := testEnv(t)
	e.DelegationSecret = testSecret
	e.Issuers = []string{"https://another.test/", testIssuer}
	e.Access = NewAccess([]Assignment{{Principal: strings.ToUpper(testOID), Issuer: testIssuer, Role: RoleContributor}}, nil)
	e.Policy = func(container, id string) (*AccessPolicy, error) {
		switch container + "/" + id {
		case "cont/full":
			return &AccessPolicy{Start: testNow.Add(-time.Hour), Expiry: testNow.Add(time.Hour), Permissions: "r"}, nil
		case "cont/letters":
			return &AccessPolicy{Permissions: "r"}, nil
		case "cont/gone":
			return &AccessPolicy{Expiry: testNow, Permissions: "r"}, nil
		case "cont/broken":
			return nil, errLookup
		}
		return nil, nil
	}
	return e
}

var errLookup = errors.New("lookup failed")

func TestSASAccepted(t *testing.T) {
	none := func(*SAS) {}
	tests := map[string]*Request{
		"account":          target("GET", "cont", "b", accountSAS(t, none)),
		"account, old":     target("GET", "cont", "b", accountSAS(t, func(s *SAS) { s.Version = "2015-04-05" })),
		"account, letters": target("GET", "cont", "b", accountSAS(t, func(s *SAS) { s.Permissions = "lldrwp" })),
		"container":        target("GET", "cont", "b", serviceSAS(t, "c", "", none)),
		"blob":             target("GET", "cont", "b", serviceSAS(t, "b", "b", none)),
		"blob, no sv": target("GET", "cont", "b", serviceSAS(t, "b", "b", func(s *SAS) {
			s.Version = ""
		})),
		"blob, its snapshot": target("GET", "cont", "b", serviceSAS(t, "b", "b", none)+"&snapshot=x"),
		"snapshot":           target("GET", "cont", "b", serviceSAS(t, "bs", "b", func(s *SAS) { s.Snapshot = "2026-03-03T08:00:00.1234567Z" })),
		"version":            target("GET", "cont", "b", serviceSAS(t, "bv", "b", func(s *SAS) { s.VersionID = "2026-03-03T08:00:00.1234567Z" })),
		"directory":          target("GET", "cont", "dir/sub/b", serviceSAS(t, "d", "/dir/sub/", none)),
		"root directory":     target("GET", "cont", "b", serviceSAS(t, "d", "", none)),
		"listing below":      target("GET", "cont", "", serviceSAS(t, "d", "dir", none)+"&restype=container&comp=list&prefix=dir%2f"),
		"policy":             target("GET", "cont", "b", serviceSAS(t, "c", "", func(s *SAS) { *s = SAS{Version: "2026-12-06", Resource: "c", Policy: "full"} })),
		"part of a policy":   target("GET", "cont", "b", serviceSAS(t, "c", "", func(s *SAS) { s.Policy, s.Permissions = "letters", "" })),
		"one address":        target("GET", "cont", "b", serviceSAS(t, "c", "", func(s *SAS) { s.IP = "10.1.2.3" })),
		"range":              target("GET", "cont", "b", serviceSAS(t, "c", "", func(s *SAS) { s.IP = "10.1.2.0-10.1.2.3" })),
		"either protocol":    target("GET", "cont", "b", serviceSAS(t, "c", "", func(s *SAS) { s.Protocol = "https,http" })),
		"https":              target("GET", "cont", "b", serviceSAS(t, "c", "", func(s *SAS) { s.Protocol = "https" })),
		"literal plus": target("GET", "cont", "b", strings.ReplaceAll(serviceSAS(t, "c", "", func(s *SAS) {
			s.Expiry, s.Override.ContentDisposition = "2026-03-03T09:00:00+00:00", "a+b"
		}), "%2B", "+")),
		"plus for space": target("GET", "cont", "b", strings.ReplaceAll(serviceSAS(t, "c", "", func(s *SAS) {
			s.Override.ContentDisposition = "a b"
		}), "%20", "+")),
		"delegation":      target("GET", "cont", "b", delegationSAS(t, testDelegationKey, none, nil)),
		"delegation, old": target("GET", "cont", "b", delegationSAS(t, testDelegationKey, func(s *SAS) { s.Version = "2018-11-09" }, nil)),
		"delegation, object ID": target("GET", "cont", "b", delegationSAS(t, testDelegationKey, func(s *SAS) {
			s.AuthorizedID, s.Correlation = testOID, testTenant
		}, nil)),
		"key time respelled": target("GET", "cont", "b", respell(t)),
	}
	for name, req := range tests {
		t.Run(name, func(t *testing.T) {
			g, err := Authenticate(req, sasEnv(t))
			if err != nil {
				t.Fatal(detailOf(err))
			}
			p := PermGetBlob
			if req.Blob == "" {
				p = PermListBlobs
			}
			r := Resource{Container: req.Container, Blob: req.Blob, Prefix: readQuery(t, req.RawQuery).Get("prefix")}
			if err := g.Allow(p, r); err != nil {
				t.Error(detailOf(err))
			}
			if err := g.Allow(PermGetBlob, Resource{Container: "other", Blob: "b"}); err == nil && g.Principal.Kind != KindAccountSAS {
				t.Error("covers another container")
			}
		})
	}
}

// respell signs a SAS whose key times have another form than the server derives the key from.
func respell(t *testing.T) string {
	s := basic("r")
	s.Resource, s.ObjectID, s.Tenant, s.KeyService, s.KeyVersion = "c", testOID, testTenant, "b", "2026-12-06"
	s.KeyStart, s.KeyExpiry = "2026-03-03T08:00:00.0000000Z", "2026-03-04T08:00Z"
	s.Signature = NewKey(testDelegationKey.Value(testSecret, "acct")).Sign([]byte(s.delegationText("/blob/acct/cont", "", "")))
	return s.Query()
}

func TestSASRefused(t *testing.T) {
	none := func(*SAS) {}
	get := func(query string) *Request { return target("GET", "cont", "dir/b", query) }
	service := func(change func(*SAS)) *Request { return get(serviceSAS(t, "c", "", change)) }
	plain := func(r *Request) *Request { r.TLS = false; return r }
	shifted := func(start, expiry time.Duration) DelegationKey {
		k := testDelegationKey
		k.Start, k.Expiry = k.Start.Add(start), k.Expiry.Add(expiry)
		return k
	}
	tests := []struct {
		name string
		req  *Request
		want string // beginning of status, code and details
	}{
		{"no fields", get("sig=x"), "403 AuthenticationFailed [{AuthenticationErrorDetail Signature fields not well formed.}]"},
		{"no expiry", service(func(s *SAS) { s.Expiry = "" }), "403 AuthenticationFailed [{AuthenticationErrorDetail se is mandatory. Cannot be empty}]"},
		{"no permissions", service(func(s *SAS) { s.Permissions = "" }), "403 AuthenticationFailed [{AuthenticationErrorDetail sp is mandatory."},
		{"account, no sv", get(accountSAS(t, func(s *SAS) { s.Version = "" })), "403 AuthenticationFailed [{AuthenticationErrorDetail sv is mandatory."},
		{"delegation, no skt", get(strings.ReplaceAll(delegationSAS(t, testDelegationKey, none, nil), "&skt=", "&x=")), "403 AuthenticationFailed [{AuthenticationErrorDetail skt is mandatory."},
		{"bad sv", service(func(s *SAS) { s.Version = "2026-99-06" }), "400 InvalidQueryParameterValue [{QueryParameterName sv}"},
		{"old sv", service(func(s *SAS) { s.Version = "2011-08-18" }), "400 InvalidQueryParameterValue [{QueryParameterName sv}"},
		{"sv older than account SAS", get(accountSAS(t, func(s *SAS) { s.Version = "2014-02-14" })), "403 AuthenticationFailed"},
		{"sv older than delegation", get(delegationSAS(t, testDelegationKey, func(s *SAS) { s.Version = "2018-03-28" }, nil)), "403 AuthenticationFailed"},
		{"unknown sr", get(serviceSAS(t, "c", "", none) + "x"), "403 AuthenticationFailed"},
		{"directory before its time", get(serviceSAS(t, "d", "dir", func(s *SAS) { s.Version = "2018-03-28" })), "403 AuthenticationFailed [{AuthenticationErrorDetail sr is not part of"},
		{"address before its time", service(func(s *SAS) { s.Version, s.IP = "2014-02-14", "10.1.2.3" }), "403 AuthenticationFailed [{AuthenticationErrorDetail sip is not part of"},
		{"scope before its time", get(accountSAS(t, func(s *SAS) { s.Version, s.EncryptionScope = "2015-04-05", "x" })), "403 AuthenticationFailed [{AuthenticationErrorDetail ses is not part of"},
		{"unknown letter", service(func(s *SAS) { s.Permissions = "rz" }), "403 AuthenticationFailed [{AuthenticationErrorDetail Signature fields not well formed.}]"},
		{"letter of accounts", service(func(s *SAS) { s.Permissions = "ru" }), "403 AuthenticationFailed [{AuthenticationErrorDetail Signature fields not well formed.}]"},
		{"bad spr", service(func(s *SAS) { s.Protocol = "http" }), "403 AuthenticationFailed [{AuthenticationErrorDetail spr is"},
		{"bad sip", service(func(s *SAS) { s.IP = "10.1.2.4-10.1.2.3" }), "400 InvalidQueryParameterValue [{QueryParameterName sip}"},
		{"sip of version 6", service(func(s *SAS) { s.IP = "::1" }), "400 InvalidQueryParameterValue [{QueryParameterName sip}"},
		{"bad time", service(func(s *SAS) { s.Expiry = "tomorrow" }), "400 InvalidQueryParameterValue [{QueryParameterName se}"},
		{"two ids", get(delegationSAS(t, testDelegationKey, func(s *SAS) { s.AuthorizedID, s.UnauthorizedID = "x", "y" }, nil)), "403 AuthenticationFailed"},
		{"suoid", get(delegationSAS(t, testDelegationKey, func(s *SAS) { s.UnauthorizedID = "y" }, nil)), "403 AuthenticationFailed [{AuthenticationErrorDetail suoid needs"},
		{"delegation with policy", get(delegationSAS(t, testDelegationKey, func(s *SAS) { s.Policy = "full" }, nil)), "403 AuthenticationFailed"},
		{"twice", get(serviceSAS(t, "c", "", none) + "&sp=r"), "400 InvalidQueryParameterValue [{QueryParameterName sp}"},
		{"twice, other case", get(serviceSAS(t, "c", "", none) + "&SE=2099-01-01"), "400 InvalidQueryParameterValue [{QueryParameterName se}"},

		{"other key", get(SignServiceSAS(SAS{Version: "2026-12-06", Permissions: "r", Expiry: testExpiry, Resource: "c"}, "acct", "cont", "", NewKey([]byte("x")))),
			"403 AuthenticationFailed [{AuthenticationErrorDetail Signature did not match. String to sign used was r\n\n" + testExpiry + "\n/blob/acct/cont\n"},
		{"other container", target("GET", "cont2", "dir/b", serviceSAS(t, "c", "", none)), "403 AuthenticationFailed [{AuthenticationErrorDetail Signature did not match."},
		{"other blob", get(serviceSAS(t, "b", "dir/c", none)), "403 AuthenticationFailed [{AuthenticationErrorDetail Signature did not match."},
		{"blob SAS for the container", target("GET", "cont", "", serviceSAS(t, "b", "b", none)), "403 AuthenticationFailed [{AuthenticationErrorDetail sr 'b' does not suit"},
		{"container SAS for the account", target("GET", "", "", serviceSAS(t, "c", "", none)), "403 AuthenticationFailed"},
		{"other directory", target("GET", "cont", "dir2/b", serviceSAS(t, "d", "dir", none)), "403 AuthenticationFailed [{AuthenticationErrorDetail Signature did not match."},
		{"listing beside", target("GET", "cont", "", serviceSAS(t, "d", "dir", none)+"&prefix=dir"), "403 AuthenticationFailed [{AuthenticationErrorDetail sr 'd' does not suit"},
		{"other snapshot", get(strings.Replace(serviceSAS(t, "bs", "dir/b", func(s *SAS) { s.Snapshot = "1" }), "snapshot=1", "snapshot=2", 1)), "403 AuthenticationFailed [{AuthenticationErrorDetail Signature did not match."},
		{"no snapshot", get(strings.Replace(serviceSAS(t, "bs", "dir/b", func(s *SAS) { s.Snapshot = "1" }), "snapshot=1", "", 1)), "403 AuthenticationFailed [{AuthenticationErrorDetail sr 'bs' does not suit"},
		{"snapshot and version", get(serviceSAS(t, "bs", "dir/b", func(s *SAS) { s.Snapshot = "1" }) + "&versionid=2"), "403 AuthenticationFailed [{AuthenticationErrorDetail sr 'bs' does not suit"},

		{"early", service(func(s *SAS) { s.Start = "2026-03-03T08:05:01Z" }), "403 AuthenticationFailed [{AuthenticationErrorDetail Signature not valid in the specified time frame: Start [Tue, 03 Mar 2026 08:05:01 GMT] - Expiry [Tue, 03 Mar 2026 09:00:00 GMT] - Current [Tue, 03 Mar 2026 08:05:00 GMT]}]"},
		{"late", service(func(s *SAS) { s.Start, s.Expiry = "", "2026-03-03T08:05:00Z" }), "403 AuthenticationFailed [{AuthenticationErrorDetail Signed expiry time [Tue, 03 Mar 2026 08:05:00 GMT] must be after signed start time [Tue, 03 Mar 2026 08:05:00 GMT]}]"},

		{"key expired", get(delegationSAS(t, shifted(-24*time.Hour, -24*time.Hour), none, nil)), "403 AuthenticationFailed [{AuthenticationErrorDetail Signature not valid in the specified key time frame: Key Start [Mon, 02 Mar 2026"},
		{"key of 8 days", get(delegationSAS(t, shifted(0, 7*24*time.Hour), none, nil)), "403 AuthenticationFailed [{AuthenticationErrorDetail The user delegation key is good for more than 7 days.}]"},
		{"key of another service", get(delegationSAS(t, DelegationKey{testOID, testTenant, testDelegationKey.Start, testDelegationKey.Expiry, "q", "2026-12-06", "", testIssuer}, none, nil)), "403 AuthenticationFailed [{AuthenticationErrorDetail The user delegation key is not"},
		{"bound to a user, no token", get(delegationSAS(t, shifted(0, 0), func(s *SAS) { s.DelegatedID = testOID }, nil)), "403 AuthenticationFailed [{AuthenticationErrorDetail The signature is bound to a user, whose token is missing.}]"},

		{"no such policy", service(func(s *SAS) { s.Policy = "none" }), "403 AuthenticationFailed [{AuthenticationErrorDetail Error locating SAS identifier.}]"},
		{"in both", service(func(s *SAS) { s.Policy = "full" }), "403 AuthenticationFailed [{AuthenticationErrorDetail Access policy fields"},
		{"letters in both", service(func(s *SAS) { s.Policy = "letters" }), "403 AuthenticationFailed [{AuthenticationErrorDetail Access policy fields"},
		{"expiry in neither", service(func(s *SAS) { s.Policy, s.Permissions, s.Expiry = "letters", "", "" }), "403 AuthenticationFailed [{AuthenticationErrorDetail se is mandatory."},
		{"policy expired", service(func(s *SAS) { s.Policy, s.Permissions, s.Expiry = "gone", "", "" }), "403 AuthenticationFailed [{AuthenticationErrorDetail Signature not valid"},
		{"lookup fails", service(func(s *SAS) { s.Policy = "broken" }), "500 InternalError"},

		{"plain HTTP", plain(service(func(s *SAS) { s.Protocol = "https" })), "403 AuthorizationProtocolMismatch"},
		{"other address", service(func(s *SAS) { s.IP = "10.1.2.4" }), "403 AuthorizationSourceIPMismatch [{SourceIP 10.1.2.3}]"},
		{"below the range", service(func(s *SAS) { s.IP = "10.1.2.4-10.1.2.5" }), "403 AuthorizationSourceIPMismatch"},
		{"protocol before address", plain(service(func(s *SAS) { s.Protocol, s.IP = "https", "10.1.2.4" })), "403 AuthorizationProtocolMismatch"},
		{"other service", get(accountSAS(t, func(s *SAS) { s.Services = "qf" })), "403 AuthorizationServiceMismatch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Authenticate(tt.req, sasEnv(t))
			if err == nil {
				t.Fatal("accepted")
			}
			if got := detailOf(err); !strings.HasPrefix(got, tt.want) {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestDelegationSASNeedNotLieInsideItsKey: signature and key are each judged against now, so that a
// signature may begin before the key, as the documentation advises, and end after it.
func TestDelegationSASNeedNotLieInsideItsKey(t *testing.T) {
	for _, tt := range []struct{ start, expiry string }{
		{"2026-03-02T23:00:00Z", testExpiry}, {"", "2026-03-09"}, {"2026-03-01", "2026-03-09"},
	} {
		query := delegationSAS(t, testDelegationKey, func(s *SAS) { s.Start, s.Expiry = tt.start, tt.expiry }, nil)
		if _, err := Authenticate(target("GET", "cont", "dir/b", query), sasEnv(t)); err != nil {
			t.Errorf("%+v with the key of %v to %v: %v", tt, testDelegationKey.Start, testDelegationKey.Expiry, detailOf(err))
		}
	}
}

func TestSASSwitchedOff(t *testing.T) {
	env := sasEnv(t)
	env.Account.KeysDisabled = true
	for _, q := range []string{accountSAS(t, func(*SAS) {}), serviceSAS(t, "c", "", func(*SAS) {})} {
		if _, err := Authenticate(target("GET", "cont", "b", q), env); !errors.Is(err, fault.KeyBasedAuthenticationNotPermitted) {
			t.Errorf("%s: %v", q, err)
		}
	}
	q := delegationSAS(t, testDelegationKey, func(*SAS) {}, nil)
	if _, err := Authenticate(target("GET", "cont", "b", q), env); err != nil {
		t.Errorf("user delegation needs no account key: %v", err)
	}
	env.DelegationSecret = nil
	if _, err := Authenticate(target("GET", "cont", "b", q), env); !errors.Is(err, fault.AuthenticationFailed) {
		t.Errorf("without a secret: %v", err)
	}
	env.DelegationSecret = []byte("another")
	if _, err := Authenticate(target("GET", "cont", "b", q), env); !errors.Is(err, fault.AuthenticationFailed) {
		t.Errorf("after the secret has changed: %v", err)
	}
	env.Policy = nil
	env.Account.KeysDisabled = false
	q = serviceSAS(t, "c", "", func(s *SAS) { s.Policy, s.Permissions, s.Expiry, s.Start = "full", "", "", "" })
	if _, err := Authenticate(target("GET", "cont", "b", q), env); !errors.Is(err, fault.AuthenticationFailed) {
		t.Errorf("without policies: %v", err)
	}
}

// A signature may bind headers and parameters of the request to values.
func TestSASBoundToRequest(t *testing.T) {
	bound := target("GET", "cont", "b", "Timeout=30&x=a%20b")
	bound.Header.Set("X-Ms-Meta-A", "1")
	bound.Header.Set("Range", "bytes=0-1")
	q := delegationSAS(t, testDelegationKey, func(s *SAS) {
		s.RequestHeaders, s.RequestQueries = "x-ms-meta-a,Range", "timeout,X"
	}, bound) + "&timeout=30&x=a+b"
	tests := map[string]struct {
		change func(*Request)
		ok     bool
	}{
		"as signed":        {func(r *Request) {}, true},
		"header changed":   {func(r *Request) { r.Header.Set("Range", "bytes=0-2") }, false},
		"header missing":   {func(r *Request) { r.Header.Del("Range") }, false},
		"header repeated":  {func(r *Request) { r.Header.Add("Range", "bytes=0-1") }, false},
		"query changed":    {func(r *Request) { r.RawQuery = strings.Replace(r.RawQuery, "timeout=30", "timeout=31", 1) }, false},
		"query missing":    {func(r *Request) { r.RawQuery = strings.Replace(r.RawQuery, "&timeout=30", "", 1) }, false},
		"query repeated":   {func(r *Request) { r.RawQuery += "&timeout=30" }, false},
		"binding stripped": {func(r *Request) { r.RawQuery = strings.Replace(r.RawQuery, "&srq=", "&sxx=", 1) }, false},
	}
	for name, tt := range tests {
		req := target("GET", "cont", "b", q)
		req.Header = bound.Header.Clone()
		tt.change(req)
		if _, err := Authenticate(req, sasEnv(t)); (err == nil) != tt.ok || err != nil && !errors.Is(err, fault.AuthenticationFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := &SAS{RequestHeaders: "x-ms-meta-a,Range", RequestQueries: "timeout,X"}
	h, p, ok := c.bound(bound.Header, readQuery(t, bound.RawQuery))
	if !ok || h != "x-ms-meta-a:1\nRange:bytes=0-1\n" || p != "\ntimeout:30\nX:a b" {
		t.Errorf("blocks are %q and %q", h, p)
	}
}

func TestOverride(t *testing.T) {
	want := Override{"no-cache", `attachment; filename="x"`, "gzip", "de", "text/plain"}
	set := func(s *SAS) { s.Override, s.EncryptionScope = want, "scope" }
	env := sasEnv(t)
	for name, q := range map[string]string{"service": serviceSAS(t, "c", "", set), "delegation": delegationSAS(t, testDelegationKey, set, nil)} {
		g, err := Authenticate(target("GET", "cont", "b", q), env)
		if err != nil {
			t.Fatal(detailOf(err))
		}
		if g.Override() != want || g.EncryptionScope() != "scope" {
			t.Errorf("%s: %+v, %q", name, g.Override(), g.EncryptionScope())
		}
	}
	g, err := Authenticate(target("GET", "cont", "b", accountSAS(t, set)), env)
	if err != nil || g.Override() != (Override{}) || g.EncryptionScope() != "scope" {
		t.Errorf("an account SAS does not sign overrides: %+v, %v", g.Override(), err)
	}
	if g := (Grant{}); g.Override() != (Override{}) || g.EncryptionScope() != "" {
		t.Error("the zero grant overrides something")
	}
}

// Every change of one character that changes what the query says is refused.
func TestSASEveryCharacterCounts(t *testing.T) {
	set := func(s *SAS) { s.IP, s.Protocol, s.Override.ContentType = "10.1.2.3", "https", "text/plain" }
	bind := func(s *SAS) { set(s); s.AuthorizedID, s.Correlation = "me", "x" }
	for name, sas := range map[string]string{
		"account":    accountSAS(t, func(s *SAS) { s.IP, s.Protocol = "10.1.2.3", "https" }),
		"service":    serviceSAS(t, "b", "dir/b", set),
		"directory":  serviceSAS(t, "d", "dir", set),
		"policy":     serviceSAS(t, "c", "", func(s *SAS) { *s = SAS{Version: "2026-12-06", Resource: "c", Policy: "full"} }),
		"delegation": delegationSAS(t, testDelegationKey, bind, nil),
	} {
		env := sasEnv(t)
		if _, err := Authenticate(target("GET", "cont", "dir/b", sas), env); err != nil {
			t.Fatalf("%s: %s", name, detailOf(err))
		}
		meaning := readQuery(t, sas)
		sortParameters(meaning)
		for i := range sas {
			for _, c := range []byte("0aZ&=%+-.A9/") {
				changed := sas[:i] + string(c) + sas[i+1:]
				params, err := query.Append(nil, changed, true)
				sortParameters(params)
				if err == nil && slices.Equal(params, meaning) {
					continue
				}
				if g, err := Authenticate(target("GET", "cont", "dir/b", changed), env); err == nil && g.Principal.Kind != KindAnonymous {
					t.Fatalf("%s: accepted %s for %s", name, changed, sas)
				}
			}
		}
	}
}

func FuzzSAS(f *testing.F) {
	f.Add(accountSAS(f, func(*SAS) {}), "cont", "b")
	f.Add(serviceSAS(f, "d", "dir", func(*SAS) {}), "cont", "dir/b")
	f.Add(delegationSAS(f, testDelegationKey, func(s *SAS) { s.RequestQueries = "" }, nil), "cont", "")
	f.Add("sig=%&sr=d&sdd=65536&se=+&sp=r", "", "/")
	f.Add("sig&ss=b&srt=o&sv=2026-12-06&srh=,,&sip=-", "c", `\`)
	secret := []byte("not the key that the seeds are signed with")
	f.Fuzz(func(t *testing.T, raw, container, blob string) {
		env := &Env{Account: &Account{Name: "acct", Keys: []*Key{NewKey(secret)}}, Now: testNow, DelegationSecret: secret}
		g, err := Authenticate(target("GET", container, blob, raw), env)
		if err == nil && g.Principal.Kind != KindAnonymous {
			t.Fatalf("accepted %q", raw)
		}
		params, err := query.Append(nil, raw, true)
		if err != nil {
			return
		}
		s, err := parseSAS(params)
		if err != nil {
			return
		}
		again, err := parseSAS(readQuery(t, s.Query()))
		if err != nil || *again != *s {
			t.Errorf("%+v is written as %q", s, s.Query())
		}
	})
}

// readQuery reads a query as that of a form.
func readQuery(t *testing.T, raw string) query.Query {
	t.Helper()
	q, err := query.Append(nil, raw, true)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
