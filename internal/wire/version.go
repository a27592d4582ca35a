package wire

import (
	"context"
	"slices"

	"github.com/leasehold/leasehold/internal/fault"
)

// Version is a service version, a date such as "2021-12-02". Versions compare as strings. The zero
// value is "not yet known".
type Version string

// DefaultVersion serves requests that name no version, unless their account has set another
// default. It is the lowest default of accounts that hold blobs only.
const DefaultVersion Version = "2014-02-14"

// firstModel is the oldest version with a behaviour of its own; from it on, any date is accepted.
const firstModel Version = "2012-02-12"

// older lists the versions before firstModel, which are accepted and behave like it.
var older = []Version{"2009-04-14", "2009-07-17", "2009-09-19", "2011-08-18"}

// AtLeast reports whether v is w or newer.
func (v Version) AtLeast(w Version) bool { return v >= w }

// ParseVersion accepts the known versions and any well-formed date from 2012-02-12 on, so that
// clients newer than the server are served. Anything else is [fault.InvalidHeaderValue] of
// x-ms-version.
func ParseVersion(s string) (Version, error) {
	v := Version(s)
	if wellFormed(s) && (v >= firstModel || slices.Contains(older, v)) {
		return v, nil
	}
	return "", fault.InvalidHeader("x-ms-version", s)
}

// wellFormed reports whether s looks like YYYY-MM-DD with a possible month and day.
func wellFormed(s string) bool {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	for i := range len(s) {
		if i != 4 && i != 7 && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	month, day := s[5:7], s[8:10]
	return "01" <= month && month <= "12" && "01" <= day && day <= "31"
}

// versionOf chooses the version of a request: the x-ms-version header, else the api-version
// parameter, else sv, the version of a shared access signature; "" if it names none. A malformed sv
// is left to the check of the signature.
func versionOf(header string, q Query) (Version, error) {
	if header != "" {
		return ParseVersion(header)
	}
	if s := q.Get("api-version"); s != "" {
		v, err := ParseVersion(s)
		if err != nil {
			return "", fault.InvalidQuery("api-version", s, "")
		}
		return v, nil
	}
	if s := q.Get("sv"); s != "" {
		if v, err := ParseVersion(s); err == nil {
			return v, nil
		}
	}
	return "", nil
}

// defaultVersion returns the version of a request that names none (docs/reference/operations.md 1).
func (o *Addressing) defaultVersion(ctx context.Context, account string) (Version, error) {
	if o == nil || o.DefaultVersion == nil {
		return DefaultVersion, nil
	}
	v, err := o.DefaultVersion(ctx, account)
	return max(v, DefaultVersion), err
}
