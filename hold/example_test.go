package hold_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/leasehold/leasehold/hold"
	"github.com/leasehold/leasehold/hold/holdtest"
)

// The examples run against a store in memory. With a real one, the clients come from the SDK.
var store = holdtest.NewStore()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// put writes a text to a blob, and makes it if it does not exist.
func put(c *blockblob.Client, text string, conditions *blob.AccessConditions) (blockblob.UploadResponse, error) {
	return c.Upload(context.Background(), streaming.NopCloser(strings.NewReader(text)), &blockblob.UploadOptions{AccessConditions: conditions})
}

// One piece of code, in one place at a time.
func Example() {
	client := must(hold.New(hold.Blob(store.Blob("locks", "nightly")), nil))
	o := &hold.LockOptions{CreateIfMissing: true}
	err := client.Do(context.Background(), o, func(ctx context.Context, l *hold.Lock) error {
		fmt.Println("working") // as long as ctx lives
		return nil
	})
	fmt.Println(err)
	// Output:
	// working
	// <nil>
}

// A target from the account's connection string. For a URL with a shared access signature, or an
// identity, see Open.
func ExampleBlob() {
	const connection = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"
	service := must(azblob.NewClientFromConnectionString(connection, nil))
	target := hold.Blob(service.ServiceClient().NewContainerClient("locks").NewBlockBlobClient("nightly"))
	fmt.Println(target)
	// Output: https://acct.blob.core.windows.net/locks/nightly
}

func ExampleOpen() {
	target := must(hold.Open("https://acct.blob.core.windows.net/locks/nightly?sv=2026-02-06&sig=c2lnbmF0dXJl", nil, nil))
	fmt.Println(target) // signatures are not shown
	// Output: https://acct.blob.core.windows.net/locks/nightly
}

// The operations of the protocol by themselves: nothing is renewed for you.
func ExampleClient_Acquire() {
	ctx, c := context.Background(), store.Blob("docs", "report")
	must(put(c, "draft", nil))
	client := must(hold.New(hold.Blob(c), nil))

	grant := must(client.Acquire(ctx, 30*time.Second, nil))
	_, err := client.Acquire(ctx, 30*time.Second, nil)
	fmt.Println("again:", errors.Is(err, hold.ErrHeld))

	must(client.Renew(ctx, grant.ID, nil))
	grant = must(client.Change(ctx, grant.ID, hold.NewID(), nil))
	fmt.Println("state:", must(client.Inspect(ctx)).State)

	fmt.Println("released:", client.Release(ctx, grant.ID, nil))
	fmt.Println("state:", must(client.Inspect(ctx)).State)
	// Output:
	// again: true
	// state: leased
	// released: <nil>
	// state: available
}

// Ending a lease whose ID nobody knows any more.
func ExampleClient_Break() {
	ctx := context.Background()
	client := must(hold.New(hold.Blob(store.Blob("locks", "orphan")), nil))
	must(client.TryLock(ctx, &hold.LockOptions{CreateIfMissing: true, Duration: hold.Infinite}))

	left := must(client.Break(ctx, nil))
	fmt.Println("free after", left)
	defer must(client.TryLock(ctx, nil)).Release(ctx)
	fmt.Println("locked again")
	// Output:
	// free after 0s
	// locked again
}

// A lease on a container guards it against deletion.
func ExampleContainer() {
	ctx, c := context.Background(), store.Container("precious")
	client := must(hold.New(hold.Container(c), nil))
	grant := must(client.Acquire(ctx, hold.Infinite, nil))

	_, err := c.Delete(ctx, nil)
	fmt.Println(bloberror.HasCode(err, bloberror.LeaseIDMissing))

	fmt.Println(client.Release(ctx, grant.ID, nil))
	_, err = c.Delete(ctx, nil)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
	// <nil>
}

// Who holds it?
func ExampleHeldError() {
	ctx := context.Background()
	client := must(hold.New(hold.Blob(store.Blob("locks", "import")), nil))
	o := &hold.LockOptions{CreateIfMissing: true, Describe: &hold.Holder{Name: "importer", Host: "h1", Note: "March"}}
	defer must(client.TryLock(ctx, o)).Release(ctx)

	_, err := client.TryLock(ctx, o)
	var held *hold.HeldError
	if errors.As(err, &held) {
		fmt.Println(held.State, held.Holder.Name, held.Holder.Host, held.Holder.Note)
	}
	// Output: leased importer h1 March
}

// Pessimistic concurrency: nobody else can write the blob while the lock is held, and a writer who
// has lost it is refused by the store.
func ExampleLock_AccessConditions() {
	ctx, c := context.Background(), store.Blob("docs", "ledger")
	client := must(hold.New(hold.Blob(c), nil))
	lock := must(client.Lock(ctx, &hold.LockOptions{CreateIfMissing: true}))

	_, err := put(c, "by somebody", nil)
	fmt.Println("without the lease:", bloberror.HasCode(err, bloberror.LeaseIDMissing))
	_, err = put(c, "by the holder", lock.AccessConditions())
	fmt.Println("with the lease:", err)

	lock.Release(ctx)
	_, err = put(c, "too late", lock.AccessConditions())
	fmt.Println("afterwards:", bloberror.HasCode(err, bloberror.LeaseNotPresentWithBlobOperation))
	// Output:
	// without the lease: true
	// with the lease: <nil>
	// afterwards: true
}

// Optimistic concurrency needs no lease: write only if nobody else did since you read.
func Example_optimistic() {
	c := store.Blob("docs", "counter")
	read := must(put(c, "1", nil)).ETag
	must(put(c, "2", nil)) // somebody else

	unchanged := &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: read}}
	_, err := put(c, "1 and one more", unchanged)
	fmt.Println(bloberror.HasCode(err, bloberror.ConditionNotMet)) // read again, and try again
	// Output: true
}

// A number that tells early holders from late ones, for resources that know nothing of leases.
func ExampleLock_Epoch() {
	ctx := context.Background()
	client := must(hold.New(hold.Blob(store.Blob("locks", "printer")), nil))
	highest := uint64(0) // kept by the resource
	printer := func(epoch uint64, page string) {
		if epoch < highest {
			fmt.Println("refused:", page)
			return
		}
		highest = epoch
		fmt.Println("printed:", page)
	}
	o := &hold.LockOptions{CreateIfMissing: true, Epoch: true}
	first := must(client.Lock(ctx, o))
	first.Release(ctx)
	second := must(client.Lock(ctx, o))
	defer second.Release(ctx)

	early, _ := first.Epoch()
	late, _ := second.Epoch()
	printer(late, "second")
	printer(early, "first, who was asleep")
	// Output:
	// printed: second
	// refused: first, who was asleep
}

// Many locks at once: each is a goroutine, and all share the connections of the SDK's client.
func ExampleClient_Lock() {
	ctx := context.Background()
	var all sync.WaitGroup
	locks := make([]*hold.Lock, 100)
	for i := range locks {
		client := must(hold.New(hold.Blob(store.Blob("shards", fmt.Sprint(i))), nil))
		all.Go(func() { locks[i] = must(client.Lock(ctx, &hold.LockOptions{CreateIfMissing: true})) })
	}
	all.Wait()
	live := 0
	for _, l := range locks {
		if l.Context().Err() == nil {
			live++
		}
		all.Go(func() { l.Release(ctx) })
	}
	all.Wait()
	fmt.Println(live)
	// Output: 100
}

// Handing a lock over to another process without letting anyone in between.
func ExampleLock_HandOff() {
	ctx := context.Background()
	client := must(hold.New(hold.Blob(store.Blob("locks", "relay")), nil))
	id := must(client.Lock(ctx, &hold.LockOptions{CreateIfMissing: true})).HandOff()

	other := must(client.Adopt(ctx, id, nil)) // in the other process, within the rest of the duration
	fmt.Println(other.Context().Err(), other.Release(ctx))
	// Output: <nil> <nil>
}

func ExampleElection() {
	target := hold.Blob(store.Blob("locks", "leader"))
	election := must(hold.NewElection(target, &hold.ElectionOptions{
		Lock: hold.LockOptions{CreateIfMissing: true, Describe: &hold.Holder{Name: "candidate 1"}},
	}))
	err := election.Run(context.Background(), func(ctx context.Context, term hold.Term) error {
		leader := must(election.Leader(ctx))
		fmt.Println("term", term.Number, "of", leader.Holder.Name)
		return nil // resign; or return ctx.Err() when ctx ends, to lead again if the term was lost
	})
	fmt.Println(err)
	// Output:
	// term 1 of candidate 1
	// <nil>
}

func ExampleNewLocker() {
	client := must(hold.New(hold.Blob(store.Blob("locks", "simple")), nil))
	var mutex sync.Locker = hold.NewLocker(client, &hold.LockOptions{CreateIfMissing: true})
	mutex.Lock()
	defer mutex.Unlock()
	fmt.Println("locked")
	// Output: locked
}
