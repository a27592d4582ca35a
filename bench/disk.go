package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// syncPage is what is written before each sync: about what a log gets for one lease operation.
const syncPage = 4 << 10

// syncTimes measures for d how long the disk takes to make a small write durable, the way a log
// writes: over a file whose blocks exist already. The result is sorted.
func syncTimes(dir string, d time.Duration) ([]int64, error) {
	const pages = 1024
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(make([]byte, pages*syncPage)); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	page := noise(syncPage)
	var times []int64
	for i, start := 0, time.Now(); time.Since(start) < d; i++ {
		page[0] = byte(i)
		begin := time.Now()
		if _, err := f.WriteAt(page, int64(i%pages)*syncPage); err != nil {
			return nil, err
		}
		if err := datasync(f); err != nil {
			return nil, err
		}
		times = append(times, int64(time.Since(begin)))
	}
	slices.Sort(times)
	return times, nil
}

// writeRate measures for d how many MiB a second the disk takes when writers write files of the
// given size and sync each before the next.
func writeRate(dir string, writers, size int, d time.Duration) (float64, error) {
	data := noise(size)
	rates, errs := make([]float64, writers), make([]error, writers)
	var wg sync.WaitGroup
	start := time.Now()
	for id := range writers {
		wg.Go(func() {
			n := 0
			for ; time.Since(start) < d && errs[id] == nil; n++ {
				errs[id] = writeSynced(filepath.Join(dir, fmt.Sprintf("write-%d-%d", id, n%2)), data)
			}
			rates[id] = float64(n*size) / mib / time.Since(start).Seconds()
		})
	}
	wg.Wait()
	sum := 0.0
	for id := range writers {
		for n := range 2 {
			os.Remove(filepath.Join(dir, fmt.Sprintf("write-%d-%d", id, n)))
		}
		if errs[id] != nil {
			return 0, errs[id]
		}
		sum += rates[id]
	}
	return sum, nil
}

// writeSynced writes a new file and waits until it is durable.
func writeSynced(path string, data []byte) error {
	os.Remove(path)
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := datasync(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
