package auth

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
)

// matrix states what each permission is granted by, as the reference of operations has it. Letters
// after a plus suffice to create only; so do roles after one. Roles are Owner, Contributor, Reader,
// Delegator; on the account and on the container alike, unless the operation is one on the account.
// "any" stands for every letter or role, "-" for no credential of the kind.
var matrix = []struct {
	p       Permission
	scoped  string // letters of service and user delegation SAS
	srt     string // resource types of account SAS that fit
	account string // letters of account SAS
	roles   string
	public  PublicAccess
}{
	{PermListContainers, "-", "s", "l", "OCR", PublicNone},
	{PermGetServiceProperties, "-", "s", "r", "-", PublicNone},
	{PermSetServiceProperties, "-", "s", "w", "-", PublicNone},
	{PermGetServiceStats, "-", "s", "r", "-", PublicNone},
	{PermGetUserDelegationKey, "-", "sco", "-", "OCRD", PublicNone},
	{PermGetAccountInfo, "any", "sco", "any", "any", PublicNone},
	{PermFindBlobs, "-", "o", "f", "O", PublicNone},
	{PermBatch, "-", "sco", "any", "any", PublicNone},

	{PermCreateContainer, "-", "c", "cw", "OC", PublicNone},
	{PermGetContainerProperties, "-", "c", "r", "OCR", PublicContainer},
	{PermSetContainerMetadata, "-", "c", "w", "OC", PublicNone},
	{PermDeleteContainer, "-", "c", "d", "OC", PublicNone},
	{PermGetContainerACL, "-", "sco", "-", "O", PublicNone},
	{PermSetContainerACL, "-", "sco", "-", "O", PublicNone},
	{PermLeaseContainer, "-", "c", "w", "OC", PublicNone},
	{PermBreakContainerLease, "-", "c", "wd", "OC", PublicNone},
	{PermListBlobs, "l", "c", "l", "OCR", PublicContainer},
	{PermFindContainerBlobs, "f", "c", "f", "O", PublicNone},
	{PermRestoreContainer, "-", "c", "w", "OC", PublicNone},
	{PermContainerBatch, "any", "sco", "any", "OC", PublicNone},

	{PermGetBlob, "r", "o", "r", "OCR", PublicBlob},
	{PermDeleteBlob, "d", "o", "d", "OC", PublicNone},
	{PermDeleteVersion, "x", "o", "x", "O", PublicNone},
	{PermDeletePermanently, "y", "o", "y", "O", PublicNone},
	{PermUndeleteBlob, "w", "o", "w", "OC", PublicNone},
	{PermSetBlobProperties, "w", "o", "w", "OC", PublicNone},
	{PermSetBlobMetadata, "w", "o", "w", "OC", PublicNone},
	{PermSnapshotBlob, "cw", "o", "cw", "OCA", PublicNone},
	{PermLeaseBlob, "w", "o", "w", "OC", PublicNone},
	{PermBreakLease, "wd", "o", "wd", "OC", PublicNone},
	{PermCopyBlob, "w+c", "o", "w+c", "OC+A", PublicNone},
	{PermCopyBlobFromURL, "w+c", "o", "w+c", "OC", PublicNone},
	{PermAbortCopy, "w", "o", "w", "OC", PublicNone},
	{PermSetTier, "w", "o", "w", "OC", PublicNone},
	{PermGetTags, "t", "o", "t", "O", PublicNone},
	{PermSetTags, "t", "o", "t", "O", PublicNone},
	{PermSetExpiry, "w", "o", "w", "OC", PublicNone},
	{PermSetImmutability, "i", "o", "i", "O", PublicNone},
	{PermSetLegalHold, "i", "o", "i", "O", PublicNone},

	{PermPutBlob, "w+c", "o", "w+c", "OC+A", PublicNone},
	{PermPutBlobFromURL, "w+c", "o", "w+c", "OC", PublicNone},
	{PermPutBlock, "w+c", "o", "w", "OC", PublicNone},
	{PermPutBlockList, "w+c", "o", "w", "OC", PublicNone},
	{PermGetBlockList, "r", "o", "r", "OCR", PublicBlob},
	{PermGetUncommittedBlocks, "r", "o", "r", "OCR", PublicNone},
	{PermQueryBlob, "r", "o", "r", "OCR", PublicNone},
	{PermPutPage, "w", "o", "w", "OC", PublicNone},
	{PermGetPageRanges, "r", "o", "r", "OCR", PublicBlob},
	{PermIncrementalCopy, "w+c", "o", "w+c", "OC+A", PublicNone},
	{PermAppendBlock, "aw", "o", "aw", "OCA", PublicNone},
	{PermSealAppendBlob, "cw", "o", "w", "OC", PublicNone},
}

// roleLetters are the built-in roles, one custom role that may only add, and none.
var roleLetters = map[byte]*Role{
	'O': RoleOwner, 'C': RoleContributor, 'R': RoleReader, 'D': RoleDelegator,
	'A': {Name: "Adder", DataActions: []string{ActionPrefix + "containers/blobs/add/action"}},
	'N': {Name: "None"},
}

// extentIn reads a column of the matrix.
func extentIn(column string, letter byte) extent {
	full, fresh, _ := strings.Cut(column, "+")
	switch {
	case column == "any" || strings.IndexByte(full, letter) >= 0 && column != "-":
		return whole
	case strings.IndexByte(fresh, letter) >= 0:
		return creation
	}
	return nothing
}

// granted holds a grant against an expected extent.
func granted(t *testing.T, what string, g Grant, p Permission, r Resource, want extent, refusal fault.Code) {
	t.Helper()
	err := g.Allow(p, r)
	if (err == nil) != (want != nothing) || err != nil && !errors.Is(err, refusal) {
		t.Errorf("%s, %s: %v, want extent %d or %s", p.Name, what, err, want, refusal)
	}
	if err == nil && g.CreateOnly(p, r) != (want == creation) {
		t.Errorf("%s, %s: create only is %v", p.Name, what, g.CreateOnly(p, r))
	}
}

// resourceOf is what an operation with these resource types acts on.
func resourceOf(p Permission) Resource {
	switch p.Name {
	case "ListContainers", "GetServiceProperties", "SetServiceProperties", "GetServiceStats", "GetUserDelegationKey", "FindBlobs", "Batch":
		return Resource{}
	}
	if p.Type == 'c' || p.Name == "GetContainerACL" || p.Name == "SetContainerACL" || p.Name == "ContainerBatch" || p.Name == "GetAccountInfo" {
		return Resource{Container: "cont"}
	}
	return Resource{Container: "cont", Blob: "b"}
}

func TestMatrixOfLetters(t *testing.T) {
	env := sasEnv(t)
	owner := NewAccess([]Assignment{{Principal: testOID, Role: RoleOwner}}, nil)
	for _, m := range matrix {
		refused, _ := fault.Of(m.p.unfit())
		unfit := refused.Code
		r := resourceOf(m.p)
		for _, letter := range []byte(allLetters) {
			req := target("GET", r.Container, r.Blob, "")
			for _, srt := range []byte("sco") {
				g := Grant{Principal: Principal{Kind: KindAccountSAS}, req: req, env: env, sas: &SAS{Types: string(srt)}, letters: string(letter)}
				want, refusal := extentIn(m.account, letter), fault.AuthorizationPermissionMismatch
				if strings.IndexByte(m.srt, srt) < 0 {
					want, refusal = nothing, fault.AuthorizationResourceTypeMismatch
				} else if m.account == "-" {
					refusal = unfit
				}
				granted(t, "account SAS "+string(srt)+":"+string(letter), g, m.p, r, want, refusal)
			}
			if r.Container == "" {
				continue // no scoped signature verifies there
			}
			scoped := Grant{req: req, env: env, resource: "/blob/acct/cont", sas: &SAS{Version: "2026-12-06", Resource: "c"}, letters: string(letter)}
			want, refusal := extentIn(m.scoped, letter), fault.AuthorizationPermissionMismatch
			if m.scoped == "-" {
				refusal = unfit
			}
			scoped.Principal.Kind = KindServiceSAS
			granted(t, "service SAS "+string(letter), scoped, m.p, r, want, refusal)

			scoped.Principal = Principal{Kind: KindDelegationSAS, ObjectID: testOID}
			for name, role := range roleLetters {
				e := *env
				e.Access = NewAccess([]Assignment{{Principal: testOID, Role: role}}, nil)
				scoped.env = &e
				granted(t, "user delegation SAS "+string(letter)+" of "+role.Name, scoped, m.p, r, min(want, extentIn(m.roles, name)), refusal)
			}
			scoped.env = &Env{Account: env.Account, Access: owner}
			scoped.sas = &SAS{Version: "2026-12-06", Resource: "c"}
			granted(t, "of another container "+string(letter), scoped, m.p, Resource{Container: "other"}, nothing, fault.AuthenticationFailed)
		}
	}
}

func TestMatrixOfRoles(t *testing.T) {
	for _, m := range matrix {
		r := resourceOf(m.p)
		for name, role := range roleLetters {
			for _, on := range []Assignment{
				{}, {Account: "acct"}, {Account: "acct", Container: "cont"}, {Account: "other"}, {Container: "other"}, {Account: "other", Container: "cont"},
			} {
				on.Principal, on.Role = testOID, role
				env := &Env{Account: &Account{Name: "acct"}, Access: NewAccess([]Assignment{on}, nil)}
				g := Grant{Principal: Principal{Kind: KindBearer, ObjectID: testOID}, req: target("GET", r.Container, r.Blob, ""), env: env}
				want := extentIn(m.roles, name)
				reaches := on.Account != "other" && (on.Container == "" || on.Container == r.Container)
				if !reaches && m.roles != "any" {
					want = nothing
				}
				granted(t, role.Name+" on '"+on.Account+"/"+on.Container+"'", g, m.p, r, want, fault.AuthorizationPermissionMismatch)
			}
		}
	}
}

func TestMatrixOfPublic(t *testing.T) {
	for _, m := range matrix {
		r := resourceOf(m.p)
		for level := PublicNone; level <= PublicContainer; level++ {
			env := testEnv(t)
			env.PublicAccess = func(container string) (PublicAccess, error) { return level, nil }
			g := Grant{req: target("GET", r.Container, r.Blob, ""), env: env}
			want, refusal := nothing, fault.NoAuthenticationInformation
			if m.public != PublicNone {
				refusal = fault.PublicAccessNotPermitted
			}
			granted(t, "public, not permitted", g, m.p, r, nothing, refusal)
			env.Account.AllowPublicAccess = true
			if m.public != PublicNone && level >= m.public {
				want = whole
			}
			granted(t, "public", g, m.p, r, want, fault.NoAuthenticationInformation)
			if m.public != PublicNone {
				env.PublicAccess = nil
				granted(t, "public, not offered", g, m.p, r, nothing, fault.NoAuthenticationInformation)
			}
		}
		g := Grant{Principal: Principal{Kind: KindKey}}
		want := whole
		if m.p.TokenOnly {
			want = nothing
		}
		granted(t, "key", g, m.p, r, want, fault.AuthenticationFailed)
		granted(t, "zero grant", Grant{}, m.p, r, nothing, fault.NoAuthenticationInformation)
	}
}

// The matrix has every permission that is declared, so none is declared without being tested.
func TestMatrixIsComplete(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "permission.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Perm") {
			declared[spec.Names[0].Name] = true
		}
		return true
	})
	delete(declared, "PermPreflight") // open to everybody: TestPreflightIsOpen
	if len(declared) < 50 {
		t.Fatalf("only %d permissions found", len(declared))
	}
	for _, m := range matrix {
		if !declared["Perm"+m.p.Name] {
			t.Errorf("%s is in the matrix twice or under another name", m.p.Name)
		}
		delete(declared, "Perm"+m.p.Name)
	}
	for name := range declared {
		t.Errorf("%s is not in the matrix", name)
	}
}

func TestPreflightIsOpen(t *testing.T) {
	if err := (Grant{}).Allow(PermPreflight, Resource{}); err != nil {
		t.Error(err)
	}
}

// Breaking a lease with the delete letter came with a version.
func TestBreakWithDeleteNeedsVersion(t *testing.T) {
	for version, want := range map[string]extent{"2017-07-29": whole, "2017-04-17": nothing} {
		req := target("PUT", "cont", "b", "")
		req.Version = version
		g := Grant{Principal: Principal{Kind: KindAccountSAS}, req: req, env: testEnv(t), sas: &SAS{Types: "o"}, letters: "d"}
		granted(t, version, g, PermBreakLease, Resource{Container: "cont", Blob: "b"}, want, fault.AuthorizationPermissionMismatch)
		req.Version, g.sas.Version = "", version
		granted(t, "sv "+version, g, PermBreakLease, Resource{Container: "cont", Blob: "b"}, want, fault.AuthorizationPermissionMismatch)
	}
}

// A signature for a snapshot or version is none for the blob as it is now.
func TestSnapshotSignatureIsForSnapshots(t *testing.T) {
	for _, m := range matrix {
		r := resourceOf(m.p)
		if r.Blob == "" {
			continue
		}
		g := Grant{Principal: Principal{Kind: KindServiceSAS}, req: target("PUT", "cont", "b", ""), env: testEnv(t),
			sas: &SAS{Version: "2026-12-06", Resource: "bs", Snapshot: "x"}, resource: "/blob/acct/cont/b", letters: allLetters}
		want := nothing
		if m.p.OfVersion {
			want = whole
		}
		granted(t, "sr=bs", g, m.p, r, want, fault.AuthorizationFailure)
	}
}

func TestTags(t *testing.T) {
	r := Resource{Container: "cont", Blob: "b"}
	g := Grant{Principal: Principal{Kind: KindServiceSAS}, req: target("GET", "cont", "b", ""), env: testEnv(t),
		sas: &SAS{Version: "2026-12-06", Resource: "c"}, resource: "/blob/acct/cont", letters: "rw"}
	if g.MayReadTags(r) || g.MayWriteTags(r) {
		t.Error("rw includes tags")
	}
	g.letters = "t"
	if !g.MayReadTags(r) || !g.MayWriteTags(r) {
		t.Error("t does not include tags")
	}
	if (Grant{}).MayReadTags(r) || !(Grant{Principal: Principal{Kind: KindKey}}).MayReadTags(r) {
		t.Error("the public may, or a key may not, read tags")
	}
}
