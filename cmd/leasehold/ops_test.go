package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestOps serves a folder and asks what whoever runs the server would.
func TestOps(t *testing.T) {
	cmd := newServe()
	args := []string{"--dev", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"}
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	cmd.SetArgs(args)
	cmd.SetOut(in)
	done := make(chan error, 1)
	go func() {
		done <- cmd.ExecuteContext(ctx)
		in.Close()
	}()
	var base string
	lines := bufio.NewScanner(out)
	for base == "" && lines.Scan() {
		if m := regexp.MustCompile(`metrics on (http://.*)/metrics`).FindStringSubmatch(lines.Text()); m != nil {
			base = m[1]
		}
	}
	go io.Copy(io.Discard, out)
	for path, want := range map[string]string{
		"/metrics":                       "leasehold_store_commits_total ",
		"/healthz":                       "ok",
		"/livez":                         "ok",
		"/readyz":                        "ok",
		"/healthz?verbose":               `"name":"disk"`,
		"/debug/pprof/goroutine?debug=1": "ServeOps",
	} {
		resp, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s, %v, without %q:\n%s", path, resp.Status, err, want, body)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
