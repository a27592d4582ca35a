//go:build !linux

package disk

import (
	"errors"
	"io"
)

// bypassCache implements file: no other system's way is known here.
func (f osFile) bypassCache() {}

// writeAll implements file.
func (f osFile) writeAll(pieces [][]byte, off int64) error { return writeEach(f, pieces, off) }

// writeEnd implements file.
func (f osFile) writeEnd(b []byte, off int64) error { return writeEach(f, [][]byte{b}, off) }

// syncData implements file.
func (f osFile) syncData() error { return f.Sync() }

// startSync implements file: elsewhere the system decides when.
func (f osFile) startSync(off, n int64) {}

// punch implements file: as bypassCache.
func (f osFile) punch(off, n int64) error { return errors.ErrUnsupported }

// nextData implements file.
func (f osFile) nextData(off int64) (int64, error) {
	info, err := f.Stat()
	if err == nil && off >= info.Size() {
		err = io.EOF
	}
	return off, err
}
