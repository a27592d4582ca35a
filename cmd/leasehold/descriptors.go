package main

import "github.com/leasehold/leasehold/internal/server"

// descriptorsPerConnection is how many descriptors there are for each connection: one for itself and one for the file that is
// sent or received through it. As many again are left to the store.
const descriptorsPerConnection = 4

// maxConnections returns how many connections the server may have open, so that the process never runs out of descriptors: it
// could then neither accept nor open a file.
func maxConnections() int {
	limit, ok := descriptorLimit()
	if !ok {
		return server.DefaultMaxConnections
	}
	return int(min(limit/descriptorsPerConnection, server.DefaultMaxConnections))
}
