package main

import "github.com/leasehold/leasehold/internal/server"

// File descriptors are divided so that the process never runs out of them: without any it could
// neither accept a connection nor open a file. Connections get half, cached segment files and the
// tables of the key-value store an eighth each. The last quarter is for everything else: logs,
// folders, files being written.
const (
	// descriptorsPerConnection is how many descriptors the limit has to hold for each connection:
	// one for the connection, one for the file sent or received through it, and two for the store.
	descriptorsPerConnection = 4
	storeShare               = 8    // the part of the limit that each of the two stores keeps open
	maxSegmentFiles          = 1024 // more make no read faster
	maxTables                = 500
)

// openSegments returns how many segment files stay open while nobody reads them.
func openSegments() int { return shareOfDescriptors(maxSegmentFiles) }

// openTables returns how many files the key-value store keeps open.
func openTables() int { return shareOfDescriptors(maxTables) }

func shareOfDescriptors(most uint64) int {
	limit, ok := descriptorLimit()
	if !ok {
		return int(most)
	}
	return int(min(limit/storeShare, most))
}

// maxConnections returns how many connections the server may have open.
func maxConnections() int {
	limit, ok := descriptorLimit()
	if !ok {
		return server.DefaultMaxConnections
	}
	return int(min(limit/descriptorsPerConnection, server.DefaultMaxConnections))
}
