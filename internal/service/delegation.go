package service

import (
	"encoding/base64"
	"encoding/xml"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/fault"
)

// delegatedTenantSince is the first version in which a key names the tenant to which it is
// delegated. A tenant other than the caller's is refused, as by accounts that don't allow
// delegation across tenants (docs/decisions/delegation-keys.md).
const delegatedTenantSince = "2026-04-06"

type getDelegationKey struct {
	Info keyInfoXML `body:"xml,required"`
}

type keyInfoXML struct {
	XMLName         xml.Name `xml:"KeyInfo"`
	Start           string   `xml:"Start"`
	Expiry          string   `xml:"Expiry"`
	DelegatedTenant string   `xml:"DelegatedUserTid"`
}

type gotDelegationKey struct {
	Key delegationKeyXML `body:"xml"`
}

type delegationKeyXML struct {
	XMLName         xml.Name `xml:"UserDelegationKey"`
	ObjectID        string   `xml:"SignedOid"`
	Tenant          string   `xml:"SignedTid"`
	Start           string   `xml:"SignedStart"`
	Expiry          string   `xml:"SignedExpiry"`
	Service         string   `xml:"SignedService"`
	Version         string   `xml:"SignedVersion"`
	DelegatedTenant string   `xml:"SignedDelegatedUserTid,omitempty"`
	Value           string   `xml:"Value"`
}

// doGetDelegationKey issues a user delegation key to whoever sent a token. Nothing is
// stored: the key follows from its public fields.
func doGetDelegationKey(s *txn, a *getDelegationKey) (*gotDelegationKey, error) {
	var secret []byte
	if s.Trust != nil {
		if t := s.Trust(); t != nil {
			secret = t.DelegationSecret
		}
	}
	if secret == nil {
		return nil, fault.FeatureNotSupported
	}
	start, expiry, err := a.Info.period(s.req.Received)
	if err != nil {
		return nil, err
	}
	p := s.grant.Principal
	k := auth.DelegationKey{
		ObjectID: p.ObjectID, Tenant: p.Tenant, Start: start, Expiry: expiry,
		Service: "b", Version: string(s.req.Version), Issuer: p.Issuer,
	}
	if s.req.Version.AtLeast(delegatedTenantSince) {
		if t := a.Info.DelegatedTenant; t != "" && !strings.EqualFold(t, p.Tenant) {
			return nil, fault.NotAuthenticated("Delegation to users of another tenant is not offered.")
		}
		k.DelegatedTenant = a.Info.DelegatedTenant
	}
	return &gotDelegationKey{delegationKeyXML{
		ObjectID: k.ObjectID, Tenant: k.Tenant,
		Start: auth.FormatTime(k.Start), Expiry: auth.FormatTime(k.Expiry),
		Service: k.Service, Version: k.Version, DelegatedTenant: k.DelegatedTenant,
		Value: base64.StdEncoding.EncodeToString(k.Value(secret, s.req.Account)),
	}}, nil
}

// period returns the period that a request asks for, in whole seconds. It begins now if no start is
// given, and ends within seven days from now.
func (x *keyInfoXML) period(now time.Time) (start, expiry time.Time, err error) {
	start = now
	if x.Start != "" {
		var ok bool
		if start, ok = auth.ParseTime(x.Start); !ok {
			return start, expiry, fault.InvalidXML("Start", x.Start)
		}
	}
	expiry, ok := auth.ParseTime(x.Expiry)
	start, expiry = start.Truncate(time.Second), expiry.Truncate(time.Second)
	switch {
	case x.Expiry == "":
		return start, expiry, fault.MissingXML("Expiry")
	case !ok, !expiry.After(start), !expiry.After(now), expiry.After(now.Add(auth.MaxDelegationKeyAge)):
		return start, expiry, fault.InvalidXML("Expiry", x.Expiry)
	case expiry.Sub(start) > auth.MaxDelegationKeyAge:
		return start, expiry, fault.InvalidXML("Start", x.Start)
	}
	return start, expiry, nil
}
