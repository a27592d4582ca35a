package clients

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/leasehold/leasehold/test/harness"
)

const (
	sasAccount   = "sasaccount"
	otherAccount = "sasother"
	sasBox       = "box"
	sasBlob      = "dir/sub dir/a+b ü.txt"
)

// sasWorld is a server with blobs, and what signatures for them are made of.
type sasWorld struct {
	server *harness.Server
	http   *http.Client
	token  string // of the principal of development
	at     struct {
		Plain, Secure string // host:port
		Managed       string // of the managed-identity endpoint
		Header        string // that it wants
		CA            string // file
	}
	delegation        delegationKey
	snapshot, version string
}

// delegationKey is a user delegation key as the SDKs' programs read it.
type delegationKey struct {
	ObjectID string `json:"objectId" xml:"SignedOid"`
	TenantID string `json:"tenantId" xml:"SignedTid"`
	Start    string `json:"start" xml:"SignedStart"`
	Expiry   string `json:"expiry" xml:"SignedExpiry"`
	Service  string `json:"service" xml:"SignedService"`
	Version  string `json:"version" xml:"SignedVersion"`
	Value    string `json:"value" xml:"Value"`
}

// sasCase is one signature that is wanted, and what it is good for.
type sasCase struct {
	Name        string            `json:"name"`
	Kind        string            `json:"kind"` // account, service, delegation
	Container   string            `json:"container,omitempty"`
	Blob        string            `json:"blob,omitempty"`
	Snapshot    string            `json:"snapshot,omitempty"`
	Version     string            `json:"version,omitempty"`
	Directory   bool              `json:"directory,omitempty"`
	Services    string            `json:"services,omitempty"`
	Types       string            `json:"types,omitempty"`
	Permissions string            `json:"permissions,omitempty"`
	Start       string            `json:"start,omitempty"`
	Expiry      string            `json:"expiry,omitempty"`
	IP          string            `json:"ip,omitempty"`
	Protocol    string            `json:"protocol,omitempty"`
	Scope       string            `json:"scope,omitempty"`
	ContentType string            `json:"contentType,omitempty"`
	Policy      string            `json:"policy,omitempty"`
	Correlation string            `json:"correlation,omitempty"`
	User        string            `json:"user,omitempty"`    // object ID whose token goes along
	Headers     map[string]string `json:"headers,omitempty"` // that the signature is bound to
	Queries     map[string]string `json:"queries,omitempty"`

	path    string   // that it is good for
	wrong   []string // paths it is not good for
	refusal string   // of the request on path; "" if it is served
}

// clock returns a time some hours from now as signatures write it.
func clock(hours int) string {
	return time.Now().UTC().Add(time.Duration(hours) * time.Hour).Format("2006-01-02T15:04:05Z")
}

// cases are the signatures of all kinds that are good, each followed by those that are
// like it but late, early, for HTTPS alone, or for another address.
func (w *sasWorld) cases() (all []*sasCase) {
	for _, good := range w.good() {
		vary := func(name, refusal string, change func(*sasCase)) {
			c := good
			c.Name, c.refusal = good.Name+", "+name, refusal
			change(&c)
			all = append(all, &c)
		}
		all = append(all, &good)
		period := func(policy string, start, expiry int) func(*sasCase) {
			return func(c *sasCase) {
				if c.Policy != "" {
					c.Policy = policy
				} else {
					c.Start, c.Expiry = clock(start), clock(expiry)
				}
			}
		}
		vary("expired", "403 AuthenticationFailed", period("expired", -2, -1))
		vary("too early", "403 AuthenticationFailed", period("early", 1, 2))
		vary("HTTPS alone", "", func(c *sasCase) { c.Protocol = "https" })
		vary("other address", "403 AuthorizationSourceIPMismatch", func(c *sasCase) { c.IP = "127.0.0.2-127.0.0.9" })
		if good.Kind == "account" {
			vary("other resource type", "403 AuthorizationResourceTypeMismatch", func(c *sasCase) { c.Types = "sc" })
			vary("other service", "403 AuthorizationServiceMismatch", func(c *sasCase) { c.Services = "q" })
		}
	}
	return all
}

// good are the signatures of all kinds, with all fields that are signed.
func (w *sasWorld) good() []sasCase {
	base := "/" + sasAccount + "/"
	path := base + sasBox + "/dir/sub%20dir/a%2Bb%20%C3%BC.txt"
	box, elsewhere := base+sasBox, base+"elsewhere/dir/sub%20dir/a%2Bb%20%C3%BC.txt"
	full := sasCase{Permissions: "racwd", Start: clock(-1), Expiry: clock(1), IP: "127.0.0.1-127.0.0.9", Protocol: "https,http",
		Scope: "signed-scope", path: path}
	account := full
	account.Name, account.Kind, account.Services, account.Types, account.Permissions = "account", "account", "b", "sco", "rwdlac"
	account.wrong = []string{strings.Replace(path, sasAccount, otherAccount, 1)}
	all := []sasCase{account}
	for _, kind := range []string{"service", "delegation"} {
		add := func(name string, wrong []string, change func(*sasCase)) {
			c := full
			c.Name, c.Kind, c.Container, c.Blob, c.wrong = kind+" "+name, kind, sasBox, sasBlob, append(wrong, elsewhere)
			c.ContentType = "text/plain; charset=utf-8"
			if kind == "delegation" {
				c.Correlation = "55555555-0000-0000-0000-000000000005"
			}
			change(&c)
			all = append(all, c)
		}
		neighbour := []string{box + "/dir/sub%20dir/other"}
		add("blob", neighbour, func(c *sasCase) {})
		add("container", nil, func(c *sasCase) { c.Blob = "" })
		add("snapshot", neighbour, func(c *sasCase) { c.Snapshot = w.snapshot })
		add("version", neighbour, func(c *sasCase) { c.Version = w.version })
		add("directory", []string{box + "/dir/other", box + "/dir/sub%20dir2/x"}, func(c *sasCase) { c.Blob, c.Directory = "dir/sub dir", true })
		if kind == "service" {
			add("policy", nil, func(c *sasCase) { c.Blob, c.Policy, c.Permissions, c.Start, c.Expiry = "", "current", "", "", "" })
			continue
		}
		add("bound to a user", neighbour, func(c *sasCase) { c.User = w.delegation.ObjectID })
		add("bound to the request", neighbour, func(c *sasCase) {
			c.Headers = map[string]string{"x-ms-client-request-id": "one", "If-Match": "*"}
			c.Queries = map[string]string{"timeout": "30"}
		})
	}
	return all
}

// newSASWorld starts a server and fills it.
func newSASWorld(t *testing.T) *sasWorld {
	t.Helper()
	w := &sasWorld{server: harness.Start(t, &harness.Options{
		Dev: true, Accounts: map[string]string{sasAccount: "versioning = true", otherAccount: ""}, Config: suiteRoles,
	})}
	w.server.NeedOwn()
	text, err := os.ReadFile(filepath.Join(w.server.Data, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &w.at); err != nil {
		t.Fatal(err)
	}
	w.http = trusting(t, w.at.CA)
	w.fill(t)
	w.delegate(t)
	return w
}

// fill makes the blobs: one with a version and a snapshot that have the same name.
func (w *sasWorld) fill(t *testing.T) {
	t.Helper()
	cred, err := service.NewSharedKeyCredential(sasAccount, harness.AccountKey(sasAccount))
	if err != nil {
		t.Fatal(err)
	}
	client, err := service.NewClientWithSharedKeyCredential(w.server.URL(sasAccount), cred, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{sasBox, "elsewhere"} {
		box := client.NewContainerClient(name)
		if _, err := box.Create(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		for _, blob := range []string{sasBlob, "dir/other", "dir/sub dir/other", "dir/sub dir2/x"} {
			first, err := box.NewBlockBlobClient(blob).UploadBuffer(t.Context(), []byte("text"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if name != sasBox || blob != sasBlob {
				continue
			}
			w.version = *first.VersionID
			snapshot, err := box.NewBlobClient(blob).CreateSnapshot(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			w.snapshot = *snapshot.Snapshot
			if _, err := box.NewBlockBlobClient(blob).UploadBuffer(t.Context(), []byte("later"), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	var policies []*container.SignedIdentifier
	for id, from := range map[string]int{"current": -1, "expired": -3, "early": 1} {
		start := time.Now().Add(time.Duration(from) * time.Hour)
		policies = append(policies, &container.SignedIdentifier{ID: &id, AccessPolicy: &container.AccessPolicy{
			Start: &start, Expiry: to.Ptr(start.Add(2 * time.Hour)), Permission: to.Ptr("r")}})
	}
	if _, err := client.NewContainerClient(sasBox).SetAccessPolicy(t.Context(), &container.SetAccessPolicyOptions{ContainerACL: policies}); err != nil {
		t.Fatal(err)
	}
}

// delegate gets a token, and for it a user delegation key that is good for all cases.
func (w *sasWorld) delegate(t *testing.T) {
	t.Helper()
	call := func(method, url, body string, headers ...string) []byte {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := w.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %s, %v\n%s", url, resp.Status, err, text)
		}
		return text
	}
	var token struct {
		Text string `json:"access_token"`
	}
	text := call("GET", "http://"+w.at.Managed+"/msi/token?api-version=2019-08-01&resource=https://storage.azure.com", "", "X-IDENTITY-HEADER", w.at.Header)
	if err := json.Unmarshal(text, &token); err != nil {
		t.Fatal(err)
	}
	w.token = token.Text
	text = call("POST", "https://"+w.at.Secure+"/"+sasAccount+"/?restype=service&comp=userdelegationkey",
		"<KeyInfo><Start>"+clock(-3)+"</Start><Expiry>"+clock(3)+"</Expiry></KeyInfo>",
		"Authorization", "Bearer "+w.token, "x-ms-version", "2026-12-06")
	if err := xml.Unmarshal([]byte(strings.TrimPrefix(string(text), "\ufeff")), &w.delegation); err != nil {
		t.Fatal(err)
	}
}
