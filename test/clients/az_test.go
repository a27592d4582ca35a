package clients

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/test/harness"
)

// storage runs a command of "az storage", whose words are separated by single spaces, and
// compares what it prints with want.
func (c *tool) storage(t *testing.T, line, want string) {
	t.Helper()
	if got := c.must(t, storageArgs(line)...); got != want {
		t.Errorf("az storage %s printed\n%s\nwant\n%s", line, got, want)
	}
}

// silent runs a command of "az storage" for its effect.
func (c *tool) silent(t *testing.T, line string) {
	t.Helper()
	c.must(t, append(storageArgs(line), "-o", "none")...)
}

func storageArgs(line string) []string {
	return append([]string{"storage"}, strings.Split(line, " ")...)
}

// newAzureCLI starts a server with a container, box, and returns the Azure CLI for it.
func newAzureCLI(t *testing.T) *tool {
	t.Helper()
	harness.Long(t)
	server := harness.Start(t, nil)
	az := &tool{
		program: harness.Need(t, "az", "install the Azure CLI (Debian package azure-cli)"),
		env: append(server.Env(),
			"AZURE_CONFIG_DIR="+t.TempDir(), "AZURE_CORE_COLLECT_TELEMETRY=false", "AZURE_CORE_ONLY_SHOW_ERRORS=true"),
	}
	az.silent(t, "container create -n box")
	return az
}

// TestAzureCLIBlobs runs the verbs for blobs.
func TestAzureCLIBlobs(t *testing.T) {
	az := newAzureCLI(t)
	dir := t.TempDir()
	file, back := filepath.Join(dir, "file"), filepath.Join(dir, "back")
	if err := os.WriteFile(file, []byte("0123456789"), 0o644); err != nil {
		t.Fatal(err)
	}
	az.silent(t, "blob upload -c box -n dir/x -f "+file+" --metadata owner=me --tags stage=one --content-type text/css")
	az.refused(t, "BlobAlreadyExists", storageArgs("blob upload -c box -n dir/x -f "+file)...)
	az.storage(t, "blob exists -c box -n dir/x -o tsv", "True")
	az.storage(t, "blob exists -c box -n nothing -o tsv", "False")
	az.storage(t, "blob show -c box -n dir/x --query [properties.contentLength,properties.contentSettings.contentType,metadata.owner,tagCount] -o tsv",
		"10\ntext/css\nme\n1")
	az.refused(t, "BlobNotFound", storageArgs("blob show -c box -n nothing")...)

	az.silent(t, "blob download -c box -n dir/x -f "+back)
	sameFiles(t, file, back)
	az.silent(t, "blob download -c box -n dir/x --start-range 2 --end-range 5 -f "+back)
	if part, err := os.ReadFile(back); string(part) != "2345" {
		t.Errorf("a range: %q, %v", part, err)
	}

	t.Run("list", func(t *testing.T) {
		az.silent(t, "blob upload -c box -n y -f "+file)
		az.storage(t, "blob list -c box --query [].name -o tsv", "dir/x\ny")
		az.storage(t, "blob list -c box --prefix dir/ --include mt --query [].[name,metadata.owner] -o tsv", "dir/x\tme")
		az.storage(t, "blob list -c box --delimiter / --query [].name -o tsv", "dir/\ny")
		az.storage(t, "blob list -c box --num-results 1 --query [].name -o tsv", "dir/x")
	})
	t.Run("metadata, headers, tags and tiers", func(t *testing.T) {
		az.silent(t, "blob metadata update -c box -n y --metadata a=b c=d")
		az.storage(t, "blob metadata show -c box -n y --query [a,c] -o tsv", "b\nd")
		az.silent(t, "blob update -c box -n y --content-type text/html --content-cache no-cache")
		az.silent(t, "blob set-tier -c box -n y --tier Cool")
		az.storage(t, "blob show -c box -n y --query properties.[contentSettings.contentType,contentSettings.cacheControl,blobTier] -o tsv",
			"text/html\nno-cache\nCool")
		az.silent(t, "blob set-tier -c box -n y --tier Archive")
		az.refused(t, "BlobArchived", storageArgs("blob download -c box -n y -f "+back)...)
		az.silent(t, "blob set-tier -c box -n y --tier Hot --rehydrate-priority High")
		az.storage(t, "blob show -c box -n y --query properties.rehydrationStatus -o tsv", "rehydrate-pending-to-hot")
		where := []string{"storage", "blob", "show", "-c", "box", "-n", "dir/x", "-o", "none", "--tags-condition"}
		az.must(t, append(where, "stage='one'")...)
		az.refused(t, "ConditionNotMet", append(where, "stage='two'")...)
	})
	t.Run("other types", func(t *testing.T) {
		az.silent(t, "blob upload -c box -n log --type append -f "+file)
		az.silent(t, "blob upload -c box -n log --type append -f "+file)
		page := filepath.Join(dir, "page")
		if err := os.WriteFile(page, make([]byte, 1024), 0o644); err != nil {
			t.Fatal(err)
		}
		az.silent(t, "blob upload -c box -n disk --type page -f "+page)
		az.storage(t, "blob list -c box --query [?properties.blobType!='BlockBlob'].[name,properties.contentLength] -o tsv", "disk\t1024\nlog\t20")
	})
	t.Run("copies", func(t *testing.T) {
		az.storage(t, "blob copy start --source-container box --source-blob dir/x -c box -b copy --query copy_status -o tsv", "success")
		az.storage(t, "blob show -c box -n copy --query [properties.copy.status,metadata.owner] -o tsv", "success\nme")
		id := az.must(t, storageArgs("blob show -c box -n copy --query properties.copy.id -o tsv")...)
		az.refused(t, "NoPendingCopyOperation", storageArgs("blob copy cancel -c box -b copy --copy-id "+id)...)
		// start-batch is left out: it knows accounts of the public cloud only.
		url := strings.Trim(az.must(t, storageArgs("blob url -c box -n dir/x -o tsv")...), `"`)
		sas := az.must(t, storageArgs("blob generate-sas -c box -n dir/x --permissions r --expiry "+expiry()+" -o tsv")...)
		az.silent(t, "blob copy start -c box -b fetched --source-uri "+url+"?"+sas)
		az.silent(t, "blob rewrite -c box -n rewritten -u "+url+"?"+sas)
		az.silent(t, "blob download -c box -n rewritten --overwrite -f "+back)
		sameFiles(t, file, back)
	})
	t.Run("shared access", func(t *testing.T) {
		full := az.must(t, storageArgs("blob generate-sas -c box -n dir/x --permissions r --expiry "+expiry()+" --full-uri -o tsv")...)
		az.silent(t, "blob download --blob-url "+full+" --overwrite -f "+back)
		sameFiles(t, file, back)
		_, sas, _ := strings.Cut(full, "?")
		az.guest(sas).refused(t, "You do not have the required permissions", storageArgs("blob delete -c box -n dir/x")...)
	})
	az.snapshots(t, file, back)
	az.deletes(t)
}

// guest returns the Azure CLI with a shared access signature in place of the key.
func (c *tool) guest(sas string) *tool {
	g := &tool{program: c.program, env: slices.Clone(c.env)}
	for _, e := range c.env {
		if endpoint, ok := strings.CutPrefix(e, "LEASEHOLD_TEST_ENDPOINT="); ok {
			g.env = append(g.env, "AZURE_STORAGE_CONNECTION_STRING=BlobEndpoint="+endpoint+";SharedAccessSignature="+sas)
		}
	}
	return g
}

// expiry is when signatures of a test are over.
func expiry() string { return time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04Z") }

// snapshots takes a snapshot, reads it, restores it and deletes it.
func (c *tool) snapshots(t *testing.T, file, back string) {
	t.Run("snapshots", func(t *testing.T) {
		c.silent(t, "blob upload -c box -n snap -f "+file)
		taken := c.must(t, storageArgs("blob snapshot -c box -n snap --query snapshot -o tsv")...)
		c.silent(t, "blob upload -c box -n snap --overwrite -f "+os.Args[0])
		c.storage(t, "blob list -c box --prefix snap --include s --query [].snapshot -o tsv", taken)
		c.silent(t, "blob download -c box -n snap --snapshot "+taken+" --overwrite -f "+back)
		sameFiles(t, file, back)
		c.refused(t, "SnapshotsPresent", storageArgs("blob delete -c box -n snap")...)
		c.silent(t, "blob delete -c box -n snap --delete-snapshots only")
		c.silent(t, "blob delete -c box -n snap")
	})
}

// deletes deletes and restores.
func (c *tool) deletes(t *testing.T) {
	t.Run("delete and undelete", func(t *testing.T) {
		c.silent(t, "blob service-properties delete-policy update --enable true --days-retained 2")
		c.storage(t, "blob service-properties delete-policy show --query [enabled,days] -o tsv", "true\n2")
		c.silent(t, "blob delete -c box -n dir/x")
		c.storage(t, "blob exists -c box -n dir/x -o tsv", "False")
		c.storage(t, "blob list -c box --prefix dir/ --include d --query [].[name,deleted] -o tsv", "dir/x\tTrue")
		c.silent(t, "blob undelete -c box -n dir/x")
		c.storage(t, "blob exists -c box -n dir/x -o tsv", "True")
		c.silent(t, "blob delete-batch -s box --pattern dir/*")
		c.storage(t, "blob list -c box --prefix dir/ --query [].name -o tsv", "")
		c.silent(t, "blob service-properties update --static-website --index-document index.html")
		c.storage(t, "blob service-properties show --query staticWebsite.indexDocument -o tsv", "index.html")
	})
}

// TestAzureCLIContainers runs the verbs for containers.
func TestAzureCLIContainers(t *testing.T) {
	az := newAzureCLI(t)
	az.refused(t, "ContainerAlreadyExists", storageArgs("container create -n box --fail-on-exist")...)
	az.silent(t, "container create -n other --metadata team=blue --public-access blob")
	az.storage(t, "container exists -n other -o tsv", "True")
	az.storage(t, "container list --query [].name -o tsv", "box\nother")
	az.storage(t, "container list --prefix o --include-metadata --query [].[name,metadata.team] -o tsv", "other\tblue")
	az.storage(t, "container show -n other --query [properties.publicAccess,properties.lease.state] -o tsv", "blob\navailable")
	az.storage(t, "container show-permission -n other -o tsv", "blob")
	az.silent(t, "container set-permission -n other --public-access off")
	az.storage(t, "container show-permission -n other -o tsv", "off")
	az.silent(t, "container metadata update -n other --metadata team=red")
	az.storage(t, "container metadata show -n other --query team -o tsv", "red")

	az.silent(t, "container policy create -c other -n readers --permissions rl --expiry "+expiry())
	az.storage(t, "container policy list -c other --query keys(@) -o tsv", "readers")
	az.storage(t, "container policy show -c other -n readers --query permission -o tsv", "rl")
	az.silent(t, "container policy update -c other -n readers --permissions r")
	az.silent(t, "container policy delete -c other -n readers")
	az.storage(t, "container policy list -c other -o tsv", "")

	sas := az.must(t, storageArgs("container generate-sas -n other --permissions rl --expiry "+expiry()+" -o tsv")...)
	guest := az.guest(sas)
	guest.storage(t, "blob list -c other --query [].name -o tsv", "")
	guest.refused(t, "You do not have the required permissions", storageArgs("blob upload -c other -n x -f "+os.Args[0])...)

	id := az.must(t, storageArgs("container lease acquire -c other --lease-duration 60 -o tsv")...)
	az.refused(t, "LeaseIdMissing", storageArgs("container delete -n other")...)
	az.silent(t, "container delete -n other --lease-id "+id)
	az.storage(t, "container exists -n other -o tsv", "False")
}
