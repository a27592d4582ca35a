package datadir

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/leasehold/leasehold/internal/durable"
)

const stateName = "run.json"

// WriteState stores, as JSON that only the user can read, how other commands of the same user reach
// the server of a data folder. The field "control" names the socket of ServeControl.
func WriteState(data string, state any) error {
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(data, stateName), string(text)+"\n")
}

// RemoveState removes the file of WriteState.
func RemoveState(data string) { os.Remove(filepath.Join(data, stateName)) }

// ReadState decodes the file of WriteState into state. It fails if no server is running on the data
// folder.
func ReadState(data string, state any) error {
	none := fmt.Errorf("no server runs on the data folder %s; start one with: leasehold serve, or name another folder with --data", data)
	lock, err := os.Open(filepath.Join(data, lockName))
	if errors.Is(err, os.ErrNotExist) {
		return none
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if lockFile(lock, false) == nil {
		return none // the file is left over from an earlier server
	}
	text, err := os.ReadFile(filepath.Join(data, stateName))
	if err != nil {
		return fmt.Errorf("the server on the data folder %s is not ready: %w", data, err)
	}
	return json.Unmarshal(text, state)
}
