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

// WriteState stores how other commands of the same user reach the server of a data folder, as JSON that only the user can
// read. A socket for ServeControl is in the field "control".
func WriteState(data string, state any) error {
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(data, stateName), string(text)+"\n")
}

// RemoveState removes what WriteState has stored.
func RemoveState(data string) { os.Remove(filepath.Join(data, stateName)) }

// ReadState reads how to reach the server that runs on a data folder now into state.
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
		return none // what it left behind is no longer true
	}
	text, err := os.ReadFile(filepath.Join(data, stateName))
	if err != nil {
		return fmt.Errorf("the server on the data folder %s is not ready: %w", data, err)
	}
	return json.Unmarshal(text, state)
}
