package kv_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/kv"
)

func TestPrefixEnd(t *testing.T) {
	for prefix, want := range map[string][]byte{
		"": nil, "\xff": nil, "\xff\xff": nil, "a": []byte("b"), "a\xff": []byte("b"),
		"a\xff\xff": []byte("b"), "\x00": {1}, "a\x00": []byte("a\x01"), "\xff\x00\xff": []byte("\xff\x01"),
	} {
		if got := kv.PrefixEnd([]byte(prefix)); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("PrefixEnd(%q) = %q, want %q", prefix, got, want)
		}
	}
}

// FuzzPrefixEnd holds Covers and PrefixEnd against what a prefix is.
func FuzzPrefixEnd(f *testing.F) {
	f.Add([]byte("a"), []byte("a\xff"))
	f.Add([]byte("a\xff"), []byte("b"))
	f.Add([]byte{}, []byte{0xff})
	f.Fuzz(func(t *testing.T, prefix, key []byte) {
		end := kv.PrefixEnd(prefix)
		within := bytes.Compare(key, prefix) >= 0 && (end == nil || bytes.Compare(key, end) < 0)
		if within != bytes.HasPrefix(key, prefix) {
			t.Errorf("%q within [%q, %q) is %v", key, prefix, end, within)
		}
		keys := []kv.Key{prefix}
		if got := kv.CoversKey(keys, key); got != within {
			t.Errorf("CoversKey(%q, %q) = %v", prefix, key, got)
		}
		next := append(bytes.Clone(key), 0)
		if got := kv.Covers(keys, key, next); got != within {
			t.Errorf("Covers(%q, %q, %q) = %v", prefix, key, next, got)
		}
	})
}

// TestClock steps the wall clock under one with a floor, given in ticks after noon.
func TestClock(t *testing.T) {
	const second = int64(time.Second / kv.Tick)
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		floor time.Time
		base  int64 // what the clock shows at noon
	}{
		{"no floor", time.Time{}, 0},
		{"floor behind", noon.Add(-time.Hour), 0},
		{"floor ahead", noon.Add(time.Hour), 3600 * second},
	} {
		wall := noon
		clock := kv.NewClock(func() time.Time { return wall }, c.floor)
		for i, s := range []struct {
			step time.Duration
			show func() time.Time
			want int64
		}{
			{0, clock.Now, 0},
			{0, clock.Next, 1},
			{0, clock.Next, 2},
			{0, clock.Now, 2},
			{250, clock.Now, 2}, // two ticks and a half
			{50, clock.Next, 3},
			{time.Second, clock.Next, second + 3},
			{time.Second, clock.Now, 2*second + 3},
			{0, clock.Next, 2*second + 4},
			{-time.Hour, clock.Now, 2*second + 4},
			{0, clock.Next, 2*second + 5},
			{0, clock.Last, 2*second + 5},
			{2 * time.Hour, clock.Now, 3602*second + 3},
		} {
			wall = wall.Add(s.step)
			want := noon.Add(time.Duration(c.base+s.want) * kv.Tick)
			if got := s.show(); !got.Equal(want) {
				t.Errorf("%s, step %d: %v, want %v", c.name, i, got, want)
			}
		}
	}
}
