package wire

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/query"
)

func TestParseTarget(t *testing.T) {
	o := &Addressing{Suffixes: []string{"blob.example.test"}, IsAccount: func(n string) bool { return n == "known" }}
	tests := []struct {
		host, path string
		want       Target
	}{
		{"acct.blob.core.windows.net", "/", Target{Account: "acct"}},
		{"acct.blob.core.windows.net", "", Target{Account: "acct"}},
		{"ACCT.Blob.Core.Windows.Net.:443", "/c", Target{Account: "acct", Container: "c", Level: LevelContainer}},
		{"acct-secondary.blob.core.windows.net", "/c/b", Target{Account: "acct", Secondary: true, Container: "c", Blob: "b", Level: LevelBlob}},
		{"acct.z01.blob.example.test", "/c", Target{Account: "acct", Container: "c", Level: LevelContainer}},
		{"known.internal:8080", "/c", Target{Account: "known", Container: "c", Level: LevelContainer}},
		{"known-secondary.internal", "/c", Target{Account: "known", Secondary: true, Container: "c", Level: LevelContainer}},
		{"unknown.internal", "/a/c", Target{Account: "a", Container: "c", Level: LevelContainer, PathStyle: true}},
		{"127.0.0.1:10000", "/a", Target{Account: "a", PathStyle: true}},
		{"127.0.0.1:10000", "/a/", Target{Account: "a", PathStyle: true}},
		{"localhost", "/a-secondary/c/b", Target{Account: "a", Secondary: true, Container: "c", Blob: "b", Level: LevelBlob, PathStyle: true}},
		{"[::1]:10000", "/a/c", Target{Account: "a", Container: "c", Level: LevelContainer, PathStyle: true}},
		{"[::1]", "/a/c", Target{Account: "a", Container: "c", Level: LevelContainer, PathStyle: true}},
		{"localhost", "/a/c//x/", Target{Account: "a", Container: "c", Blob: "/x/", Level: LevelBlob, PathStyle: true}},
		{"localhost", "/a/c/d%2Fe+f%20g", Target{Account: "a", Container: "c", Blob: "d/e+f g", Level: LevelBlob, PathStyle: true}},
		{"localhost", `/a/c/d%5Ce\f`, Target{Account: "a", Container: "c", Blob: "d/e/f", Level: LevelBlob, PathStyle: true}},
		{"localhost", "/a/c/%2525", Target{Account: "a", Container: "c", Blob: "%25", Level: LevelBlob, PathStyle: true}},
		{"acct.web.core.windows.net", "/", Target{Account: "acct", Container: "$web", Level: LevelBlob, Website: true}},
		{"acct.z16.web.core.windows.net:443", "/a%20b/c", Target{Account: "acct", Container: "$web", Blob: "a b/c", Level: LevelBlob, Website: true}},
		{"acct-secondary.web.localhost:10000", "", Target{Account: "acct", Secondary: true, Container: "$web", Level: LevelBlob, Website: true}},
		{"known.z6.web.internal", "//x/", Target{Account: "known", Container: "$web", Blob: "/x/", Level: LevelBlob, Website: true}},
		{"acct.x6.web.core.windows.net", "/a/c", Target{Account: "a", Container: "c", Level: LevelContainer, PathStyle: true}},
		{"unknown.web.internal", "/a/c", Target{Account: "a", Container: "c", Level: LevelContainer, PathStyle: true}},
		{"localhost", "/a/$root/%C3%A9", Target{Account: "a", Container: "$root", Blob: "é", Level: LevelBlob, PathStyle: true}},
	}
	for _, tt := range tests {
		if got, err := ParseTarget(tt.host, tt.path, o); err != nil || got != tt.want {
			t.Errorf("%s%s: got %+v, %v", tt.host, tt.path, got, err)
		}
	}
	site := &Addressing{Site: func() string { return "only" }}
	for host, account := range map[string]string{"127.0.0.1:8080": "only", "acct.web.localhost": "acct", "acct.blob.localhost": "only"} {
		got, err := ParseTarget(host, "/x", site)
		if want := (Target{Account: account, Container: "$web", Blob: "x", Level: LevelBlob, Website: true}); err != nil || got != want {
			t.Errorf("%s where websites are served: %+v, %v", host, got, err)
		}
	}
	for _, path := range []string{"", "/", "//c", "/a//b", "/a/c/", "/a/c/%", "/a/c/%4", "/a/c/%zz", "/a/c/%FF", "/a%2Fb/c", "*", "/-secondary/c"} {
		if got, err := ParseTarget("localhost", path, nil); !errors.Is(err, fault.InvalidURI) {
			t.Errorf("%q: got %+v, %v", path, got, err)
		}
	}
}

// TestDotsOfNamesAreResolved: a name with a dot segment, or with dots at the end of a segment,
// stands for another one, however the path is encoded.
func TestDotsOfNamesAreResolved(t *testing.T) {
	for path, want := range map[string]string{
		"./key": "key", "a/./b": "a/b", "a/b/../c": "a/c", "a/b/../../c": "c", "folder/file.": "folder/file", "a./b../c...": "a/b/c",
		"a/.": "a/", "a/b/..": "a/", "x//../y": "x/y", "/../x": "x", "a/.../b": "a//b", "/x/": "/x/",
		"%2E/key": "key", "a%2F%2e%2E%2Fb": "b", "a/.%2E/b": "b", `a\..\b`: "b", "a%5C.%5Cb": "a/b", "a%2F.": "a/",
		".hidden": ".hidden", "..a/b": "..a/b", "a.b/c.d": "a.b/c.d", "%252e/x": "%2e/x", "a./": "a/",
	} {
		got, err := ParseTarget("localhost", "/a/c/"+path, nil)
		if err != nil || got.Blob != want || got.Container != "c" {
			t.Errorf("%s: %+v, %v; want %q", path, got, err, want)
		}
		if plain, ok := query.Unescape(path, false); !ok || strings.ReplaceAll(plain, `\`, "/") != want && got.SentBlob != strings.ReplaceAll(plain, `\`, "/") {
			t.Errorf("%s was sent as %q", path, got.SentBlob)
		}
		if site, err := ParseTarget("acct.web.localhost", "/"+path, nil); err != nil || site.Blob != want {
			t.Errorf("%s of a website: %+v, %v", path, site, err)
		}
	}
	for _, path := range []string{
		".", "..", "...", "../x", "a/../../x", "foo/../../../bar.txt", "a/..", "%2e%2e/x", "%2E", `..\x`, "a%2f..%2f..%2fx", "./", "a/../.",
	} {
		if got, err := ParseTarget("localhost", "/a/c/"+path, nil); !errors.Is(err, fault.InvalidURI) {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	root := Target{Account: "a", Level: LevelContainer}
	for name, want := range map[string]string{"b.": "b", ".b": ".b", "b..": "b"} {
		root.Container = name
		if got, err := root.InRoot(); err != nil || got.Blob != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{".", "..", "...."} {
		root.Container = name
		if got, err := root.InRoot(); !errors.Is(err, fault.InvalidURI) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestHostsThatAreNotServed: their requests are refused before anything is read of them.
func TestHostsThatAreNotServed(t *testing.T) {
	o := &Addressing{Serves: func(host string) bool { return host == "localhost" || host == "::1" }}
	for host, served := range map[string]bool{
		"localhost": true, "LOCALHOST.:10000": true, "[::1]:10000": true, "": true, "evil.test": false, "localhost.evil.test:10000": false, "127.0.0.1": false,
	} {
		r := httptest.NewRequest("GET", "/acct/c/b", nil)
		r.Host = host
		_, err := NewRequest(httptest.NewRecorder(), r, time.Time{}, o)
		if e, refused := fault.Of(err); refused == served || refused && (e.Code != fault.InvalidHeaderValue || e.Details[0].Value != "Host") {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestInRoot(t *testing.T) {
	got, err := Target{Account: "a", Container: "b.txt", Level: LevelContainer}.InRoot()
	if want := (Target{Account: "a", Container: "$root", Blob: "b.txt", Level: LevelBlob}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, name := range []string{"a/b", `a\b`} {
		if _, err := (Target{Container: name, Level: LevelContainer}).InRoot(); !errors.Is(err, fault.InvalidURI) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, s := range []string{"2012-02-12", "2021-12-02", "2009-09-19", "2999-12-31", "2026-12-06"} {
		if v, err := ParseVersion(s); err != nil || string(v) != s {
			t.Errorf("%s: %v, %v", s, v, err)
		}
	}
	for _, s := range []string{"", "2011-01-01", "2021-13-02", "2021-12-00", "2021-12-2", "2021/12/02", "x", "2021-12-02 ", "20a1-12-02"} {
		if _, err := ParseVersion(s); !errors.Is(err, fault.InvalidHeaderValue) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if !Version("2021-12-02").AtLeast("2021-12-02") || Version("2019-12-12").AtLeast("2021-12-02") {
		t.Error("versions compare as dates")
	}
	tests := []struct{ header, query, want string }{
		{"2019-12-12", "api-version=2020-10-02", "2019-12-12"},
		{"", "sv=2019-02-02&api-version=2020-10-02", "2020-10-02"},
		{"", "sv=2019-02-02", "2019-02-02"},
		{"", "sv=bad", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		q, _ := query.Parse(tt.query)
		if v, err := versionOf(tt.header, q); err != nil || string(v) != tt.want {
			t.Errorf("%+v: got %v, %v", tt, v, err)
		}
	}
	if _, err := versionOf("", Query{{Name: "api-version", Value: "x"}}); !errors.Is(err, fault.InvalidQueryParameterValue) {
		t.Error(err)
	}
}

func TestDefaultVersion(t *testing.T) {
	wish, failure := Version(""), error(nil)
	o := &Addressing{DefaultVersion: func(_ context.Context, account string) (Version, error) {
		if account != "acct" {
			t.Errorf("asked for account %q", account)
		}
		return wish, failure
	}}
	ask := func(target, header string, o *Addressing) (*Request, error) {
		r := httptest.NewRequest("GET", "http://127.0.0.1/acct/box/b"+target, nil)
		if header != "" {
			r.Header.Set("x-ms-version", header)
		}
		return NewRequest(httptest.NewRecorder(), r, time.Time{}, o)
	}
	for _, tt := range []struct {
		wish                 Version
		target, header, want string
		unversioned          bool
	}{
		{"", "", "", "2014-02-14", true},
		{"2020-10-02", "", "", "2020-10-02", true},
		{"2011-08-18", "", "", "2014-02-14", true},
		{"2020-10-02", "?sv=2019-02-02", "", "2019-02-02", false},
		{"2020-10-02", "?api-version=2019-02-02", "", "2019-02-02", false},
		{"2020-10-02", "", "2019-12-12", "2019-12-12", false},
	} {
		wish = tt.wish
		if r, err := ask(tt.target, tt.header, o); err != nil || string(r.Version) != tt.want || r.Unversioned != tt.unversioned {
			t.Errorf("%+v: %q, %t, %v", tt, r.Version, r.Unversioned, err)
		}
	}
	if r, err := ask("", "", nil); err != nil || r.Version != DefaultVersion || !r.Unversioned {
		t.Errorf("%q, %t, %v", r.Version, r.Unversioned, err)
	}
	failure = errors.New("no store")
	if _, err := ask("", "", o); !errors.Is(err, failure) {
		t.Error(err)
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add("localhost:10000", "/a/c/b%2Fc")
	f.Add("acct.blob.core.windows.net", "/c/..//x%5C")
	f.Add("[::1]:1", "/a-secondary")
	f.Add("1.2.3.4", "//")
	f.Add("localhost", "/a/c/b/..%2f./c.")
	f.Add("acct.z6.web.core.windows.net", "/dir/%5C")
	f.Fuzz(func(t *testing.T, host, path string) {
		got, err := ParseTarget(host, path, nil)
		if err != nil {
			if !errors.Is(err, fault.InvalidURI) {
				t.Fatal(err)
			}
			return
		}
		if got.Website {
			if got.Account == "" || got.Container != webContainer || got.Level != LevelBlob || !utf8.ValidString(got.Blob) {
				t.Fatalf("%+v", got)
			}
			return
		}
		if got.Account == "" || (got.Level >= LevelContainer) != (got.Container != "") || (got.Level == LevelBlob) != (got.Blob != "") {
			t.Fatalf("%+v", got)
		}
		if !utf8.ValidString(got.Container+got.Blob) || strings.Contains(got.Blob, `\`) {
			t.Fatalf("%+v", got)
		}
		if again, ok := resolveDots(got.Blob); got.Level == LevelBlob && (!ok || again != got.Blob) {
			t.Fatalf("%+v is not resolved: %q", got, again)
		}
	})
}
