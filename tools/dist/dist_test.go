package main

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// made makes everything for one binary, the program of this test, in a folder of its own.
func made(t *testing.T) *release {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	b := binary{os: "linux", arch: "amd64", path: filepath.Join(t.TempDir(), "leasehold")}
	if err := os.WriteFile(b.path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	r := &release{tree: "../..", out: t.TempDir(), version: "1.2.3", time: time.Unix(1_800_000_000, 0).UTC()}
	for _, err := range []error{r.each(b), r.archive(binary{os: "windows", arch: "amd64", path: b.path}), r.image([]binary{b}), r.checksums()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// contents returns the files below a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestTwiceTheSameBytes: what is made depends on nothing but the tree, the version and the time of
// the commit.
func TestTwiceTheSameBytes(t *testing.T) {
	one, two := contents(t, made(t).out), contents(t, made(t).out)
	if !maps.Equal(one, two) {
		for name := range one {
			if one[name] != two[name] {
				t.Errorf("%s differs", name)
			}
		}
	}
	for _, name := range []string{
		"leasehold_1.2.3_linux_amd64.tar.gz", "leasehold_1.2.3_windows_amd64.zip", "leasehold_1.2.3_linux_amd64.cdx.json",
		"leasehold_1.2.3_amd64.deb", "leasehold-1.2.3-1.x86_64.rpm", "image/index.json",
	} {
		if one[name] == "" {
			t.Errorf("no %s", name)
		}
		if !strings.Contains(one["SHA256SUMS"], "  "+name+"\n") {
			t.Errorf("no checksum of %s", name)
		}
	}
	if !strings.Contains(one["leasehold_1.2.3_linux_amd64.cdx.json"], `"purl": "pkg:golang/github.com/google/go-containerregistry@`) {
		t.Error("the bill lacks a module that is in the binary")
	}
}

// TestImage: the image is valid, runs as nobody else's user, and has what a server needs.
func TestImage(t *testing.T) {
	index, err := layout.ImageIndexFromPath(filepath.Join(made(t).out, "image"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/leasehold"}) || c.Healthcheck == nil ||
		!slices.Equal(c.Healthcheck.Test, []string{"CMD", "/leasehold", "health"}) || !slices.Contains(c.Env, "LEASEHOLD_DATA=/data") {
		t.Errorf("%+v", c)
	}
	found := map[string]*tar.Header{}
	files := tar.NewReader(mutate.Extract(image))
	for h, err := files.Next(); err == nil; h, err = files.Next() {
		found[h.Name] = h
	}
	for name, mode := range map[string]int64{"leasehold": 0o755, "tmp": 0o1777, "data": 0o700, "etc/ssl/certs/ca-certificates.crt": 0o644} {
		h := found[name]
		if h == nil {
			h = found[name+"/"]
		}
		if h == nil || h.Mode != mode || (h.Uid == imageUser) != (name == "data") {
			t.Errorf("%s is %+v", name, h)
		}
	}
	if n := bytes.Count(authorities(), []byte("BEGIN CERTIFICATE")); n < 50 {
		t.Errorf("%d authorities", n)
	}
}

// TestFoldersAreNotMixed: files of another release must not get the checksums of this one.
func TestFoldersAreNotMixed(t *testing.T) {
	dir := t.TempDir()
	if err := makeEmpty(dir); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "old"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeEmpty(dir); err == nil {
		t.Error("a folder with files is accepted")
	}
}
