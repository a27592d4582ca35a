package service

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// Limits of stored access policies (docs/reference/authorization.md 4.6).
const (
	maxPolicies      = 5
	maxPolicyID      = 64 // characters
	maxPolicyLetters = 32
	policyLetters    = "racwdxyltfmeopi"
)

func accessOperations() []Operation {
	return []Operation{
		{
			Name: "Preflight", On: wire.Selector{Method: "OPTIONS", AnyLevel: true}, Needs: auth.PermPreflight, Status: 200,
			Use: useNothing, Run: handle[nothing, nothing]((*call).preflight),
		},
		{
			Name: "Service_GetUserDelegationKey", Status: 200,
			On: onService("POST", "service", "userdelegationkey"), Needs: auth.PermGetUserDelegationKey,
			Use: useNothing, Run: view(doGetDelegationKey),
		},
		{
			Name: "Container_GetAccessPolicy", Status: 200,
			On: onContainer("GET,HEAD", "acl"), Needs: auth.PermGetContainerACL,
			Use: useRead, Run: view(doGetContainerACL),
		},
		{
			Name: "Container_SetAccessPolicy", On: onContainer("PUT", "acl"), Needs: auth.PermSetContainerACL, Status: 200,
			Use: useModify, Run: update(doSetContainerACL),
		},
	}
}

// signedIdentifiersXML is the list of stored access policies as clients write and read it.
type signedIdentifiersXML struct {
	XMLName     xml.Name              `xml:"SignedIdentifiers"`
	Identifiers []signedIdentifierXML `xml:"SignedIdentifier"`
}

type signedIdentifierXML struct {
	ID     *string          `xml:"Id"`
	Policy *accessPolicyXML `xml:"AccessPolicy"`
}

type accessPolicyXML struct {
	Start      string `xml:"Start,omitempty"`
	Expiry     string `xml:"Expiry,omitempty"`
	Permission string `xml:"Permission,omitempty"`
}

// policies returns the list as it is stored. A list with a fault of any kind is InvalidXmlDocument
// (docs/reference/operations.md 7.8).
func (l *signedIdentifiersXML) policies() ([]blob.Policy, error) {
	if len(l.Identifiers) > maxPolicies {
		return nil, badPolicy("A container has at most %d stored access policies.", maxPolicies)
	}
	var out []blob.Policy
	seen := map[string]bool{}
	for _, i := range l.Identifiers {
		if i.ID == nil || *i.ID == "" || len([]rune(*i.ID)) > maxPolicyID {
			return nil, badPolicy("The ID of a stored access policy has 1 to %d characters.", maxPolicyID)
		}
		if seen[*i.ID] {
			return nil, badPolicy("The IDs of stored access policies are unique.")
		}
		seen[*i.ID] = true
		p := blob.Policy{ID: *i.ID}
		if i.Policy != nil {
			if err := i.Policy.read(&p); err != nil {
				return nil, err
			}
		}
		out = append(out, p)
	}
	return out, nil
}

func (x *accessPolicyXML) read(p *blob.Policy) (err error) {
	if p.Start, err = policyTime(x.Start); err != nil {
		return err
	}
	if p.Expiry, err = policyTime(x.Expiry); err != nil {
		return err
	}
	p.Permissions = strings.TrimSpace(x.Permission)
	if len(p.Permissions) > maxPolicyLetters || strings.Trim(p.Permissions, policyLetters) != "" {
		return badPolicy("A permission is none of %s.", policyLetters)
	}
	return nil
}

// letterSince lists the later permission letters, each with the first version that knows it
// (docs/reference/authorization.md 4.5).
var letterSince = []struct {
	letters string
	version wire.Version
}{
	{"ac", "2015-04-05"}, {"xy", "2019-10-10"}, {"t", "2019-12-12"}, {"meop", "2020-02-10"}, {"i", "2020-08-04"}, {"f", "2021-04-10"},
}

// errPolicyTooNew refuses a policy that the version of the request can't express.
var errPolicyTooNew = &fault.Error{Code: fault.FeatureVersionMismatch,
	Message: "Stored access policy contains a permission that is not supported by this version."}

// knowPolicies refuses policies with a permission that is newer than the version of the request.
func (c *call) knowPolicies(policies []blob.Policy) error {
	for _, p := range policies {
		for _, l := range letterSince {
			if !c.req.Version.AtLeast(l.version) && strings.ContainsAny(p.Permissions, l.letters) {
				return errPolicyTooNew
			}
		}
	}
	return nil
}

func policyTime(text string) (blob.Time, error) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, nil
	}
	t, ok := auth.ParseTime(text)
	if !ok || t.Year() < 1970 {
		return 0, badPolicy("A time has the form YYYY-MM-DD or YYYY-MM-DDThh:mm:ss.fffffffZ.")
	}
	return blob.TimeOf(t), nil
}

func badPolicy(format string, args ...any) error {
	return fault.MalformedXML(0, 0, fmt.Sprintf(format, args...))
}

// signedIdentifiersOf returns the list as it is answered, with seven digits in the fraction of
// times.
func signedIdentifiersOf(policies []blob.Policy) *signedIdentifiersXML {
	out := &signedIdentifiersXML{}
	for i := range policies {
		p := &policies[i]
		x := signedIdentifierXML{ID: &p.ID}
		if p.Start != 0 || p.Expiry != 0 || p.Permissions != "" {
			x.Policy = &accessPolicyXML{Permission: p.Permissions}
			if p.Start != 0 {
				x.Policy.Start = p.Start.Stamp()
			}
			if p.Expiry != 0 {
				x.Policy.Expiry = p.Expiry.Stamp()
			}
		}
		out.Identifiers = append(out.Identifiers, x)
	}
	return out
}

type containerACL struct {
	validators
	Access      blob.PublicAccess     `header:"x-ms-blob-public-access"`
	Identifiers *signedIdentifiersXML `body:"xml"`
}

func doGetContainerACL(s *txn, _ *getContainer) (*containerACL, error) {
	if err := s.knowPolicies(s.container.Policies); err != nil {
		return nil, err
	}
	return &containerACL{
		validators:  validatorsOf(s.container.Version()),
		Access:      s.container.Access,
		Identifiers: signedIdentifiersOf(s.container.Policies),
	}, nil
}

// setContainerACL replaces the level of public access and all stored access policies: a policy that
// is not sent is removed.
type setContainerACL struct {
	dateConditions
	leaseIDHeader
	Access publicAccess         `header:"x-ms-blob-public-access"`
	List   signedIdentifiersXML `body:"xml"`
}

func (a *setContainerACL) checkForm() error {
	_, err := a.List.policies()
	return err
}

func doSetContainerACL(s *txn, a *setContainerACL) (*validators, error) {
	if a.Access != 0 && !s.Accounts(s.req.Account).AllowPublicAccess {
		return nil, fault.PublicAccessNotPermitted
	}
	policies, err := a.List.policies()
	if err != nil {
		return nil, err
	}
	if err := s.knowPolicies(policies); err != nil {
		return nil, err
	}
	s.container.Access, s.container.Policies = blob.PublicAccess(a.Access), policies
	s.container.Touch(s.now)
	v := validatorsOf(s.container.Version())
	return &v, s.putContainer(s.container)
}
