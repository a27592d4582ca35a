package service_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leasehold/leasehold/internal/catalog"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/mem"
	"github.com/leasehold/leasehold/internal/kv/pebble"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
	"github.com/leasehold/leasehold/internal/service"
)

// hookedDB runs a hook before each of its transactions, in which others may come between the steps
// of a request.
type hookedDB struct {
	kv.DB
	hook    func() // nil for none; not run within itself
	busy    atomic.Bool
	unknown bool // updates happen, and it is not told
}

func (h *hookedDB) between() {
	if h.hook != nil && h.busy.CompareAndSwap(false, true) {
		defer h.busy.Store(false)
		h.hook()
	}
}

func (h *hookedDB) View(ctx context.Context, fn func(kv.Reader) error) error {
	h.between()
	return h.DB.View(ctx, fn)
}

func (h *hookedDB) Update(ctx context.Context, keys []kv.Key, fn func(kv.Tx) error) error {
	h.between()
	err := h.DB.Update(ctx, keys, fn)
	if err == nil && h.unknown {
		err = fmt.Errorf("%w: the answer was lost", kv.ErrUnknown)
	}
	return err
}

// after has the hook run once, before the transaction with the given number.
func (h *hookedDB) after(transactions int, fn func()) {
	h.hook = func() {
		if transactions--; transactions < 0 {
			h.hook = nil
			fn()
		}
	}
}

func hooked(t *testing.T) (*store, *hookedDB) {
	c := &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	db := mem.Open(&mem.Options{Clock: c.Now})
	t.Cleanup(func() { db.Close() })
	h := &hookedDB{DB: db}
	return newStoreOn(t, c, h, segments.New(nil)), h
}

// TestContainerIsRemadeDuringCopy deletes and remakes the container before each step of a copy
// within it, with and without the source. An acknowledged copy is whole; the check at the end of
// the test finds a damaged one.
func TestContainerIsRemadeDuringCopy(t *testing.T) {
	for step := range 6 {
		for _, again := range []bool{false, true} {
			s, db := hooked(t)
			s.box()
			s.put("a", 10)
			source := s.source("/box/a", "r")
			db.after(step, func() {
				s.want(202, "", "DELETE", "/box?restype=container", nil)
				s.box()
				if again {
					s.put("a", 20)
				}
			})
			a := s.do("PUT", "/box/b", nil, "x-ms-copy-source", source)
			if db.hook != nil {
				db.hook = nil // the copy has fewer steps
			}
			got := s.do("GET", "/box/b", nil)
			switch {
			case a.status == 202 && got.status == 200 && (len(got.body) == 10 || len(got.body) == 20):
			case a.status == 404 && got.status == 404 && !again:
			case a.status == 202 && got.status == 404: // the container was deleted after the copy
			default:
				t.Errorf("step %d, again %v: the copy was answered %d %s, reading it %d with %d bytes", step, again, a.status, a.code(), got.status, len(got.body))
			}
		}
	}
}

// TestChangeStartsOverInRemadeContainer remakes the container before each step of a write: what was
// acknowledged last is there.
func TestChangeStartsOverInRemadeContainer(t *testing.T) {
	for step := range 3 {
		s, db := hooked(t)
		s.box()
		s.put("warm", 1) // so that the container is known
		db.after(step, func() {
			s.want(202, "", "DELETE", "/box?restype=container", nil)
			s.box()
		})
		a := s.do("PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob")
		unreached := db.hook != nil
		db.hook = nil
		if got := s.do("GET", "/box/a", nil); !unreached && (a.status != 201 || got.status != 200) {
			t.Errorf("step %d: the write was answered %d %s, reading it %d", step, a.status, a.code(), got.status)
		}
	}
}

// TestDeletedContainerHoldsNothingProtected deletes containers while blobs under a legal hold,
// under a policy and without protection are put into them: of the two requests at most one
// succeeds.
func TestDeletedContainerHoldsNothingProtected(t *testing.T) {
	c := &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	db, err := pebble.Open("kv", &pebble.Options{FS: vfs.NewMem(), Clock: c.Now, CheckDeclared: true, MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := newStoreOn(t, c, db, segments.New(nil)).with(service.Features{Immutability: true})
	until := c.Now().Add(time.Hour).Format(http.TimeFormat)
	protections := [][]string{
		{"x-ms-legal-hold", "true"},
		{"x-ms-immutability-policy-until-date", until, "x-ms-immutability-policy-mode", "Locked"},
		nil,
	}
	made, deleted := 0, 0
	for i := range 150 {
		s.want(201, "", "PUT", "/box?restype=container", nil)
		var put, gone *answer
		var both sync.WaitGroup
		both.Go(func() {
			put = s.do("PUT", "/box/a", []byte("x"), append([]string{"x-ms-blob-type", "BlockBlob"}, protections[i%3]...)...)
		})
		both.Go(func() { gone = s.do("DELETE", "/box?restype=container", nil) })
		both.Wait()
		switch {
		case put.status == 201 && gone.status == 409 && gone.code() == "BlobImmutableDueToPolicy":
			made++
			s.want(200, "", "GET", "/box/a", nil)
			s.want(200, "", "PUT", "/box/a?comp=legalhold", nil, "x-ms-legal-hold", "false")
			s.step(2 * time.Hour)
			protections[1][1] = c.Now().Add(time.Hour).Format(http.TimeFormat)
			s.want(202, "", "DELETE", "/box/a", nil)
			s.want(202, "", "DELETE", "/box?restype=container", nil)
		case put.status == 404 && gone.status == 202:
			deleted++
		default:
			t.Fatalf("try %d: the blob was answered %d %s, the deletion %d %s", i, put.status, put.code(), gone.status, gone.code())
		}
	}
	t.Logf("%d times the blob was made, %d times the container was deleted", made, deleted)
}

// TestEarlierEndsAreTold ends a lease that a request waits for in each way that lets it end sooner
// than the request was told, and measures how long it waits.
func TestEarlierEndsAreTold(t *testing.T) {
	const acquire = "acquire"
	cases := map[string]struct {
		act    func(s *store)
		status int           // of the waiting acquire
		after  time.Duration // when it is answered
	}{
		"acquire with a shorter duration": {func(s *store) {
			s.lease(201, "", "/box/a", acquire, "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", idA)
		}, 201, 15 * time.Second},
		"break with a period": {func(s *store) {
			s.lease(202, "", "/box/a", "break", "x-ms-lease-break-period", "20")
		}, 201, 20 * time.Second},
		"release": {func(s *store) { s.lease(200, "", "/box/a", "release", "x-ms-lease-id", idA) }, 201, 0},
		"delete":  {func(s *store) { s.want(202, "", "DELETE", "/box/a", nil, "x-ms-lease-id", idA) }, 404, 0},
		"expiry": {func(s *store) {
			s.expireIn("/box/a", 25*time.Second)
		}, 404, 25 * time.Second},
		"container deletion": {func(s *store) { s.want(202, "", "DELETE", "/box?restype=container", nil) }, 404, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStoreAt(t, &clock{virtual: true}).with(service.Features{Expiry: true})
				s.leasedBlob("/box/a", idA)
				waited := make(chan *answer)
				go func() {
					waited <- s.do("PUT", "/box/a?comp=lease", nil, "x-ms-lease-action", acquire, "x-ms-lease-duration", "15", "leasehold-wait", "60")
				}()
				synctest.Wait()
				began := time.Now()
				c.act(s)
				a := <-waited
				if took := time.Since(began); a.status != c.status || took < c.after || took > c.after+time.Second {
					t.Errorf("the waiting acquire was answered %d %s after %v, want %d after %v", a.status, a.code(), took, c.status, c.after)
				}
			})
		})
	}
}

// TestDeadContainerIsSweptBesideCopy sweeps a deleted container while a copy that found its blob
// before shares its bytes: between every two transactions of the sweeper the copy may be made, and
// is whole then.
func TestDeadContainerIsSweptBesideCopy(t *testing.T) {
	for step := range 8 {
		s, db := hooked(t)
		s.box()
		s.want(201, "", "PUT", "/other?restype=container", nil)
		s.want(201, "", "PUT", "/box/a", long('a'), "x-ms-blob-type", "BlockBlob")
		source := s.source("/box/a", "r")
		sweeper := catalog.Sweeper{DB: db, Segments: s.Segments, Grace: time.Minute}
		sweep := func() {
			if err := sweeper.Run(t.Context()); err != nil {
				t.Error(err)
			}
		}
		copied := make(chan *answer, 1)
		resume := make(chan struct{})
		suspended := make(chan struct{})
		db.after(3, func() { // the copy has found its source
			s.want(202, "", "DELETE", "/box?restype=container", nil)
			s.step(time.Hour)
			close(suspended)
			<-resume
		})
		go func() { copied <- s.do("PUT", "/other/b", nil, "x-ms-copy-source", source) }()
		<-suspended
		swept := &hookedDB{DB: db.DB}
		sweeper.DB = swept
		var a *answer
		swept.after(step, func() {
			close(resume)
			a = <-copied
		})
		sweep()
		if swept.hook = nil; a == nil { // the sweeper had fewer steps
			close(resume)
			a = <-copied
		}
		s.step(time.Hour)
		sweep()
		got := s.do("GET", "/other/b", nil)
		if whole := got.status == 200 && strings.HasPrefix(string(got.body), "aaa"); whole != (a.status == 202) {
			t.Errorf("step %d: the copy was answered %d %s, reading it %d", step, a.status, a.code(), got.status)
		}
	}
}

// TestLateUploadIsRefused suspends an upload between its end and its commit: once the sweeper may
// have removed the bytes the commit is refused, as something that is tried again.
func TestLateUploadIsRefused(t *testing.T) {
	for _, c := range []struct {
		suspended time.Duration
		status    int
	}{{meta.CommitWithin, 201}, {meta.CommitWithin + time.Second, 500}} {
		s, db := hooked(t)
		s.box()
		s.put("warm", 1) // so that the container is known, and the first transaction is the commit
		db.after(0, func() { s.step(c.suspended) })
		s.broken = true // the answer may be of the 500s
		a := s.do("PUT", "/box/a", long('a'), "x-ms-blob-type", "BlockBlob")
		s.broken = false
		if a.status != c.status || c.status == 500 && a.code() != "OperationTimedOut" {
			t.Errorf("suspended for %v: answered %d %s, want %d", c.suspended, a.status, a.code(), c.status)
		}
		if a.status == 500 {
			s.want(404, "BlobNotFound", "GET", "/box/a", nil)
		}
	}
}

// TestBytesOfUnknownCommitStay loses the answer to a commit that has happened: the blob has its
// bytes.
func TestBytesOfUnknownCommitStay(t *testing.T) {
	s, db := hooked(t)
	s.box()
	s.put("source", 100_000)
	source := s.source("/box/source", "r")
	writes := map[string]func(path string) *answer{
		"put": func(path string) *answer {
			return s.do("PUT", path, long('a'), "x-ms-blob-type", "BlockBlob")
		},
		"put from a source": func(path string) *answer {
			return s.do("PUT", path, nil, "x-ms-blob-type", "BlockBlob", "x-ms-copy-source", source)
		},
	}
	for name, write := range writes {
		path := "/box/" + strings.ReplaceAll(name, " ", "-")
		db.unknown, s.broken = true, true
		a := write(path)
		db.unknown, s.broken = false, false
		if a.status != 500 {
			t.Errorf("%s: answered %d", name, a.status)
		}
		s.want(200, "", "GET", path, nil)
	}
}

// mistaken is a store of segments whose readers panic.
type mistaken struct {
	segment.Store
	wrong atomic.Bool
}

func (m *mistaken) Open(ctx context.Context, ref segment.Ref, off, n int64) (io.ReadCloser, error) {
	r, err := m.Store.Open(ctx, ref, off, n)
	if err == nil && m.wrong.Load() {
		return panicking{r}, nil
	}
	return r, err
}

type panicking struct{ io.ReadCloser }

func (panicking) Read([]byte) (int, error) { panic("a mistake") }

// TestPanicInPipeFailsTheCopy lets the reading of a source panic, on the goroutine that fills the
// pipe of the copy.
func TestPanicInPipeFailsTheCopy(t *testing.T) {
	c := &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	db := mem.Open(&mem.Options{Clock: c.Now})
	t.Cleanup(func() { db.Close() })
	bodies := &mistaken{Store: segments.New(nil)}
	s := newStoreOn(t, c, db, bodies)
	s.box()
	s.want(201, "", "PUT", "/box/a", long('a'), "x-ms-blob-type", "BlockBlob")
	bodies.wrong.Store(true)
	s.broken = true
	target := "/box/b?comp=block&blockid=" + base64ID("a")
	if a := s.do("PUT", target, nil, "x-ms-copy-source", s.source("/box/a", "r")); a.status != 500 {
		t.Errorf("answered %d %s", a.status, a.code())
	}
	bodies.wrong.Store(false)
	s.broken = false
	s.want(201, "", "PUT", target, nil, "x-ms-copy-source", s.source("/box/a", "r"))
}
