package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/datadir"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
)

// fillFolder makes a data folder with a blob of a segment and one of inline bytes.
func fillFolder(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data")
	s, err := datadir.Open(t.Context(), path, engines, datadir.KVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	storeBlobs(t, s, "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

const testGeneration = 1 << 16

// storeBlobs stores the two blobs under names that begin with prefix.
func storeBlobs(t *testing.T, s *datadir.Store, prefix string) {
	t.Helper()
	ref, err := s.Segments.Write(t.Context(), bytes.NewReader(bytes.Repeat([]byte("segment"), 10_000)))
	if err != nil {
		t.Fatal(err)
	}
	long := blob.Chunk{Object: blob.ObjectID(ref.ID), Length: ref.Size, Size: ref.Size}
	short := blob.Chunk{Object: blob.ObjectID{1}, Inline: true, Length: 3, Size: 3}
	copy(short.Object[1:], prefix)
	err = s.DB.Update(t.Context(), []kv.Key{meta.ContainerKey("acct", "box")}, func(tx kv.Tx) error {
		err := meta.PutContainer(tx, "acct", "box", &blob.Container{Generation: testGeneration})
		err = errors.Join(err, meta.PutSegment(tx, long.Object), meta.PutInline(tx, testGeneration, short.Object, []byte("abc")))
		for name, c := range map[string]blob.Chunk{"long": long, "short": short} {
			content := blob.Content{Holder: c.Object, Blocks: []blob.Block{{Chunk: c}}, Count: 1}
			content.Holder[15]++
			b := &blob.Blob{Type: blob.BlockBlob, Size: c.Size, Content: content}
			err = errors.Join(err, meta.PutBlob(tx, testGeneration, prefix+name, b))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wantCheck runs a check and looks at its exit status and what it says.
func wantCheck(t *testing.T, path string, status int, says string) {
	t.Helper()
	var out bytes.Buffer
	err := check(context.Background(), path, &out, io.Discard)
	got := 0
	var e *exitError
	if errors.As(err, &e) {
		got = e.status
	} else if err != nil {
		t.Errorf("check: %v, without an exit status", err)
	}
	if got != status || !strings.Contains(out.String(), says) {
		t.Errorf("check ended with %d and %v, want %d, and said %q, want %q", got, err, status, out.String(), says)
	}
}

// flip changes a byte in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// one returns the last file that a pattern matches.
func one(t *testing.T, pattern ...string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(pattern...))
	if err != nil || len(found) == 0 {
		t.Fatalf("%v: no file", pattern)
	}
	return found[len(found)-1]
}

// TestCheckOfADamagedFolder damages each region of a data folder.
func TestCheckOfADamagedFolder(t *testing.T) {
	for name, tc := range map[string]struct {
		damage func(t *testing.T, path string)
		status int
		says   string
	}{
		"none": {func(*testing.T, string) {}, 0, "1 containers, 2 blobs, 1 segments; damage: 0, garbage: 0\n"},
		"segment flipped": {func(t *testing.T, path string) {
			flip(t, one(t, path, "segments/*/*"))
		}, exitDamaged, "damage: acct/box/along"},
		"segment gone": {func(t *testing.T, path string) {
			os.Remove(one(t, path, "segments/*/*"))
		}, exitDamaged, "damage: acct/box/along"},
		"segment cut": {func(t *testing.T, path string) {
			os.Truncate(one(t, path, "segments/*/*"), 100)
		}, exitDamaged, "damage: acct/box/along"},
		"segment that is foreign": {func(t *testing.T, path string) {
			file := one(t, path, "segments/*/*")
			os.WriteFile(file[:len(file)-1]+"!", nil, 0o600)
		}, 0, "garbage: 0"},
		"table flipped": {func(t *testing.T, path string) {
			flip(t, one(t, path, "kv/*.sst"))
		}, exitDamaged, "damage: "},
		"table gone": {func(t *testing.T, path string) {
			os.Remove(one(t, path, "kv/*.sst"))
		}, exitDamaged, "damage: "},
		"manifest flipped": {func(t *testing.T, path string) {
			flip(t, one(t, path, "kv/MANIFEST-*"))
		}, exitDamaged, "damage: "},
		"manifest gone": {func(t *testing.T, path string) {
			os.Remove(one(t, path, "kv/MANIFEST-*"))
		}, exitDamaged, "damage: "},
		"store gone": {func(t *testing.T, path string) {
			os.RemoveAll(filepath.Join(path, "kv"))
		}, exitDamaged, "damage: the key-value store has no file"},
		"mark gone":   {func(t *testing.T, path string) { os.Remove(filepath.Join(path, "LEASEHOLD")) }, exitInternal, ""},
		"folder gone": {func(t *testing.T, path string) { os.RemoveAll(path) }, exitInternal, ""},
		"in use": {func(t *testing.T, path string) {
			f, err := datadir.Open(t.Context(), path, engines, datadir.KVOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
		}, exitInternal, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := fillFolder(t)
			wantCheck(t, path, 0, "damage: 0") // and moves what is in the log to a table
			tc.damage(t, path)
			wantCheck(t, path, tc.status, tc.says)
		})
	}
}
