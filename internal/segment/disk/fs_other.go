//go:build !linux

package disk

// syncData implements file.
func (f osFile) syncData() error { return f.Sync() }

// startSync implements file: elsewhere the system decides when.
func (f osFile) startSync(off, n int64) {}
