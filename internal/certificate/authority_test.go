package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

func TestAuthorityIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	first, err := OpenAuthority(dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, authorityKey)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	again, err := OpenAuthority(dir, noon.AddDate(9, 0, 0))
	if err != nil || !again.cert.Equal(first.cert) {
		t.Errorf("opened again: %v, another certificate", err)
	}
	if late, err := OpenAuthority(dir, noon.AddDate(10, 0, 0)); err != nil || late.cert.Equal(first.cert) {
		t.Errorf("near its end: %v, the same certificate", err)
	}
	if err := os.WriteFile(filepath.Join(dir, authorityKey), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(dir, noon); err == nil {
		t.Error("a damaged key was taken")
	}
	if err := os.Remove(filepath.Join(dir, authorityKey)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(dir, noon); err == nil || !strings.Contains(err.Error(), "remove its files to make a new one") {
		t.Errorf("without its key: %v", err)
	}
}

func TestLeafIsTrustedForItsNamesOnly(t *testing.T) {
	a, err := NewAuthority(noon)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.PEM())
	verify := func(name string, names ...string) error {
		c, err := a.Issue(noon, names...)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: noon})
		return err
	}
	for _, name := range []string{"acct.blob.core.windows.net", "localhost", "127.0.0.1", "::1", "login.leasehold.internal", "acct.dfs.core.windows.net"} {
		if err := verify(name, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"login.microsoftonline.com", "example.com", "192.0.2.1"} {
		if err := verify(name, name); err == nil {
			t.Errorf("%s: the authority may vouch for it", name)
		}
	}
	wide, err := NewAuthority(noon, "login.microsoftonline.com")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"login.microsoftonline.com": true, "localhost": true, "login.microsoft.com": false} {
		if wide.permits(name) != want {
			t.Errorf("%s: permitted is not %v", name, want)
		}
	}
	if err := verify("other.blob.core.windows.net", "acct.blob.core.windows.net"); err == nil {
		t.Error("a certificate counts for another name")
	}
}

// TestOlderAuthority: names that it may not vouch for do not spoil its certificates.
func TestOlderAuthority(t *testing.T) {
	a, err := NewAuthority(noon)
	if err != nil {
		t.Fatal(err)
	}
	a.cert.PermittedDNSDomains = []string{"blob.core.windows.net"}
	c, err := a.Issue(noon, "acct.blob.core.windows.net", "acct.web.core.windows.net")
	if err != nil || len(c.Leaf.DNSNames) != 1 || c.Leaf.VerifyHostname("acct.blob.core.windows.net") != nil {
		t.Errorf("%v, %v", c.Leaf.DNSNames, err)
	}
}

func TestLeafIsRenewed(t *testing.T) {
	a, err := NewAuthority(noon)
	if err != nil {
		t.Fatal(err)
	}
	now, names, asked := noon, []string{"localhost"}, ""
	l := &Leaf{Authority: a, Names: func() []string { return names }, Now: func() time.Time { return now },
		Also: func(name string) bool { return name == "acct.z6.web.core.windows.net" }}
	get := func() string {
		c, err := l.Get(&tls.ClientHelloInfo{ServerName: asked})
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.SerialNumber.String()
	}
	first := get()
	if get() != first {
		t.Error("issued again without a reason")
	}
	names = []string{"localhost", "acct.blob.localhost"}
	second := get()
	if second == first {
		t.Error("not issued for new names")
	}
	asked = "other.web.core.windows.net"
	if get() != second {
		t.Error("issued for a name that is not vouched for")
	}
	asked = "ACCT.z6.web.core.windows.net"
	if get() == second || l.current.Leaf.VerifyHostname(asked) != nil || l.current.Leaf.VerifyHostname("localhost") != nil {
		t.Errorf("the certificate for %s is for %v", asked, l.current.Leaf.DNSNames)
	}
	asked, second = "", get()
	now = now.Add(leafLifetime * 3 / 4)
	if get() == second {
		t.Error("not renewed before its end")
	}
}
