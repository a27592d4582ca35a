package auth

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
)

// FuzzAuthorization: whatever stands in the header, nobody has signed it.
func FuzzAuthorization(f *testing.F) {
	for _, text := range []string{
		"", " ", "SharedKey acct:", "SharedKey acct:AAAA", "SharedKeyLite acct2:" + strings.Repeat("A", signatureSize), "sharedkey  acct:x:y",
		"Bearer", "Bearer ", "bearer e30.e30.e30", "Bearer {}", "Basic YTpi", "SharedKey\tacct:AAAA", "Bearer a, SharedKey acct:x",
	} {
		f.Add(text, "2026-12-06")
	}
	f.Add("Bearer x", "")
	tokens := testTokens()
	f.Fuzz(func(t *testing.T, text, version string) {
		env := testEnv(t)
		env.Tokens = tokens
		req := target("GET", "cont", "b", "")
		req.Version = version
		req.Header = http.Header{"Authorization": {text}, "X-Ms-Date": {testNow.Format(http.TimeFormat)}}
		g, err := Authenticate(req, env)
		if err == nil {
			t.Fatalf("%q is %+v", text, g.Principal)
		}
		if e, ok := fault.Of(err); !ok || e.Status < 400 || e.Status > 403 {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// FuzzAddresses: what is taken for a range of addresses is one, in one spelling.
func FuzzAddresses(f *testing.F) {
	for _, text := range []string{"10.1.2.3", "10.1.2.3-10.1.2.9", "10.1.2.9-10.1.2.3", "::1", "::ffff:10.1.2.3", "10.1.2.3-", "-", "010.1.2.3", "1.2.3.4%a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		low, high, ok := parseRange(text)
		if !ok {
			return
		}
		if again := low.String() + "-" + high.String(); text != again && (text != low.String() || low != high) {
			t.Errorf("%q is read as %s", text, again)
		}
		if high.Less(low) || (netip.PrefixFrom(low, 32) == netip.Prefix{}) {
			t.Errorf("%q: %s to %s", text, low, high)
		}
	})
}

// FuzzRolePattern holds the patterns of role definitions against regular expressions.
func FuzzRolePattern(f *testing.F) {
	f.Add("a/*/c", "a/b/c")
	f.Add("**", "")
	f.Add("a*a", "a")
	f.Add("*x*", "axb")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		r, err := regexp.Compile(`(?s)\A` + strings.Join(parts, ".*") + `\z`)
		if err != nil {
			return // not UTF-8
		}
		if got, want := matches(pattern, text), r.MatchString(text); got != want {
			t.Errorf("%q, %q: %v", pattern, text, got)
		}
	})
}

// FuzzPreflight: no header is allowed that the rule does not name.
func FuzzPreflight(f *testing.F) {
	f.Add("x-ms-meta-a, X-MS-Meta-b,accept", "x-ms-meta*")
	f.Add(",, ,", "")
	f.Add("x-other", "x-ms-meta*")
	f.Fuzz(func(t *testing.T, headers, allowed string) {
		rules := []CORSRule{{AllowedOrigins: []string{"o"}, AllowedMethods: []string{"PUT"}, AllowedHeaders: []string{allowed}}}
		_, err := Preflight(rules, "o", "PUT", headers)
		if err != nil {
			return
		}
		prefix, star := strings.CutSuffix(strings.ToLower(allowed), "*")
		for name := range strings.SplitSeq(strings.ToLower(headers), ",") {
			name = strings.TrimSpace(name)
			fits := name == "" || slices.Contains(simpleRequestHeaders, name) || name == strings.ToLower(allowed) || star && strings.HasPrefix(name, prefix)
			if !fits {
				t.Errorf("%q of %q is allowed by %q", name, headers, allowed)
			}
		}
	})
}

// FuzzParseKey: a key is what its Base64 stands for.
func FuzzParseKey(f *testing.F) {
	f.Add(base64.StdEncoding.EncodeToString([]byte("secret")), "text")
	f.Add("", "")
	f.Add("====", "x")
	f.Fuzz(func(t *testing.T, text, message string) {
		k, err := ParseKey(text)
		secret, err2 := base64.StdEncoding.DecodeString(text)
		if (err == nil) != (err2 == nil && len(secret) > 0) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		signature := k.Sign([]byte(message))
		if !NewKey(secret).verify([]byte(message), signature) || k.verify([]byte(message+"x"), signature) {
			t.Errorf("%q signs %q as %s", text, message, signature)
		}
	})
}
