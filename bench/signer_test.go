package main

import (
	"strings"
	"testing"
	"time"
)

func vectorCall(path string) *call {
	return newCall("PUT", path, "timeout=30", []byte("hello"),
		"If-None-Match", "*", "Content-Type", "application/octet-stream",
		"x-ms-version", "2026-12-06", "x-ms-meta-a1", "1", "x-ms-meta-a_b", "2", "x-ms-blob-type", "BlockBlob",
		"x-ms-client-request-id", "11111111-2222-3333-4444-555555555555")
}

// TestSignVectors holds the signer against signatures produced by the official Go client.
func TestSignVectors(t *testing.T) {
	now := time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)
	for _, v := range []struct{ name, path, want string }{
		{"host style", "/cont/dir/a%20b.txt", "rD+mxYA+PQxeE5E8P+zxW5dC97AgZgw8jKptU7RRBwQ="},
		{"path style", "/acct/cont/dir/a%20b.txt", "IkiDaLGZ1DtBaIc5v0xlHx+tBeOX7PL+eO1yP8ldlQU="},
	} {
		t.Run(v.name, func(t *testing.T) {
			s, err := newSigner("acct", devKey)
			if err != nil {
				t.Fatal(err)
			}
			c := vectorCall(v.path)
			for range 2 { // the second time with reused buffers
				if got := string(s.sign(c, now)); got != "SharedKey acct:"+v.want {
					t.Errorf("got %q, want %q\nsigned %q", got, v.want, s.text)
				}
			}
		})
	}
}

func TestSignFollowsTheCall(t *testing.T) {
	s, err := newSigner("acct", devKey)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)
	c := vectorCall("/cont/other")
	first := string(s.sign(c, now))
	c.path = "/cont/dir/a%20b.txt"
	if got := string(s.sign(c, now)); got == first || !strings.HasSuffix(got, "rD+mxYA+PQxeE5E8P+zxW5dC97AgZgw8jKptU7RRBwQ=") {
		t.Errorf("after a change of path: %q", got)
	}
	if got := string(s.sign(c, now.Add(time.Second))); strings.HasSuffix(got, "rD+mxYA+PQxeE5E8P+zxW5dC97AgZgw8jKptU7RRBwQ=") {
		t.Error("the date is not part of the signature")
	}
}

func TestSignEmptyPathAndLength(t *testing.T) {
	s, err := newSigner("acct", devKey)
	if err != nil {
		t.Fatal(err)
	}
	c := newCall("GET", "", "comp=list", nil)
	s.sign(c, time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC))
	want := "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Tue, 03 Mar 2026 08:00:00 GMT\n/acct/\ncomp:list"
	if string(s.text) != want {
		t.Errorf("signed %q, want %q", s.text, want)
	}
}

func TestNewSignerRefusesBadKey(t *testing.T) {
	if _, err := newSigner("acct", "not base64!"); err == nil {
		t.Error("a key that is not Base64 was accepted")
	}
}

func TestCanonicalQuery(t *testing.T) {
	for _, v := range []struct{ raw, want string }{
		{"", ""},
		{"timeout=30", "\ntimeout:30"},
		{"restype=container&comp=list&prefix=a%2Fb&Delimiter=/", "\ncomp:list\ndelimiter:/\nprefix:a/b\nrestype:container"},
		{"include=b&include=a", "\ninclude:a,b"},
		{"flag", "\nflag:"},
	} {
		if got := canonicalQuery(v.raw); got != v.want {
			t.Errorf("%q: got %q, want %q", v.raw, got, v.want)
		}
	}
}

func TestHeaderOrder(t *testing.T) {
	sorted := []string{"x-ms-blob-type", "x-ms-client-request-id", "x-ms-date", "x-ms-lease-action", "x-ms-lease-duration",
		"x-ms-meta-a_b", "x-ms-meta-a1", "x-ms-meta-aa", "x-ms-proposed-lease-id", "x-ms-version"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := headerLess(a, b); got != (i < j) {
				t.Errorf("headerLess(%q, %q) = %v", a, b, got)
			}
		}
	}
}
