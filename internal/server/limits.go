package server

import "time"

// The server's own limits. Those of the protocol stand with the operations.
const (
	// maxHeaderBytes bounds the head of a request. The protocol allows 8 KiB of metadata, and
	// tokens, signatures and copy sources come on top.
	maxHeaderBytes = 64 << 10

	// headTimeout bounds the time from the first byte of a request to the end of its head, so that
	// connections which send it by drops are cut off.
	headTimeout = 20 * time.Second

	// idleTimeout is how long a connection may stay open between requests. The pools of clients
	// give up sooner (Go's after 90 seconds), so that the server rarely closes a connection while a
	// request is on its way.
	idleTimeout = 150 * time.Second

	// stallTimeout is how long the body of a request may stall, and how long a client may take for
	// each writeChunk of an answer. It is what the service grants per MiB of a read.
	stallTimeout = 2 * time.Minute

	// minBodyRate is the least average rate of a body, in bytes for each second of waiting beyond
	// stallTimeout: a connection that sends a byte now and then would hold its place for nothing. A
	// link of 2,400 baud keeps up.
	minBodyRate = 256

	// peerReserve sets the share of all places that one address leaves to others while its requests
	// are served: one in so many.
	peerReserve = 4

	// writeChunk is how much of an answer is written under one deadline.
	writeChunk = 1 << 20

	// DefaultMaxRequests is how many requests are served at once unless the options say otherwise;
	// further requests are told to try again. At a few tens of KiB each it keeps memory below some
	// hundreds of MiB.
	DefaultMaxRequests = 4096

	// DefaultMaxConnections is how many connections may be open unless the options say otherwise:
	// as many idle ones as requests. An idle connection takes some 10 KiB, or 30 with TLS and
	// through the command's proxy.
	DefaultMaxConnections = 2 * DefaultMaxRequests

	// firstRequest is how long a new connection may wait for its first request before it counts as
	// idle: long enough for a busy client and a handshake, and shorter than clients keep
	// connections.
	firstRequest = 5 * time.Second

	// retryAfter is how many seconds a refused client is asked to wait.
	retryAfter = "1"

	// opsTimeout bounds a request for metrics, and a request for a profile beyond the time that it
	// asks for; healthTimeout bounds a health check.
	opsTimeout    = 2 * time.Minute
	healthTimeout = 5 * time.Second

	// DefaultDrain is how long active requests may go on after the server is told to stop, while
	// the listeners stay open: enough for requests that are nearly done, and a third of the
	// shortest lease, so that renewals are not kept waiting.
	DefaultDrain = 5 * time.Second

	// lastRequests is how long requests that came during the drain may go on after the listeners
	// have been closed.
	lastRequests = time.Second
)
