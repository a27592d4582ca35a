package clients

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
)

// The SDKs make shared access signatures of all kinds, and the running server has to
// take them as they are and refuse them after every change of a single character.
// What each SDK does is a program that sends nothing: it reads what is wanted and
// writes what it made. Nothing waits for a signature to expire: those that are late
// or early are made so.

// TestPythonSAS uses signatures of the official Python SDK.
func TestPythonSAS(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	python := harness.Need(t, filepath.Join(root, ".venv/bin/python"), "make python installs it")
	judgeSAS(t, harness.Client{Dir: "test/python", Command: []string{python, "-B", "sas/make.py"}})
}

// TestJavaScriptSAS uses signatures of the official JavaScript SDK.
func TestJavaScriptSAS(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	harness.Need(t, filepath.Join(root, "test/js/node_modules/@azure"), "make js installs it")
	node := harness.Need(t, "node", "install Node.js 20 or newer")
	judgeSAS(t, harness.Client{Dir: "test/js", Command: []string{node, "sas/make.js"}})
}

// TestJavaSAS uses signatures of the official Java SDK.
func TestJavaSAS(t *testing.T) {
	harness.Long(t)
	mvn := harness.Need(t, "mvn", "install Maven and a JDK, 17 or newer")
	judgeSAS(t, harness.Client{
		Dir:     "test/java",
		Command: []string{mvn, "--batch-mode", "--quiet", "-Dreports=" + t.TempDir(), "-Dtest=MakeSas", "test"},
	})
}

// judgeSAS lets a client make all signatures and judges each by what the server says.
func judgeSAS(t *testing.T, client harness.Client) {
	w := newSASWorld(t)
	cases := w.cases()
	w.judgeAll(t, cases, w.make(t, client, cases))
}

// judgeAll judges the signatures that were made for cases.
func (w *sasWorld) judgeAll(t *testing.T, cases []*sasCase, made map[string]string) {
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if made[c.Name] == "" {
				t.Fatal("the SDK made none")
			}
			w.judge(t, c, fields(t, made[c.Name], c))
		})
	}
}

// judge sends the request that a signature is for.
func (w *sasWorld) judge(t *testing.T, c *sasCase, query []field) {
	if c.refusal != "" {
		if got := w.get(t, c, "https", c.path, query); got != c.refusal {
			t.Errorf("answered with %s, want %s", got, c.refusal)
		}
		return
	}
	if got := w.get(t, c, "https", c.path, query); got != "200" {
		t.Fatalf("answered with %s: %s", got, encode(query))
	}
	if c.Protocol == "https" {
		want := "403 AuthorizationProtocolMismatch"
		if c.User != "" {
			want = "403 AuthenticationFailed" // no token is taken there
		}
		if got := w.get(t, c, "http", c.path, query); got != want {
			t.Errorf("over plain HTTP: %s, want %s", got, want)
		}
		return // what follows was judged without the protocol
	}
	for _, path := range c.wrong {
		if got := w.get(t, c, "https", path, query); got != "403 AuthenticationFailed" {
			t.Errorf("%s: %s", path, got)
		}
	}
	n := 0
	for changed := range changes(query) {
		n++
		switch got := w.get(t, c, "https", c.path, changed); got {
		case "403 AuthenticationFailed", "400 InvalidQueryParameterValue":
		default:
			t.Fatalf("answered with %s: %s\nwas %s", got, encode(changed), encode(query))
		}
	}
	t.Logf("%d changes were refused", n)
	if n < 200 {
		t.Errorf("only %d changes of %s", n, encode(query))
	}
}

// field is one query parameter, decoded.
type field struct{ name, value string }

// fields reads what an SDK wrote, and adds the snapshot or version that the
// signature is for: the SDKs leave that to the request.
func fields(t *testing.T, token string, c *sasCase) (all []field) {
	t.Helper()
	for part := range strings.SplitSeq(strings.TrimPrefix(token, "?"), "&") {
		name, value, _ := strings.Cut(part, "=")
		value, err := url.QueryUnescape(value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, field{name, value})
	}
	for name, value := range map[string]string{"snapshot": c.Snapshot, "versionid": c.Version} {
		given := slices.ContainsFunc(all, func(f field) bool { return f.name == name })
		if value != "" && !given {
			all = append(all, field{name, value})
		}
	}
	for name, value := range c.Queries {
		all = append(all, field{name, value})
	}
	return all
}

func encode(query []field) string {
	var b strings.Builder
	for _, f := range query {
		fmt.Fprintf(&b, "&%s=%s", f.name, strings.ReplaceAll(url.QueryEscape(f.value), "+", "%20"))
	}
	return strings.TrimPrefix(b.String(), "&")
}

// changes yields the query with one character of one value changed, and with it left
// out; for every character of every value.
func changes(query []field) func(yield func([]field) bool) {
	return func(yield func([]field) bool) {
		for i, f := range query {
			for at := range len(f.value) {
				for _, instead := range []string{other(f.value[at]), ""} {
					changed := slices.Clone(query)
					changed[i].value = f.value[:at] + instead + f.value[at+1:]
					if !yield(changed) {
						return
					}
				}
			}
		}
	}
}

// other returns another character of the same sort.
func other(c byte) string {
	switch {
	case c == '9', c == 'z', c == 'Z':
		c--
	case '0' <= c && c < '9', 'a' <= c && c < 'z', 'A' <= c && c < 'Z':
		c++
	default:
		c = 'x'
	}
	return string(c)
}

// get reads a blob with a signature and returns the status and the error code.
func (w *sasWorld) get(t *testing.T, c *sasCase, scheme, path string, query []field) string {
	t.Helper()
	base := "https://" + w.at.Secure
	if scheme == "http" {
		base = "http://" + w.at.Plain
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", base+path+"?"+encode(query), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("x-ms-version", "2026-12-06")
	for name, value := range c.Headers {
		r.Header.Set(name, value)
	}
	if c.User != "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	resp, err := w.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("x-ms-error-code")))
}

// make runs the SDK's program and returns the signatures by the names of the cases.
func (w *sasWorld) make(t *testing.T, client harness.Client, cases []*sasCase) (made map[string]string) {
	t.Helper()
	dir := t.TempDir()
	wanted, answer := filepath.Join(dir, "wanted.json"), filepath.Join(dir, "made.json")
	text, err := json.Marshal(map[string]any{"account": sasAccount, "key": harness.AccountKey(sasAccount), "delegation": w.delegation, "wanted": cases})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(wanted, text, 0o600); err != nil {
		t.Fatal(err)
	}
	client.Env = append(client.Env, "LEASEHOLD_SAS_WANTED="+wanted, "LEASEHOLD_SAS_MADE="+answer)
	out := client.Run(t, "")
	if text, err = os.ReadFile(answer); err != nil {
		t.Fatalf("the client made nothing\n%s", out)
	}
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	return made
}

// trusting returns a client that trusts the certificate authority in a file.
func trusting(t *testing.T, file string) *http.Client {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("no certificate in " + file)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
}
