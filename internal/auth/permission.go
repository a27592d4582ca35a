package auth

import (
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// Letters is a set of permission letters of shared access signatures, any one of which suffices.
// The empty set means that no signature suffices, AnyLetter that every signature does.
type Letters string

// AnyLetter is the set that every signature meets.
const AnyLetter Letters = "*"

// in reports whether one of the letters is granted.
func (l Letters) in(granted string) bool {
	return l == AnyLetter || l != "" && strings.ContainsAny(granted, string(l))
}

// Action is an action of role definitions without its prefix [ActionPrefix], such as
// "containers/blobs/read".
type Action string

// ActionPrefix begins the full name of every action.
const ActionPrefix = "Microsoft.Storage/storageAccounts/blobServices/"

// The actions that operations need. Those below containers/blobs/ are data actions, the others
// control actions that the data endpoint honours too.
const (
	ActionAuthenticated   Action = "*" // none: any verified token will do
	ActionReadService     Action = "read"
	ActionWriteService    Action = "write"
	ActionDelegationKey   Action = "generateUserDelegationKey/action"
	ActionReadContainer   Action = "containers/read"
	ActionWriteContainer  Action = "containers/write"
	ActionDeleteContainer Action = "containers/delete"
	ActionGetACL          Action = "containers/getAcl/action"
	ActionSetACL          Action = "containers/setAcl/action"
	ActionReadBlob        Action = "containers/blobs/read"
	ActionWriteBlob       Action = "containers/blobs/write"
	ActionAddBlob         Action = "containers/blobs/add/action"
	ActionDeleteBlob      Action = "containers/blobs/delete"
	ActionDeleteVersion   Action = "containers/blobs/deleteBlobVersion/action"
	ActionDeleteForever   Action = "containers/blobs/permanentDelete/action"
	ActionReadTags        Action = "containers/blobs/tags/read"
	ActionWriteTags       Action = "containers/blobs/tags/write"
	ActionFindBlobs       Action = "containers/blobs/filter/action"
	ActionImmutability    Action = "containers/blobs/immutableStorage/runAsSuperUser/action"
)

// data reports whether the action is a data action.
func (a Action) data() bool { return strings.HasPrefix(string(a), "containers/blobs/") }

// PublicAccess is how far a container is open to requests without credentials, ascending.
type PublicAccess uint8

// The public access levels of containers.
const (
	PublicNone      PublicAccess = iota // nothing
	PublicBlob                          // reading blobs whose names are known
	PublicContainer                     // also listing blobs and reading the container's properties
)

// Permission is what an operation needs, declared by its row. The zero value is granted to account
// keys only.
type Permission struct {
	Name string // of the operation or group of operations, for documents and logs

	// Scoped holds the letters of a service or user delegation SAS that suffice; ScopedNew holds
	// the letters that suffice if the operation creates the resource.
	Scoped, ScopedNew Letters
	// Type is the resource type an account SAS must name: 's' service, 'c' container, 'o' object, 0
	// any. Account and AccountNew are its letters.
	Type                byte
	Account, AccountNew Letters
	// Break holds letters that suffice for any SAS from version 2017-07-29 on.
	Break Letters
	// Actions lists the actions of which a role must grant one; ActionsNew lists the actions that
	// suffice to create.
	Actions, ActionsNew []Action
	// Public is the level a container needs for the operation to be open to everybody; PublicNone
	// means never.
	Public PublicAccess
	// Open operations need no credentials and no level.
	Open bool
	// OfVersion operations act on the snapshot or version that the query names. Only they can be
	// granted by a SAS for one.
	OfVersion bool
	// WholeContainer operations see all of a container: a SAS for a directory never grants them.
	WholeContainer bool
	// TokenOnly operations are refused to account keys.
	TokenOnly bool
	// Unfit is the code of the refusal if the kind of credential never suffices; "" stands for
	// AuthorizationFailure.
	Unfit fault.Code
}

// unfit returns the error for a kind of credential that never suffices.
func (p Permission) unfit() error {
	if p.TokenOnly {
		return fault.NotAuthenticated("Only authentication scheme Bearer is supported")
	}
	if p.Unfit != "" {
		return p.Unfit
	}
	return fault.AuthorizationFailure
}

// Sets of actions that several permissions share.
var (
	read      = []Action{ActionReadBlob}
	write     = []Action{ActionWriteBlob}
	add       = []Action{ActionAddBlob}
	addWrite  = []Action{ActionAddBlob, ActionWriteBlob}
	cRead     = []Action{ActionReadContainer}
	cWrite    = []Action{ActionWriteContainer}
	superUser = []Action{ActionImmutability}
)

// Permissions of operations on the account.
var (
	PermPreflight            = Permission{Name: "Preflight", Open: true, Scoped: AnyLetter, Account: AnyLetter, Actions: []Action{ActionAuthenticated}}
	PermListContainers       = Permission{Name: "ListContainers", Type: 's', Account: "l", Actions: cRead}
	PermGetServiceProperties = Permission{Name: "GetServiceProperties", Type: 's', Account: "r", Actions: []Action{ActionReadService}}
	PermSetServiceProperties = Permission{Name: "SetServiceProperties", Type: 's', Account: "w", Actions: []Action{ActionWriteService}}
	PermGetServiceStats      = Permission{Name: "GetServiceStats", Type: 's', Account: "r", Actions: []Action{ActionReadService}}
	PermGetUserDelegationKey = Permission{Name: "GetUserDelegationKey", TokenOnly: true, Actions: []Action{ActionDelegationKey}}
	PermGetAccountInfo       = Permission{Name: "GetAccountInfo", Scoped: AnyLetter, Account: AnyLetter, Actions: []Action{ActionAuthenticated}}
	PermFindBlobs            = Permission{Name: "FindBlobs", Type: 'o', Account: "f", Actions: []Action{ActionFindBlobs}}
	PermBatch                = Permission{Name: "Batch", Account: AnyLetter, Unfit: fault.AuthenticationFailed, Actions: []Action{ActionAuthenticated}}
)

// Permissions of operations on containers. Get Container Properties and Get Container Metadata
// share one.
var (
	PermCreateContainer        = Permission{Name: "CreateContainer", Type: 'c', Account: "cw", Actions: cWrite}
	PermGetContainerProperties = Permission{Name: "GetContainerProperties", Type: 'c', Account: "r", Actions: cRead, Public: PublicContainer}
	PermSetContainerMetadata   = Permission{Name: "SetContainerMetadata", Type: 'c', Account: "w", Actions: cWrite}
	PermDeleteContainer        = Permission{Name: "DeleteContainer", Type: 'c', Account: "d", Actions: []Action{ActionDeleteContainer}}
	PermGetContainerACL        = Permission{Name: "GetContainerACL", Actions: []Action{ActionGetACL}}
	PermSetContainerACL        = Permission{Name: "SetContainerACL", Actions: []Action{ActionSetACL}}
	PermLeaseContainer         = Permission{Name: "LeaseContainer", Type: 'c', Account: "w", Actions: cWrite}
	PermBreakContainerLease    = Permission{Name: "BreakContainerLease", Type: 'c', Account: "w", Break: "d", Actions: cWrite}
	PermListBlobs              = Permission{Name: "ListBlobs", Type: 'c', Scoped: "l", Account: "l", Actions: read, Public: PublicContainer}
	PermFindContainerBlobs     = Permission{Name: "FindContainerBlobs", Type: 'c', Scoped: "f", Account: "f", Actions: []Action{ActionFindBlobs}, WholeContainer: true}
	PermRestoreContainer       = Permission{Name: "RestoreContainer", Type: 'c', Account: "w", Actions: cWrite}
	PermContainerBatch         = Permission{Name: "ContainerBatch", Scoped: AnyLetter, Account: AnyLetter, Actions: cWrite}
)

// Permissions of operations on blobs of any type. PermGetBlob also covers properties, metadata and
// being the source of a copy; PermLeaseBlob every lease action but break. Deleting a version, and
// deleting for good a blob that is soft-deleted, have permissions of their own.
var (
	PermGetBlob           = Permission{Name: "GetBlob", Type: 'o', Scoped: "r", Account: "r", Actions: read, Public: PublicBlob, OfVersion: true}
	PermDeleteBlob        = Permission{Name: "DeleteBlob", Type: 'o', Scoped: "d", Account: "d", Actions: []Action{ActionDeleteBlob}, OfVersion: true}
	PermDeleteVersion     = Permission{Name: "DeleteVersion", Type: 'o', Scoped: "x", Account: "x", Actions: []Action{ActionDeleteVersion}, OfVersion: true}
	PermDeletePermanently = Permission{Name: "DeletePermanently", Type: 'o', Scoped: "y", Account: "y", Actions: []Action{ActionDeleteForever}, OfVersion: true}
	PermUndeleteBlob      = Permission{Name: "UndeleteBlob", Type: 'o', Scoped: "w", Account: "w", Actions: write}
	PermSetBlobProperties = Permission{Name: "SetBlobProperties", Type: 'o', Scoped: "w", Account: "w", Actions: write}
	PermSetBlobMetadata   = Permission{Name: "SetBlobMetadata", Type: 'o', Scoped: "w", Account: "w", Actions: write}
	PermSnapshotBlob      = Permission{Name: "SnapshotBlob", Type: 'o', Scoped: "cw", Account: "cw", Actions: addWrite}
	PermLeaseBlob         = Permission{Name: "LeaseBlob", Type: 'o', Scoped: "w", Account: "w", Actions: write}
	PermBreakLease        = Permission{Name: "BreakLease", Type: 'o', Scoped: "w", Account: "w", Break: "d", Actions: write}
	PermCopyBlob          = Permission{Name: "CopyBlob", Type: 'o', Scoped: "w", ScopedNew: "c", Account: "w", AccountNew: "c", Actions: write, ActionsNew: add}
	PermCopyBlobFromURL   = Permission{Name: "CopyBlobFromURL", Type: 'o', Scoped: "w", ScopedNew: "c", Account: "w", AccountNew: "c", Actions: write}
	PermAbortCopy         = Permission{Name: "AbortCopy", Type: 'o', Scoped: "w", Account: "w", Actions: write}
	PermSetTier           = Permission{Name: "SetTier", Type: 'o', Scoped: "w", Account: "w", Actions: write, OfVersion: true}
	PermGetTags           = Permission{Name: "GetTags", Type: 'o', Scoped: "t", Account: "t", Actions: []Action{ActionReadTags}, OfVersion: true}
	PermSetTags           = Permission{Name: "SetTags", Type: 'o', Scoped: "t", Account: "t", Actions: []Action{ActionWriteTags}, OfVersion: true}
	PermSetExpiry         = Permission{Name: "SetExpiry", Type: 'o', Scoped: "w", Account: "w", Actions: write}
	PermSetImmutability   = Permission{Name: "SetImmutability", Type: 'o', Scoped: "i", Account: "i", Actions: superUser, OfVersion: true}
	PermSetLegalHold      = Permission{Name: "SetLegalHold", Type: 'o', Scoped: "i", Account: "i", Actions: superUser, OfVersion: true}
)

// Permissions of operations on blobs of one type. PermPutBlob serves all three types.
// PermGetBlockList is for committed blocks; uncommitted ones, or both, need
// PermGetUncommittedBlocks.
var (
	PermPutBlob              = Permission{Name: "PutBlob", Type: 'o', Scoped: "w", ScopedNew: "c", Account: "w", AccountNew: "c", Actions: write, ActionsNew: add}
	PermPutBlobFromURL       = Permission{Name: "PutBlobFromURL", Type: 'o', Scoped: "w", ScopedNew: "c", Account: "w", AccountNew: "c", Actions: write}
	PermPutBlock             = Permission{Name: "PutBlock", Type: 'o', Scoped: "w", ScopedNew: "c", Account: "w", Actions: write}
	PermPutBlockList         = Permission{Name: "PutBlockList", Type: 'o', Scoped: "w", ScopedNew: "c", Account: "w", Actions: write}
	PermGetBlockList         = Permission{Name: "GetBlockList", Type: 'o', Scoped: "r", Account: "r", Actions: read, Public: PublicBlob, OfVersion: true}
	PermGetUncommittedBlocks = Permission{Name: "GetUncommittedBlocks", Type: 'o', Scoped: "r", Account: "r", Actions: read, OfVersion: true}
	PermQueryBlob            = Permission{Name: "QueryBlob", Type: 'o', Scoped: "r", Account: "r", Actions: read, OfVersion: true}
	PermPutPage              = Permission{Name: "PutPage", Type: 'o', Scoped: "w", Account: "w", Actions: write}
	PermGetPageRanges        = Permission{Name: "GetPageRanges", Type: 'o', Scoped: "r", Account: "r", Actions: read, Public: PublicBlob, OfVersion: true}
	PermIncrementalCopy      = Permission{Name: "IncrementalCopy", Type: 'o', Scoped: "w", ScopedNew: "c", Account: "w", AccountNew: "c", Actions: write, ActionsNew: add}
	PermAppendBlock          = Permission{Name: "AppendBlock", Type: 'o', Scoped: "aw", Account: "aw", Actions: addWrite}
	PermSealAppendBlob       = Permission{Name: "SealAppendBlob", Type: 'o', Scoped: "cw", Account: "w", Actions: write}
)
