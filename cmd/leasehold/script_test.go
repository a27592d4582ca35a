package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/certificate"
	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/kv/mem"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
	"github.com/leasehold/leasehold/internal/server"
	"github.com/leasehold/leasehold/internal/service"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"leasehold": main,
		"stubborn":  stubborn,
		"pause":     func() { <-time.After(time.Minute) },
	})
}

// stubborn is a command that does not end when it is asked to, and says so.
func stubborn() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	os.Stdout.WriteString("running\n")
	<-asked
	os.Stdout.WriteString("asked to stop\n")
	<-time.After(time.Minute)
}

// TestScripts runs the client commands as a shell user would, against a server in
// this process.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			url := startServer(env)
			env.Setenv(envConnection, "DefaultEndpointsProtocol=http;AccountName="+config.DevAccount+";AccountKey="+config.DevKey+
				";BlobEndpoint="+url+"/"+config.DevAccount+";")
			env.Setenv("BOX_URL", url+"/"+config.DevAccount+"/box")
			env.Setenv("STORE_HOST", strings.TrimPrefix(url, "http://"))
			env.Setenv("ACCOUNT_URL", url+"/"+config.DevAccount)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "killed": killed, "until": until, "certificate": makeCertificate},
	})
}

func startServer(env *testscript.Env) string {
	url, stop := inProcess()
	env.Defer(stop)
	return url
}

// inProcess starts a server in this process and returns its URL.
func inProcess() (url string, stop func()) {
	k, err := auth.ParseKey(config.DevKey)
	if err != nil {
		panic(err)
	}
	db := mem.Open(nil)
	account := &auth.Account{Name: config.DevAccount, Keys: []*auth.Key{k}}
	svc := service.New(service.Options{
		DB: db, Segments: segments.New(nil), Random: rand.Reader,
		Accounts: func(string) *auth.Account { return account },
	})
	srv := httptest.NewServer(server.New(svc.Serve, nil))
	return srv.URL, func() {
		srv.Close()
		db.Close()
	}
}

// exits runs a command and wants an exit status: exits STATUS COMMAND [ARG...].
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits status command [arg...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		got = strconv.Itoa(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

// killed kills a background command with SIGKILL: killed NAME.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	for _, c := range ts.BackgroundCmds() {
		if err := c.Process.Kill(); err != nil {
			ts.Fatalf("%v", err)
		}
	}
}

// until runs a command until its standard output has a text: until TEXT COMMAND [ARG...].
func until(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		_ = ts.Exec(args[1], args[2:]...)
		if out := ts.ReadFile("stdout"); strings.Contains(out, args[0]) != neg {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("the output of %q never had %q", args[1:], args[0])
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// makeCertificate writes the certificate NAME.pem and its key NAME.key, for the public name of
// the account acct, and the authority that vouches for it, NAME-ca.pem: certificate NAME.
func makeCertificate(ts *testscript.TestScript, neg bool, args []string) {
	ca, err := certificate.NewAuthority(time.Now())
	ts.Check(err)
	c, err := ca.Issue(time.Now(), "acct.blob.core.windows.net")
	ts.Check(err)
	cert, key, err := encode(c)
	ts.Check(err)
	for file, text := range map[string][]byte{".pem": cert, ".key": key, "-ca.pem": ca.PEM()} {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+file), text, 0o600))
	}
}

// encode returns a certificate and its key in PEM form.
func encode(c *tls.Certificate) (cert, key []byte, err error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Leaf.Raw})
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}
