package judges

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
)

const objectStoreVersion = "0.14.2"

// TestObjectStore runs the integration tests that the Rust crate object_store has for the
// service.
func TestObjectStore(t *testing.T) {
	harness.Long(t)
	cargo := harness.Need(t, "cargo", "install Rust")
	dir := filepath.Join(workshop(t, ""), "object_store-"+objectStoreVersion)
	duplicate(t, crate(t, cargo, "object_store", objectStoreVersion), dir)
	test := []string{cargo, "test", "--quiet", "--locked", "--features", "azure", "--lib"}
	if out, err := command(t, dir, nil, append(test, "--no-run")...); err != nil {
		unavailable(t, "what object_store needs", err, out)
	}
	// The crate, rightly, does not repeat a conditional write or a batch whose fate it can't know.
	// It sends blocks where it does nothing else.
	judge(t, "objectstore", "BlockBlob_StageBlock", func(t *testing.T, s *harness.Server) []harness.Result {
		createContainer(t, s, "object-store")
		client := harness.Client{
			Dir:     dir,
			Command: append(test, "--", "--format=pretty", "azure::tests::"),
			Env: []string{
				"TEST_INTEGRATION=1", "AZURE_ALLOW_HTTP=true", "AZURE_CONTAINER_NAME=object-store", "AZURE_ENDPOINT=" + s.URL(harness.Account),
				"AZURE_STORAGE_ACCOUNT_NAME=" + harness.Account, "AZURE_STORAGE_ACCESS_KEY=" + harness.Key,
			},
		}
		return harness.ParseCargoTest(string(client.Run(t, "")))
	})
}

// crate fetches a Rust package and returns its folder in cargo's cache. A package that depends
// on it is how cargo is asked.
func crate(t *testing.T, cargo, name, version string) string {
	t.Helper()
	dir := t.TempDir()
	manifest := fmt.Sprintf("[package]\nname = \"fetch\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n[dependencies]\n%s = { version = \"=%s\", default-features = false }\n", name, version)
	for file, text := range map[string]string{"Cargo.toml": manifest, "lib.rs": ""} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := command(t, dir, nil, cargo, "metadata", "--quiet", "--format-version", "1")
	if err != nil {
		unavailable(t, name, err, out)
	}
	var m struct {
		Packages []struct {
			Name string
			File string `json:"manifest_path"`
		}
	}
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Packages {
		if p.Name == name {
			return filepath.Dir(p.File)
		}
	}
	t.Fatalf("cargo knows no %s", name)
	return ""
}
