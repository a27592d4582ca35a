package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leasehold/leasehold/internal/kv/pebble"
	"github.com/leasehold/leasehold/internal/segment"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
	"github.com/leasehold/leasehold/internal/service"
)

// brittle is the file system below the key-value store on a disk that a test breaks.
type brittle struct {
	vfs.FS
	full   atomic.Bool           // there is no space
	failed atomic.Pointer[error] // what syncs of the log end with
	bodies brittleBodies
}

func (b *brittle) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if b.full.Load() {
		return vfs.DiskUsage{TotalBytes: 1 << 40, UsedBytes: 1 << 40}, nil
	}
	return vfs.DiskUsage{TotalBytes: 1 << 40, AvailBytes: 1 << 40}, nil
}

func (b *brittle) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := b.FS.Create(name, c)
	if err == nil && strings.HasSuffix(path.Base(name), ".log") {
		f = &brittleLog{f, b}
	}
	return f, err
}

type brittleLog struct {
	vfs.File
	disk *brittle
}

func (f *brittleLog) sync(then func() error) error {
	if err := f.disk.failed.Load(); err != nil {
		return *err
	}
	return then()
}

func (f *brittleLog) Sync() error     { return f.sync(f.File.Sync) }
func (f *brittleLog) SyncData() error { return f.sync(f.File.SyncData) }
func (f *brittleLog) SyncTo(n int64) (whole bool, err error) {
	err = f.sync(func() error { whole, err = f.File.SyncTo(n); return err })
	return whole, err
}

// brittleBodies is the store of segments on that disk.
type brittleBodies struct {
	segment.Store
	fails atomic.Pointer[error] // what writes end with
}

// Write reads the body first, as a disk that fills up under it does.
func (b *brittleBodies) Write(ctx context.Context, r io.Reader) (segment.Ref, error) {
	err := b.fails.Load()
	if err == nil {
		return b.Store.Write(ctx, r)
	}
	_, _ = io.Copy(io.Discard, r)
	return segment.Ref{}, *err
}

func newBrittle(t *testing.T) (*store, *brittle, chan error) {
	c := &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	disk := &brittle{FS: vfs.NewMem()}
	disk.bodies.Store = segments.New(nil)
	fatal := make(chan error, 1)
	db, err := pebble.Open("db", &pebble.Options{
		FS: disk, Clock: c.Now, CheckDeclared: true, CacheBytes: 1 << 20, OnFatal: func(err error) { fatal <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := newStoreOn(t, c, db, &disk.bodies)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/a", []byte("kept"), "x-ms-blob-type", "BlockBlob")
	s.want(201, "", "PUT", "/box/long", long('k'), "x-ms-blob-type", "BlockBlob")
	return s, disk, fatal
}

func long(c byte) []byte { return bytes.Repeat([]byte{c}, 2*service.MaxInline) }

// wantKept reads what was stored before the disk broke.
func (s *store) wantKept() {
	s.t.Helper()
	if a := s.want(200, "", "GET", "/box/a", nil); string(a.body) != "kept" {
		s.t.Errorf("/box/a holds %q", a.body)
	}
	if a := s.want(200, "", "GET", "/box/long", nil); !bytes.Equal(a.body, long('k')) {
		s.t.Errorf("/box/long holds %d other bytes", len(a.body))
	}
	s.want(200, "", "GET", "/box?restype=container&comp=list", nil)
}

// TestFullDisk fills the disk: every kind of change is refused in the way that makes
// clients try again, reads go on, and when there is space again so do changes.
func TestFullDisk(t *testing.T) {
	s, disk, _ := newBrittle(t)
	disk.full.Store(true)
	s.broken = true
	changes := []struct {
		method, target string
		body           []byte
		headers        []string
	}{
		{"PUT", "/other?restype=container", nil, nil},
		{"PUT", "/box/a", []byte("new"), []string{"x-ms-blob-type", "BlockBlob"}},
		{"PUT", "/box/long", long('n'), []string{"x-ms-blob-type", "BlockBlob"}},
		{"PUT", "/box/b?comp=block&blockid=AAAA", []byte("new"), nil},
		{"PUT", "/box/long?comp=lease", nil, []string{"x-ms-lease-action", "acquire", "x-ms-lease-duration", "15"}},
		{"DELETE", "/box/a", nil, nil},
	}
	for _, c := range changes {
		a := s.want(503, "ServerBusy", c.method, c.target, c.body, c.headers...)
		if a.get("Retry-After") == "" {
			t.Errorf("%s %s: no Retry-After", c.method, c.target)
		}
	}
	s.wantKept()
	disk.full.Store(false)
	s.broken = false
	for _, c := range changes {
		if a := s.do(c.method, c.target, c.body, c.headers...); a.status/100 != 2 {
			t.Errorf("with space again: %s %s: %d %s", c.method, c.target, a.status, a.code())
		}
	}
	s.want(404, "BlobNotFound", "GET", "/box/a", nil)
}

// TestFullForBodies has no space for segments: long bodies are refused and leave nothing,
// all that is small goes on. An error that does not pass is not called one that does.
func TestFullForBodies(t *testing.T) {
	s, disk, _ := newBrittle(t)
	s.broken = true
	full := fmt.Errorf("%w: %w", segment.ErrFull, syscall.ENOSPC)
	disk.bodies.fails.Store(&full)
	a := s.want(503, "ServerBusy", "PUT", "/box/long", long('n'), "x-ms-blob-type", "BlockBlob")
	if a.get("Retry-After") == "" || bytes.Contains(a.body, []byte("space")) {
		t.Errorf("refused with %v %s", a.header, a.body)
	}
	s.want(503, "ServerBusy", "PUT", "/box/b?comp=block&blockid=AAAA", long('n'))
	s.want(201, "", "PUT", "/box/c", []byte("short"), "x-ms-blob-type", "BlockBlob")
	s.wantKept()

	var broken error = &errDisk{}
	disk.bodies.fails.Store(&broken)
	a = s.want(500, "InternalError", "PUT", "/box/long", long('n'), "x-ms-blob-type", "BlockBlob")
	if a.get("Retry-After") != "" || bytes.Contains(a.body, []byte("platter")) {
		t.Errorf("refused with %v %s", a.header, a.body)
	}
	s.wantKept()
	disk.bodies.fails.Store(nil)
	s.want(201, "", "PUT", "/box/long", long('n'), "x-ms-blob-type", "BlockBlob")
}

type errDisk struct{}

func (*errDisk) Error() string { return "platter: input/output error" }

// TestFailedSync has a sync of the log fail: nobody knows what is on the disk, so the
// change is not acknowledged, nothing is answered any more, and the process is told to end.
func TestFailedSync(t *testing.T) {
	s, disk, fatal := newBrittle(t)
	var broken error = &errDisk{}
	disk.failed.Store(&broken)
	s.broken = true
	for range 2 {
		a := s.want(500, "InternalError", "PUT", "/box/a", []byte("new"), "x-ms-blob-type", "BlockBlob")
		if bytes.Contains(a.body, []byte("platter")) {
			t.Errorf("the client is told %s", a.body)
		}
		s.want(500, "InternalError", "GET", "/box/a", nil)
	}
	var cause *errDisk
	if err := <-fatal; !errors.As(err, &cause) && !strings.Contains(err.Error(), broken.Error()) {
		t.Errorf("told to end because of %v", err)
	}
}
