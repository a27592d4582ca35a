package main

import "github.com/leasehold/leasehold/internal/server"

// The descriptors are shared out, so that the process never runs out of them: it could then neither accept a connection nor open a
// file. Connections have half, the files of segments that are kept open and the tables of the key-value store an eighth
// each. The last quarter is for what is open besides: logs, folders, files that are being written.
const (
	// descriptorsPerConnection is the limit for each connection: one descriptor for itself, one for the file that is sent or
	// received through it, and two that are left to the store.
	descriptorsPerConnection = 4
	storeShare               = 8    // the part of the limit that each of the two stores keeps open
	maxSegmentFiles          = 1024 // more make no read faster
	maxTables                = 500
)

// openSegments returns how many files of segments are kept open while nobody reads them.
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
