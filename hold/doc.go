// Package hold keeps leases on blobs and containers of Azure Blob Storage, and of every store that
// speaks its protocol: it is a lock and a leader election for programs that have blob storage and
// nothing else.
//
// A [Client] has the operations of the protocol (Acquire, Renew, Change, Release, Break) and two to
// look at a lease (Inspect, Watch). A [Lock] is a lease that stays held: it is renewed in the
// background, its context ends before anyone else can get the lease, and it is given up in the end.
// An [Election] is a lock that is campaigned for again.
//
//	target := hold.Blob(blobClient) // or hold.Container, or hold.Open
//	client, err := hold.New(target, nil)
//	…
//	err = client.Do(ctx, &hold.LockOptions{CreateIfMissing: true}, func(ctx context.Context, l *hold.Lock) error {
//		return work(ctx) // one at a time, everywhere; has to stop when ctx ends
//	})
//
// # What is guaranteed
//
// No two locks on one target have live contexts at the same moment, under these assumptions:
//
//   - The store keeps its word: it gives a lease to nobody else before its duration has passed since the last acquire
//     or renewal it answered, unless it was released or broken.
//   - The rates of the clocks of this machine and of the store differ by less than LockOptions.Margin in one
//     LockOptions.Duration. That the clocks agree is not assumed.
//   - While the machine sleeps, so that its monotonic clock stands still, its wall clock goes on, and is not set back in
//     the same second.
//   - Nobody breaks the lease with a period shorter than the rest of its time, deletes the target (which, while it is
//     leased, takes the ID), or releases with an ID that is not his.
//
// Nothing is assumed about the network: requests and answers may be lost, delayed, doubled and
// reordered. A lease that is lost for certain (broken, taken, or gone) ends the context as soon as
// a renewal learns of it. Everything else, such as errors of servers, name resolution or
// credentials, is retried until the local deadline.
//
// # What is not
//
// A context that has ended stops no machine instruction. A process that is stopped between looking
// at the context and acting, for as long as the lease lasts, acts late, and no client of any lock
// service can prevent that. Where a late act would do harm, use a fence: the lease ID as a
// condition of writes of the leased blob ([Lock.AccessConditions]), or a rising number that other
// resources compare ([Lock.Epoch]).
//
// A lease says nothing about fairness, and a request to acquire that is still on its way when its
// caller has gone may lease the target for one duration to nobody. Locks are not reentrant.
//
// # Stability
//
// The module follows semantic versioning. While its version begins with v0, a minor version may
// change the interface, and CHANGELOG.md says how; a patch version never does. The labels of
// EventKind and Reason, the metadata names of Holder and the epoch, and the conventions read from
// others don't change within a major version: programs of different versions share locks. New
// fields of option structs, new kinds of events and new reasons may come at any time, so a switch
// over those needs a default. The behaviour against the real service is the contract, and its
// documentation decides where this package is in doubt.
package hold
