package judges

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
	"github.com/leasehold/leasehold/test/proxy"
)

const gocloudVersion = "v0.49.0"

// gocloudChanges turn on what the project turned off when it gave up its account, and name
// ours. Its harness takes the key from the environment when it is told to record, and is given
// a client that does not record.
var gocloudChanges = strings.NewReplacer(
	`accountName = "gocloudblobtests"`, `accountName = "`+harness.Account+`"`,
	`// drivertest.RunConformanceTests(`, `drivertest.RunConformanceTests(`,
	`setup.NewAzureTestBlobClient(ctx, t)`, `&http.Client{Transport: http.DefaultTransport}, func() {}`,
)

// TestGoCloud runs the conformance tests that every blob driver of gocloud.dev has to pass, for
// the driver azureblob.
func TestGoCloud(t *testing.T) {
	harness.Long(t)
	dir := filepath.Join(workshop(t, ""), "gocloud.dev@"+gocloudVersion)
	duplicate(t, module(t, "gocloud.dev@"+gocloudVersion), dir)
	file := filepath.Join(dir, "blob/azureblob/azureblob_test.go")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(gocloudChanges.Replace(string(text))), 0o644); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "gocloud.test")
	if out, err := command(t, dir, []string{"GOWORK=off"}, "go", "test", "-c", "-o", binary, "./blob/azureblob"); err != nil {
		unavailable(t, "what gocloud.dev needs", err, out)
	}
	// Among twenty concurrent writers the driver may pass on the error of one whose connection is
	// cut. Where it lists it does nothing else.
	judge(t, "gocloud", "Container_ListBlobs", func(t *testing.T, s *harness.Server) []harness.Result {
		front, err := proxy.NewFront(proxy.FrontOptions{Plain: s.Addr, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { front.Close() })
		createContainer(t, s, "go-cloud-bucket")
		client := harness.Client{
			Dir: filepath.Join(dir, "blob/azureblob"),
			Env: append(front.Env(), "AZURE_STORAGE_ACCOUNT="+harness.Account, "AZURE_STORAGE_KEY="+harness.Key),
		}
		return goTest(t, client, binary, "-test.run=^TestConformance$", "-record")
	})
}
