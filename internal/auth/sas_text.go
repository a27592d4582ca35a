package auth

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/leasehold/leasehold/internal/query"
)

// Protocol versions at which the strings-to-sign, or what they may express, change.
const (
	sasVersioned      = "2012-02-12" // sv exists
	sasOverrides      = "2013-08-15" // rscc and the like
	sasBlobPrefix     = "2015-02-21" // the resource begins with /blob
	sasTransport      = "2015-04-05" // sip, spr; account SAS
	sasResource       = "2018-11-09" // sr and snapshot are signed; snapshots; user delegation
	sasVersionID      = "2019-10-10" // sr=bv
	sasObjectIDs      = "2020-02-10" // saoid, suoid, scid; sr=d
	sasScope          = "2020-12-06" // ses
	sasDelegatedUser  = "2025-07-05" // skdutid, sduoid
	sasRequestBinding = "2026-04-06" // srh, srq
)

// accountText returns the string-to-sign of an account SAS.
func (s *SAS) accountText(account string) string {
	lines := []string{account, s.Permissions, s.Services, s.Types, s.Start, s.Expiry, s.IP, s.Protocol, s.Version}
	if s.Version >= sasScope {
		lines = append(lines, s.EncryptionScope)
	}
	return strings.Join(append(lines, ""), "\n")
}

// serviceText returns the string-to-sign of a service SAS for the canonical resource.
func (s *SAS) serviceText(resource string) string {
	lines := []string{s.Permissions, s.Start, s.Expiry, resource, s.Policy}
	if s.Version >= sasTransport {
		lines = append(lines, s.IP, s.Protocol)
	}
	if s.Version >= sasVersioned {
		lines = append(lines, s.Version)
	}
	lines = s.appendTarget(lines)
	if s.Version >= sasOverrides {
		lines = s.appendOverride(lines)
	}
	return strings.Join(lines, "\n")
}

// delegationText returns the string-to-sign of a user delegation SAS for the canonical resource,
// with the blocks of bound headers and parameters.
func (s *SAS) delegationText(resource, headers, queries string) string {
	lines := []string{s.Permissions, s.Start, s.Expiry, resource,
		s.ObjectID, s.Tenant, s.KeyStart, s.KeyExpiry, s.KeyService, s.KeyVersion}
	if s.Version >= sasObjectIDs {
		lines = append(lines, s.AuthorizedID, s.UnauthorizedID, s.Correlation)
	}
	if s.Version >= sasDelegatedUser {
		lines = append(lines, s.DelegatedTenant, s.DelegatedID)
	}
	lines = s.appendTarget(append(lines, s.IP, s.Protocol, s.Version))
	if s.Version >= sasRequestBinding {
		lines = append(lines, headers, queries)
	}
	return strings.Join(s.appendOverride(lines), "\n")
}

// appendTarget appends the kind of resource, the snapshot slot and the encryption scope, as far as
// the version has them.
func (s *SAS) appendTarget(lines []string) []string {
	if s.Version < sasResource {
		return lines
	}
	slot := ""
	switch s.Resource {
	case "bs":
		slot = s.Snapshot
	case "bv":
		slot = s.VersionID
	}
	lines = append(lines, s.Resource, slot)
	if s.Version >= sasScope {
		lines = append(lines, s.EncryptionScope)
	}
	return lines
}

func (s *SAS) appendOverride(lines []string) []string {
	o := s.Override
	return append(lines, o.CacheControl, o.ContentDisposition, o.ContentEncoding, o.ContentLanguage, o.ContentType)
}

// resource returns the canonical resource that a signature must cover to be valid for r. It reports
// false if no signature with this sr is valid for r.
func (s *SAS) resource(account string, r Resource) (string, bool) {
	if r.Container == "" {
		return "", false
	}
	text := "/" + account + "/" + r.Container
	if s.Version >= sasBlobPrefix {
		text = "/blob" + text
	}
	blob := strings.ReplaceAll(r.Blob, `\`, "/")
	switch s.Resource {
	case "c":
		return text, true
	case "b", "bs", "bv":
		return text + "/" + blob, blob != ""
	case "d":
		directory, ok := s.directory(blob, strings.ReplaceAll(r.Prefix, `\`, "/"))
		if directory != "" {
			directory = "/" + directory
		}
		return text + directory, ok
	}
	return "", false
}

// directory returns the first sdd segments of a blob name or, if there is none, of the prefix of a
// listing, which must go on with a slash: otherwise it would also list neighbours of the directory
// whose names begin alike.
func (s *SAS) directory(blob, prefix string) (string, bool) {
	depth, err := strconv.ParseUint(s.Depth, 10, 16)
	if err != nil {
		return "", false
	}
	if depth == 0 {
		return "", true
	}
	name := blob
	if blob == "" {
		name = prefix
	}
	end := 0
	for n := uint64(0); n < depth; n++ {
		i := strings.IndexByte(name[end:], '/')
		switch {
		case i >= 0:
			end += i + 1
		case blob != "" && n == depth-1 && end < len(name):
			return name, true
		default:
			return "", false
		}
	}
	return name[:end-1], true
}

// SignAccountSAS returns the query string of an account SAS: the fields with the signature of an
// account key. It checks nothing.
func SignAccountSAS(s SAS, account string, key *Key) string {
	s.Signature = key.Sign([]byte(s.accountText(account)))
	return s.Query()
}

// SignServiceSAS returns the query string of a service SAS for a container, or the blob in it, or
// the directory named by blob (with sr "d"; Depth is set to fit). It checks only that sr suits the
// target, and returns "" if it does not.
func SignServiceSAS(s SAS, account, container, blob string, key *Key) string {
	resource, ok := s.target(account, container, blob)
	if !ok {
		return ""
	}
	s.Signature = key.Sign([]byte(s.serviceText(resource)))
	return s.Query()
}

// SignDelegationSAS is [SignServiceSAS] with a user delegation key, whose fields it fills in. bound
// is a request with the headers and parameters that RequestHeaders and RequestQueries name; it may
// be nil if they name none.
func SignDelegationSAS(s SAS, account, container, blob string, k DelegationKey, value []byte, bound *Request) string {
	s.ObjectID, s.Tenant, s.KeyService, s.KeyVersion = k.ObjectID, k.Tenant, k.Service, k.Version
	s.KeyStart, s.KeyExpiry, s.DelegatedTenant = FormatTime(k.Start), FormatTime(k.Expiry), k.DelegatedTenant
	resource, ok := s.target(account, container, blob)
	if !ok {
		return ""
	}
	var headers, queries string
	if bound != nil {
		params, err := query.Append(nil, bound.RawQuery, true)
		if err != nil {
			return ""
		}
		if headers, queries, ok = s.bound(bound.Header, params); !ok {
			return ""
		}
	}
	s.Signature = NewKey(value).Sign([]byte(s.delegationText(resource, headers, queries)))
	return s.Query()
}

// target returns the canonical resource to sign, and sets Depth for a directory.
func (s *SAS) target(account, container, blob string) (string, bool) {
	if s.Resource == "d" {
		blob = strings.Trim(blob, "/")
		s.Depth = "0"
		if blob != "" {
			s.Depth = strconv.Itoa(strings.Count(blob, "/") + 1)
		}
	}
	return s.resource(account, Resource{Container: container, Blob: blob})
}

// bound returns the blocks of the headers and parameters that srh and srq bind, with their values
// in the request. It reports false if the request lacks one or repeats it.
func (s *SAS) bound(header http.Header, params query.Query) (headers, queries string, ok bool) {
	var b strings.Builder
	for _, name := range list(s.RequestHeaders) {
		values := header.Values(name)
		if len(values) != 1 {
			return "", "", false
		}
		b.WriteString(name + ":" + strings.Trim(values[0], " \t") + "\n")
	}
	headers = b.String()
	b.Reset()
	for _, name := range list(s.RequestQueries) {
		n := 0
		for _, p := range params {
			if p.Name == strings.ToLower(name) {
				b.WriteString("\n" + name + ":" + p.Value)
				n++
			}
		}
		if n != 1 {
			return "", "", false
		}
	}
	return headers, b.String(), true
}

// list splits at commas; the empty text is the empty list.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
