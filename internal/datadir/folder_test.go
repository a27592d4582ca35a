package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/segment/disk"
)

func TestFolderIsMadeAndTakenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	for range 2 {
		f, err := openFolder(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFolderThatLostItsRecordsIsRefused(t *testing.T) {
	path := t.TempDir()
	s, err := Open(t.Context(), path, testEngines, KVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.folder.KV()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, testEngines, KVOptions{}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("without its records: %v", err)
	}
}

func TestFolderInUseNamesTheHolder(t *testing.T) {
	path := t.TempDir()
	f, err := openFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = openFolder(path)
	if err == nil || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("second holder: %v, want a refusal that names process %d", err, os.Getpid())
	}
}

// TestFolderIsTakenFromWhoOnlyLooks: a command that asks for the server does not keep it from
// starting.
func TestFolderIsTakenFromWhoOnlyLooks(t *testing.T) {
	dir := t.TempDir()
	looking, err := os.Create(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	if err := lockFile(looking, false); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(lockPause, func() { looking.Close() })
	f, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestOtherFoldersAreRefusedAndLeftAlone(t *testing.T) {
	for name, tc := range map[string]struct{ file, text, want string }{
		"foreign": {"thesis.txt", "years of work", "not a data folder"},
		"newer":   {markName, "Leasehold data folder, layout 9\n", "newer"},
		"damaged": {markName, "\x00\x00", "damaged"},
	} {
		path := t.TempDir()
		file := filepath.Join(path, tc.file)
		if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openFolder(path); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s folder: %v, want %q", name, err, tc.want)
		}
		entries, err := os.ReadDir(path)
		if err != nil || len(entries) != 1 {
			t.Errorf("%s folder holds %v, %v afterwards", name, entries, err)
		}
		if text, err := os.ReadFile(file); err != nil || string(text) != tc.text {
			t.Errorf("%s folder: the file holds %q, %v afterwards", name, text, err)
		}
	}
}

// TestOlderFolderIsTaken opens a folder of the layout without packs: what is in it is found,
// and its mark then says that earlier versions can't read it.
func TestOlderFolderIsTaken(t *testing.T) {
	path := t.TempDir()
	s, err := Open(t.Context(), path, testEngines, KVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(path, markName)
	if err := os.WriteFile(mark, []byte(oldMarkText), 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := disk.Open(s.folder.Segments(), &disk.Options{FilesOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := old.Write(t.Context(), strings.NewReader("a segment in a file of its own"))
	if err := errors.Join(err, old.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), path, testEngines, KVOptions{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Segments.Verify(t.Context(), ref); err != nil {
		t.Errorf("a segment of the older layout: %v", err)
	}
	if text, err := os.ReadFile(mark); err != nil || string(text) != markText {
		t.Errorf("the mark says %q, %v", text, err)
	}
}
