package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// ceilingPath is where the ceiling is told what to answer.
const ceilingPath = "/ceiling/answers"

// recorded is one whole response, as a store gave it and as the ceiling repeats it.
type recorded struct {
	Method string // of the request
	Action string // x-ms-lease-action of the request
	Status int
	Header http.Header
	Body   []byte
}

// answerKey tells the requests of one workload apart. It costs the ceiling one map lookup.
type answerKey struct{ method, action string }

// ceiling is an HTTP handler that does nothing: it drains the request's body and repeats a recorded
// answer. No server over net/http can be faster, so it tells how much of a measurement is the
// machine, the client and net/http.
type ceiling struct {
	answers atomic.Pointer[map[answerKey]*recorded]
	buffers sync.Pool
}

func newCeiling() *ceiling {
	c := &ceiling{buffers: sync.Pool{New: func() any { b := make([]byte, chunkSize); return &b }}}
	c.answers.Store(&map[answerKey]*recorded{})
	return c
}

// serveCeiling serves until the listener fails.
func serveCeiling(l net.Listener) error {
	return (&http.Server{Handler: newCeiling()}).Serve(l)
}

func (c *ceiling) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == ceilingPath {
		c.load(w, r)
		return
	}
	if r.ContentLength != 0 {
		buffer := c.buffers.Get().(*[]byte)
		for {
			if _, err := r.Body.Read(*buffer); err != nil {
				break
			}
		}
		c.buffers.Put(buffer)
	}
	action := ""
	if v := r.Header["X-Ms-Lease-Action"]; len(v) == 1 {
		action = v[0]
	}
	a := (*c.answers.Load())[answerKey{r.Method, action}]
	if a == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	h := w.Header()
	for name, values := range a.Header {
		h[name] = values
	}
	if h["X-Ms-Lease-Id"] != nil {
		h["X-Ms-Lease-Id"] = leaseOf(r)
	}
	w.WriteHeader(a.Status)
	if len(a.Body) > 0 {
		w.Write(a.Body)
	}
}

// leaseOf returns the lease ID that a lease request is about, so that the client can check the
// answer.
func leaseOf(r *http.Request) []string {
	if id := r.Header["X-Ms-Proposed-Lease-Id"]; id != nil {
		return id
	}
	return r.Header["X-Ms-Lease-Id"]
}

// load replaces the answers.
func (c *ceiling) load(w http.ResponseWriter, r *http.Request) {
	var list []*recorded
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answers := make(map[answerKey]*recorded, len(list))
	for _, a := range list {
		answers[answerKey{a.Method, a.Action}] = a
	}
	c.answers.Store(&answers)
	io.Copy(io.Discard, r.Body)
	w.WriteHeader(http.StatusNoContent)
}
