package lease

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
)

var (
	now   = time.Date(2026, 3, 17, 13, 41, 36, 652009000, time.UTC)
	names = map[string]ID{"A": {0xa}, "B": {0xb}, "C": {0xc}, "fresh": {0xf}}
)

// optional returns the ID with a name, or none for "none".
func optional(t *testing.T, name string) OptionalID {
	t.Helper()
	if name == "none" {
		return OptionalID{}
	}
	id, ok := names[name]
	if !ok {
		t.Fatalf("no ID is called %q", name)
	}
	return Some(id)
}

// must applies a request ago before now and fails the test if it is refused.
func must(t *testing.T, l Lease, r Request, ago time.Duration) Lease {
	t.Helper()
	next, _, err := Apply(l, r, now.Add(-ago))
	if err != nil {
		t.Fatalf("%s: %v", r.Action, err)
	}
	return next
}

// stored returns the records that are in the state named by a column, each under the name of what
// makes it special.
func stored(t *testing.T, column string) map[string]Lease {
	t.Helper()
	acquired := func(d Duration, ago time.Duration) Lease {
		return must(t, Lease{}, Request{Proposed: Some(names["A"]), Duration: d}, ago)
	}
	ended := func(l Lease, p BreakPeriod) Lease {
		return must(t, l, Request{Action: Break, Period: p}, 5*time.Second)
	}
	finite, infinite := acquired(30, 10*time.Second), acquired(Infinite, 10*time.Second)
	switch strings.TrimSuffix(column, "(A)") {
	case "Available":
		return map[string]Lease{
			"never leased": {},
			"released":     must(t, finite, Request{Action: Release, ID: Some(names["A"])}, 5*time.Second),
			"written":      AfterWrite(acquired(15, 20*time.Second), now, false),
		}
	case "Leased":
		return map[string]Lease{"finite": finite, "infinite": infinite}
	case "Breaking":
		return map[string]Lease{"finite": ended(finite, BreakPeriod{}), "infinite": ended(infinite, Within(25))}
	case "Broken":
		return map[string]Lease{
			"finite": ended(finite, Within(0)), "infinite": ended(infinite, BreakPeriod{}),
			"finite, run out": ended(finite, Within(5)), "infinite, run out": ended(infinite, Within(2)),
		}
	case "Expired":
		return map[string]Lease{"finite": acquired(30, 35*time.Second), "finite, this moment": acquired(30, 30*time.Second)}
	}
	t.Fatalf("no state is called %q", column)
	return nil
}

// show names the state of a record and its ID, as the tables do.
func show(l Lease) string {
	name := l.State(now).String()
	name = strings.ToUpper(name[:1]) + name[1:]
	if l.Kind == None {
		return name
	}
	for n, id := range names {
		if id == l.ID {
			return name + "(" + n + ")"
		}
	}
	return name + "(?)"
}

func TestStoredRecordsAreInTheirState(t *testing.T) {
	for _, column := range []string{"Available", "Leased(A)", "Breaking(A)", "Broken(A)", "Expired(A)"} {
		for name, l := range stored(t, column) {
			if show(l) != column {
				t.Errorf("%s, %s is %s", column, name, show(l))
			}
		}
	}
}

func TestActions(t *testing.T) {
	for _, action := range []Action{Acquire, Renew, Change, Release} {
		s := readSheet(t, "actions.md", action.String())
		for _, row := range s.Rows {
			r := Request{Action: action, Fresh: names["fresh"], Duration: 45, Holder: Holder{Principal: "p"}}
			from, to, _ := strings.Cut(row[0], " → ")
			switch action {
			case Acquire:
				r.Proposed, r.ID = optional(t, from), Some(names["C"]) // the ID does not belong to the action
			case Change:
				r.ID, r.Proposed = optional(t, from), optional(t, to)
			default:
				r.ID, r.Proposed = optional(t, from), Some(names["C"])
			}
			for _, column := range s.Columns[1:] {
				for name, l := range stored(t, column) {
					t.Run(action.String()+" "+row[0]+" on "+column+" "+name, func(t *testing.T) {
						checkAction(t, l, r, s.At(t, row, column))
					})
				}
			}
		}
	}
}

func checkAction(t *testing.T, l Lease, r Request, want string) {
	next, out, err := Apply(l, r, now)
	if err != nil {
		if err.Error() != want || next != l || out != (Outcome{}) || err.(fault.Code).Status() != 409 {
			t.Errorf("got %v, want %s; record changed: %v", err, want, next != l)
		}
		return
	}
	state, clock, _ := strings.Cut(want, ", ")
	if got := show(next); got != state {
		t.Fatalf("got %s, want %s", got, want)
	}
	if r.Action == Release {
		if next != (Lease{Epoch: l.Epoch}) || out != (Outcome{}) {
			t.Errorf("release left %+v and answered %+v", next, out)
		}
		return
	}
	if out != (Outcome{ID: Some(next.ID)}) {
		t.Errorf("answered %+v", out)
	}
	if got := next.Left(now); got != clockAfter(t, clock, l, r) {
		t.Errorf("locks for another %v, want %s", got, want)
	}
	if next.DurationAttribute(now) == "infinite" != (next.Duration == Infinite) {
		t.Errorf("duration %d is called %q", next.Duration, next.DurationAttribute(now))
	}
}

// clockAfter returns how long a lease locks after an action with the given effect on its clock.
func clockAfter(t *testing.T, clock string, l Lease, r Request) time.Duration {
	t.Helper()
	switch clock {
	case "clock kept":
		return l.Left(now)
	case "clock restarted":
		if r.Action == Acquire {
			return 45 * time.Second
		}
		if l.Duration == Infinite {
			return Forever
		}
		return 30 * time.Second
	}
	t.Fatalf("unknown clock %q", clock)
	return 0
}

func TestAcquireAdoptsTheRequestedDuration(t *testing.T) {
	for name, l := range stored(t, "Leased(A)") {
		for _, d := range []Duration{Infinite, 15, 60} {
			next := must(t, l, Request{Proposed: Some(names["A"]), Duration: d}, 0)
			if next.Duration != d {
				t.Errorf("%s: got %d, want %d", name, next.Duration, d)
			}
			if again := must(t, next, Request{Action: Renew, ID: Some(names["A"])}, -time.Second); again.Duration != d {
				t.Errorf("%s: renewed for %d, want %d", name, again.Duration, d)
			}
		}
	}
}

func TestBreak(t *testing.T) {
	s := readSheet(t, "break.md", "outcome")
	for _, row := range s.Rows {
		t.Run(strings.Join(row[:3], " "), func(t *testing.T) {
			left, period, want := s.At(t, row, "left"), s.At(t, row, "period"), s.At(t, row, "becomes")
			for name, l := range stored(t, s.At(t, row, "state")) {
				if row[0] == "Leased" && (left == "infinite") != (name == "infinite") {
					continue
				}
				next, out, err := Apply(l, Request{Action: Break, Period: breakPeriod(t, period), ID: Some(names["C"])}, now)
				if err != nil {
					if err.Error() != want || next != l {
						t.Errorf("%s: %v, record changed: %v", name, err, next != l)
					}
					continue
				}
				if got := show(next); got != want+"(A)" {
					t.Errorf("%s: got %s", name, got)
				}
				if got := next.Left(now); got != seconds(t, s.At(t, row, "for")) {
					t.Errorf("%s: locks for another %v", name, got)
				}
				if out.Seconds != int64(seconds(t, s.At(t, row, "answer"))/time.Second) || out.ID.Given {
					t.Errorf("%s: answered %+v", name, out)
				}
			}
		})
	}
}

func TestBreakAnswersWholeSecondsRoundedDown(t *testing.T) {
	s := readSheet(t, "break.md", "rounding")
	for _, row := range s.Rows {
		t.Run(strings.Join(row[:3], " "), func(t *testing.T) {
			age := seconds(t, s.At(t, row, "age in ms")) / 1000
			d := Infinite
			switch row[0] {
			case "infinite", "broken":
			case "expired":
				d = 15
			default:
				d = Duration(seconds(t, row[0]) / time.Second)
			}
			l := must(t, Lease{}, Request{Duration: d}, age)
			if row[0] == "broken" {
				l = must(t, l, Request{Action: Break, Period: Within(0)}, age)
			}
			_, out, err := Apply(l, Request{Action: Break, Period: breakPeriod(t, s.At(t, row, "period"))}, now)
			if want := s.At(t, row, "answer"); err != nil || strconv.FormatInt(out.Seconds, 10) != want {
				t.Errorf("answered %d, %v", out.Seconds, err)
			}
		})
	}
}

func breakPeriod(t *testing.T, text string) (p BreakPeriod) {
	t.Helper()
	if text == "none" {
		return p
	}
	if err := p.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return p
}

// seconds reads a number of seconds; an empty cell is none.
func seconds(t *testing.T, text string) time.Duration {
	t.Helper()
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n) * time.Second
}

func TestUse(t *testing.T) {
	container := func(c Class) func(Lease, OptionalID) string {
		return func(l Lease, id OptionalID) string { return used(fault.ForContainer(Check(l, c, id, now)), "ok") }
	}
	judges := map[string]func(Lease, OptionalID) string{
		"write, blob":      ofWrite(func(l Lease, id OptionalID) error { return Check(l, Write, id, now) }),
		"read, blob":       func(l Lease, id OptionalID) string { return used(Check(l, Read, id, now), "ok") },
		"write, container": container(Write),
		"read, container":  container(Read),
		"If-None-Match: * on an existing blob": func(l Lease, id OptionalID) string {
			err := Check(l, Write, id, now)
			if err == nil && !OverridesIfNoneMatchAny(l, id, now) {
				err = fault.BlobAlreadyExists
			}
			return used(err, "overwritten")
		},
		"asynchronous copy, infinite lease": ofWrite(func(l Lease, id OptionalID) error { return CheckAsyncCopy(l, id, now) }),
		"asynchronous copy, finite lease":   ofWrite(func(l Lease, id OptionalID) error { return CheckAsyncCopy(l, id, now) }),
	}
	for heading, judge := range judges {
		s := readSheet(t, "use.md", heading)
		for _, row := range s.Rows {
			for _, column := range s.Columns[1:] {
				for name, l := range stored(t, column) {
					if strings.HasSuffix(heading, "infinite lease") && l.Duration != Infinite && l.Kind != None ||
						strings.HasSuffix(heading, "finite lease") && !strings.HasSuffix(heading, "infinite lease") && l.Duration == Infinite {
						continue
					}
					if got, want := judge(l, optional(t, row[0])), s.At(t, row, column); got != want {
						t.Errorf("%s: %s on %s, %s: got %s, want %s", heading, row[0], column, name, got, want)
					}
				}
			}
		}
	}
}

// ofWrite names the outcome of a write of a blob, which may erase the record.
func ofWrite(check func(Lease, OptionalID) error) func(Lease, OptionalID) string {
	return func(l Lease, id OptionalID) string {
		err := check(l, id)
		if err == nil && AfterWrite(l, now, id.Given) != l {
			return used(err, "ok, erased")
		}
		return used(err, "ok")
	}
}

// used names the outcome of a use as the tables do.
func used(err error, success string) string {
	if err == nil {
		return success
	}
	full, ok := fault.Of(err)
	if !ok || full.Status != 412 && full.Code != fault.BlobAlreadyExists {
		return "status of " + err.Error()
	}
	return string(full.Code)
}

func TestErasedRecordKeepsOnlyItsEpoch(t *testing.T) {
	for _, column := range []string{"Broken(A)", "Expired(A)"} {
		for name, l := range stored(t, column) {
			next := AfterWrite(l, now, false)
			if next != (Lease{Epoch: l.Epoch}) || l.Epoch == 0 {
				t.Errorf("%s, %s: left %+v", column, name, next)
			}
			if _, _, err := Apply(next, Request{Action: Renew, ID: Some(names["A"])}, now); err != fault.LeaseIDMismatchWithLeaseOperation {
				t.Errorf("%s, %s: a renew over the write got %v", column, name, err)
			}
		}
	}
}

func TestTime(t *testing.T) {
	s := readSheet(t, "record.md", "what time makes of a record")
	end := now.Add(20 * time.Second)
	for _, row := range s.Rows {
		kind, variant, _ := strings.Cut(row[0], ", ")
		column := map[string]string{"none": "Available", "leased": "Leased", "breaking": "Breaking", "broken": "Broken"}[kind]
		for name, l := range stored(t, column) {
			if variant != "" && name != variant {
				continue
			}
			for column, at := range map[string]time.Time{
				"before its end": end.Add(-1), "at its end": end, "long after": end.AddDate(50, 0, 0),
			} {
				if got, want := l.State(at).String(), s.At(t, row, column); got != want {
					t.Errorf("%s, %s, %s: got %s, want %s", row[0], name, column, got, want)
				}
			}
		}
	}
}

func TestAttributes(t *testing.T) {
	s := readSheet(t, "record.md", "attributes")
	for _, row := range s.Rows {
		for name, l := range stored(t, row[0]) {
			column := "duration, finite"
			if l.Duration == Infinite {
				column = "duration, infinite"
			}
			duration := l.DurationAttribute(now)
			if duration == "" {
				duration = "absent"
			}
			if got, want := duration, s.At(t, row, column); got != want {
				t.Errorf("%s, %s: duration %s, want %s", row[0], name, got, want)
			}
			state := l.State(now)
			if state.Status() != s.At(t, row, "status") || state.String() != s.At(t, row, "name") {
				t.Errorf("%s, %s: %s %s", row[0], name, state.Status(), state)
			}
		}
	}
}

func TestIncompleteRequestsAreRefused(t *testing.T) {
	l := stored(t, "Leased(A)")["finite"]
	a := Some(names["A"])
	for name, tt := range map[string]struct {
		r    Request
		want fault.Code
	}{
		"acquire without duration":   {Request{Action: Acquire, Proposed: a}, fault.InvalidHeaderValue},
		"acquire for too short":      {Request{Action: Acquire, Proposed: a, Duration: 14}, fault.InvalidHeaderValue},
		"acquire for too long":       {Request{Action: Acquire, Proposed: a, Duration: 61}, fault.InvalidHeaderValue},
		"break after too long":       {Request{Action: Break, Period: Within(61)}, fault.InvalidHeaderValue},
		"break in the past":          {Request{Action: Break, Period: Within(-1)}, fault.InvalidHeaderValue},
		"renew without ID":           {Request{Action: Renew, Proposed: a}, fault.MissingRequiredHeader},
		"release without ID":         {Request{Action: Release, Proposed: a}, fault.MissingRequiredHeader},
		"change without ID":          {Request{Action: Change, Proposed: a}, fault.MissingRequiredHeader},
		"change without proposed ID": {Request{Action: Change, ID: a}, fault.MissingRequiredHeader},
		"no action":                  {Request{Action: actions, ID: a}, fault.InvalidHeaderValue},
	} {
		if next, _, err := Apply(l, tt.r, now); !errors.Is(err, tt.want) || next != l {
			t.Errorf("%s: %v, record changed: %v", name, err, next != l)
		}
	}
}

func TestTheZeroIDIsAnID(t *testing.T) {
	l := must(t, Lease{}, Request{Proposed: Some(ID{}), Duration: 30, Fresh: names["fresh"]}, 0)
	if l.ID != (ID{}) || l.State(now) != Leased {
		t.Fatalf("acquired %+v", l)
	}
	if err := Check(l, Write, OptionalID{}, now); err != fault.LeaseIDMissing {
		t.Errorf("a write without ID got %v", err)
	}
	if err := Check(l, Write, Some(ID{}), now); err != nil {
		t.Errorf("a write with the zero ID got %v", err)
	}
	if OverridesIfNoneMatchAny(l, OptionalID{}, now) {
		t.Error("an absent ID overrides a condition")
	}
}

func TestHolderAndTimes(t *testing.T) {
	alice, bob := Holder{Principal: "alice", Address: "127.0.0.1", Client: "a"}, Holder{Principal: "bob"}
	a, b := Some(names["A"]), Some(names["B"])
	first := must(t, Lease{}, Request{Proposed: a, Duration: 60, Holder: alice}, 30*time.Second)
	if first.Holder != alice || first.Since.Time() != now.Add(-30*time.Second) || first.Renewed != first.Since {
		t.Fatalf("acquired %+v", first)
	}
	second := must(t, first, Request{Action: Renew, ID: a, Holder: bob}, 20*time.Second)
	if second.Holder != alice || second.Since != first.Since || second.Renewed != At(now.Add(-20*time.Second)) || second.Epoch != first.Epoch {
		t.Errorf("renewed %+v", second)
	}
	third := must(t, second, Request{Action: Change, ID: a, Proposed: b, Holder: bob}, 15*time.Second)
	if third.Holder != bob || third.Since != first.Since || third.Renewed != second.Renewed || third.Epoch != first.Epoch {
		t.Errorf("changed %+v", third)
	}
	fourth := must(t, third, Request{Proposed: b, Duration: 15, Holder: alice}, 10*time.Second)
	if fourth.Holder != alice || fourth.Since != first.Since || fourth.Epoch <= third.Epoch {
		t.Errorf("acquired again %+v", fourth)
	}
	fifth := must(t, fourth, Request{Action: Release, ID: b}, 5*time.Second)
	if fifth != (Lease{Epoch: fourth.Epoch}) {
		t.Errorf("released %+v", fifth)
	}
}

func TestEpoch(t *testing.T) {
	r := Request{Proposed: Some(names["A"]), Duration: Infinite}
	if l := must(t, Lease{}, r, 0); l.Epoch != uint64(now.UnixMicro()) {
		t.Errorf("the first epoch is %d", l.Epoch)
	}
	high := Lease{Epoch: uint64(now.UnixMicro()) + 1000}
	if l := must(t, high, r, 0); l.Epoch != high.Epoch+1 {
		t.Errorf("after %d came %d", high.Epoch, l.Epoch)
	}
	if l, _, err := Apply(Lease{}, r, time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil || l.Epoch != 1 {
		t.Errorf("before 1970 the first epoch is %d", l.Epoch)
	}
}

func TestLeft(t *testing.T) {
	for column, want := range map[string]time.Duration{"Available": 0, "Leased": 20 * time.Second, "Breaking": 20 * time.Second, "Broken": 0, "Expired": 0} {
		for name, l := range stored(t, column) {
			want := want
			if column == "Leased" && name == "infinite" {
				want = Forever
			}
			if got := l.Left(now); got != want {
				t.Errorf("%s, %s: %v", column, name, got)
			}
		}
	}
}

func BenchmarkApply(b *testing.B) {
	a := Some(names["A"])
	l, _, _ := Apply(Lease{}, Request{Proposed: a, Duration: 60}, now)
	r := Request{Action: Renew, ID: a}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Apply(l, r, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApplyRefused(b *testing.B) {
	l, _, _ := Apply(Lease{}, Request{Proposed: Some(names["A"]), Duration: 60}, now)
	r := Request{Proposed: Some(names["B"]), Duration: 60}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Apply(l, r, now); err == nil {
			b.Fatal("two holders")
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	l, _, _ := Apply(Lease{}, Request{Proposed: Some(names["A"]), Duration: 60}, now)
	b.ReportAllocs()
	for b.Loop() {
		if Check(l, Write, Some(names["A"]), now) != nil || Check(l, Write, OptionalID{}, now) == nil {
			b.Fatal("wrong")
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	l := stored(t, "Leased(A)")["finite"]
	a, b := Some(names["A"]), Some(names["B"])
	if n := testing.AllocsPerRun(100, func() {
		_, _, _ = Apply(l, Request{Action: Renew, ID: a}, now)
		_, _, _ = Apply(l, Request{Proposed: b, Duration: 60}, now)
		_ = Check(l, Write, a, now)
		_ = Check(l, Write, b, now)
		_, _ = ParseID("1f812371-a41d-49e6-b123-f4b542e851c5")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
