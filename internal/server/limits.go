package server

import "time"

// The server's own limits. Those of the protocol stand with the operations.
const (
	// maxHeaderBytes bounds the head of a request. The protocol allows 8 KiB of metadata, and tokens, signatures and copy
	// sources come on top.
	maxHeaderBytes = 64 << 10

	// headTimeout bounds the time from the first byte of a request to the end of its head, so that connections which send
	// it by drops are cut off.
	headTimeout = 20 * time.Second

	// idleTimeout is how long a connection may stay open between requests. The pools of clients give up sooner (Go's after
	// 90 seconds), so that it is rarely the server who closes while a request is on its way.
	idleTimeout = 150 * time.Second

	// stallTimeout is how long the body of a request may bring nothing, and how long a client may take for each writeChunk
	// of an answer. It is what the service grants per MiB of a read.
	stallTimeout = 2 * time.Minute

	// minBodyRate is how many bytes of a body have to come in each second that it is waited for beyond stallTimeout, on the
	// average: a connection that brings a byte now and then would hold its place for nothing. Links of 2,400 baud keep up.
	minBodyRate = 256

	// peerReserve is the part of all connections, one of so many, that one address leaves to others while its requests are
	// served.
	peerReserve = 4

	// writeChunk is how much of an answer is written under one deadline.
	writeChunk = 1 << 20

	// DefaultMaxRequests is how many requests are served at once unless the options say otherwise; those beyond it are
	// told to come back. At a few tens of KiB each it keeps memory below some hundreds of MiB.
	DefaultMaxRequests = 4096

	// DefaultMaxConnections is how many connections may be open unless the options say otherwise: as many idle ones as
	// requests. One that is idle takes some 10 KiB, with TLS and through the proxy of the command 30.
	DefaultMaxConnections = 2 * DefaultMaxRequests

	// firstRequest is how long a new connection may wait for its first request before it counts as idle: some time for a busy
	// client and a handshake, and less than clients keep connections.
	firstRequest = 5 * time.Second

	// retryAfter is what refused requests are told to wait, in seconds.
	retryAfter = "1"

	// opsTimeout bounds a request for metrics, and one for a profile beyond the time that it asks for; healthTimeout is what
	// finding out about health may take.
	opsTimeout    = 2 * time.Minute
	healthTimeout = 5 * time.Second

	// DefaultDrain is how long the requests that are active when the server is told to stop may go on, with the listeners open:
	// enough for what is nearly done, and a third of the shortest lease, so that those who renew are not kept waiting.
	DefaultDrain = 5 * time.Second

	// lastRequests is how long requests may go on after the listeners have been closed: those that came during the drain.
	lastRequests = time.Second
)
