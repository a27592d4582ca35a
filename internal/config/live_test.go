package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/certificate"
	"github.com/leasehold/leasehold/internal/datadir"
)

const workerID = "7c2c1a5e-6d52-4f6f-9d3c-0b6c5a1f0001"

// configured writes a configuration with an account and a principal, and reads it.
func configured(t *testing.T, more string) (*Live, string, *bytes.Buffer) {
	t.Helper()
	t.Setenv(AccountsVariable, "")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "key1"), NewSecret())
	write(t, filepath.Join(dir, "key2"), NewSecret())
	write(t, filepath.Join(dir, "worker"), "a secret of the worker")
	file := filepath.Join(dir, "leasehold.toml")
	write(t, file, strings.ReplaceAll(`
[[account]]
name = "acct"
key-files = ["DIR/key1", "DIR/key2"]
[[principal]]
name = "worker"
id = "`+workerID+`"
client-id = "7c2c1a5e-6d52-4f6f-9d3c-0b6c5a1f0002"
secret-files = ["DIR/worker"]
`+more, "DIR", dir))
	var log bytes.Buffer
	c, err := New(&Options{File: file, Data: filepath.Join(dir, "data"), Issues: true},
		slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return c, dir, &log
}

// write writes a file whose time is not that of the one before it.
func write(t *testing.T, path, text string) {
	t.Helper()
	var before time.Time
	if info, err := os.Stat(path); err == nil {
		before = info.ModTime()
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if !before.IsZero() {
		next := before.Add(time.Second)
		if err := os.Chtimes(path, next, next); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWrongConfigurationChangesNothing(t *testing.T) {
	c, _, log := configured(t, "")
	for _, text := range []string{"[[account", "[[account]]\nname = \"acct\"\nkeys = [\"x\"]\n", "", "surprise = 1\n"} {
		write(t, c.o.File, text)
		log.Reset()
		c.reloadIfChanged()
		if c.Account("acct") == nil || !strings.Contains(log.String(), "ERROR") {
			t.Errorf("%q: account %v, log %s", text, c.Account("acct"), log)
		}
		log.Reset()
		c.reloadIfChanged()
		if log.Len() > 0 {
			t.Errorf("%q is complained about again and again", text)
		}
	}
}

// TestChangesWhileReadingAreSeen: a key that follows its certificate while the settings are being
// read is read, too.
func TestChangesWhileReadingAreSeen(t *testing.T) {
	c, dir, _ := configured(t, "")
	c.o.TLSCert, c.o.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	ca, err := certificate.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	issue := func() (cert, key string) {
		leaf, err := ca.Issue(time.Now(), "localhost")
		if err != nil {
			t.Fatal(err)
		}
		certPEM, keyPEM, err := encoded(leaf)
		if err != nil {
			t.Fatal(err)
		}
		return string(certPEM), string(keyPEM)
	}
	cert, key := issue()
	write(t, c.o.TLSCert, cert)
	write(t, c.o.TLSKey, key)
	log := &halfway{}
	c, err = New(c.o, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	cert, key = issue()
	log.reached = sync.OnceFunc(func() { write(t, c.o.TLSKey, key) })
	write(t, c.o.TLSCert, cert)
	for range 2 {
		c.reloadIfChanged()
	}
	now, err := c.Certificate.Get(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := encoded(now); err != nil || string(got) != cert {
		t.Errorf("the certificate is not the one in its file; %v", err)
	}
}

// halfway is a log that does something when it is told that a certificate does not fit its key.
type halfway struct{ reached func() }

func (h *halfway) Write(p []byte) (int, error) {
	if h.reached != nil {
		h.reached()
	}
	return len(p), nil
}

func TestRolesAreRead(t *testing.T) {
	for more, want := range map[string]string{
		"[[role-assignment]]\nprincipal = \"worker\"\nrole = \"Storage Blob Data Reader\"\nscope = \"acct/box\"\n":                                                                "",
		"[[role-assignment]]\nprincipal = \"" + workerID + "\"\nrole = \"Storage Blob Data Owner\"\nscope = \"*\"\n":                                                              "",
		"[[group]]\nname = \"g\"\nid = \"" + workerID + "\"\nmembers = [\"worker\"]\n[[role-assignment]]\ngroup = \"g\"\nrole = \"Storage Blob Data Reader\"\nscope = \"acct\"\n": "",
		"[[role-assignment]]\nprincipal = \"nobody\"\nrole = \"Storage Blob Data Reader\"\nscope = \"acct\"\n":                                                                    "neither configured nor a GUID",
		"[[role-assignment]]\nprincipal = \"worker\"\nrole = \"Reader\"\nscope = \"acct\"\n":                                                                                      "no role",
		"[[role-assignment]]\nprincipal = \"worker\"\nrole = \"Storage Blob Data Reader\"\n":                                                                                      "scope",
		"[[role-assignment]]\nrole = \"Storage Blob Data Reader\"\nscope = \"acct\"\n":                                                                                            "either a principal or a group",
		"[[issuer]]\nname = \"http://issuer.example\"\n":                                                                                                                          "https",
	} {
		c, _, _ := configured(t, "")
		text, _ := os.ReadFile(c.o.File)
		write(t, c.o.File, string(text)+more)
		_, err := c.load()
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", more, err, want)
		}
	}
}

// TestPrincipalsNameTheirIssuer where there could be several.
func TestPrincipalsNameTheirIssuer(t *testing.T) {
	const (
		one  = "https://one.test/"
		two  = "https://two.test/"
		id   = "7c2c1a5e-6d52-4f6f-9d3c-0b6c5a1f0009"
		role = "role = \"Storage Blob Data Reader\"\nscope = \"acct\"\n"
	)
	issuers := "[[issuer]]\nname = \"" + one + "\"\n"
	both := issuers + "[[issuer]]\nname = \"" + two + "\"\n"
	guest := func(more string) string { return "[[principal]]\nname = \"guest\"\nid = \"" + id + "\"\n" + more }
	assigned := func(who, more string) string {
		return "[[role-assignment]]\nprincipal = \"" + who + "\"\n" + role + more
	}
	for more, want := range map[string]string{
		guest("") + assigned("guest", ""):                                                                         LocalIssuer,
		issuers + guest("") + assigned("guest", ""):                                                               one,
		both + guest("issuer = \""+two+"\"\n") + assigned("guest", ""):                                            two,
		both + guest("issuer = \""+two+"\"\n") + assigned(id, ""):                                                 two,
		both + assigned(id, "issuer = \""+one+"\"\n"):                                                             one,
		issuers + assigned(id, ""):                                                                                one,
		both + assigned("worker", ""):                                                                             LocalIssuer,
		both + guest("") + assigned("guest", ""):                                                                  "error: several issuers",
		both + assigned(id, ""):                                                                                   "error: several issuers",
		both + guest("issuer = \""+one+"\"\n") + assigned("guest", "issuer = \""+two+"\"\n"):                      "error: not to",
		guest("issuer = \"https://unknown.test/\"\n"):                                                             "error: not a configured issuer",
		issuers + guest("client-id = \""+id+"\"\nissuer = \""+one+"\"\n"):                                         "error: from this server",
		both + "[[group]]\nname = \"g\"\nid = \"" + id + "\"\nmembers = [\"worker\"]\n":                           "error: several issuers",
		both + "[[group]]\nname = \"g\"\nid = \"" + id + "\"\nissuer = \"" + one + "\"\nmembers = [\"worker\"]\n": "",
	} {
		c, _, _ := configured(t, "")
		text, _ := os.ReadFile(c.o.File)
		write(t, c.o.File, string(text)+more)
		file, err := Read(c.o.File)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.load()
		if refusal, ok := strings.CutPrefix(want, "error: "); ok != (err != nil) || ok && !strings.Contains(err.Error(), refusal) {
			t.Errorf("%s: %v, want %q", more, err, want)
		}
		if err != nil || len(file.Roles) == 0 {
			continue
		}
		known, err := file.objects()
		if err != nil {
			t.Fatal(err)
		}
		if a, err := file.Roles[0].assignment(file, known, nil); err != nil || a.Issuer != want {
			t.Errorf("%s: of %q, %v; want %q", more, a.Issuer, err, want)
		}
	}
}

// encoded returns a certificate and its key in PEM form.
func encoded(c *tls.Certificate) (cert, key []byte, err error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Leaf.Raw})
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

func TestKeysAreReadAgain(t *testing.T) {
	c, dir, log := configured(t, "")
	signed := c.Account("acct").Keys[1].Sign([]byte("text"))
	c.reloadIfChanged()
	if log.Len() > 0 {
		t.Errorf("read again without a change: %s", log)
	}
	key := NewSecret()
	write(t, filepath.Join(dir, "key2"), key)
	c.reloadIfChanged()
	if c.Account("acct").Keys[1].Sign([]byte("text")) == signed {
		t.Error("the old key still signs")
	}
	if strings.Contains(log.String(), key) {
		t.Error("the key is shown")
	}
}

func TestSecretOfDelegationKeysIsReadAgain(t *testing.T) {
	c, _, _ := configured(t, "")
	before := c.Trust().DelegationSecret
	again, err := c.load()
	if err != nil || !bytes.Equal(again.trust.DelegationSecret, before) {
		t.Fatalf("%v: another secret after a restart", err)
	}
	write(t, filepath.Join(c.o.Data, datadir.Identity, DelegationSecretFile), NewSecret())
	c.reloadIfChanged()
	if bytes.Equal(c.Trust().DelegationSecret, before) {
		t.Error("the secret stayed")
	}
}

// TestDefaults: what stands for names that are not given, if it is clear.
func TestDefaults(t *testing.T) {
	c, _, _ := configured(t, "")
	if got := c.Site(); got != "acct" {
		t.Errorf("the only account has the website, got %q", got)
	}
	if got := c.DefaultClient(); got != "7c2c1a5e-6d52-4f6f-9d3c-0b6c5a1f0002" {
		t.Errorf("the only principal is the default, got %q", got)
	}
	if got := c.Accounts(); len(got) != 1 || got[0] != "acct" {
		t.Errorf("accounts %q", got)
	}
	c.o.Dev = true
	if site, client := c.Site(), c.DefaultClient(); site != DevAccount || client != DevClientID {
		t.Errorf("in development: %q and %q", site, client)
	}
}
