package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/leasehold/leasehold/internal/certificate"
	"github.com/leasehold/leasehold/internal/durable"
)

const stateName = "run.json"

// runState tells other commands of the same user how to reach a running server. It holds
// secrets that end with the server, so only the user can read it.
type runState struct {
	Dev       bool   `json:"dev,omitempty"`
	Control   string `json:"control,omitempty"`   // socket for other commands
	Plain     string `json:"plain,omitempty"`     // host:port of each listener; empty if it is off
	Secure    string `json:"secure,omitempty"`    // HTTPS
	Managed   string `json:"managed,omitempty"`   // managed-identity endpoint
	Authority string `json:"authority,omitempty"` // OAuth authority
	Proxy     string `json:"proxy,omitempty"`
	Website   string `json:"website,omitempty"`
	Header    string `json:"header,omitempty"` // secret of the managed-identity endpoint
	Client    string `json:"client,omitempty"` // principal of development
	Secret    string `json:"secret,omitempty"`
	certificate.TrustFiles
}

func stateOf(o *serveOptions, e *endpoints) *runState {
	at := func(l net.Listener) string {
		if l == nil {
			return ""
		}
		return reach(l)
	}
	s := &runState{
		Dev: o.dev, Plain: at(e.plain), Secure: at(e.secure), Managed: at(e.managed), Authority: at(e.authority), Proxy: at(e.proxy),
		Website: at(e.website),
		Header:  e.header, TrustFiles: e.trust,
	}
	if o.dev && o.issues() {
		s.Client, s.Secret = devClientID, o.devSecret
	}
	return s
}

func (s *runState) write(data string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(data, stateName), string(text)+"\n")
}

func (s *runState) remove(data string) { os.Remove(filepath.Join(data, stateName)) }

// readState returns how to reach the server that runs on a data folder now.
func readState(data string) (*runState, error) {
	none := fmt.Errorf("no server runs on the data folder %s; start one with: leasehold serve, or name another folder with --data", data)
	lock, err := os.Open(filepath.Join(data, lockName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, none
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if lockFile(lock, false) == nil {
		return nil, none // what it left behind is no longer true
	}
	text, err := os.ReadFile(filepath.Join(data, stateName))
	if err != nil {
		return nil, fmt.Errorf("the server on the data folder %s is not ready: %w", data, err)
	}
	s := &runState{}
	return s, json.Unmarshal(text, s)
}
