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
	// A wildcard over control actions says nothing about data actions, though it would match their names.
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
	a := NewAccess([]Assignment{{Principal: "Group", Role: RoleReader}}, map[string][]string{"GROUP": {"Member"}})
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
