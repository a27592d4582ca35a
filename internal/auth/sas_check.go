package auth

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/query"
)

// AccessPolicy is a stored access policy of a container. It supplies the fields that a service SAS
// leaves out; a zero field supplies nothing.
type AccessPolicy struct {
	Start, Expiry time.Time
	Permissions   string
}

// authenticateSAS verifies a shared access signature. A query that holds a '+' is read once as a
// form, where it is a space, and once literally, because both kinds of client exist; the signature
// tells which was meant.
func authenticateSAS(req *Request, env *Env) (Grant, error) {
	g, err := verifySAS(req, env, true)
	if err != nil && strings.Contains(req.RawQuery, "+") {
		if again, err := verifySAS(req, env, false); err == nil {
			return again, nil
		}
	}
	return g, err
}

// verifySAS runs the checks on a signature that do not depend on the operation, in the order of the
// service.
func verifySAS(req *Request, env *Env, plusIsSpace bool) (Grant, error) {
	params, err := query.Append(nil, req.RawQuery, plusIsSpace)
	if err != nil {
		return Grant{}, err
	}
	s, err := parseSAS(params)
	if err != nil {
		return Grant{}, err
	}
	if plusIsSpace && strings.Contains(req.RawQuery, "+") {
		// Base64 has no spaces: a plus in the signature is always a plus, even where the other
		// fields come from a form.
		literal, err := query.Append(nil, req.RawQuery, false)
		if err != nil {
			return Grant{}, err
		}
		s.Signature = literal.Get("sig")
	}
	kind := s.kind()
	if err := s.checkFields(kind); err != nil {
		return Grant{}, err
	}
	if kind != KindDelegationSAS && env.Account.KeysDisabled {
		return Grant{}, fault.KeyBasedAuthenticationNotPermitted
	}
	g := Grant{Principal: Principal{Kind: kind, Name: env.Account.Name}, req: req, env: env, sas: s}
	if err := g.verifySignature(params); err != nil {
		return Grant{}, err
	}
	period, err := g.settle()
	if err != nil {
		return Grant{}, err
	}
	if !period.contains(env.Now) {
		return Grant{}, outOfTime(period, env.Now)
	}
	if kind == KindDelegationSAS {
		if err := g.checkDelegation(); err != nil {
			return Grant{}, err
		}
	}
	return g, s.checkTransport(req)
}

// checkFields refuses a signature that lacks a field of its kind, has one that its version does not
// sign, or one whose value has no meaning.
func (s *SAS) checkFields(kind Kind) error {
	required := []string{"sv", "ss", "srt", "sp", "se"}
	oldest := sasTransport
	switch kind {
	case KindAnonymous:
		return notWellFormed()
	case KindServiceSAS:
		required, oldest = []string{"sr", "sp", "se"}, ""
		if s.Policy != "" {
			required = required[:1]
		}
	case KindDelegationSAS:
		required = []string{"sv", "sr", "sp", "se", "skoid", "sktid", "skt", "ske", "sks", "skv"}
		oldest = sasResource
		if s.Policy != "" || s.AuthorizedID != "" && s.UnauthorizedID != "" {
			return notWellFormed()
		}
	}
	for _, name := range required {
		if *s.field(name) == "" {
			return fault.NotAuthenticated(name + " is mandatory. Cannot be empty")
		}
	}
	if s.Version != "" {
		if _, err := time.Parse("2006-01-02", s.Version); err != nil || s.Version < sasVersioned {
			return fault.InvalidQuery("sv", s.Version, "")
		}
	}
	if s.Version < oldest {
		return tooNew("This kind of signature", s.Version)
	}
	check := s.checkScopedValues
	if kind == KindAccountSAS {
		check = s.checkAccountValues
	}
	if err := check(); err != nil {
		return err
	}
	if s.Protocol != "" && s.Protocol != "https" && s.Protocol != "https,http" {
		return fault.NotAuthenticated("spr is neither 'https' nor 'https,http'.")
	}
	if _, _, ok := parseRange(s.IP); s.IP != "" && !ok {
		return fault.InvalidQuery("sip", s.IP, "The value is neither an IPv4 address nor a range of two.")
	}
	return nil
}

// checkAccountValues checks the values of fields that account SAS have.
func (s *SAS) checkAccountValues() error {
	if !consistsOf(s.Services, "bqtf") || !consistsOf(s.Types, "sco") || !consistsOf(s.Permissions, allLetters+"u") {
		return notWellFormed()
	}
	if s.EncryptionScope != "" && s.Version < sasScope {
		return tooNew("ses", s.Version)
	}
	return nil
}

// checkScopedValues checks the values of fields that service and user delegation SAS have.
func (s *SAS) checkScopedValues() error {
	resources := map[string]string{"c": "", "b": "", "bs": sasResource, "bv": sasVersionID, "d": sasObjectIDs}
	since, known := resources[s.Resource]
	if !known || !consistsOf(s.Permissions, allLetters) {
		return notWellFormed()
	}
	if s.Version < since {
		return tooNew("sr", s.Version)
	}
	if s.Resource == "bs" && (s.Snapshot == "" || s.VersionID != "") || s.Resource == "bv" && (s.VersionID == "" || s.Snapshot != "") {
		return fault.NotAuthenticated("sr '" + s.Resource + "' does not suit the resource of the request.")
	}
	for _, f := range sasSince {
		if s.Version < f.version && *s.field(f.name) != "" {
			return tooNew(f.name, s.Version)
		}
	}
	if s.UnauthorizedID != "" {
		return fault.NotAuthenticated("suoid needs access control lists, which this account does not have.")
	}
	return nil
}

// allLetters are the permission letters of service and user delegation SAS in canonical order.
const allLetters = "racwdxyltfmeopi"

// sasSince lists the fields that are only signed from some version on. Accepted earlier, they could
// be added or removed by anyone.
var sasSince = []struct{ name, version string }{
	{"rscc", sasOverrides}, {"rscd", sasOverrides}, {"rsce", sasOverrides}, {"rscl", sasOverrides}, {"rsct", sasOverrides},
	{"sip", sasTransport}, {"spr", sasTransport}, {"ses", sasScope},
	{"saoid", sasObjectIDs}, {"suoid", sasObjectIDs}, {"scid", sasObjectIDs},
	{"skdutid", sasDelegatedUser}, {"sduoid", sasDelegatedUser}, {"srh", sasRequestBinding}, {"srq", sasRequestBinding},
}

func tooNew(name, version string) error {
	return fault.NotAuthenticated(name + " is not part of signatures of version '" + version + "'.")
}

func notWellFormed() error { return fault.NotAuthenticated("Signature fields not well formed.") }

// consistsOf reports whether text has only characters of set.
func consistsOf(text, set string) bool { return strings.Trim(text, set) == "" }

// verifySignature recomputes the signature over the text received and the resource requested.
func (g *Grant) verifySignature(params query.Query) error {
	s, account := g.sas, g.env.Account
	if g.Principal.Kind == KindAccountSAS {
		return g.match([]signer{{keys: account.Keys}}, s.accountText(account.Name))
	}
	resource, ok := s.resource(account.Name, Resource{g.req.Container, g.req.Blob, params.Get("prefix")})
	if !ok {
		return fault.NotAuthenticated("sr '" + s.Resource + "' does not suit the resource of the request.")
	}
	g.resource = resource
	textOf, by := s.serviceText, []signer{{keys: account.Keys}}
	if g.Principal.Kind == KindDelegationSAS {
		var err error
		if by, err = g.delegationSigners(); err != nil {
			return err
		}
		headers, queries, ok := s.bound(g.req.Header, params)
		if !ok {
			return fault.NotAuthenticated("A header or query parameter that the signature is bound to is missing or repeated.")
		}
		textOf = func(resource string) string { return s.delegationText(resource, headers, queries) }
	}
	if sent, ok := g.sentResource(); ok {
		return g.match(by, textOf(resource), textOf(sent))
	}
	return g.match(by, textOf(resource))
}

// signer is a key that may have made a signature.
type signer struct {
	keys   []*Key
	issuer string // of the user, for a user delegation key
}

// match finds the signer of one of the texts and notes the issuer of its user.
func (g *Grant) match(by []signer, texts ...string) error {
	for _, one := range by {
		for _, text := range texts {
			if verifyAny(one.keys, []byte(text), g.sas.Signature) {
				g.Principal.Issuer = one.issuer
				return nil
			}
		}
	}
	return fault.NotAuthenticated("Signature did not match. String to sign used was " + texts[0])
}

// sentResource returns the canonical resource of a blob under the name in the path, before its dots
// are resolved, because clients sign the name that they send. It reports false where only the front
// of the name is signed.
func (g *Grant) sentResource() (string, bool) {
	if g.req.SentBlob == "" || g.Principal.Kind == KindAccountSAS || g.sas.Resource == "d" {
		return "", false
	}
	return g.sas.resource(g.env.Account.Name, Resource{Container: g.req.Container, Blob: g.req.SentBlob})
}

// delegationSigners returns the user delegation keys that the fields name. The fields do not name
// the issuer, so there is a key for each issuer that is allowed, and the signature decides.
func (g *Grant) delegationSigners() (by []signer, err error) {
	if len(g.env.DelegationSecret) == 0 {
		return nil, fault.NotAuthenticated("User delegation is not offered.")
	}
	s := g.sas
	start, err := sasTime("skt", s.KeyStart)
	if err != nil {
		return nil, err
	}
	expiry, err := sasTime("ske", s.KeyExpiry)
	if err != nil {
		return nil, err
	}
	g.keyPeriod = period{start, expiry}
	k := DelegationKey{ObjectID: s.ObjectID, Tenant: s.Tenant, Start: start, Expiry: expiry, Service: s.KeyService, Version: s.KeyVersion,
		DelegatedTenant: s.DelegatedTenant}
	for _, k.Issuer = range g.env.Issuers {
		by = append(by, signer{[]*Key{NewKey(k.Value(g.env.DelegationSecret, g.env.Account.Name))}, k.Issuer})
	}
	return by, nil
}

// period is a half-open interval of time; a zero start is open.
type period struct{ start, expiry time.Time }

func (p period) contains(t time.Time) bool { return !t.Before(p.start) && t.Before(p.expiry) }

// settle returns the period of the signature and notes its permissions, both from its own fields or
// from the policy that it names. A field in both is refused, and so is an expiry or permission in
// neither.
func (g *Grant) settle() (p period, err error) {
	s := g.sas
	g.letters = s.Permissions
	if s.Start != "" {
		if p.start, err = sasTime("st", s.Start); err != nil {
			return p, err
		}
	}
	if s.Expiry != "" {
		if p.expiry, err = sasTime("se", s.Expiry); err != nil {
			return p, err
		}
	}
	if g.Principal.Kind != KindServiceSAS || s.Policy == "" {
		return p, nil
	}
	var policy *AccessPolicy
	if g.env.Policy != nil {
		if policy, err = g.env.Policy(g.req.Container, s.Policy); err != nil {
			return p, err
		}
	}
	if policy == nil {
		return p, fault.NotAuthenticated("Error locating SAS identifier.")
	}
	g.Principal.Name = s.Policy
	return g.merge(p, policy)
}

// merge adds the fields of the policy to the fields of the signature.
func (g *Grant) merge(p period, policy *AccessPolicy) (period, error) {
	twice := !p.start.IsZero() && !policy.Start.IsZero() || !p.expiry.IsZero() && !policy.Expiry.IsZero() ||
		g.letters != "" && policy.Permissions != ""
	if twice {
		return p, fault.NotAuthenticated("Access policy fields can be associated with signature or SAS identifier but not both.")
	}
	if p.start.IsZero() {
		p.start = policy.Start
	}
	if p.expiry.IsZero() {
		p.expiry = policy.Expiry
	}
	g.letters += policy.Permissions
	switch {
	case p.expiry.IsZero():
		return p, fault.NotAuthenticated("se is mandatory. Cannot be empty")
	case g.letters == "":
		return p, fault.NotAuthenticated("sp is mandatory. Cannot be empty")
	}
	return p, nil
}

// sasTime reads the time in a field.
func sasTime(name, text string) (time.Time, error) {
	t, ok := ParseTime(text)
	if !ok {
		return t, fault.InvalidQuery(name, text, "The time is not in an accepted form.")
	}
	return t, nil
}

// outOfTime refuses a signature whose period does not contain now. A period without a start begins
// now.
func outOfTime(p period, now time.Time) error {
	if p.start.IsZero() {
		return fault.NotAuthenticated("Signed expiry time [" + p.expiry.UTC().Format(http.TimeFormat) +
			"] must be after signed start time [" + now.UTC().Format(http.TimeFormat) + "]")
	}
	return notInTime("Signature not valid in the specified time frame: Start", "Expiry", p, now)
}

// notInTime refuses a signature or key outside its time, in the words of the service.
func notInTime(begin, end string, p period, now time.Time) error {
	format := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(http.TimeFormat)
	}
	return fault.NotAuthenticated(fmt.Sprintf("%s [%s] - %s [%s] - Current [%s]", begin, format(p.start), end, format(p.expiry), format(now)))
}

// checkDelegation checks a user delegation SAS against its key: the period of the key, which need
// not contain the period of the signature, and the token of the user to whom the signature is
// bound.
func (g *Grant) checkDelegation() error {
	s, key := g.sas, g.keyPeriod
	switch {
	case s.KeyService != "b":
		return fault.NotAuthenticated("The user delegation key is not one of the blob service.")
	case key.expiry.Sub(key.start) > MaxDelegationKeyAge:
		return fault.NotAuthenticated("The user delegation key is good for more than 7 days.")
	case !key.contains(g.env.Now):
		return notInTime("Signature not valid in the specified key time frame: Key Start", "Key Expiry", key, g.env.Now)
	}
	g.Principal.ObjectID, g.Principal.Tenant, g.Principal.Name = s.ObjectID, s.Tenant, ""
	if s.DelegatedID == "" {
		return nil
	}
	if len(g.req.Header["Authorization"]) == 0 {
		return fault.NotAuthenticated("The signature is bound to a user, whose token is missing.")
	}
	user, err := authenticateBearer(g.req, g.env)
	if err != nil {
		return err
	}
	tenant := s.Tenant
	if s.DelegatedTenant != "" {
		tenant = s.DelegatedTenant
	}
	if !strings.EqualFold(user.Principal.ObjectID, s.DelegatedID) || !strings.EqualFold(user.Principal.Tenant, tenant) ||
		user.Principal.Issuer != g.Principal.Issuer {
		return fault.NotAuthenticated("The token is not one of the user that the signature is bound to.")
	}
	return nil
}

// checkTransport checks protocol, source address and service. It runs after the checks of the
// signature itself.
func (s *SAS) checkTransport(req *Request) error {
	if s.Protocol == "https" && !req.TLS {
		return fault.AuthorizationProtocolMismatch
	}
	if s.IP != "" {
		low, high, _ := parseRange(s.IP)
		if a := req.Remote.Unmap(); !a.Is4() || a.Less(low) || high.Less(a) {
			return fault.WrongSourceIP(a.String())
		}
	}
	if s.Services != "" && s.kind() == KindAccountSAS && !strings.Contains(s.Services, "b") {
		return fault.AuthorizationServiceMismatch
	}
	return nil
}

// parseRange reads an IPv4 address, or two with a hyphen between them, both inclusive.
func parseRange(text string) (low, high netip.Addr, ok bool) {
	from, to, two := strings.Cut(text, "-")
	if !two {
		to = from
	}
	low, err1 := netip.ParseAddr(from)
	high, err2 := netip.ParseAddr(to)
	return low, high, err1 == nil && err2 == nil && low.Is4() && high.Is4() && !high.Less(low)
}
