package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/certificate"
	"github.com/leasehold/leasehold/internal/config"
)

const workerID = "7c2c1a5e-6d52-4f6f-9d3c-0b6c5a1f0001"

// configured writes a configuration with an account and a principal, and reads it.
func configured(t *testing.T, more string) (*config.Live, string, *bytes.Buffer) {
	t.Helper()
	t.Setenv(config.AccountsVariable, "")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "key1"), config.NewSecret())
	write(t, filepath.Join(dir, "key2"), config.NewSecret())
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
	c, err := config.New(&config.Options{File: file, Data: filepath.Join(dir, "data"), Issues: true},
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

func TestKeysAreRotated(t *testing.T) {
	c, dir, _ := configured(t, "")
	signed := c.Account("acct").Keys[1].Sign([]byte("text"))
	var out bytes.Buffer
	if err := rotateKey(filepath.Join(dir, "leasehold.toml"), "acct", 2, &out); err != nil {
		t.Fatal(err)
	}
	if again(t, dir).Account("acct").Keys[1].Sign([]byte("text")) == signed {
		t.Error("the old key still signs")
	}
	text, _ := os.ReadFile(filepath.Join(dir, "key2"))
	if info, _ := os.Stat(filepath.Join(dir, "key2")); info.Mode().Perm() != 0o600 {
		t.Errorf("key file is %v", info.Mode())
	}
	if key := strings.TrimSpace(string(text)); strings.Contains(out.String(), key) {
		t.Error("the key is shown")
	}
}

func TestDelegationKeysAreRevoked(t *testing.T) {
	c, dir, _ := configured(t, "")
	cmd := newAccount()
	cmd.SetArgs([]string{"revoke-delegation-keys", "--data", filepath.Join(dir, "data")})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(again(t, dir).Trust().DelegationSecret, c.Trust().DelegationSecret) {
		t.Error("the secret stayed")
	}
}

// again reads what configured has written.
func again(t *testing.T, dir string) *config.Live {
	t.Helper()
	c, err := config.New(&config.Options{File: filepath.Join(dir, "leasehold.toml"), Data: filepath.Join(dir, "data")}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEnvironment(t *testing.T) {
	s := &runState{Dev: true, Plain: "127.0.0.1:1", Secure: "127.0.0.1:2", Managed: "127.0.0.1:3", Authority: "127.0.0.1:4",
		Proxy: "127.0.0.1:5", Header: "it's", Client: config.DevClientID, Secret: "secret", TrustFiles: certificate.TrustFiles{Bundle: "/b", CA: "/c", Java: "/a b/p12"}}
	t.Setenv(javaOptions, "-Xmx1g -Dhttps.proxyPort=9")
	for _, tc := range []struct {
		o          envOptions
		with, none string
	}{
		{envOptions{account: config.DevAccount}, "export IDENTITY_ENDPOINT='http://127.0.0.1:3/msi/token'", "AZURE_CLIENT_SECRET="},
		{envOptions{account: config.DevAccount}, `export IDENTITY_HEADER='it'\''s'`, "AZURE_AUTHORITY_HOST="},
		{envOptions{account: config.DevAccount}, "export HTTPS_PROXY='http://127.0.0.1:5'", ""},
		{envOptions{account: config.DevAccount, noProxy: true}, "export AZURE_STORAGE_SERVICE_ENDPOINT='http://127.0.0.1:1/devstoreaccount1'", "PROXY="},
		{envOptions{account: config.DevAccount, servicePrincipal: true}, "export AZURE_TENANT_ID='adfs'", "export IDENTITY_ENDPOINT"},
		{envOptions{account: config.DevAccount, servicePrincipal: true}, "export ARM_CLIENT_SECRET='secret'", "export ARM_METADATA_HOST"},
		{envOptions{account: config.DevAccount, servicePrincipal: true}, "export ARM_TENANT_ID='" + config.TenantID + "'", ""},
		{envOptions{account: config.DevAccount}, "unset ARM_CLIENT_ID", "export ARM_"},
		{envOptions{account: "other"}, "export AZURE_STORAGE_ACCOUNT='other'", "CONNECTION_STRING"},
		{envOptions{account: config.DevAccount},
			`export JAVA_TOOL_OPTIONS='-Xmx1g -Dhttp.nonProxyHosts=localhost|127.*|[::1] -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=5 -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=5 "-Djavax.net.ssl.trustStore=/a b/p12"'`, "Port=9"},
		{envOptions{account: config.DevAccount, noProxy: true}, `-Dhttps.proxyPort=9 "-Djavax`, "proxyHost"},
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
	c, dir, _ := configured(t, "")
	now := time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)
	print := func(target string, o sasOptions) (string, error) {
		o.config, o.account, o.data, o.expires = filepath.Join(dir, "leasehold.toml"), "acct", filepath.Join(dir, "data"), time.Hour
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
		grant, err := auth.Authenticate(r, &auth.Env{Account: c.Account("acct"), Now: now, DelegationSecret: c.Trust().DelegationSecret, Issuers: c.Trust().Issuers})
		if err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if o.as != "" && (grant.Principal.ObjectID != workerID || grant.Principal.Issuer != config.LocalIssuer) {
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
