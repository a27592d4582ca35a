// Package published builds what this tree publishes the way its users get it: from a module proxy,
// outside of the tree, without its workspaces and without replacements.
package published

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/leasehold/leasehold/test/harness"
)

const project = "github.com/leasehold/leasehold"

// required is the version of package hold that the modules of the tree require.
const required = "v0.1.0"

// modules are the folders that are published as modules, under the project's path.
var modules = []string{"", "hold", "hold/k8slock", "hold/certmagiclock"}

// release is the tree published as one version.
type release struct {
	t       *testing.T
	version string
	env     []string
}

// publish makes a module proxy of files with every module of the tree. The version differs from
// every other, since modules once fetched stay in the module cache; it is removed from there at the
// end.
func publish(t *testing.T) *release {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	r := &release{t: t, version: fmt.Sprintf("v0.1.1-%s.%d", "test", time.Now().UnixNano())}
	proxy := t.TempDir()
	for _, dir := range modules {
		r.add(proxy, filepath.Join(root, dir), strings.TrimSuffix(project+"/"+dir, "/"))
	}
	fetched := strings.TrimSpace(string(r.run(root, "go", "env", "GOPROXY")))
	r.env = []string{"GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=file://" + filepath.ToSlash(proxy) + "," + fetched, "GONOSUMDB=" + project + "/*," + project}
	cache := strings.TrimSpace(string(r.run(root, "go", "env", "GOMODCACHE")))
	t.Cleanup(func() {
		for _, dir := range modules {
			path := strings.TrimSuffix(project+"/"+dir, "/")
			exec.Command("chmod", "-R", "u+w", filepath.Join(cache, path+"@"+r.version)).Run()
			os.RemoveAll(filepath.Join(cache, path+"@"+r.version))
			old, _ := filepath.Glob(filepath.Join(cache, "cache/download", path, "@v", r.version+".*"))
			for _, f := range old {
				os.Remove(f)
			}
		}
	})
	return r
}

// add publishes the module in dir. What requires package hold requires this release of it.
func (r *release) add(proxy, dir, path string) {
	r.t.Helper()
	at := filepath.Join(proxy, path, "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		r.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		r.t.Fatal(err)
	}
	if strings.Contains(string(text), "\nreplace") {
		r.t.Errorf("%s has a replacement, which nobody who requires it gets", path)
	}
	text = []byte(strings.ReplaceAll(string(text), project+"/hold "+required, project+"/hold "+r.version))
	name := filepath.Join(at, r.version)
	source, err := os.Create(name + ".zip")
	if err != nil {
		r.t.Fatal(err)
	}
	defer source.Close()
	if err := zip.CreateFromDir(source, module.Version{Path: path, Version: r.version}, dir); err != nil {
		r.t.Fatal(err)
	}
	info := fmt.Sprintf(`{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, r.version)
	for file, content := range map[string]string{name + ".mod": string(text), name + ".info": info, filepath.Join(at, "list"): r.version + "\n"} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

// run runs a program in dir and returns its output.
func (r *release) run(dir string, command ...string) []byte {
	r.t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), r.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%q: %v\n%s", command, err, out)
	}
	return out
}

// program builds a program of another module that requires what it imports at this release.
func (r *release) program(imports, body string) {
	r.t.Helper()
	dir := r.t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  fmt.Sprintf("module example.com/program\n\ngo 1.26\n\nrequire %s %s\n", imports, r.version),
		"main.go": fmt.Sprintf("package main\n\nimport used %q\n\nfunc main() { %s }\n", imports, body),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
	r.run(dir, "go", "build", "-o", filepath.Join(dir, "program"), ".")
	if out := r.run(dir, "go", "list", "-m", "all"); strings.Contains(string(out), "cockroachdb/pebble") {
		r.t.Errorf("who imports %s gets the server's libraries:\n%s", imports, out)
	}
}

// TestHold builds a program that requires package hold.
func TestHold(t *testing.T) {
	publish(t).program(project+"/hold", "println(used.NewID())")
}

// TestAdapters builds programs that require the adapters.
func TestAdapters(t *testing.T) {
	long(t)
	r := publish(t)
	r.program(project+"/hold/k8slock", "_ = new(used.Lock)")
	r.program(project+"/hold/certmagiclock", "_ = new(used.Locker)")
}

// TestInstall installs the command as README says.
func TestInstall(t *testing.T) {
	long(t)
	r := publish(t)
	bin := t.TempDir()
	r.env = append(r.env, "GOFLAGS=", "GOBIN="+bin)
	r.run(bin, "go", "install", project+"/cmd/leasehold@"+r.version)
	if out := r.run(bin, filepath.Join(bin, "leasehold"), "--help"); !strings.Contains(string(out), "serve") {
		t.Errorf("leasehold --help prints\n%s", out)
	}
}

func long(t *testing.T) {
	t.Helper()
	if os.Getenv("LEASEHOLD_TEST") != "long" {
		t.Skip("builds libraries of others for a minute; set LEASEHOLD_TEST=long")
	}
}
