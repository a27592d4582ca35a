package service

import (
	"errors"
	"net/http"
	"slices"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/wire"
)

// Operation is one row of the table that drives everything: which requests belong to it, who may
// send them, how they treat their resource, and which function runs. Everything particular to an
// operation is in its row or in this function, and nowhere else.
type Operation struct {
	Name   string // the operation ID of the published API description
	On     wire.Selector
	Needs  auth.Permission
	Use    use
	Status int // of success
	// HashesMD5 is true if the MD5 of the body is always computed, because it is stored.
	HashesMD5 bool
	// Extended is true if the answer, even to a failure, offers the extensions to a client that
	// asks.
	Extended bool
	// Ignores lists conditional headers that the operation passes over. Other conditional headers
	// that it does not read are refused, because the client relies on them
	// (docs/reference/conditions-and-errors.md 2.2).
	Ignores []string
	// Also returns further keys that an update depends on; nil for none.
	Also func(*call) []kv.Key
	// Retry is the error after which the operation runs once more, if nothing has been answered.
	Retry error
	// Failed replaces a failure by the one to answer with, or writes the answer itself and returns
	// nil. Without it the failure is answered as it is.
	Failed func(*call, error) error
	// Run reads the arguments, runs the operation and writes the answer.
	Run handler

	unread []string // conditional headers that are refused
}

// etagConditions lists the conditional headers that Lease Container ignores
// (docs/reference/leases.md 2.4).
var etagConditions = []string{"If-Match", "If-None-Match"}

// Arguments describes what the operation reads from a request.
func (op *Operation) Arguments() []wire.Field { return wire.Fields(op.Run.args) }

// Results describes the answer of a success.
func (op *Operation) Results() []wire.Field { return wire.Fields(op.Run.results) }

// Rules describes how the operation treats its container or blob, for documentation: whether it
// must exist, what its lease demands, how conditional headers are judged, and on which blobs of
// limited use it works.
func (op *Operation) Rules() (rules []string) {
	if op.On.Level < wire.LevelContainer || op.On.AnyLevel {
		return nil
	}
	rules = op.Use.rules(op.On.Level == wire.LevelBlob)
	if op.Extended {
		rules = append(rules, "offers the extensions")
	}
	return rules
}

// unreadConditions lists the conditional headers that the operation refuses.
func (op *Operation) unreadConditions() (names []string) {
	read := op.Arguments()
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "x-ms-if-tags"} {
		has := func(f wire.Field) bool { return f.Name == name }
		if !slices.ContainsFunc(read, has) && !slices.Contains(op.Ignores, name) {
			names = append(names, http.CanonicalHeaderKey(name))
		}
	}
	return names
}

// serve runs the operation for a request that may send it.
func (op *Operation) serve(c *call) error {
	err := op.Run.serve(c)
	if op.Retry != nil && errors.Is(err, op.Retry) && c.req.Status == 0 {
		err = op.Run.serve(c)
	}
	if err != nil && op.Failed != nil {
		err = op.Failed(c, err)
	}
	if err != nil && op.Extended {
		err = c.offerExtensions(err)
	}
	return err
}

// Short names for levels and selectors, so that a row is a line.
func onService(method, restype, comp string) wire.Selector {
	return wire.Selector{Method: method, Level: wire.LevelService, Restype: restype, Comp: comp}
}

func onContainer(method, comp string, is ...string) wire.Selector {
	return wire.Selector{Method: method, Level: wire.LevelContainer, Restype: "container", Comp: comp, Header: headers(is)}
}

func onBlob(method, comp string, is ...string) wire.Selector {
	return wire.Selector{Method: method, Level: wire.LevelBlob, Comp: comp, Header: headers(is)}
}

// headers pairs names with the values they must have: "" for any, "-" for none.
func headers(pairs []string) (out []wire.HeaderIs) {
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, wire.HeaderIs{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}

const (
	actionHeader = "x-ms-lease-action"
	blobType     = "x-ms-blob-type"
	copySource   = "x-ms-copy-source"
)

// Operations returns the table of all operations.
func Operations() []Operation {
	var all []Operation
	all = append(all, serviceOperations()...)
	all = append(all, propertiesOperations()...)
	all = append(all, containerOperations()...)
	all = append(all, restoreOperations()...)
	all = append(all, accessOperations()...)
	all = append(all, blobOperations()...)
	all = append(all, historyOperations()...)
	all = append(all, copyOperations()...)
	all = append(all, blockBlobOperations()...)
	all = append(all, appendBlobOperations()...)
	all = append(all, tagOperations()...)
	all = append(all, pageBlobOperations()...)
	all = append(all, tierOperations()...)
	all = append(all, leaseListOperations()...)
	all = append(all, wormOperations()...)
	all = append(all, expiryOperations()...)
	all = append(all, batchOperations()...)
	all = append(all, queryOperations()...)
	return all
}

func serviceOperations() []Operation {
	anywhere := wire.Selector{Method: "GET,HEAD", AnyLevel: true, Restype: "account", Comp: "properties"}
	return []Operation{
		{
			Name: "Service_ListContainersSegment", Status: 200,
			On: onService("GET", "", "list"), Needs: auth.PermListContainers,
			Use: useNothing, Run: view(doListContainers),
		},
		{
			Name: "Service_GetAccountInfo", On: anywhere, Needs: auth.PermGetAccountInfo, Status: 200,
			Use: useNothing, Run: single((*call).unread, doGetAccountInfo),
		},
	}
}

func containerOperations() []Operation {
	return []Operation{
		{
			Name: "Container_Create", On: onContainer("PUT", ""), Needs: auth.PermCreateContainer, Status: 201,
			Use: useNothing, Run: update(doCreateContainer),
		},
		{
			Name: "Container_GetProperties", Status: 200,
			On: onContainer("GET,HEAD", ""), Needs: auth.PermGetContainerProperties,
			Use: useRead, Extended: true, Run: view(doGetContainer),
		},
		{
			Name: "Container_Delete", On: onContainer("DELETE", ""), Needs: auth.PermDeleteContainer, Status: 202,
			Use: useDelete, Also: gateContainer, Failed: failedDeletion, Run: update(doDeleteContainer),
		},
		{
			Name: "Container_GetMetadata", Status: 200,
			On: onContainer("GET,HEAD", "metadata"), Needs: auth.PermGetContainerProperties,
			Use: useRead, Run: view(doGetContainerMetadata),
		},
		{
			Name: "Container_SetMetadata", Status: 200,
			On: onContainer("PUT", "metadata"), Needs: auth.PermSetContainerMetadata,
			Use: useModify, Run: update(doSetContainerMetadata),
		},
		{
			Name: "Container_ListBlobs", On: onContainer("GET", "list"), Needs: auth.PermListBlobs, Status: 200,
			Use: useUnguarded, Run: view(doListBlobs),
		},
		{
			Name: "Container_AcquireLease", Status: 201,
			On: onContainer("PUT", "lease", actionHeader, "acquire"), Needs: auth.PermLeaseContainer,
			Use: useLease, Extended: true, Ignores: etagConditions, Run: inTurn(doLease[acquireContainer]),
		},
		{
			Name: "Container_RenewLease", Status: 200,
			On: onContainer("PUT", "lease", actionHeader, "renew"), Needs: auth.PermLeaseContainer,
			Use: useLease, Extended: true, Ignores: etagConditions, Run: update(doLease[renewContainer]),
		},
		{
			Name: "Container_ChangeLease", Status: 200,
			On: onContainer("PUT", "lease", actionHeader, "change"), Needs: auth.PermLeaseContainer,
			Use: useLease, Extended: true, Ignores: etagConditions, Run: update(doLease[changeContainer]),
		},
		{
			Name: "Container_ReleaseLease", Status: 200,
			On: onContainer("PUT", "lease", actionHeader, "release"), Needs: auth.PermLeaseContainer,
			Use: useEndLease, Extended: true, Ignores: etagConditions, Run: update(doLease[releaseContainer]),
		},
		{
			Name: "Container_BreakLease", Status: 202,
			On: onContainer("PUT", "lease", actionHeader, "break"), Needs: auth.PermBreakContainerLease,
			Use: useEndLease, Extended: true, Ignores: etagConditions, Run: update(doBreak[breakContainer]),
		},
	}
}

func blobOperations() []Operation {
	return []Operation{
		{
			Name: "Blob_Download", On: onBlob("GET", ""), Needs: auth.PermGetBlob, Status: 200,
			Use: useRead, Extended: true, Retry: segment.ErrNotFound, Run: view(doGetBlob),
		},
		{
			Name: "Blob_GetProperties", On: onBlob("HEAD", ""), Needs: auth.PermGetBlob, Status: 200,
			Use: useAttribute.on(onIncremental), Extended: true, Run: view(doGetProperties),
		},
		{
			Name: "Blob_GetMetadata", On: onBlob("GET,HEAD", "metadata"), Needs: auth.PermGetBlob, Status: 200,
			Use: useAttribute, Run: view(doGetMetadata),
		},
		{
			Name: "Blob_SetMetadata", On: onBlob("PUT", "metadata"), Needs: auth.PermSetBlobMetadata, Status: 200,
			Use: useWrite, Run: update(doSetMetadata),
		},
		{
			Name: "Blob_SetHTTPHeaders", On: onBlob("PUT", "properties"), Needs: auth.PermSetBlobProperties, Status: 200,
			Use: useWrite, Run: update(doSetProperties),
		},
		{
			Name: "Blob_AcquireLease", Status: 201,
			On: onBlob("PUT", "lease", actionHeader, "acquire"), Needs: auth.PermLeaseBlob,
			Use: useLease, Extended: true, Run: inTurn(doLease[acquireBlob]),
		},
		{
			Name: "Blob_RenewLease", Status: 200,
			On: onBlob("PUT", "lease", actionHeader, "renew"), Needs: auth.PermLeaseBlob,
			Use: useLease, Extended: true, Run: update(doLease[renewBlob]),
		},
		{
			Name: "Blob_ChangeLease", Status: 200,
			On: onBlob("PUT", "lease", actionHeader, "change"), Needs: auth.PermLeaseBlob,
			Use: useLease, Extended: true, Run: update(doLease[changeBlob]),
		},
		{
			Name: "Blob_ReleaseLease", Status: 200,
			On: onBlob("PUT", "lease", actionHeader, "release"), Needs: auth.PermLeaseBlob,
			Use: useEndLease, Extended: true, Run: update(doLease[releaseBlob]),
		},
		{
			Name: "Blob_BreakLease", Status: 202,
			On: onBlob("PUT", "lease", actionHeader, "break"), Needs: auth.PermBreakLease,
			Use: useEndLease, Extended: true, Run: update(doBreak[breakBlob]),
		},
	}
}

func blockBlobOperations() []Operation {
	withUncommitted, withAll := onBlob("GET", "blocklist"), onBlob("GET", "blocklist")
	withUncommitted.Query, withAll.Query = []string{"blocklisttype=uncommitted"}, []string{"blocklisttype=all"}
	return []Operation{
		{
			Name: "BlockBlob_Upload", Status: 201,
			On: onBlob("PUT", "", copySource, "-", blobType, "BlockBlob"), Needs: auth.PermPutBlob,
			Use: useCreate, HashesMD5: true, Run: ingest(doPutBlob),
		},
		{
			Name: "BlockBlob_StageBlock", Status: 201,
			On: onBlob("PUT", "block", copySource, "-"), Needs: auth.PermPutBlock,
			Use: useStage, Run: ingest(doPutBlock),
		},
		{
			Name: "BlockBlob_CommitBlockList", On: onBlob("PUT", "blocklist"), Needs: auth.PermPutBlockList, Status: 201,
			Use: useCreate, Run: update(doPutBlockList),
		},
		{
			Name: "BlockBlob_GetBlockList", On: withUncommitted, Needs: auth.PermGetUncommittedBlocks, Status: 200,
			Use: useStaged, Run: view(doGetBlockList),
		},
		{
			Name: "BlockBlob_GetBlockList", On: withAll, Needs: auth.PermGetUncommittedBlocks, Status: 200,
			Use: useStaged, Run: view(doGetBlockList),
		},
		{
			Name: "BlockBlob_GetBlockList", On: onBlob("GET", "blocklist"), Needs: auth.PermGetBlockList, Status: 200,
			Use: useStaged, Run: view(doGetBlockList),
		},
	}
}
