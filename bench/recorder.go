package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// recorder is a client that keeps the first answer to each kind of request, for the ceiling to
// repeat.
type recorder struct {
	http     *httpClient
	recorded []*recorded
}

func newRecorder(t *target) (*recorder, error) {
	s, err := newSigner(t.account, t.key)
	if err != nil {
		return nil, err
	}
	return &recorder{http: newHTTPClient(t, s)}, nil
}

func (r *recorder) do(c *call, a *answer) error {
	res, err := r.http.send(c)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	a.reset()
	a.status, a.length, a.etag = res.StatusCode, res.ContentLength, res.Header.Get("Etag") != ""
	a.lease = append(a.lease, res.Header.Get("X-Ms-Lease-Id")...)
	a.code = append(a.code, res.Header.Get("X-Ms-Error-Code")...)
	a.take(body)
	r.keep(&recorded{Method: c.method, Action: c.leaseName, Status: res.StatusCode, Header: res.Header, Body: body})
	return nil
}

// keep stores the answer unless one for its kind is there. What net/http writes by itself is left
// to it.
func (r *recorder) keep(a *recorded) {
	for _, old := range r.recorded {
		if old.Method == a.Method && old.Action == a.Action {
			return
		}
	}
	for _, name := range []string{"Date", "Connection", "Keep-Alive", "Transfer-Encoding"} {
		a.Header.Del(name)
	}
	r.recorded = append(r.recorded, a)
}

func (r *recorder) deadline(t time.Time) { r.http.deadline(t) }
func (r *recorder) close()               { r.http.close() }

// teach tells the ceiling what to answer.
func (r *recorder) teach(t *target) error {
	text, err := json.Marshal(r.recorded)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPut, "http://"+t.addr+ceilingPath, bytes.NewReader(text))
	if err != nil {
		return err
	}
	res, err := r.http.client.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("ceiling refused its answers: %s", res.Status)
	}
	return nil
}
