package judges

import (
	"path/filepath"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
)

const rcloneVersion = "v1.76.0"

// TestRcloneBackend runs the tests that every backend of rclone has to pass, for the backend
// azureblob.
func TestRcloneBackend(t *testing.T) {
	harness.Long(t)
	dir := module(t, "github.com/rclone/rclone@"+rcloneVersion)
	binary := filepath.Join(t.TempDir(), "rclone.test")
	if out, err := command(t, dir, []string{"GOWORK=off"}, "go", "test", "-c", "-o", binary, "./backend/azureblob"); err != nil {
		unavailable(t, "what rclone needs", err, out)
	}
	judge(t, "rclone", anyRequest, func(t *testing.T, s *harness.Server) []harness.Result {
		empty := t.TempDir()
		client := harness.Client{
			Dir: filepath.Join(dir, "backend/azureblob"), // it looks for its sources around it
			Env: []string{
				"RCLONE_CONFIG=" + filepath.Join(empty, "rclone.conf"),
				"RCLONE_CONFIG_TESTAZUREBLOB_TYPE=azureblob",
				"RCLONE_CONFIG_TESTAZUREBLOB_ACCOUNT=" + harness.Account,
				"RCLONE_CONFIG_TESTAZUREBLOB_KEY=" + harness.Key,
				"RCLONE_CONFIG_TESTAZUREBLOB_ENDPOINT=" + s.URL(harness.Account),
			},
		}
		return goTest(t, client, binary)
	})
}
