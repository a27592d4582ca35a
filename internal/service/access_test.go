package service_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
)

// ask sends a request that is not signed, over TLS.
func (s *store) ask(method, target string, body []byte, headers ...string) *answer {
	s.t.Helper()
	r := httptest.NewRequest(method, "https://127.0.0.1:10000/"+account+target, bytes.NewReader(body))
	r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	r.Header.Set("x-ms-version", "2026-12-06")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	req, err := wire.NewRequest(w, r, s.clock.Now(), nil)
	if err != nil {
		wire.WriteError(req, err)
	} else {
		s.Serve(req)
	}
	if w.Code >= 500 {
		s.t.Errorf("%s %s: %v", method, target, req.Failure)
	}
	return &answer{w.Code, w.Header(), w.Body.Bytes()}
}

func (s *store) asked(status int, code, method, target string, body []byte, headers ...string) *answer {
	s.t.Helper()
	a := s.ask(method, target, body, headers...)
	if a.status != status || a.code() != code {
		s.t.Fatalf("%s %s %q: %d %s, want %d %s\n%s", method, target, headers, a.status, a.code(), status, code, a.body)
	}
	return a
}

// signed adds a service SAS for the container to a target.
func (s *store) signed(target, container, blob string, f auth.SAS) string {
	k, err := auth.ParseKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	f.Version = "2020-12-06"
	if f.Resource = "c"; blob != "" {
		f.Resource = "b"
	}
	sep := "?"
	if strings.Contains(target, "?") {
		sep = "&"
	}
	return target + sep + auth.SignServiceSAS(f, account, container, blob, k)
}

func (s *store) inAnHour() string { return auth.FormatTime(s.clock.Now().Add(time.Hour)) }

func policies(ids ...string) []byte {
	b := "<SignedIdentifiers>"
	for _, id := range ids {
		b += "<SignedIdentifier><Id>" + id + "</Id><AccessPolicy><Start>2026-03-03</Start><Expiry>2026-03-04T00:00:00.00Z</Expiry>" +
			"<Permission>rl</Permission></AccessPolicy></SignedIdentifier>"
	}
	return []byte(b + "</SignedIdentifiers>")
}

func TestContainerACL(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	const acl = "/box?restype=container&comp=acl"
	if a := s.want(200, "", "GET", acl, nil); !strings.Contains(string(a.body), "<SignedIdentifiers></SignedIdentifiers>") {
		t.Errorf("new container: %s", a.body)
	}
	before := s.want(200, "", "GET", acl, nil).get("ETag")
	if a := s.want(200, "", "PUT", acl, policies("one", "two")); a.get("ETag") == before {
		t.Error("the ETag stayed")
	}
	a := s.want(200, "", "GET", acl, nil)
	want := "<Start>2026-03-03T00:00:00.0000000Z</Start><Expiry>2026-03-04T00:00:00.0000000Z</Expiry><Permission>rl</Permission>"
	if strings.Count(string(a.body), want) != 2 || a.get("x-ms-blob-public-access") != "" {
		t.Errorf("got %s", a.body)
	}
	s.want(200, "", "HEAD", acl, nil)
	s.want(200, "", "PUT", acl, []byte("<SignedIdentifiers><SignedIdentifier><Id>bare</Id></SignedIdentifier></SignedIdentifiers>"))
	if a := s.want(200, "", "GET", acl, nil); !strings.Contains(string(a.body), "<Id>bare</Id></SignedIdentifier>") {
		t.Errorf("the list was not replaced: %s", a.body)
	}
	s.want(200, "", "PUT", acl, nil)
	if a := s.want(200, "", "GET", acl, nil); strings.Contains(string(a.body), "bare") {
		t.Errorf("the list was not emptied: %s", a.body)
	}
}

func TestContainerACLIsRefused(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	const acl = "/box?restype=container&comp=acl"
	one := func(inner string) []byte {
		return []byte("<SignedIdentifiers><SignedIdentifier>" + inner + "</SignedIdentifier></SignedIdentifiers>")
	}
	for name, body := range map[string][]byte{
		"six":            policies("1", "2", "3", "4", "5", "6"),
		"long ID":        policies(strings.Repeat("x", 65)),
		"empty ID":       policies(""),
		"no ID":          one("<AccessPolicy><Permission>r</Permission></AccessPolicy>"),
		"twice":          policies("1", "1"),
		"bad time":       one("<Id>1</Id><AccessPolicy><Start>tomorrow</Start></AccessPolicy>"),
		"bad permission": one("<Id>1</Id><AccessPolicy><Permission>rz</Permission></AccessPolicy>"),
		"not XML":        []byte("<SignedIdentifiers>"),
	} {
		if a := s.do("PUT", acl, body); a.status != 400 || a.code() != "InvalidXmlDocument" {
			t.Errorf("%s: %d %s", name, a.status, a.code())
		}
	}
	s.want(409, "PublicAccessNotPermitted", "PUT", acl, nil, "x-ms-blob-public-access", "blob")
	s.want(400, "InvalidHeaderValue", "PUT", acl, nil, "x-ms-blob-public-access", "all")
	s.want(412, "LeaseNotPresentWithContainerOperation", "PUT", acl, nil, "x-ms-lease-id", "11111111-2222-3333-4444-555555555555")
	s.want(404, "ContainerNotFound", "GET", "/none?restype=container&comp=acl", nil)
	s.asked(403, "AuthorizationFailure", "GET", s.signed(acl, "box", "", auth.SAS{Permissions: "rwl", Expiry: s.inAnHour()}), nil)
	s.asked(401, "NoAuthenticationInformation", "GET", acl, nil)
}

// FuzzSignedIdentifiers: whatever is taken can be read, and taken again.
func FuzzSignedIdentifiers(f *testing.F) {
	f.Add(policies("one", "two"))
	f.Add([]byte("<SignedIdentifiers><SignedIdentifier><Id>a&amp;b</Id></SignedIdentifier></SignedIdentifiers>"))
	s := newStore(f)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		s.t = t
		const acl = "/box?restype=container&comp=acl"
		switch a := s.do("PUT", acl, body); a.status {
		case 200:
			got := s.want(200, "", "GET", acl, nil)
			s.want(200, "", "PUT", acl, got.body)
			if again := s.want(200, "", "GET", acl, nil); !bytes.Equal(again.body, got.body) {
				t.Errorf("%s became %s", got.body, again.body)
			}
		case 400:
		default:
			t.Errorf("%q: %d %s", body, a.status, a.code())
		}
	})
}

// An old version has no words for the permissions of a newer one.
func TestContainerACLOfOlderVersions(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	const acl = "/box?restype=container&comp=acl"
	for letter, since := range map[string][2]string{
		"r": {"2015-02-21", "2015-02-21"}, "d": {"2015-02-21", "2015-02-21"},
		"a": {"2015-02-21", "2015-04-05"}, "c": {"2015-02-21", "2015-04-05"}, "x": {"2019-07-07", "2019-10-10"},
		"y": {"2019-07-07", "2019-10-10"}, "t": {"2019-10-10", "2019-12-12"}, "m": {"2019-12-12", "2020-02-10"},
		"i": {"2020-06-12", "2020-08-04"}, "f": {"2021-02-12", "2021-04-10"},
	} {
		before, from := since[0], since[1]
		list := []byte("<SignedIdentifiers><SignedIdentifier><Id>1</Id><AccessPolicy><Permission>" + letter + "</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>")
		s.want(200, "", "PUT", acl, list, "x-ms-version", from)
		s.want(200, "", "GET", acl, nil, "x-ms-version", from)
		if before == from {
			continue
		}
		for _, method := range []string{"GET", "PUT"} {
			a := s.do(method, acl, list, "x-ms-version", before)
			if a.status != 409 || !strings.Contains(string(a.body), "<Code>FeatureVersionMismatch</Code>") || !strings.Contains(string(a.body), "contains a permission") {
				t.Errorf("%s of %s at %s: %s", method, letter, before, a.body)
			}
		}
	}
}

func TestStoredPolicyDecides(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/one", []byte("text"), "x-ms-blob-type", "BlockBlob")
	s.want(200, "", "PUT", "/box?restype=container&comp=acl", policies("reader"))
	by := s.signed("/box/one", "box", "", auth.SAS{Policy: "reader"})
	s.asked(200, "", "GET", by, nil)
	s.asked(403, "AuthorizationPermissionMismatch", "DELETE", by, nil)
	s.asked(403, "AuthenticationFailed", "GET", s.signed("/box/one", "box", "", auth.SAS{Policy: "other"}), nil)
	s.want(200, "", "PUT", "/box?restype=container&comp=acl", nil)
	s.asked(403, "AuthenticationFailed", "GET", by, nil)
}

func TestAnonymousAccess(t *testing.T) {
	s := newStore(t)
	s.Accounts(account).AllowPublicAccess = true
	for _, level := range []string{"", "blob", "container"} {
		name := "/box" + level
		var headers []string
		if level != "" {
			headers = []string{"x-ms-blob-public-access", level}
		}
		s.want(201, "", "PUT", name+"?restype=container", nil)
		s.want(200, "", "PUT", name+"?restype=container&comp=acl", nil, headers...)
		s.want(201, "", "PUT", name+"/one", []byte("text"), "x-ms-blob-type", "BlockBlob")
		for target, open := range map[string]bool{
			"/one":                                  level != "",
			"/one?comp=metadata":                    level != "",
			"/one?comp=blocklist":                   level != "",
			"/one?comp=blocklist&blocklisttype=all": false,
			"?restype=container":                    level == "container",
			"?restype=container&comp=list":          level == "container",
			"?restype=container&comp=acl":           false,
		} {
			want, code := 401, "NoAuthenticationInformation"
			if open {
				want, code = 200, ""
			}
			if a := s.ask("GET", name+target, nil); a.status != want || a.code() != code {
				t.Errorf("level %q, %s: %d %s, want %d", level, target, a.status, a.code(), want)
			} else if a.get("WWW-Authenticate") != "" { // there is no authority to name
				t.Errorf("level %q, %s: challenge %q", level, target, a.get("WWW-Authenticate"))
			}
		}
		s.asked(401, "NoAuthenticationInformation", "PUT", name+"/one", []byte("x"), "x-ms-blob-type", "BlockBlob")
		s.asked(401, "NoAuthenticationInformation", "PUT", name+"/one?comp=lease", nil, "x-ms-lease-action", "break")
	}
	s.Accounts(account).AllowPublicAccess = false
	s.asked(409, "PublicAccessNotPermitted", "GET", "/boxblob/one", nil)
}

func TestCreateOnly(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	create := auth.SAS{Permissions: "c", Expiry: s.inAnHour()}
	one := s.signed("/box/one", "box", "", create)
	s.asked(201, "", "PUT", one, []byte("first"), "x-ms-blob-type", "BlockBlob")
	s.asked(403, "UnauthorizedBlobOverwrite", "PUT", one, []byte("second"), "x-ms-blob-type", "BlockBlob")
	block := s.signed("/box/two?comp=block&blockid="+url.QueryEscape(base64ID("1")), "box", "", create)
	list := s.signed("/box/two?comp=blocklist", "box", "", create)
	s.asked(201, "", "PUT", block, []byte("block"))
	s.asked(201, "", "PUT", list, []byte("<BlockList><Latest>"+base64ID("1")+"</Latest></BlockList>"))
	s.asked(403, "UnauthorizedBlobOverwrite", "PUT", block, []byte("block"))
	s.asked(403, "UnauthorizedBlobOverwrite", "PUT", list, []byte("<BlockList></BlockList>"))
	if a := s.want(200, "", "GET", "/box/one", nil); string(a.body) != "first" {
		t.Errorf("content %q", a.body)
	}
}

func TestSignatureOverridesHeaders(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/one", []byte("text"), "x-ms-blob-type", "BlockBlob", "x-ms-blob-content-type", "text/plain")
	f := auth.SAS{Permissions: "r", Expiry: s.inAnHour(), Override: auth.Override{
		ContentType: "text/html", ContentDisposition: "attachment", CacheControl: "no-store", ContentLanguage: "de", ContentEncoding: "gzip"}}
	for _, method := range []string{"GET", "HEAD"} {
		a := s.asked(200, "", method, s.signed("/box/one", "box", "one", f), nil)
		got := fmt.Sprint(a.get("Content-Type"), a.get("Content-Disposition"), a.get("Cache-Control"), a.get("Content-Language"), a.get("Content-Encoding"))
		if got != "text/htmlattachmentno-storedegzip" {
			t.Errorf("%s: %s", method, got)
		}
	}
	if a := s.want(200, "", "GET", "/box/one", nil); a.get("Content-Type") != "text/plain" {
		t.Errorf("without a signature: %s", a.get("Content-Type"))
	}
}

func TestDirectorySignatureListsBelowItOnly(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	k, _ := auth.ParseKey(key)
	query := auth.SignServiceSAS(auth.SAS{Version: "2020-12-06", Resource: "d", Depth: "1", Permissions: "l", Expiry: s.inAnHour()}, account, "box", "dir", k)
	s.asked(200, "", "GET", "/box?restype=container&comp=list&prefix=dir/&"+query, nil)
	s.asked(403, "AuthenticationFailed", "GET", "/box?restype=container&comp=list&prefix=other/&"+query, nil)
	s.asked(403, "AuthenticationFailed", "GET", "/box?restype=container&comp=list&"+query, nil)
}

// issuer signs tokens and is trusted for them.
type issuer struct{ key *rsa.PrivateKey }

func (i issuer) KeySet(name, _ string) (*jose.JSONWebKeySet, error) {
	if name != "https://issuer.example/" {
		return nil, nil
	}
	return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "1"}}}, nil
}

func (i issuer) token(t testing.TB, s *store) string {
	return i.tokenOf(t, s, "11111111-0000-0000-0000-000000000001")
}

// tokenIssuer is what the tokens of tests say who issued them.
const tokenIssuer = "https://issuer.example/"

// tokenOf returns a token of the object with an ID.
func (i issuer) tokenOf(t testing.TB, s *store, id string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: i.key, KeyID: "1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": tokenIssuer, "aud": "https://storage.azure.com", "exp": s.clock.Now().Add(time.Hour).Unix(),
		"oid": id, "tid": "tenant",
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + text
}

func TestDelegationKey(t *testing.T) {
	s := newStore(t)
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	trust := &service.Trust{
		DelegationSecret: []byte("a secret of the server"),
		Issuers:          []string{tokenIssuer},
		Tokens:           issuer{k},
		Access:           auth.NewAccess([]auth.Assignment{{Principal: "11111111-0000-0000-0000-000000000001", Issuer: tokenIssuer, Role: auth.RoleContributor}}, nil),
	}
	s.Trust = func() *service.Trust { return trust }
	token := issuer{k}.token(t, s)
	s.asked(201, "", "PUT", "/box?restype=container", nil, "Authorization", token)
	s.asked(201, "", "PUT", "/box/one", []byte("text"), "Authorization", token, "x-ms-blob-type", "BlockBlob")

	const target = "/?restype=service&comp=userdelegationkey"
	info := func(start, expiry string) []byte {
		return []byte("<KeyInfo><Start>" + start + "</Start><Expiry>" + expiry + "</Expiry></KeyInfo>")
	}
	s.want(403, "AuthenticationFailed", "POST", target, info("", s.inAnHour()))
	for name, body := range map[string][]byte{
		"too long": info("", auth.FormatTime(s.clock.Now().Add(8*24*time.Hour))),
		"past":     info("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
		"reversed": info(s.inAnHour(), auth.FormatTime(s.clock.Now().Add(time.Minute))),
		"no time":  info("", "soon"),
	} {
		if a := s.ask("POST", target, body, "Authorization", token); a.status != 400 || a.code() != "InvalidXmlNodeValue" {
			t.Errorf("%s: %d %s", name, a.status, a.code())
		}
	}
	tenant := func(id string) []byte {
		return []byte("<KeyInfo><Expiry>" + s.inAnHour() + "</Expiry><DelegatedUserTid>" + id + "</DelegatedUserTid></KeyInfo>")
	}
	s.asked(403, "AuthenticationFailed", "POST", target, tenant("00000000-0000-0000-0000-000000000000"), "Authorization", token)
	if own := s.asked(200, "", "POST", target, tenant("tenant"), "Authorization", token); !strings.Contains(string(own.body), "<SignedDelegatedUserTid>tenant<") {
		t.Errorf("key %s", own.body)
	}
	a := s.asked(200, "", "POST", target, info("2026-03-03T07:45:00Z", s.inAnHour()), "Authorization", token)
	var got struct {
		SignedOid, SignedTid, SignedStart, SignedExpiry, SignedService, SignedVersion, Value string
	}
	if err := xml.Unmarshal(bytes.TrimPrefix(a.body, []byte("\xEF\xBB\xBF")), &got); err != nil {
		t.Fatal(err)
	}
	if got.SignedOid != "11111111-0000-0000-0000-000000000001" || got.SignedStart != "2026-03-03T07:45:00Z" ||
		got.SignedExpiry != s.inAnHour() || got.SignedService != "b" || got.SignedVersion != "2026-12-06" {
		t.Errorf("key %+v", got)
	}
	value, _ := base64.StdEncoding.DecodeString(got.Value)
	start, _ := auth.ParseTime(got.SignedStart)
	expiry, _ := auth.ParseTime(got.SignedExpiry)
	query := auth.SignDelegationSAS(auth.SAS{Version: "2026-12-06", Resource: "b", Permissions: "rd", Expiry: s.inAnHour()}, account, "box", "one",
		auth.DelegationKey{ObjectID: got.SignedOid, Tenant: got.SignedTid, Start: start, Expiry: expiry, Service: "b", Version: got.SignedVersion, Issuer: tokenIssuer}, value, nil)
	s.asked(200, "", "GET", "/box/one?"+query, nil)
	trust.Access = nil
	s.asked(403, "AuthorizationPermissionMismatch", "GET", "/box/one?"+query, nil)
	trust.DelegationSecret = []byte("another secret")
	s.asked(403, "AuthenticationFailed", "GET", "/box/one?"+query, nil)
	s.asked(403, "AuthorizationPermissionMismatch", "GET", "/box/one", nil, "Authorization", token)
	trust.Tokens = nil
	if a := s.asked(401, "InvalidAuthenticationInfo", "GET", "/box/one", nil, "Authorization", token); a.get("WWW-Authenticate") != "" {
		t.Errorf("challenge without an authority: %s", a.get("WWW-Authenticate"))
	}
	trust.AuthorizationURI = "https://login.test/adfs/oauth2/authorize"
	const challenge = "Bearer authorization_uri=https://login.test/adfs/oauth2/authorize resource_id=https://storage.azure.com"
	for _, headers := range [][]string{{"Authorization", token}, nil} {
		if got := s.ask("GET", "/?comp=list", nil, headers...); got.status != 401 || got.get("WWW-Authenticate") != challenge {
			t.Errorf("%d, challenge %q", got.status, got.get("WWW-Authenticate"))
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/one", []byte("text"), "x-ms-blob-type", "BlockBlob", "x-ms-meta-data1", "x")
	preflight := []string{"Origin", "https://app.example", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "x-ms-version"}
	s.asked(403, "CorsPreflightFailure", "OPTIONS", "/box/one", nil, preflight...)
	if a := s.want(200, "", "GET", "/box/one", nil, "Origin", "https://app.example"); a.get("Vary") != "" {
		t.Error("Vary without rules")
	}
	s.want(202, "", "PUT", "/?restype=service&comp=properties", []byte(`<StorageServiceProperties><Cors><CorsRule>
		<AllowedOrigins>https://app.example</AllowedOrigins><AllowedMethods>GET,PUT</AllowedMethods><AllowedHeaders>x-ms-*</AllowedHeaders>
		<ExposedHeaders>x-ms-meta-*</ExposedHeaders><MaxAgeInSeconds>300</MaxAgeInSeconds></CorsRule></Cors></StorageServiceProperties>`))
	a := s.asked(200, "", "OPTIONS", "/none/one?comp=lease", nil, preflight...)
	if a.get("Access-Control-Allow-Origin") != "https://app.example" || a.get("Access-Control-Max-Age") != "300" {
		t.Errorf("preflight: %v", a.header)
	}
	s.asked(403, "CorsPreflightFailure", "OPTIONS", "/box/one", nil, "Origin", "https://evil.example", "Access-Control-Request-Method", "GET")
	s.asked(400, "InvalidHeaderValue", "OPTIONS", "/box/one", nil)
	a = s.want(200, "", "GET", "/box/one", nil, "Origin", "https://app.example")
	if a.get("Access-Control-Allow-Origin") != "https://app.example" || a.get("Vary") != "Origin" ||
		!strings.Contains(a.get("Access-Control-Expose-Headers"), "x-ms-meta-data1") {
		t.Errorf("actual request: %v", a.header)
	}
	a = s.want(404, "BlobNotFound", "GET", "/box/none", nil, "Origin", "https://app.example")
	if a.get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("error: %v", a.header)
	}
	s.step(2 * time.Second)
	if a := s.want(200, "", "GET", "/box/one", nil); a.get("Vary") != "Origin" || a.get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without an origin: %v", a.header)
	}
	s.want(202, "", "PUT", "/?restype=service&comp=properties", []byte(`<StorageServiceProperties><Cors><CorsRule>
		<AllowedOrigins>*</AllowedOrigins><AllowedMethods>GET,PUT</AllowedMethods><AllowedHeaders>*</AllowedHeaders>
		<ExposedHeaders>x-ms-meta-*</ExposedHeaders><MaxAgeInSeconds>300</MaxAgeInSeconds></CorsRule></Cors></StorageServiceProperties>`))
	s.step(2 * time.Second)
	a = s.want(200, "", "GET", "/box/one", nil)
	if a.get("Access-Control-Allow-Origin") != "*" || a.get("Vary") != "" || !strings.Contains(a.get("Access-Control-Expose-Headers"), "x-ms-meta-data1") {
		t.Errorf("without an origin, where a rule is for all: %v", a.header)
	}
	if a := s.want(200, "", "PUT", "/box/one?comp=metadata", nil); a.get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a write without an origin: %v", a.header)
	}
	if a := s.ask(http.MethodOptions, "/../x", nil, preflight...); a.status >= 500 {
		t.Errorf("odd path: %d", a.status)
	}
}
