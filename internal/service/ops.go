package service

import (
	"net/http"
	"slices"
	"strings"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/wire"
)

// Operation is one row of the table that drives everything: which requests it is
// for, who may send them, how they treat their resource, and what runs.
type Operation struct {
	Name   string // the operation ID of the published API description
	On     wire.Selector
	Needs  auth.Permission
	Use    use
	Status int // of success
	// HashesMD5 tells that the MD5 of the body is always computed, because it is kept.
	HashesMD5 bool
	run       handler
}

// Arguments describes what the operation reads from a request.
func (op *Operation) Arguments() []wire.Field { return wire.Fields(op.run.args) }

// Results describes what a success is answered with.
func (op *Operation) Results() []wire.Field { return wire.Fields(op.run.results) }

// unreadConditions lists the conditional headers that the operation does not read and so
// has to refuse: who sent one relies on it (docs/reference/conditions-and-errors.md 2.2). Lease
// Container passes over conditions on the ETag (docs/reference/leases.md 2.4).
func (op *Operation) unreadConditions() (names []string) {
	read := op.Arguments()
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "x-ms-if-tags"} {
		has := func(f wire.Field) bool { return f.Name == name }
		passed := strings.HasSuffix(name, "Match") && op.On.Level == wire.LevelContainer && op.Use == useLease
		if !slices.ContainsFunc(read, has) && !passed {
			names = append(names, http.CanonicalHeaderKey(name))
		}
	}
	return names
}

// Levels and selectors, short, so that a row is a line.
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
		{"Service_ListContainersSegment", onService("GET", "", "list"), auth.PermListContainers, useNothing, 200, false, view(doListContainers)},
		{"Service_GetAccountInfo", anywhere, auth.PermGetAccountInfo, useNothing, 200, false, view(doGetAccountInfo)},
	}
}

func containerOperations() []Operation {
	return []Operation{
		{"Container_Create", onContainer("PUT", ""), auth.PermCreateContainer, useNothing, 201, false, update(doCreateContainer)},
		{"Container_GetProperties", onContainer("GET,HEAD", ""), auth.PermGetContainerProperties, useRead, 200, false, withExtensions(view(doGetContainer))},
		{"Container_Delete", onContainer("DELETE", ""), auth.PermDeleteContainer, useDelete, 202, false, deletedAgain(single((*call).changeAndTell, doDeleteContainer))},
		{"Container_GetMetadata", onContainer("GET,HEAD", "metadata"), auth.PermGetContainerProperties, useRead, 200, false, view(doGetContainerMetadata)},
		{"Container_SetMetadata", onContainer("PUT", "metadata"), auth.PermSetContainerMetadata, useModify, 200, false, update(doSetContainerMetadata)},
		{"Container_ListBlobs", onContainer("GET", "list"), auth.PermListBlobs, useUnguarded, 200, false, view(doListBlobs)},
		{"Container_AcquireLease", onContainer("PUT", "lease", actionHeader, "acquire"), auth.PermLeaseContainer, useLease, 201, false, leaseOperation[acquireContainer]((*call).acquireInTurn)},
		{"Container_RenewLease", onContainer("PUT", "lease", actionHeader, "renew"), auth.PermLeaseContainer, useLease, 200, false, leaseOperation[renewContainer]((*call).change)},
		{"Container_ChangeLease", onContainer("PUT", "lease", actionHeader, "change"), auth.PermLeaseContainer, useLease, 200, false, leaseOperation[changeContainer]((*call).change)},
		{"Container_ReleaseLease", onContainer("PUT", "lease", actionHeader, "release"), auth.PermLeaseContainer, useLease, 200, false, leaseOperation[releaseContainer]((*call).changeAndTell)},
		{"Container_BreakLease", onContainer("PUT", "lease", actionHeader, "break"), auth.PermBreakContainerLease, useLease, 202, false, breakOperation[breakContainer]()},
	}
}

func blobOperations() []Operation {
	return []Operation{
		{"Blob_Download", onBlob("GET", ""), auth.PermGetBlob, useRead, 200, false, withExtensions(readAgain(view(doGetBlob)))},
		{"Blob_GetProperties", onBlob("HEAD", ""), auth.PermGetBlob, useRead, 200, false, withExtensions(view(doGetProperties))},
		{"Blob_GetMetadata", onBlob("GET,HEAD", "metadata"), auth.PermGetBlob, useRead, 200, false, view(doGetMetadata)},
		{"Blob_SetMetadata", onBlob("PUT", "metadata"), auth.PermSetBlobMetadata, useWrite, 200, false, update(doSetMetadata)},
		{"Blob_SetHTTPHeaders", onBlob("PUT", "properties"), auth.PermSetBlobProperties, useWrite, 200, false, update(doSetProperties)},
		{"Blob_AcquireLease", onBlob("PUT", "lease", actionHeader, "acquire"), auth.PermLeaseBlob, useLease, 201, false, leaseOperation[acquireBlob]((*call).acquireInTurn)},
		{"Blob_RenewLease", onBlob("PUT", "lease", actionHeader, "renew"), auth.PermLeaseBlob, useLease, 200, false, leaseOperation[renewBlob]((*call).change)},
		{"Blob_ChangeLease", onBlob("PUT", "lease", actionHeader, "change"), auth.PermLeaseBlob, useLease, 200, false, leaseOperation[changeBlob]((*call).change)},
		{"Blob_ReleaseLease", onBlob("PUT", "lease", actionHeader, "release"), auth.PermLeaseBlob, useLease, 200, false, leaseOperation[releaseBlob]((*call).changeAndTell)},
		{"Blob_BreakLease", onBlob("PUT", "lease", actionHeader, "break"), auth.PermBreakLease, useLease, 202, false, breakOperation[breakBlob]()},
	}
}

func blockBlobOperations() []Operation {
	return []Operation{
		{"BlockBlob_Upload", onBlob("PUT", "", copySource, "-", blobType, "BlockBlob"), auth.PermPutBlob, useCreate, 201, true, ingest(doPutBlob)},
		{"BlockBlob_StageBlock", onBlob("PUT", "block", copySource, "-"), auth.PermPutBlock, useStage, 201, false, ingest(doPutBlock)},
		{"BlockBlob_CommitBlockList", onBlob("PUT", "blocklist"), auth.PermPutBlockList, useCreate, 201, false, update(doPutBlockList)},
		{"BlockBlob_GetBlockList", onBlob("GET", "blocklist"), auth.PermGetBlockList, useStaged, 200, false, view(doGetBlockList)},
	}
}
