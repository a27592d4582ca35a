package crash

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/leasehold/leasehold/test/harness"
)

// TestBrokenLog lets writes of the log fail, by a limit on the size of files: the server
// acknowledges nothing more and ends, and all that it did acknowledge is there afterwards.
func TestBrokenLog(t *testing.T) {
	limit := harness.Need(t, "prlimit", "install util-linux")
	s := harness.Start(t, nil)
	s.NeedOwn()
	box := newBox(t, s, harness.Account, harness.Key)
	pid, err := os.ReadFile(filepath.Join(s.Data, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(limit, "--pid", strings.TrimSpace(string(pid)), "--fsize=65536").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var kept []*subject
	for {
		b := &subject{box: box, name: fmt.Sprint("b", len(kept))}
		b.is = state{exists: true, body: strings.Repeat(harness.NewID(), 100)}
		err := b.put(t.Context(), b.is.body)
		if err == nil {
			if kept = append(kept, b); len(kept) > 1000 {
				t.Fatal("the limit is of no effect")
			}
			continue
		}
		var refused *azcore.ResponseError
		if !errors.As(err, &refused) {
			break // nobody listens any more
		}
		if refused.StatusCode != 500 {
			t.Fatalf("with a broken log: %v", err)
		}
	}
	if len(kept) == 0 {
		t.Fatal("nothing was acknowledged before")
	}
	s.Kill() // it has ended, or is about to
	s.Restart()
	for _, b := range kept {
		b.matches(t, b.is, true)
	}
}
