package clients

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
	"github.com/leasehold/leasehold/test/proxy"
)

// A tool is a command-line client.
type tool struct {
	program string
	args    []string // before those of every run
	env     []string
}

// run runs the tool and returns what it printed on standard output and on both.
func (c *tool) run(t *testing.T, args ...string) (stdout, all string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.program, slices.Concat(c.args, args)...)
	cmd.Env = append(os.Environ(), c.env...)
	var out, both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &both
	err = cmd.Run()
	return strings.TrimSpace(out.String()), out.String() + both.String(), err
}

// must runs the tool, which has to succeed, and returns its standard output.
func (c *tool) must(t *testing.T, args ...string) string {
	t.Helper()
	out, all, err := c.run(t, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(c.program), strings.Join(args, " "), err, all)
	}
	return out
}

// refused runs the tool, which has to fail with the given words.
func (c *tool) refused(t *testing.T, words string, args ...string) {
	t.Helper()
	if _, all, err := c.run(t, args...); err == nil || !strings.Contains(all, words) {
		t.Errorf("%s %s: %v, want %s\n%s", filepath.Base(c.program), strings.Join(args, " "), err, words, all)
	}
}

// files makes a folder of files of many sizes, with names that need encoding.
func files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, size := range map[string]int{
		"empty": 0, "small.txt": 100, "dir/a b+c%.bin": 70_000, "dir/deep/ä.bin": 5 << 20,
	} {
		path := filepath.Join(dir, name)
		body := make([]byte, size)
		rand.Read(body)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sameFiles fails the test unless both folders hold the same files.
func sameFiles(t *testing.T, want, got string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "diff", "-r", want, got).CombinedOutput(); err != nil {
		t.Errorf("the folders differ: %v\n%s", err, out)
	}
}

// TestAzureCLI runs every verb of the lease commands for blobs and containers,
// and uploads under a lease.
func TestAzureCLI(t *testing.T) {
	az := newAzureCLI(t)
	dir := files(t)
	az.must(t, "storage", "blob", "upload", "-c", "box", "-n", "state", "-f", filepath.Join(dir, "small.txt"))

	t.Run("blob lease", func(t *testing.T) {
		az.leaseVerbs(t, "blob", "-c", "box", "-b", "state")
	})
	t.Run("container lease", func(t *testing.T) {
		az.leaseVerbs(t, "container", "-c", "box")
	})
	t.Run("upload under a lease", func(t *testing.T) {
		upload := []string{"storage", "blob", "upload", "-c", "box", "-n", "state", "-f", filepath.Join(dir, "dir/a b+c%.bin"), "--overwrite"}
		id := az.must(t, "storage", "blob", "lease", "acquire", "-c", "box", "-b", "state", "--lease-duration", "60", "-o", "tsv")
		az.refused(t, "LeaseIdMissing", upload...)
		az.must(t, append(upload, "--lease-id", id)...)
		az.refused(t, "LeaseIdMissing", "storage", "blob", "delete", "-c", "box", "-n", "state")
		az.must(t, "storage", "blob", "delete", "-c", "box", "-n", "state", "--lease-id", id)
	})
	t.Run("batch and list", func(t *testing.T) {
		az.must(t, "storage", "blob", "upload-batch", "-d", "box", "-s", dir)
		out := az.must(t, "storage", "blob", "list", "-c", "box", "--num-results", "*", "--query", "[].name", "-o", "json")
		var names []string
		if err := json.Unmarshal([]byte(out), &names); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got := strings.Join(names, "|"); got != "dir/a b+c%.bin|dir/deep/ä.bin|empty|small.txt" {
			t.Errorf("listed %s", got)
		}
		back := t.TempDir()
		az.must(t, "storage", "blob", "download-batch", "-s", "box", "-d", back)
		sameFiles(t, dir, back)
	})
}

// TestAzureCLILogin runs the lease commands with tokens that the Azure CLI got by logging
// in as a service principal.
func TestAzureCLILogin(t *testing.T) {
	harness.Long(t)
	server := harness.Start(t, &harness.Options{Dev: true})
	server.NeedOwn()
	program := harness.Need(t, "az", "install the Azure CLI (Debian package azure-cli)")
	env := []string{"AZURE_CONFIG_DIR=" + t.TempDir(), "AZURE_CORE_COLLECT_TELEMETRY=false", "AZURE_CORE_ONLY_SHOW_ERRORS=true"}
	inShell := func(command ...string) *tool {
		line := server.InEnvironment("--service-principal", command...)
		return &tool{program: line[0], args: line[1:], env: env}
	}
	az := inShell(program)
	az.must(t, "cloud", "register", "-n", "Leasehold",
		"--endpoint-resource-manager", "https://login.leasehold.internal", "--suffix-storage-endpoint", "core.windows.net")
	az.must(t, "cloud", "set", "-n", "Leasehold")
	// The shell knows the secret, which is made anew at each start of the server.
	login := inShell("sh", "-c",
		`"$0" login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" --tenant "$AZURE_TENANT_ID" --allow-no-subscriptions "$@"`, program)
	if got := login.must(t, "--query", "[].[cloudName,user.type]", "-o", "tsv"); got != "Leasehold\tservicePrincipal" {
		t.Errorf("login printed %q", got)
	}
	az.must(t, "storage", "container", "create", "-n", "box", "--auth-mode", "login")
	az.must(t, "storage", "blob", "upload", "-c", "box", "-n", "state", "-f", "tools_test.go", "--auth-mode", "login")
	az.leaseVerbs(t, "blob", "-c", "box", "-b", "state", "--auth-mode", "login")
	az.leaseVerbs(t, "container", "-c", "box", "--auth-mode", "login")
	// Without the login there is no other way in.
	az.must(t, "logout")
	az.refused(t, "az login", "storage", "container", "show", "-n", "box", "--auth-mode", "login")
}

// leaseVerbs runs acquire, renew, change, break and release on one resource.
func (c *tool) leaseVerbs(t *testing.T, kind string, name ...string) {
	t.Helper()
	lease := func(verb string, args ...string) []string {
		return append(append([]string{"storage", kind, "lease", verb, "-o", "tsv"}, name...), args...)
	}
	id := c.must(t, lease("acquire", "--lease-duration", "60")...)
	c.refused(t, "LeaseAlreadyPresent", lease("acquire", "--lease-duration", "15")...)
	if got := c.must(t, lease("renew", "--lease-id", id)...); got != id {
		t.Errorf("renew answered %q, want %q", got, id)
	}
	next := harness.NewID()
	c.must(t, lease("change", "--lease-id", id, "--proposed-lease-id", next)...)
	c.refused(t, "LeaseIdMismatchWithLeaseOperation", lease("renew", "--lease-id", id)...)
	c.must(t, lease("release", "--lease-id", next)...)
	c.refused(t, "LeaseNotPresentWithLeaseOperation", lease("break")...)
	c.must(t, lease("acquire")...)
	if got := c.must(t, lease("break")...); got != "0" {
		t.Errorf("break of an endless lease answered %q, want 0", got)
	}
}

// TestRclone copies a folder there and back.
func TestRclone(t *testing.T) {
	harness.Long(t)
	server := harness.Start(t, nil)
	rclone := &tool{
		program: harness.Need(t, "rclone", "install rclone (Debian package rclone)"),
		env: []string{
			"RCLONE_CONFIG=" + filepath.Join(t.TempDir(), "rclone.conf"),
			"RCLONE_CONFIG_STORE_TYPE=azureblob",
			"RCLONE_CONFIG_STORE_USE_EMULATOR=true",
			"RCLONE_CONFIG_STORE_ENDPOINT=" + server.URL(harness.Account),
			"RCLONE_CONFIG_STORE_ACCOUNT=" + harness.Account,
			"RCLONE_CONFIG_STORE_KEY=" + harness.Key,
			"RCLONE_RETRIES=1", "RCLONE_LOW_LEVEL_RETRIES=1",
			"RCLONE_AZUREBLOB_CHUNK_SIZE=1Mi", "RCLONE_AZUREBLOB_UPLOAD_CUTOFF=1Mi",
		},
	}
	dir := files(t)
	rclone.must(t, "mkdir", "store:box")
	rclone.must(t, "sync", dir, "store:box/backup")
	rclone.must(t, "check", "--download", dir, "store:box/backup")
	rclone.must(t, "check", dir, "store:box/backup")
	if got := rclone.must(t, "lsf", "store:box/backup"); got != "dir/\nempty\nsmall.txt" {
		t.Errorf("lsf printed %q", got)
	}
	rclone.streams(t, dir)
	rclone.must(t, "copy", "store:box/backup", "store:box/copy")
	back := t.TempDir()
	rclone.must(t, "sync", "store:box/copy", back)
	sameFiles(t, dir, back)
	if err := os.Remove(filepath.Join(dir, "small.txt")); err != nil {
		t.Fatal(err)
	}
	rclone.must(t, "sync", dir, "store:box/backup")
	rclone.must(t, "check", dir, "store:box/backup")
	rclone.must(t, "purge", "store:box/copy")
	rclone.must(t, "purge", "store:box")
}

// streams prints, describes and writes without files.
func (c *tool) streams(t *testing.T, dir string) {
	t.Helper()
	small, err := os.ReadFile(filepath.Join(dir, "small.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if out, _, err := c.run(t, "cat", "--offset", "10", "--count", "20", "store:box/backup/small.txt"); err != nil || out != strings.TrimSpace(string(small[10:30])) {
		t.Errorf("cat printed %q, %v", out, err)
	}
	type entry struct {
		Path string
		Size int
	}
	var listed []entry
	if err := json.Unmarshal([]byte(c.must(t, "lsjson", "-R", "--files-only", "store:box/backup")), &listed); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(listed, func(a, b entry) int { return strings.Compare(a.Path, b.Path) })
	if got := fmt.Sprint(listed); got != "[{dir/a b+c%.bin 70000} {dir/deep/ä.bin 5242880} {empty 0} {small.txt 100}]" {
		t.Errorf("lsjson printed %s", got)
	}
	sums := slices.Sorted(strings.SplitSeq(c.must(t, "hashsum", "MD5", "store:box/backup"), "\n"))
	here := slices.Sorted(strings.SplitSeq(c.must(t, "hashsum", "MD5", dir), "\n"))
	if !slices.Equal(sums, here) {
		t.Errorf("hashsum printed %q, want %q", sums, here)
	}
	if got := c.must(t, "size", "store:box/backup", "--json"); !strings.Contains(got, `"bytes":5312980`) {
		t.Errorf("size printed %s", got)
	}
	c.must(t, "moveto", "store:box/backup/empty", "store:box/backup/moved")
	c.must(t, "copyto", "store:box/backup/moved", "store:box/backup/empty")
	c.must(t, "deletefile", "store:box/backup/moved")
	c.must(t, "check", dir, "store:box/backup")
}

// TestRestic backs a folder up and restores it. It knows only the public name of
// the service.
func TestRestic(t *testing.T) {
	harness.Long(t)
	const account = "resticaccount"
	server := harness.Start(t, &harness.Options{Accounts: map[string]string{account: ""}})
	front, err := proxy.NewFront(proxy.FrontOptions{Plain: server.Addr, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	restic := &tool{
		program: harness.Need(t, "restic", "install restic (Debian package restic)"),
		env: append(front.Env(),
			"AZURE_ACCOUNT_NAME="+account,
			"AZURE_ACCOUNT_KEY="+harness.AccountKey(account),
			"RESTIC_REPOSITORY=azure:vault:/repo",
			"RESTIC_PASSWORD=secret",
			"RESTIC_CACHE_DIR="+t.TempDir()),
	}
	dir := files(t)
	restic.must(t, "init")
	restic.must(t, "backup", dir)
	if err := os.WriteFile(filepath.Join(dir, "later"), []byte("more"), 0o644); err != nil {
		t.Fatal(err)
	}
	restic.must(t, "backup", dir)
	restic.must(t, "check", "--read-data")
	back := t.TempDir()
	restic.must(t, "restore", "latest", "--target", back)
	sameFiles(t, dir, filepath.Join(back, dir))
	restic.locks(t)
	restic.must(t, "forget", "--keep-last", "1")
	restic.must(t, "prune")
	restic.must(t, "check", "--read-data")
	if out := restic.must(t, "snapshots", "--json"); strings.Count(out, `"short_id"`) != 1 {
		t.Errorf("snapshots: %s", fmt.Sprintf("%.500s", out))
	}
}

// locks lets a backup that reads from a pipe hold its lock, which keeps others from
// pruning, and takes away what it leaves when it is killed.
func (c *tool) locks(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.program, "backup", "--stdin")
	cmd.Env = append(os.Environ(), c.env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := sync.OnceFunc(func() {
		cmd.Process.Kill()
		in.Close()
		cmd.Wait()
	})
	defer killed()
	for c.must(t, "list", "locks", "--no-lock") == "" {
		if t.Context().Err() != nil {
			t.Fatal("the backup took no lock")
		}
	}
	c.refused(t, "already locked", "prune")
	killed()
	c.must(t, "unlock", "--remove-all")
	if left := c.must(t, "list", "locks", "--no-lock"); left != "" {
		t.Errorf("locks are left: %s", left)
	}
}
