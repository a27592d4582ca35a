// Command dist makes what is released: binaries and archives for every system, .deb and .rpm
// packages, an OCI image, a bill of materials for each binary, and checksums. The same tree gives
// the same bytes, in any folder and at any time.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// release is what is made, and of what.
type release struct {
	tree, out string
	version   string    // without a leading v
	time      time.Time // of the commit: the time of every file
}

// binary is the command for one system.
type binary struct{ os, arch, path string }

var platforms = []binary{
	{os: "linux", arch: "amd64"}, {os: "linux", arch: "arm64"}, {os: "darwin", arch: "amd64"},
	{os: "darwin", arch: "arm64"}, {os: "windows", arch: "amd64"}, {os: "windows", arch: "arm64"},
}

func main() {
	tree := flag.String("tree", ".", "`folder` of the source")
	out := flag.String("out", "dist", "new or empty `folder` for what is made")
	version := flag.String("version", "0.0.0", "`version` of the release, without a leading v")
	flag.Parse()
	if err := run(*tree, *out, *version); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func run(tree, out, version string) error {
	r := &release{version: version}
	var err error
	if r.tree, err = filepath.Abs(tree); err != nil {
		return err
	}
	if r.out, err = filepath.Abs(out); err != nil {
		return err
	}
	if r.time, err = r.committed(); err != nil {
		return err
	}
	if err := makeEmpty(r.out); err != nil {
		return err
	}
	built, err := os.MkdirTemp("", "leasehold-dist")
	if err != nil {
		return err
	}
	defer os.RemoveAll(built)
	var linux []binary
	for _, b := range platforms {
		if err := r.build(&b, built); err != nil {
			return err
		}
		if err := r.each(b); err != nil {
			return fmt.Errorf("%s/%s: %w", b.os, b.arch, err)
		}
		if b.os == "linux" {
			linux = append(linux, b)
		}
	}
	if err := r.image(linux); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	return r.checksums()
}

// each makes everything that belongs to one binary.
func (r *release) each(b binary) error {
	if err := r.archive(b); err != nil {
		return err
	}
	if err := r.bill(b); err != nil {
		return err
	}
	if b.os != "linux" {
		return nil
	}
	return r.packages(b)
}

// committed returns the time of the commit, or SOURCE_DATE_EPOCH if it is set.
func (r *release) committed() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		b, err := exec.Command("git", "-C", r.tree, "log", "-1", "--format=%ct").Output()
		if err != nil {
			return time.Time{}, fmt.Errorf("the time of the commit is not known, and SOURCE_DATE_EPOCH is not set: %w", err)
		}
		text = strings.TrimSpace(string(b))
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0).UTC(), err
}

// build builds the command for the system of b.
func (r *release) build(b *binary, dir string) error {
	b.path = filepath.Join(dir, b.os+"-"+b.arch, r.command(b.os))
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.release="+r.version, "-o", b.path, "./cmd/leasehold")
	cmd.Dir, cmd.Stderr = r.tree, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+b.os, "GOARCH="+b.arch, "GOFLAGS=-mod=readonly")
	return cmd.Run()
}

// command returns the name of the command on a system.
func (r *release) command(system string) string {
	if system == "windows" {
		return "leasehold.exe"
	}
	return "leasehold"
}

// name returns the beginning of the names of the files for b.
func (r *release) name(b binary) string {
	return fmt.Sprintf("leasehold_%s_%s_%s", r.version, b.os, b.arch)
}

// makeEmpty makes a folder, or accepts an empty one: what was made before must not be mixed in.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty; name another folder with -out", dir)
	}
	return err
}

// checksums writes SHA256SUMS, for sha256sum -c.
func (r *release) checksums() error {
	var sums strings.Builder
	err := filepath.WalkDir(r.out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.out, path)
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(b), filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}
