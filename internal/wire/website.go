package wire

import (
	"slices"
	"strconv"
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// webContainer is the container whose blobs are the website of an account.
const webContainer = "$web"

// webVersion is the version that the website endpoint speaks, whatever a request says.
const webVersion Version = "2018-03-28"

// webServerName is the value of the Server header of the website endpoint.
const webServerName = "Windows-Azure-Web/1.0 Microsoft-HTTPAPI/2.0"

// webSuffixes are the host names below which the first label is an account whose website is served.
var webSuffixes = []string{"web.core.windows.net", "web.localhost"}

// siteOf returns the account whose website a host stands for: the first label of a host below one
// of webSuffixes, or below any name that begins with "web" if it is an account, with a zone such as
// "z6" between or without. ok is false if the host stands for none.
func (o *Addressing) siteOf(host string) (account string, ok bool) {
	label, rest, _ := strings.Cut(hostname(host), ".")
	if zone, behind, _ := strings.Cut(rest, "."); isZone(zone) {
		rest = behind
	}
	switch {
	case label != "" && slices.Contains(webSuffixes, rest):
		return label, true
	case o == nil:
		return "", false
	case strings.HasPrefix(rest, "web.") && o.IsAccount != nil && o.IsAccount(strings.TrimSuffix(label, secondarySuffix)):
		return label, true
	case o.Site != nil:
		return o.Site(), true
	}
	return "", false
}

// isZone reports whether a label is a zone, which the service puts behind the account: z and a
// number.
func isZone(label string) bool {
	number, ok := strings.CutPrefix(label, "z")
	_, err := strconv.ParseUint(number, 10, 16)
	return ok && err == nil
}

// parseSite returns what a path names within the website of an account. The blob's name is empty
// for the root of the site.
func parseSite(account, escapedPath string) (Target, error) {
	t := Target{Website: true, Container: webContainer, Level: LevelBlob}
	t.Account, t.Secondary = strings.CutSuffix(account, secondarySuffix)
	if t.Account == "" {
		return t, fault.InvalidURI
	}
	path := strings.TrimPrefix(escapedPath, "/")
	if path == "" {
		return t, nil
	}
	var err error
	if t.Blob, err = decodeName(path); err != nil {
		return t, err
	}
	return t, t.resolve()
}

// appendErrorPage appends the body of a failure as the website endpoint shows it, for people.
func appendErrorPage(dst []byte, r *Request, e *fault.Error) []byte {
	dst = append(append(dst, "<!DOCTYPE html><html><head><title>"...), e.Code...)
	dst = append(dst, "</title></head><body><h1>"...)
	dst = AppendXMLText(dst, e.Message)
	dst = append(dst, "</h1><p><ul><li>HttpStatusCode: "...)
	dst = strconv.AppendInt(dst, int64(e.Status), 10)
	dst = append(append(dst, "</li><li>ErrorCode: "...), e.Code...)
	dst = append(append(dst, "</li><li>RequestId : "...), r.ID...)
	dst = append(dst, "</li><li>TimeStamp : "...)
	dst = r.Received.UTC().AppendFormat(dst, errorTime)
	return append(dst, "</li></ul></p></body></html>"...)
}
