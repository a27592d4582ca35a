package hold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"

	"github.com/leasehold/leasehold/hold"
)

// The environment of a holder: this test program, run again as a process that takes the lock over
// and over.
const (
	holderName = "HOLD_TEST_HOLDER" // its name; makes the program a holder
	holderConn = "HOLD_TEST_CONNECTION"
	holderBox  = "HOLD_TEST_CONTAINER"
	holderBook = "HOLD_TEST_BOOK" // the file that the lock protects
	holderPen  = "HOLD_TEST_PEN"  // the file that is locked while one line is written
	holderLong = "HOLD_TEST_LONG_TURNS"
)

func TestMain(m *testing.M) {
	name := os.Getenv(holderName)
	if name == "" {
		os.Exit(m.Run())
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin) // ends when the test says so, and when it dies
		cancel()
	}()
	if err := holdAgainAndAgain(ctx, name); err != nil {
		fmt.Fprintf(os.Stderr, "holder %s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A pen writes lines into the book. Looking at the lock's context and writing the line is one step
// for everyone who has to take the pen first: the order of the lines is that of the looks, and who
// is stopped by somebody that has the pen is not stopped between the two.
type pen struct{ file, book *os.File }

func openPen(penPath, bookPath string) (*pen, error) {
	file, err := os.OpenFile(penPath, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	book, err := os.OpenFile(bookPath, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		file.Close()
		return nil, err
	}
	return &pen{file, book}, nil
}

func (p *pen) take() error {
	for {
		if err := syscall.Flock(int(p.file.Fd()), syscall.LOCK_EX); err != syscall.EINTR {
			return err
		}
	}
}

func (p *pen) give() { syscall.Flock(int(p.file.Fd()), syscall.LOCK_UN) }

func (p *pen) close() {
	p.file.Close()
	p.book.Close()
}

// write writes a line if the lock's context is live, and reports whether it is.
func (p *pen) write(l *hold.Lock, what, name string) (live bool, err error) {
	if err := p.take(); err != nil {
		return false, err
	}
	defer p.give()
	epoch, _ := l.Epoch()
	until, _ := l.Deadline()
	if l.Context().Err() != nil {
		return false, nil
	}
	_, err = fmt.Fprintf(p.book, "%d %s %s %d %d\n", epoch, what, name, time.Now().UnixNano(), until.UnixNano())
	return true, err
}

// holdAgainAndAgain takes turns until ctx ends, and tells on the standard output which locks it
// lost.
func holdAgainAndAgain(ctx context.Context, name string) error {
	p, err := openPen(os.Getenv(holderPen), os.Getenv(holderBook))
	if err != nil {
		return err
	}
	defer p.close()
	service, err := azblob.NewClientFromConnectionString(os.Getenv(holderConn), nil)
	if err != nil {
		return err
	}
	blob := service.ServiceClient().NewContainerClient(os.Getenv(holderBox)).NewBlockBlobClient("lock")
	c, err := hold.New(hold.Blob(blob), &hold.Options{Extensions: true})
	if err != nil {
		return err
	}
	for {
		l, err := c.Lock(ctx, &hold.LockOptions{Duration: leaseTime, CreateIfMissing: true, Epoch: true})
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		err = turn(l, p, name)
		var lost *hold.LostError
		if errors.As(l.Release(ctx), &lost) {
			epoch, _ := l.Epoch()
			fmt.Printf("%d %s\n", epoch, lost.Reason)
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// turn writes lines while the lock is held: for some ten milliseconds, or long enough for renewals.
func turn(l *hold.Lock, p *pen, name string) error {
	lines := 2 + rand.IntN(8)
	if os.Getenv(holderLong) != "" && rand.IntN(100) == 0 {
		lines = 1500
	}
	for i := range lines {
		what := "stay"
		switch i {
		case 0:
			what = "enter"
		case lines - 1:
			what = "leave"
		}
		if live, err := p.write(l, what, name); err != nil || !live {
			return err
		}
		<-time.After(time.Duration(1+rand.IntN(8)) * time.Millisecond)
	}
	return nil
}
