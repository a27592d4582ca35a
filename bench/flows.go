package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
)

// The measures of the flows, the same in bench/sdk/flows.py and bench/sdk/flows.mjs.
const (
	smallBlobs  = 1000
	smallSize   = 1 << 10
	largeSize   = 256 << 20
	leaseCycles = 1000
	flowWorkers = 16
	listedBlobs = 100_000
)

// flowNames are the flows in the order in which they run.
var flowNames = []string{"upload small", "download small", "upload large", "download large", "list", "leases"}

// goFlows runs the flows with the Azure SDK for Go, and returns the seconds of each.
func goFlows(ctx context.Context, connection, name, filled string) (map[string]float64, error) {
	s, err := service.NewClientFromConnectionString(connection, nil)
	if err != nil {
		return nil, err
	}
	box := s.NewContainerClient(name)
	if _, err := box.Create(ctx, nil); err != nil {
		return nil, err
	}
	small, large := bytes.Repeat([]byte("x"), smallSize), bytes.Repeat([]byte("x"), largeSize)
	each := func(do func(*blockblob.Client) error) error {
		return inParallel(flowWorkers, smallBlobs, func(i int) error {
			return do(box.NewBlockBlobClient(fmt.Sprintf("small/%04d", i)))
		})
	}
	flows := map[string]func() error{
		"upload small": func() error {
			return each(func(c *blockblob.Client) error {
				_, err := c.Upload(ctx, streaming.NopCloser(bytes.NewReader(small)), nil)
				return err
			})
		},
		"download small": func() error {
			return each(func(c *blockblob.Client) error {
				r, err := c.DownloadStream(ctx, nil)
				if err != nil {
					return err
				}
				defer r.Body.Close()
				_, err = io.Copy(io.Discard, r.Body)
				return err
			})
		},
		"upload large": func() error {
			_, err := box.NewBlockBlobClient("large").UploadBuffer(ctx, large, &blockblob.UploadBufferOptions{Concurrency: 4})
			return err
		},
		"download large": func() error {
			_, err := box.NewBlockBlobClient("large").DownloadBuffer(ctx, large, nil)
			return err
		},
		"list":   func() error { return listAll(ctx, s.NewContainerClient(filled)) },
		"leases": func() error { return cycleLeases(ctx, box.NewBlockBlobClient("small/0000")) },
	}
	took := make(map[string]float64)
	for _, flow := range flowNames {
		began := time.Now()
		if err := flows[flow](); err != nil {
			return nil, fmt.Errorf("%s: %w", flow, err)
		}
		took[flow] = time.Since(began).Seconds()
	}
	_, err = box.Delete(ctx, nil)
	return took, err
}

// listAll lists a container to its end.
func listAll(ctx context.Context, box *container.Client) error {
	pages := box.NewListBlobsFlatPager(nil)
	for pages.More() {
		if _, err := pages.NextPage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// cycleLeases acquires and releases the lease of a blob, again and again.
func cycleLeases(ctx context.Context, c *blockblob.Client) error {
	l, err := lease.NewBlobClient(c, nil)
	for i := 0; i < leaseCycles && err == nil; i++ {
		if _, err = l.AcquireLease(ctx, 15, nil); err == nil {
			_, err = l.ReleaseLease(ctx, nil)
		}
	}
	return err
}

// fillListed makes a container of n empty blobs to list.
func fillListed(ctx context.Context, connection, name string, n int) error {
	s, err := service.NewClientFromConnectionString(connection, nil)
	if err != nil {
		return err
	}
	box := s.NewContainerClient(name)
	if _, err := box.Create(ctx, nil); err != nil {
		return err
	}
	return inParallel(64, n, func(i int) error {
		o := &blockblob.UploadOptions{Metadata: map[string]*string{"i": to.Ptr(fmt.Sprint(i))}}
		_, err := box.NewBlockBlobClient(fmt.Sprintf("blob-%06d", i)).Upload(ctx, streaming.NopCloser(bytes.NewReader(nil)), o)
		return err
	})
}

// inParallel calls do with 0 to n-1 from a number of goroutines, and returns the first error.
func inParallel(workers, n int, do func(int) error) error {
	var all sync.WaitGroup
	next, failed := make(chan int), make(chan error, workers)
	for range workers {
		all.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
