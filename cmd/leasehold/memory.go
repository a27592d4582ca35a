package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/internal/datadir"
	"github.com/leasehold/leasehold/internal/kv"
	kvmem "github.com/leasehold/leasehold/internal/kv/mem"
	"github.com/leasehold/leasehold/internal/segment"
	segmentmem "github.com/leasehold/leasehold/internal/segment/mem"
)

// stepClock is a wall clock that can be advanced, for tests that would otherwise have to wait for a
// lease to end. It never goes back.
type stepClock struct{ ahead atomic.Int64 } // nanoseconds

// maxStep is the longest single step of a clock: a century, so that sums of steps stay
// representable.
const maxStep = 100 * 365 * 24 * time.Hour / 2

// Now returns the time.
func (c *stepClock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// handle answers POST /clock?advance=DURATION.
func (c *stepClock) handle(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.URL.Query().Get("advance"))
	if err != nil || d < 0 || d > maxStep || c.ahead.Load() > int64(maxStep) {
		http.Error(w, "advance: a duration from 0s up is needed, such as 60s; the clock can't go back", http.StatusBadRequest)
		return
	}
	c.ahead.Add(int64(d))
	fmt.Fprintln(w, c.Now().UTC().Format(time.RFC3339Nano))
}

// memoryEngines returns engines that keep everything in memory.
func memoryEngines(clock *stepClock, limit int64) *datadir.Engines {
	return &datadir.Engines{
		OpenKV: func(string, datadir.KVOptions) (kv.DB, error) {
			return kvmem.Open(&kvmem.Options{Clock: clock.Now, SkipChecks: true}), nil
		},
		MissingKV: func(string) (string, error) { return "", nil },
		OpenSegments: func(string) (segment.Store, error) {
			return segmentmem.New(&segmentmem.Options{MaxBytes: limit}), nil
		},
	}
}

// size is a flag for a number of bytes: 512MiB, 64KiB, 2GiB, or a plain number.
type size int64

// String returns the number with the largest unit that divides it.
func (s *size) String() string {
	for _, u := range units {
		if n := int64(*s); n > 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return "0"
}

// Type returns the name of the type in help texts.
func (s *size) Type() string { return "size" }

var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

// Set parses a number of bytes.
func (s *size) Set(text string) error {
	for _, u := range units {
		if digits, ok := strings.CutSuffix(text, u.name); ok {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || n <= 0 || n > (1<<62)/u.bytes {
				break
			}
			*s = size(n * u.bytes)
			return nil
		}
	}
	return fmt.Errorf("%q is no size such as 512MiB", text)
}

func newClock() *cobra.Command {
	var data string
	var step time.Duration
	cmd := &cobra.Command{
		Use:   "clock",
		Short: "Advance the clock of a server with --dev --memory",
		Long: `Advance the clock of the data of a server that runs with --dev --memory, so that a test need
not wait for a lease to end. The clock only goes forward. Signatures and tokens are judged by
the real time.`,
		Example: `  leasehold clock --advance 60s`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if step <= 0 {
				return usageError("say by how much with --advance, such as --advance 60s")
			}
			return askServer(cmd.Context(), data, http.MethodPost, "/clock?advance="+step.String(), nil)
		},
	}
	dataFlag(cmd, &data)
	cmd.Flags().DurationVar(&step, "advance", 0, "how far to advance the clock")
	return cmd
}
