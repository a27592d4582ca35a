package service_test

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/service"
)

// rights is a row of testdata/authorization.md, where its cells are explained.
type rights struct{ operation, scoped, types, account, roles, public string }

func readRights(t *testing.T) map[string]rights {
	t.Helper()
	text, err := os.ReadFile("testdata/authorization.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]rights{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		if len(cells) != 7 || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| request ") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if _, twice := all[cells[0]]; twice {
			t.Errorf("%s has two rows", cells[0])
		}
		all[cells[0]] = rights{cells[1], cells[2], cells[3], cells[4], cells[5], cells[6]}
	}
	return all
}

// extent is how far credentials allow an operation.
type extent int

const (
	never extent = iota
	toCreate
	always
)

// extentOf reads a cell: how far the letters suffice, or the code that all get.
func extentOf(cell, letters string) (e extent, refusal string) {
	if strings.HasPrefix(cell, "Auth") {
		return never, cell
	}
	if cell == "any" {
		return always, "AuthorizationPermissionMismatch"
	}
	e = always
	for part := range strings.SplitSeq(cell, "&") {
		full, fresh, _ := strings.Cut(part, "+")
		switch {
		case strings.ContainsAny(letters, full):
		case strings.ContainsAny(letters, fresh):
			e = min(e, toCreate)
		default:
			e = never
		}
	}
	return e, "AuthorizationPermissionMismatch"
}

// letterSets are all sets of one permission letter, all letters, and all but those that
// the cell names.
func letterSets(cell, all string) (sets []string) {
	for _, l := range all {
		sets = append(sets, string(l))
	}
	rest := strings.Map(func(l rune) rune {
		if strings.ContainsRune(cell, l) {
			return -1
		}
		return l
	}, all)
	if rest != "" && rest != all {
		sets = append(sets, rest)
	}
	for _, pair := range strings.Split(cell, "&")[1:] {
		sets = append(sets, cell[:1]+pair)
	}
	return append(sets, all)
}

// rightsSamples are requests whose rights differ from those of the samples of their rows.
func rightsSamples() []sample {
	return []sample{
		{name: "Put Blob with tags", ask: onTheBlob("PUT", "", []byte("text"), "x-ms-blob-type", "BlockBlob", "x-ms-tags", "a=2")},
		{name: "Put Blob with empty tags", ask: onTheBlob("PUT", "", []byte("text"), "x-ms-blob-type", "BlockBlob", "x-ms-tags", "")},
		{name: "Get Blob if its tags match", ask: onTheBlob("GET", "", nil, "x-ms-if-tags", `"a"='1'`)},
	}
}

// TestRights sends the sample of every operation with every kind of credential, every
// permission letter and every role, and holds the answers against the table. An
// operation or sample that has no row there fails the test.
func TestRights(t *testing.T) {
	table := readRights(t)
	for _, s := range append(samples(), rightsSamples()...) {
		t.Run(s.name, func(t *testing.T) {
			row, ok := table[s.name]
			if !ok {
				t.Fatal("has no row in testdata/authorization.md")
			}
			delete(table, s.name)
			a := &attempts{store: s.store(t), sample: &s, may: row}
			a.Accounts(account).AllowPublicAccess = true
			a.accountSignatures()
			a.containerSignatures()
			a.tokens()
			a.public()
			a.accountKey()
		})
	}
	for name := range table {
		t.Errorf("%s has a row and no sample", name)
	}
}

// attempts tries one sample again and again.
type attempts struct {
	*store
	sample *sample
	may    rights
	made   int    // places
	place  *place // nil if the last one was used up
	order  ask
	trust  service.Trust
}

// credentials returns the query and the headers that a request for a blob is sent with, or
// for the container if that is "". Requests to the service get those for the place.
type credentials func(container, blob string) (query string, headers []string)

// prepare makes a place for the sample, unless the last one is as it was.
func (a *attempts) prepare() {
	a.t.Helper()
	if a.place != nil {
		return
	}
	a.place = a.sample.at(a.store, a.made)
	a.order = a.sample.ask(a.place)
	a.made++
	if got := a.place.row(a.order).Name; got != a.may.operation {
		a.t.Fatalf("a sample of %s, the row says %s", got, a.may.operation)
	}
}

// try sends the sample and checks that the answer is what the extent says.
func (a *attempts) try(what string, want extent, refusal string, c credentials) {
	a.t.Helper()
	a.prepare()
	if want == toCreate {
		if _, blob := named(a.order.target); strings.HasSuffix(a.place.blob, "/"+blob) {
			a.expect(what+" over a blob", false, "UnauthorizedBlobOverwrite", a.order, c)
		}
		fresh := a.order
		fresh.target = strings.Replace(fresh.target, a.place.blob, a.place.blob+"-new", 1)
		a.expect(what+" of a new blob", true, "", fresh, c)
	} else {
		a.expect(what, want == always, refusal, a.order, c)
	}
	if want != never {
		a.place = nil
	}
}

// named returns the container and the blob that a target names.
func named(target string) (container, blob string) {
	p, _, _ := strings.Cut(target, "?")
	p, ok := strings.CutPrefix(p, "/")
	if !ok {
		return "", "" // the account itself, or its secondary endpoint
	}
	container, blob, _ = strings.Cut(p, "/")
	return container, blob
}

func (a *attempts) expect(what string, allowed bool, refusal string, q ask, c credentials) {
	a.t.Helper()
	container, blob := named(q.target)
	query, headers := c(cmp.Or(container, a.place.box[1:]), blob)
	if query != "" {
		sep := "?"
		if strings.Contains(q.target, "?") {
			sep = "&"
		}
		query = sep + query
	}
	for i := 0; i < len(q.headers); i += 2 {
		if q.headers[i] != "Authorization" {
			headers = append(headers, q.headers[i:i+2]...)
		}
	}
	a.Trust = func() *service.Trust { return &a.trust }
	got := a.store.ask(q.method, q.target+query, q.body, headers...)
	switch {
	case allowed && !a.sample.succeeded(a.place.row(q), got):
		a.t.Errorf("%s: %d %s, want success\n%s", what, got.status, got.code(), got.body)
	case !allowed && (got.code() != refusal || got.status != 403 && got.status != 401):
		a.t.Errorf("%s: %d %s, want %s", what, got.status, got.code(), refusal)
	}
}

const (
	scopedLetters  = "racwdxyltfmeopi"
	accountLetters = scopedLetters + "u"
	rightsSecret   = "a secret of the server"
	newestVersion  = "2026-12-06"
)

// signing returns the account's key.
func (a *attempts) signing() *auth.Key {
	k, err := auth.ParseKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return k
}

// typeSets are the single resource types, and all that the row needs together.
func (r rights) typeSets() []string {
	sets := []string{"s", "c", "o"}
	if all := strings.ReplaceAll(r.types, "&", ""); all != r.types {
		sets = append(sets, all)
	}
	return sets
}

// fits tells whether resource types are those that the row needs.
func (r rights) fits(srt string) bool {
	for part := range strings.SplitSeq(r.types, "&") {
		if !strings.ContainsAny(srt, part) {
			return false
		}
	}
	return true
}

func (a *attempts) accountSignatures() {
	for _, letters := range letterSets(a.may.account, accountLetters) {
		for _, srt := range a.may.typeSets() {
			want, refusal := extentOf(a.may.account, letters)
			// The letters are judged before a type that is needed besides.
			if first, _, _ := strings.Cut(a.may.types, "&"); !a.may.fits(srt) && (want != never || !strings.ContainsAny(srt, first)) {
				want, refusal = never, "AuthorizationResourceTypeMismatch"
			}
			if a.may.public == "open" {
				want = always
			}
			a.try(fmt.Sprintf("account SAS %s %s", srt, letters), want, refusal, func(string, string) (string, []string) {
				return auth.SignAccountSAS(auth.SAS{Version: newestVersion, Services: "b", Types: srt, Permissions: letters, Expiry: a.inAnHour()}, account, a.signing()), nil
			})
		}
	}
}

// scope returns a signature for a container, or for the blob in it.
func (a *attempts) scope(resource, letters string) auth.SAS {
	return auth.SAS{Version: newestVersion, Resource: resource, Permissions: letters, Expiry: a.inAnHour()}
}

func (a *attempts) containerSignatures() {
	for _, letters := range letterSets(a.may.scoped, scopedLetters) {
		want, refusal := extentOf(a.may.scoped, letters)
		for _, resource := range []string{"c", "b"} {
			a.try("service SAS "+resource+" "+letters, want, refusal, func(container, blob string) (string, []string) {
				if blob == "" {
					return auth.SignServiceSAS(a.scope("c", letters), account, container, "", a.signing()), nil
				}
				return auth.SignServiceSAS(a.scope(resource, letters), account, container, blob, a.signing()), nil
			})
		}
		for role := range rightsRoles {
			by, _ := extentOf(a.may.roles, role)
			a.trustRole(role, auth.Assignment{})
			a.try("user delegation SAS "+letters+" of "+role, min(want, by), refusal, func(container, _ string) (string, []string) {
				return a.delegated(role, container, letters), nil
			})
		}
	}
}

// rightsRoles are the built-in roles, one that may only add, and one that may do nothing.
var rightsRoles = map[string]*auth.Role{
	"O": auth.RoleOwner, "C": auth.RoleContributor, "R": auth.RoleReader, "D": auth.RoleDelegator, "S": auth.RoleAccountContributor,
	"A": {Name: "Adder", DataActions: []string{auth.ActionPrefix + "containers/blobs/add/action"}},
	"N": {Name: "None"},
}

// trustRole gives the principal that has the role's letter for its ID the role, where the
// assignment says.
func (a *attempts) trustRole(role string, on auth.Assignment) {
	on.Principal, on.Issuer, on.Role = role, tokenIssuer, rightsRoles[role]
	a.trust = service.Trust{DelegationSecret: []byte(rightsSecret), Tokens: issuer{issuerKey()}, Issuers: []string{tokenIssuer}, Access: auth.NewAccess([]auth.Assignment{on}, nil)}
}

// delegated returns a user delegation SAS for a container.
func (a *attempts) delegated(id, container, letters string) string {
	now := a.clock.Now().Truncate(time.Second)
	k := auth.DelegationKey{ObjectID: id, Tenant: "tenant", Start: now.Add(-time.Hour), Expiry: now.Add(2 * time.Hour), Service: "b", Version: newestVersion, Issuer: tokenIssuer}
	return auth.SignDelegationSAS(a.scope("c", letters), account, container, "", k, k.Value([]byte(rightsSecret), account), nil)
}

func (a *attempts) tokens() {
	for role := range rightsRoles {
		token := issuer{issuerKey()}.tokenOf(a.t, a.store, role)
		for what, on := range map[string]auth.Assignment{
			"everywhere": {}, "on the account": {Account: account}, "on another account": {Account: "other"},
			"on the container": {Account: account, Container: "?"}, "on another container": {Account: account, Container: "other"},
		} {
			want, refusal := extentOf(a.may.roles, role)
			a.try("token of "+role+" "+what, a.within(want, on), refusal, func(container, _ string) (string, []string) {
				if on.Container == "?" {
					on.Container = container
				}
				a.trustRole(role, on)
				return "", []string{"Authorization", token}
			})
		}
	}
}

// onService tells whether the sample names no container, so that no signature for one
// fits it.
func (a *attempts) onService() bool { return a.may.scoped == "AuthenticationFailed" }

// within returns how far a role reaches that is assigned somewhere only.
func (a *attempts) within(want extent, on auth.Assignment) extent {
	elsewhere := on.Account == "other" || on.Container == "other" || on.Container == "?" && a.onService()
	if elsewhere && a.may.roles != "any" {
		return never
	}
	return want
}

func (a *attempts) public() {
	cell := a.may.public
	levels := []string{"", "blob", "container"}
	if a.onService() {
		levels = levels[:1] // no container
	}
	base, more, _ := strings.Cut(cell, "&")
	for i, level := range levels {
		opened := base == "open" || base == "blob" && i >= 1 || base == "container" && i >= 2
		want, refusal := never, "NoAuthenticationInformation"
		switch {
		case opened && more != "":
			refusal = "AuthorizationPermissionMismatch"
		case opened:
			want = always
		}
		a.try("no credentials, level '"+level+"'", want, refusal, func(string, string) (string, []string) {
			if level != "" {
				a.want(200, "", "PUT", a.place.box+"?restype=container&comp=acl", nil, "x-ms-blob-public-access", level)
			}
			return "", nil
		})
	}
}

// accountKey sends the sample as it is, signed with the account's key.
func (a *attempts) accountKey() {
	a.prepare()
	if a.may.operation == "Service_GetUserDelegationKey" {
		a.want(403, a.may.account, a.order.method, a.order.target, a.order.body)
		return
	}
	if got := a.place.send(a.order); !a.sample.succeeded(a.place.row(a.order), got) {
		a.t.Errorf("account key: %d %s\n%s", got.status, got.code(), got.body)
	}
}
