package main

import (
	"net"

	"github.com/leasehold/leasehold/internal/certificate"
	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/datadir"
)

// runState is what other commands of the same user need to reach a running server. It contains
// secrets that are valid until the server stops, so only the user can read its file.
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
	Client    string `json:"client,omitempty"` // client ID of the development principal
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
		s.Client, s.Secret = config.DevClientID, o.devSecret
	}
	return s
}

// readState reads the state of the server that is running on a data folder.
func readState(data string) (*runState, error) {
	s := &runState{}
	return s, datadir.ReadState(data, s)
}
