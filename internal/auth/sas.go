package auth

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/query"
)

// SAS holds the fields of a shared access signature as they stand in the query, decoded once. The
// signature covers this text, never a re-formatted value, so times keep their precision and
// permissions their order. A field that is "" is absent.
type SAS struct {
	Version         string // sv: selects the string-to-sign
	Permissions     string // sp: letters
	Start, Expiry   string // st, se: see ParseTime
	IP              string // sip: an IPv4 address or two with a hyphen between
	Protocol        string // spr: "https" or "https,http"
	EncryptionScope string // ses

	Services string // ss: account SAS only, any of "bqtf"
	Types    string // srt: account SAS only, any of "sco"

	Resource  string // sr: "c", "b", "bs", "bv" or "d"
	Depth     string // sdd: number of path segments of a directory
	Snapshot  string // snapshot: of the request; signed if sr is "bs"
	VersionID string // versionid: of the request; signed if sr is "bv"
	Policy    string // si: stored access policy, service SAS only
	Override  Override

	ObjectID        string // skoid: whose key this is; the fields from here to KeyVersion name a user delegation key
	Tenant          string // sktid
	KeyStart        string // skt
	KeyExpiry       string // ske
	KeyService      string // sks: "b"
	KeyVersion      string // skv
	AuthorizedID    string // saoid
	UnauthorizedID  string // suoid
	Correlation     string // scid
	DelegatedTenant string // skdutid
	DelegatedID     string // sduoid: who must send a token besides
	RequestHeaders  string // srh: names with commas between
	RequestQueries  string // srq: names with commas between

	Signature string // sig
}

// Override holds values that replace headers of the response to a read.
type Override struct {
	CacheControl       string // rscc
	ContentDisposition string // rscd
	ContentEncoding    string // rsce
	ContentLanguage    string // rscl
	ContentType        string // rsct
}

// sasNames are the query names of the fields in the order Query writes them.
var sasNames = [...]string{
	"sv", "ss", "srt", "sr", "sdd", "si", "st", "se", "sp", "sip", "spr", "ses", "snapshot", "versionid",
	"rscc", "rscd", "rsce", "rscl", "rsct", "skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid",
	"skdutid", "sduoid", "srh", "srq", "sig",
}

// field returns the field that a query parameter fills; nil for any other name.
func (s *SAS) field(name string) *string {
	switch name {
	case "sv":
		return &s.Version
	case "sp":
		return &s.Permissions
	case "st":
		return &s.Start
	case "se":
		return &s.Expiry
	case "sip":
		return &s.IP
	case "spr":
		return &s.Protocol
	case "ses":
		return &s.EncryptionScope
	case "ss":
		return &s.Services
	case "srt":
		return &s.Types
	case "sr":
		return &s.Resource
	case "sdd":
		return &s.Depth
	case "snapshot":
		return &s.Snapshot
	case "versionid":
		return &s.VersionID
	case "si":
		return &s.Policy
	case "sig":
		return &s.Signature
	}
	if f := s.Override.field(name); f != nil {
		return f
	}
	return s.delegationField(name)
}

func (o *Override) field(name string) *string {
	switch name {
	case "rscc":
		return &o.CacheControl
	case "rscd":
		return &o.ContentDisposition
	case "rsce":
		return &o.ContentEncoding
	case "rscl":
		return &o.ContentLanguage
	case "rsct":
		return &o.ContentType
	}
	return nil
}

func (s *SAS) delegationField(name string) *string {
	switch name {
	case "skoid":
		return &s.ObjectID
	case "sktid":
		return &s.Tenant
	case "skt":
		return &s.KeyStart
	case "ske":
		return &s.KeyExpiry
	case "sks":
		return &s.KeyService
	case "skv":
		return &s.KeyVersion
	case "saoid":
		return &s.AuthorizedID
	case "suoid":
		return &s.UnauthorizedID
	case "scid":
		return &s.Correlation
	case "skdutid":
		return &s.DelegatedTenant
	case "sduoid":
		return &s.DelegatedID
	case "srh":
		return &s.RequestHeaders
	case "srq":
		return &s.RequestQueries
	}
	return nil
}

// parseSAS collects the fields of a signature from a query. A field that is given twice is refused:
// only one would be signed.
func parseSAS(q query.Query) (*SAS, error) {
	s := &SAS{}
	for i, p := range q {
		f := s.field(p.Name)
		if f == nil {
			continue
		}
		if q[:i].Has(p.Name) {
			return nil, fault.InvalidQuery(p.Name, "", "The parameter is given more than once.")
		}
		*f = p.Value
	}
	return s, nil
}

// Query returns the signature as a query string, without '?'.
func (s *SAS) Query() string {
	var b strings.Builder
	for _, name := range sasNames {
		if v := *s.field(name); v != "" {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(name)
			b.WriteByte('=')
			// A space is written %20, because not every reader takes a plus for one.
			b.WriteString(strings.ReplaceAll(url.QueryEscape(v), "+", "%20"))
		}
	}
	return b.String()
}

// kind returns the kind of signature that the fields make; KindAnonymous if they make none.
func (s *SAS) kind() Kind {
	switch {
	case s.Services != "" && s.Types != "":
		return KindAccountSAS
	case s.ObjectID != "":
		return KindDelegationSAS
	case s.Resource != "" || s.Policy != "":
		return KindServiceSAS
	}
	return KindAnonymous
}

// timeLayouts are the forms of times in signatures, by the length of the text without its zone.
var timeLayouts = map[int]string{10: "2006-01-02", 16: "2006-01-02T15:04", 19: "2006-01-02T15:04:05"}

// ParseTime reads a time as signatures write it: a date, or date and time in UTC with minutes,
// seconds, or one to seven digits of a second, ending in Z or +00:00. It reports false for
// everything else.
func ParseTime(text string) (time.Time, bool) {
	if len(text) == 10 {
		t, err := time.Parse(timeLayouts[10], text)
		return t, err == nil
	}
	body, ok := strings.CutSuffix(text, "Z")
	if !ok {
		if body, ok = strings.CutSuffix(text, "+00:00"); !ok {
			return time.Time{}, false
		}
	}
	whole, fraction, dotted := strings.Cut(body, ".")
	layout, ok := timeLayouts[len(whole)]
	if !ok || len(whole) == 10 || dotted && len(whole) != 19 {
		return time.Time{}, false
	}
	t, err := time.Parse(layout, whole)
	if err != nil || !dotted {
		return t, err == nil
	}
	if len(fraction) == 0 || len(fraction) > 7 || strings.Trim(fraction, "0123456789") != "" {
		return time.Time{}, false
	}
	n, err := strconv.Atoi((fraction + "00000000")[:9])
	return t.Add(time.Duration(n)), err == nil
}

// FormatTime writes a time the way signatures are best given it: UTC with whole seconds.
func FormatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
