package auth

import (
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/bc", false}, {"a/b", "a", false},
		{"*", "", true}, {"*", "a/b", true}, {"a/*", "a/", true}, {"a/*", "a/b/c", true}, {"a/*", "a", false},
		{"*/read", "a/b/read", true}, {"*/read", "a/b/readx", false}, {"a/*/c", "a/b/c", true}, {"a/*/c", "a/c", false},
		{"a*b*c", "abc", true}, {"a*b*c", "axbxbxc", true}, {"a*b*c", "ac", false}, {"a*a", "a", false}, {"", "", true}, {"", "a", false},
		{"**", "x", true},
	}
	for _, tt := range tests {
		if got := matches(tt.pattern, tt.text); got != tt.want {
			t.Errorf("%q, %q: %v", tt.pattern, tt.text, got)
		}
	}
}

func TestRoles(t *testing.T) {
	for _, r := range []*Role{RoleOwner, RoleContributor, RoleReader, RoleDelegator, RoleAccountContributor} {
		if RoleNamed(strings.ToUpper(r.ID)) != r || RoleNamed(strings.ToLower(r.Name)) != r {
			t.Errorf("%s is not found", r.Name)
		}
		if !r.grants(ActionDelegationKey) {
			t.Errorf("%s can't delegate", r.Name)
		}
	}
	if RoleNamed("") != nil || RoleNamed("Owner") != nil {
		t.Error("found what does not exist")
	}
	// A wildcard over control actions says nothing about data actions, though it would match their
	// names.
	control := &Role{Actions: []string{ActionPrefix + "*"}}
	if control.grants(ActionReadBlob) || !control.grants(ActionReadContainer) || !control.grants(ActionReadService) {
		t.Error("control actions and data actions are mixed up")
	}
	if data := (&Role{DataActions: []string{"*"}}); data.grants(ActionReadContainer) || !data.grants(ActionReadBlob) {
		t.Error("data actions and control actions are mixed up")
	}
	if !(&Role{DataActions: []string{strings.ToUpper(ActionPrefix) + "CONTAINERS/BLOBS/READ"}}).grants(ActionReadBlob) {
		t.Error("case counts")
	}
}

func TestGroups(t *testing.T) {
	a := NewAccess([]Assignment{{Principal: "Group", Role: RoleReader}}, map[Object][]Object{{ID: "GROUP"}: {{ID: "Member"}}})
	read := []Action{ActionReadBlob}
	for p, want := range map[*Principal]bool{
		{ObjectID: "member"}: true, {ObjectID: "MEMBER"}: true, {ObjectID: "x"}: false, {}: false,
		{ObjectID: "x", Groups: []string{"y", "gROUP"}}: true, {Groups: []string{"group"}}: false,
	} {
		if got := a.allows(*p, read, "acct", "cont"); got != want {
			t.Errorf("%+v: %v", *p, got)
		}
	}
	if (*Access)(nil).allows(Principal{ObjectID: "member"}, read, "", "") {
		t.Error("no assignments grant something")
	}
}

// TestRolesAreThoseOfAnIssuersObject: what one issuer calls by an ID is not what another calls so.
func TestRolesAreThoseOfAnIssuersObject(t *testing.T) {
	const ours, theirs = "https://ours.test/", "https://theirs.test/"
	a := NewAccess([]Assignment{
		{Principal: "Worker", Issuer: ours, Role: RoleReader}, {Principal: "Group", Issuer: ours, Role: RoleReader}, {Principal: "both", Issuer: theirs, Role: RoleReader},
	}, map[Object][]Object{{ours, "group"}: {{theirs, "guest"}}})
	read := []Action{ActionReadBlob}
	for _, tt := range []struct {
		p    Principal
		want bool
	}{
		{Principal{Issuer: ours, ObjectID: "worker"}, true},
		{Principal{Issuer: theirs, ObjectID: "worker"}, false},
		{Principal{ObjectID: "worker"}, false},
		{Principal{Issuer: "HTTPS://ours.test/", ObjectID: "worker"}, false},
		{Principal{Issuer: ours, ObjectID: "x", Groups: []string{"GROUP"}}, true},
		{Principal{Issuer: theirs, ObjectID: "x", Groups: []string{"group"}}, false},
		{Principal{Issuer: theirs, ObjectID: "GUEST"}, true},
		{Principal{Issuer: ours, ObjectID: "guest"}, false},
		{Principal{Issuer: theirs, ObjectID: "both"}, true},
	} {
		if got := a.allows(tt.p, read, "acct", "cont"); got != tt.want {
			t.Errorf("%+v: %v", tt.p, got)
		}
	}
}

// TestDelegationKeysAreThoseOfAnIssuersObject: a key that another issuer's user has got for the
// same IDs signs nothing for ours.
func TestDelegationKeysAreThoseOfAnIssuersObject(t *testing.T) {
	const ours, theirs = "https://ours.test/", "https://theirs.test/"
	for _, tt := range []struct {
		of, role, trusted string
		want              string // of reading; "" for success
	}{
		{ours, ours, ours + " " + theirs, ""},
		{theirs, theirs, ours + " " + theirs, ""},
		{theirs, ours, ours + " " + theirs, "403 AuthorizationPermissionMismatch"},
		{theirs, ours, ours, "403 AuthenticationFailed"},
		{ours, ours, "", "403 AuthenticationFailed"},
	} {
		key := testDelegationKey
		key.Issuer = tt.of
		env := sasEnv(t)
		env.Issuers = strings.Fields(tt.trusted)
		env.Access = NewAccess([]Assignment{{Principal: testOID, Issuer: tt.role, Role: RoleContributor}}, nil)
		g, err := Authenticate(target("GET", "cont", "dir/b", delegationSAS(t, key, func(*SAS) {}, nil)), env)
		if err == nil {
			err = g.Allow(PermGetBlob, Resource{Container: "cont", Blob: "dir/b"})
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(detailOf(err), tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
