package auth

import (
	"slices"
	"strings"
)

// Role is a role definition. Actions are full names, in which '*' stands for any text; case does
// not count.
type Role struct {
	ID          string // GUID
	Name        string
	Actions     []string // on the account and its containers
	DataActions []string // on blobs
}

// The built-in roles.
var (
	RoleOwner = &Role{
		ID:          "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
		Name:        "Storage Blob Data Owner",
		Actions:     []string{ActionPrefix + "containers/*", ActionPrefix + "generateUserDelegationKey/action"},
		DataActions: []string{ActionPrefix + "containers/blobs/*"},
	}
	RoleContributor = &Role{
		ID:   "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
		Name: "Storage Blob Data Contributor",
		Actions: []string{
			ActionPrefix + "containers/delete", ActionPrefix + "containers/read", ActionPrefix + "containers/write",
			ActionPrefix + "generateUserDelegationKey/action",
		},
		DataActions: []string{
			ActionPrefix + "containers/blobs/delete", ActionPrefix + "containers/blobs/read", ActionPrefix + "containers/blobs/write",
			ActionPrefix + "containers/blobs/move/action", ActionPrefix + "containers/blobs/add/action",
		},
	}
	RoleReader = &Role{
		ID:          "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
		Name:        "Storage Blob Data Reader",
		Actions:     []string{ActionPrefix + "containers/read", ActionPrefix + "generateUserDelegationKey/action"},
		DataActions: []string{ActionPrefix + "containers/blobs/read"},
	}
	RoleDelegator = &Role{
		ID:      "db58b8e5-c6ad-4a2a-8342-4190687cbf4a",
		Name:    "Storage Blob Delegator",
		Actions: []string{ActionPrefix + "generateUserDelegationKey/action"},
	}
)

// RoleAccountContributor is the built-in role for managing accounts. At the data endpoint it grants
// the properties of the service, containers and user delegation keys, but nothing on blobs.
var RoleAccountContributor = &Role{
	ID:      "17d1049b-9a84-46fb-8f53-869881c3d3ab",
	Name:    "Storage Account Contributor",
	Actions: []string{"Microsoft.Storage/storageAccounts/*"},
}

// RoleNamed returns the built-in role with the ID or name, in any case; nil if there is none.
func RoleNamed(idOrName string) *Role {
	for _, r := range []*Role{RoleOwner, RoleContributor, RoleReader, RoleDelegator, RoleAccountContributor} {
		if strings.EqualFold(idOrName, r.ID) || strings.EqualFold(idOrName, r.Name) {
			return r
		}
	}
	return nil
}

// grants reports whether the role includes the action.
func (r *Role) grants(a Action) bool {
	patterns := r.Actions
	if a.data() {
		patterns = r.DataActions
	}
	name := strings.ToLower(ActionPrefix + string(a))
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(strings.ToLower(p), name) })
}

// matches reports whether text fits the pattern, in which '*' stands for any text.
func matches(pattern, text string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, head)
	if !ok {
		return false
	}
	for {
		var part string
		if part, rest, star = strings.Cut(rest, "*"); !star {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
}

// Object is a user, an application or a group of an issuer.
type Object struct {
	Issuer string // as tokens name it
	ID     string // in any case
}

// folded returns the object with its ID in lower case, as it is looked up.
func (o Object) folded() Object { return Object{o.Issuer, strings.ToLower(o.ID)} }

// Assignment gives a role to a principal on an account, or on one of its containers only.
type Assignment struct {
	Principal string // object ID of a user, application or group
	Issuer    string // whose object it is
	Role      *Role
	Account   string // "" for every account
	Container string // "" for the whole account
}

// Access is a set of role assignments, indexed for look-ups. It is safe for concurrent use; nil
// grants nothing.
type Access struct {
	assignments map[Object][]Assignment // by principal
	groups      map[Object][]Object     // by member
}

// NewAccess returns the set of assignments. The groups list their members; they count besides the
// groups that a token lists, which are of the token's issuer.
func NewAccess(assignments []Assignment, groups map[Object][]Object) *Access {
	a := &Access{assignments: map[Object][]Assignment{}, groups: map[Object][]Object{}}
	for _, one := range assignments {
		who := Object{one.Issuer, one.Principal}.folded()
		a.assignments[who] = append(a.assignments[who], one)
	}
	for group, members := range groups {
		for _, m := range members {
			m = m.folded()
			a.groups[m] = append(a.groups[m], group.folded())
		}
	}
	return a
}

// allows reports whether the principal has a role that includes one of the actions on the
// container, or on the account if container is "". An assignment on a container says nothing about
// the account.
func (a *Access) allows(p Principal, actions []Action, account, container string) bool {
	if slices.Contains(actions, ActionAuthenticated) {
		return true
	}
	if a == nil || p.ObjectID == "" || len(actions) == 0 {
		return false
	}
	who := Object{p.Issuer, p.ObjectID}.folded()
	holds := func(o Object) bool { return a.hold(o, actions, account, container) }
	listed := func(group string) bool { return holds(Object{p.Issuer, group}.folded()) }
	return holds(who) || slices.ContainsFunc(a.groups[who], holds) || slices.ContainsFunc(p.Groups, listed)
}

// hold reports whether assignments to this very principal include one of the actions.
func (a *Access) hold(who Object, actions []Action, account, container string) bool {
	return slices.ContainsFunc(a.assignments[who], func(one Assignment) bool {
		return (one.Account == "" || one.Account == account) && (one.Container == "" || one.Container == container) &&
			slices.ContainsFunc(actions, one.Role.grants)
	})
}
