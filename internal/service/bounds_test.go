package service_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const acceptArrow = "application/vnd.apache.arrow.stream,application/xml"

// names lists all of box, page by page, and returns blobs and prefixes in their order.
func (s *store) names(query string, headers ...string) (all []string) {
	s.t.Helper()
	for marker := ""; ; {
		a := s.want(200, "", "GET", "/box?restype=container&comp=list"+query+marker, nil, headers...)
		page := unmarshal[struct {
			Blobs struct {
				All []struct{ Name string } `xml:",any"`
			}
			NextMarker string
		}](s.t, a)
		for _, e := range page.Blobs.All {
			all = append(all, e.Name)
		}
		if page.NextMarker == "" {
			return all
		}
		marker = "&marker=" + page.NextMarker
	}
}

func TestListingBounds(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	for _, n := range []string{"a", "b", "b/1", "b/2", "c", "d"} {
		s.want(201, "", "PUT", "/box/"+n, nil, "x-ms-blob-type", "BlockBlob")
	}
	s.want(201, "", "PUT", "/box/b?comp=snapshot", nil)
	for _, c := range []struct{ query, want string }{
		{"&startFrom=b", "b b/1 b/2 c d"},
		{"&startfrom=b", "b b/1 b/2 c d"},
		{"&startFrom=", "a b b/1 b/2 c d"},
		{"&startFrom=e", ""},
		{"&startFrom=bb", "c d"},
		{"&startFrom=b%00", "b/1 b/2 c d"},
		{"&endBefore=c", "a b b/1 b/2"},
		{"&endBefore=a", ""},
		{"&endBefore=b%00a", "a b"},
		{"&endBefore=b%2F", "a b"},
		{"&startFrom=b&endBefore=c", "b b/1 b/2"},
		{"&startFrom=c&endBefore=b", ""},
		{"&startFrom=b&endBefore=c&include=snapshots", "b b b/1 b/2"},
		{"&prefix=b&startFrom=a", "b b/1 b/2"},
		{"&prefix=b&startFrom=b%2F2", "b/2"},
		{"&prefix=b&startFrom=c", ""},
		{"&prefix=b&endBefore=a", ""},
		{"&prefix=b&endBefore=x", "b b/1 b/2"},
		{"&delimiter=%2F&startFrom=b%2F", "b/ c d"},
		{"&delimiter=%2F&startFrom=b%2F2", "b/ c d"}, // what is left of the prefix stands for itself
		{"&delimiter=%2F&startFrom=b%2F3", "c d"},
		{"&delimiter=%2F&endBefore=b%2F2", "a b b/"},
		{"&delimiter=%2F&endBefore=b%2F1", "a b"},
	} {
		for _, size := range []string{"", "&maxresults=1", "&maxresults=2"} {
			if got := strings.Join(s.names(c.query+size, "Accept", acceptArrow), " "); got != c.want {
				t.Errorf("%s: %q, want %q", c.query+size, got, c.want)
			}
		}
	}
	// The upper bound is known to listings in Arrow only, and since a version; the lower one
	// always.
	for _, c := range [][]string{
		{"&endBefore=b", "Accept", "application/xml"},
		{"&endBefore=b", "Accept", acceptArrow, "x-ms-version", "2026-06-06"},
	} {
		if got := s.names(c[0], c[1:]...); len(got) != 6 {
			t.Errorf("%q lists %q", c, got)
		}
	}
	if got := s.names("&endBefore=b", "Accept", acceptArrow, "x-ms-version", "2026-10-06"); !slices.Equal(got, []string{"a"}) {
		t.Errorf("endBefore at 2026-10-06 lists %q", got)
	}
	if got := s.names("&startFrom=c", "x-ms-version", "2023-11-03"); !slices.Equal(got, []string{"c", "d"}) {
		t.Errorf("an older version lists %q", got)
	}
	s.want(400, "InvalidQueryParameterValue", "GET", "/box?restype=container&comp=list&startFrom=%FF", nil)
	s.want(400, "InvalidQueryParameterValue", "GET", "/box?restype=container&comp=list&startFrom=b&marker=b", nil)
}

// TestRandomListingBounds holds listings against a filter over all names.
func TestRandomListingBounds(t *testing.T) {
	s := newStore(t)
	rnd := rand.New(rand.NewPCG(5, 6))
	s.want(201, "", "PUT", "/box?restype=container", nil)
	text := func(most int) string {
		b := make([]byte, rnd.IntN(most+1))
		for i := range b {
			b[i] = "ab/"[rnd.IntN(3)]
		}
		return string(b)
	}
	var all []string
	for range 40 {
		if n := "n" + text(5); !strings.HasSuffix(n, "/") && !slices.Contains(all, n) {
			s.want(201, "", "PUT", "/box/"+url.PathEscape(n), nil, "x-ms-blob-type", "BlockBlob")
			all = append(all, n)
		}
	}
	slices.Sort(all)
	for range 300 {
		prefix, start, end, delimiter := "n"+text(2), "n"+text(4), "n"+text(4), []string{"", "/", "a/"}[rnd.IntN(3)]
		var want []string
		for _, n := range all {
			if !strings.HasPrefix(n, prefix) || n < start || n >= end {
				continue
			}
			if rest := n[len(prefix):]; delimiter != "" && strings.Contains(rest, delimiter) {
				n = prefix + rest[:strings.Index(rest, delimiter)+len(delimiter)]
			}
			if len(want) == 0 || want[len(want)-1] != n {
				want = append(want, n)
			}
		}
		query := fmt.Sprintf("&prefix=%s&startFrom=%s&endBefore=%s&delimiter=%s&maxresults=%d", url.QueryEscape(prefix), url.QueryEscape(start),
			url.QueryEscape(end), url.QueryEscape(delimiter), 1+rnd.IntN(4))
		if got := s.names(query, "Accept", acceptArrow); !slices.Equal(got, want) {
			t.Fatalf("%s lists %q, want %q", query, got, want)
		}
	}
}
