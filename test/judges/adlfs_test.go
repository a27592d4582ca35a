package judges

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
)

// TestAdlfs runs the tests that the Python package adlfs, the driver of fsspec, brings along.
func TestAdlfs(t *testing.T) {
	harness.Long(t)
	here, err := filepath.Abs("adlfs")
	if err != nil {
		t.Fatal(err)
	}
	python := environment(t, "adlfs", filepath.Join(here, "requirements.txt"))
	judge(t, "adlfs", anyRequest, func(t *testing.T, s *harness.Server) []harness.Result {
		client := harness.Client{
			Dir: t.TempDir(),
			Command: []string{
				python, "-m", "pytest", "-q", "-p", "leasehold", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto",
				"--junit-xml={report}", "--pyargs", "adlfs.tests",
			},
			Env: []string{
				"LEASEHOLD_TEST_ADDRESS=" + s.Addr, "PYTHONPATH=" + here, "PYTHONDONTWRITEBYTECODE=1",
			},
		}
		return client.JUnit(t)
	})
}

// environment returns the Python of an environment with the packages of a list of
// requirements, which it makes unless it is there.
func environment(t *testing.T, name, requirements string) string {
	t.Helper()
	wanted, err := os.ReadFile(requirements)
	if err != nil {
		t.Fatal(err)
	}
	dir := workshop(t, name)
	python, installed := filepath.Join(dir, "bin/python"), filepath.Join(dir, "installed.txt")
	if there, err := os.ReadFile(installed); err == nil && string(there) == string(wanted) {
		return python
	}
	system := harness.Need(t, "python3", "install Python 3")
	if out, err := command(t, dir, nil, system, "-m", "venv", dir); err != nil {
		t.Fatalf("make a Python environment: %v\n%s", err, out)
	}
	if out, err := command(t, dir, nil, python, "-m", "pip", "install", "--quiet", "--requirement", requirements); err != nil {
		unavailable(t, "what "+name+" needs", err, out)
	}
	if err := os.WriteFile(installed, wanted, 0o644); err != nil {
		t.Fatal(err)
	}
	return python
}
