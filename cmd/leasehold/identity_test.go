package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/certificate"
)

const workerID = "7c2c1a5e-6d52-4f6f-9d3c-0b6c5a1f0001"

// configured writes a configuration with an account and a principal, and reads it.
func configured(t *testing.T, more string) (*configuration, string, *bytes.Buffer) {
	t.Helper()
	t.Setenv(accountsVariable, "")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "key1"), newSecret())
	write(t, filepath.Join(dir, "key2"), newSecret())
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
	c, err := newConfiguration(&serveOptions{config: file, data: filepath.Join(dir, "data"), identityListen: "127.0.0.1:0"},
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

func TestKeysAreRotatedWithoutARestart(t *testing.T) {
	c, dir, log := configured(t, "")
	signed := c.account("acct").Keys[1].Sign([]byte("text"))
	c.reloadIfChanged()
	if log.Len() > 0 {
		t.Errorf("read again without a change: %s", log)
	}
	var out bytes.Buffer
	if err := rotateKey(c.o.config, "acct", 2, &out); err != nil {
		t.Fatal(err)
	}
	next := time.Now().Add(time.Minute)
	if err := os.Chtimes(filepath.Join(dir, "key2"), next, next); err != nil {
		t.Fatal(err)
	}
	c.reloadIfChanged()
	if c.account("acct").Keys[1].Sign([]byte("text")) == signed {
		t.Error("the old key still signs")
	}
	text, _ := os.ReadFile(filepath.Join(dir, "key2"))
	if info, _ := os.Stat(filepath.Join(dir, "key2")); info.Mode().Perm() != 0o600 {
		t.Errorf("key file is %v", info.Mode())
	}
	if key := strings.TrimSpace(string(text)); strings.Contains(out.String()+log.String(), key) {
		t.Error("the key is shown")
	}
}

func TestWrongConfigurationChangesNothing(t *testing.T) {
	c, _, log := configured(t, "")
	for _, text := range []string{"[[account", "[[account]]\nname = \"acct\"\nkeys = [\"x\"]\n", "", "surprise = 1\n"} {
		write(t, c.o.config, text)
		log.Reset()
		c.reloadIfChanged()
		if c.account("acct") == nil || !strings.Contains(log.String(), "ERROR") {
			t.Errorf("%q: account %v, log %s", text, c.account("acct"), log)
		}
		log.Reset()
		c.reloadIfChanged()
		if log.Len() > 0 {
			t.Errorf("%q is complained about again and again", text)
		}
	}
}

func TestDelegationKeysAreRevoked(t *testing.T) {
	c, _, _ := configured(t, "")
	before := c.trust().DelegationSecret
	again, err := c.load()
	if err != nil || !bytes.Equal(again.trust.DelegationSecret, before) {
		t.Fatalf("%v: another secret after a restart", err)
	}
	cmd := newAccount()
	cmd.SetArgs([]string{"revoke-delegation-keys", "--data", c.o.data})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	c.reload()
	if bytes.Equal(c.trust().DelegationSecret, before) {
		t.Error("the secret stayed")
	}
}

// TestChangesWhileReadingAreSeen: a key that follows its certificate while the settings are being read is read, too.
func TestChangesWhileReadingAreSeen(t *testing.T) {
	c, dir, _ := configured(t, "")
	c.o.tlsCert, c.o.tlsKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	ca, err := certificate.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	issue := func() (cert, key string) {
		leaf, err := ca.Issue(time.Now(), "localhost")
		if err != nil {
			t.Fatal(err)
		}
		certPEM, keyPEM, err := encode(leaf)
		if err != nil {
			t.Fatal(err)
		}
		return string(certPEM), string(keyPEM)
	}
	cert, key := issue()
	write(t, c.o.tlsCert, cert)
	write(t, c.o.tlsKey, key)
	log := &halfway{}
	c, err = newConfiguration(c.o, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	cert, key = issue()
	log.reached = sync.OnceFunc(func() { write(t, c.o.tlsKey, key) })
	write(t, c.o.tlsCert, cert)
	for range 2 {
		c.reloadIfChanged()
	}
	now, err := c.certificate.Get(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := encode(now); err != nil || string(got) != cert {
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
		"[[role-assignment]]\nrole = \"Storage Blob Data Reader\"\nscope = \"acct\"\n":                                                                                            "principal and group",
		"[[issuer]]\nname = \"http://issuer.example\"\n":                                                                                                                          "https",
	} {
		c, _, _ := configured(t, "")
		text, _ := os.ReadFile(c.o.config)
		write(t, c.o.config, string(text)+more)
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
		guest("") + assigned("guest", ""):                                                                         localIssuer,
		issuers + guest("") + assigned("guest", ""):                                                               one,
		both + guest("issuer = \""+two+"\"\n") + assigned("guest", ""):                                            two,
		both + guest("issuer = \""+two+"\"\n") + assigned(id, ""):                                                 two,
		both + assigned(id, "issuer = \""+one+"\"\n"):                                                             one,
		issuers + assigned(id, ""):                                                                                one,
		both + assigned("worker", ""):                                                                             localIssuer,
		both + guest("") + assigned("guest", ""):                                                                  "error: several issuers",
		both + assigned(id, ""):                                                                                   "error: several issuers",
		both + guest("issuer = \""+one+"\"\n") + assigned("guest", "issuer = \""+two+"\"\n"):                      "error: not of",
		guest("issuer = \"https://unknown.test/\"\n"):                                                             "error: no issuer that is configured",
		issuers + guest("client-id = \""+id+"\"\nissuer = \""+one+"\"\n"):                                         "error: from this server",
		both + "[[group]]\nname = \"g\"\nid = \"" + id + "\"\nmembers = [\"worker\"]\n":                           "error: several issuers",
		both + "[[group]]\nname = \"g\"\nid = \"" + id + "\"\nissuer = \"" + one + "\"\nmembers = [\"worker\"]\n": "",
	} {
		c, _, _ := configured(t, "")
		text, _ := os.ReadFile(c.o.config)
		write(t, c.o.config, string(text)+more)
		file, err := readConfig(c.o.config)
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

func TestEnvironment(t *testing.T) {
	s := &runState{Dev: true, Plain: "127.0.0.1:1", Secure: "127.0.0.1:2", Managed: "127.0.0.1:3", Authority: "127.0.0.1:4",
		Proxy: "127.0.0.1:5", Header: "it's", Client: devClientID, Secret: "secret", TrustFiles: certificate.TrustFiles{Bundle: "/b", CA: "/c", Java: "/a b/p12"}}
	t.Setenv(javaOptions, "-Xmx1g -Dhttps.proxyPort=9")
	for _, tc := range []struct {
		o          envOptions
		with, none string
	}{
		{envOptions{account: devAccount}, "export IDENTITY_ENDPOINT='http://127.0.0.1:3/msi/token'", "AZURE_CLIENT_SECRET="},
		{envOptions{account: devAccount}, `export IDENTITY_HEADER='it'\''s'`, "AZURE_AUTHORITY_HOST="},
		{envOptions{account: devAccount}, "export HTTPS_PROXY='http://127.0.0.1:5'", ""},
		{envOptions{account: devAccount, noProxy: true}, "export AZURE_STORAGE_SERVICE_ENDPOINT='http://127.0.0.1:1/devstoreaccount1'", "PROXY="},
		{envOptions{account: devAccount, servicePrincipal: true}, "export AZURE_TENANT_ID='adfs'", "export IDENTITY_ENDPOINT"},
		{envOptions{account: devAccount, servicePrincipal: true}, "export ARM_CLIENT_SECRET='secret'", "export ARM_METADATA_HOST"},
		{envOptions{account: devAccount, servicePrincipal: true}, "export ARM_TENANT_ID='" + tenantID + "'", ""},
		{envOptions{account: devAccount}, "unset ARM_CLIENT_ID", "export ARM_"},
		{envOptions{account: "other"}, "export AZURE_STORAGE_ACCOUNT='other'", "CONNECTION_STRING"},
		{envOptions{account: devAccount},
			`export JAVA_TOOL_OPTIONS='-Xmx1g -Dhttp.nonProxyHosts=localhost|127.*|[::1] -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=5 -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=5 "-Djavax.net.ssl.trustStore=/a b/p12"'`, "Port=9"},
		{envOptions{account: devAccount, noProxy: true}, `-Dhttps.proxyPort=9 "-Djavax`, "proxyHost"},
	} {
		lines, err := s.environment(&tc.o)
		text := strings.Join(lines, "\n")
		if err != nil || !strings.Contains(text, tc.with) || tc.none != "" && strings.Contains(text, tc.none) {
			t.Errorf("%+v: %v, want %q and not %q in\n%s", tc.o, err, tc.with, tc.none, text)
		}
	}
	if _, err := s.environment(&envOptions{account: "x; rm"}); err == nil {
		t.Error("an account name that a shell could run was taken")
	}
	if _, err := readState(t.TempDir()); err == nil {
		t.Error("a folder without a server has a state")
	}
}

func TestJavaOptionsAreKept(t *testing.T) {
	mine := map[string]string{"javax.net.ssl.trustStore": "/p12", "https.proxyPort": "5"}
	for options, want := range map[string]string{
		"":                                    "",
		"  -Xmx1g   -ea ":                     "-Xmx1g -ea ",
		`-Da="x  y" '-Db=-Dhttps.proxyPort='`: `-Da="x  y" '-Db=-Dhttps.proxyPort=' `,
		`"-Djavax.net.ssl.trustStore=/a b" -Djavax.net.ssl.trustStorePassword=x`: "-Djavax.net.ssl.trustStorePassword=x ",
		"-Dhttps.proxyPort=1 -Dhttps.proxyPortal=2":                              "-Dhttps.proxyPortal=2 ",
	} {
		want += "-Dhttps.proxyPort=5 -Djavax.net.ssl.trustStore=/p12"
		got := withProperties(options, mine)
		if again := withProperties(got, mine); got != want || again != got {
			t.Errorf("%s: %s, and again %s; want %s", options, got, again, want)
		}
	}
	for word, want := range map[string]string{"-Da=b": "-Da=b", "-Da=b c": `"-Da=b c"`, `-Da=b"c`: `'-Da=b"c'`, "-Da=b'c": `"-Da=b'c"`} {
		if got := quoteJava(word); got != want {
			t.Errorf("%s: %s, want %s", word, got, want)
		}
	}
}

func TestSignatures(t *testing.T) {
	c, _, _ := configured(t, "")
	now := time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)
	print := func(target string, o sasOptions) (string, error) {
		o.config, o.account, o.data, o.expires = c.o.config, "acct", c.o.data, time.Hour
		var out bytes.Buffer
		err := printSAS(&o, target, now, &out)
		return strings.TrimSpace(out.String()), err
	}
	for target, o := range map[string]sasOptions{
		"":                {permissions: "rl", types: "sco"},
		"box":             {permissions: "rl"},
		"box/dir/a b.txt": {permissions: "r", httpsOnly: true},
		"box/one":         {permissions: "r", as: "worker"},
	} {
		url, err := print(target, o)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		path, query, _ := strings.Cut(url, "?")
		path = strings.TrimPrefix(path, "http://127.0.0.1:10000")
		r := &auth.Request{Method: "GET", RawPath: path, RawQuery: query, Version: sasVersion, TLS: true, Account: "acct", PathStyle: true}
		r.Container, r.Blob, _ = strings.Cut(target, "/")
		grant, err := auth.Authenticate(r, &auth.Env{Account: c.account("acct"), Now: now, DelegationSecret: c.trust().DelegationSecret, Issuers: c.trust().Issuers})
		if err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if o.as != "" && (grant.Principal.ObjectID != workerID || grant.Principal.Issuer != localIssuer) {
			t.Errorf("%s: principal %+v", target, grant.Principal)
		}
	}
	for _, o := range []sasOptions{{}, {permissions: "r", policy: "p", as: "worker"}, {permissions: "r", as: "nobody"}} {
		if url, err := print("box", o); err == nil {
			t.Errorf("%+v: %s", o, url)
		}
	}
}

func TestListenersThatHandOutTokensStayOnLoopback(t *testing.T) {
	l, err := listen("identity-listen", "0.0.0.0:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := onLoopback("identity-listen", l); err == nil {
		t.Error("other machines could ask for tokens")
	}
	if l, err := listen("tls-listen", off, devTLSListen); l != nil || err != nil {
		t.Errorf("off: %v, %v", l, err)
	}
	first, err := listen("tls-listen", "", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := listen("tls-listen", "", first.Addr().String())
	if err != nil {
		t.Fatalf("a taken address that nobody asked for: %v", err)
	}
	second.Close()
	if third, err := listen("tls-listen", first.Addr().String(), ""); err == nil {
		third.Close()
		t.Error("a taken address that was asked for gave way")
	}
}
