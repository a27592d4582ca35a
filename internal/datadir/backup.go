package datadir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/durable"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
)

// Backup copies a data folder to a new or empty folder. If a server is running on it, that server
// makes the copy.
func Backup(ctx context.Context, data, to string, e *Engines) error {
	to, err := filepath.Abs(to) // a server has another working folder
	if err != nil {
		return err
	}
	var state struct {
		Control string `json:"control"`
	}
	if err := ReadState(data, &state); err == nil && state.Control != "" {
		_, err := Ask(ctx, state.Control, http.MethodPost, "/backup", []byte(to))
		return err
	}
	f, err := Take(data)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil { // Open takes it again
		return err
	}
	s, err := Open(ctx, data, e, KVOptions{})
	if err != nil {
		return err
	}
	return errors.Join(s.Backup(ctx, to), s.Close())
}

// Backup copies the store, as of one moment, to a new or empty folder.
//
// The order makes the copy consistent. First the key-value store is copied at one moment, then
// every segment known afterwards. These include all segments referenced at that moment, because
// only the sweeper removes segments and it is stopped. The mark of the new data folder is written
// last.
func (s *Store) Backup(ctx context.Context, to string) (err error) {
	began := time.Now()
	defer func() {
		if err == nil {
			s.activity.note(func(a *Activity) { a.BackedUp, a.BackupTook = time.Now(), time.Since(began) })
		}
	}()
	if err := makeEmpty(to); err != nil {
		return err
	}
	copied := &Folder{path: to}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("backup: %w", err), empty(to))
		}
	}()
	db, ok := s.DB.(kv.Checkpointer)
	segments, also := s.Segments.(segment.Backuper)
	if !ok || !also {
		return errors.New("the engines of this folder can't be backed up")
	}
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	if err := db.Checkpoint(ctx, copied.KV()); err != nil {
		return err
	}
	err = s.DB.View(ctx, func(r kv.Reader) error {
		return segments.Backup(ctx, copied.Segments(), func(yield func(segment.ID, error) bool) {
			for object, err := range meta.KnownSegments(r) {
				if !yield(segment.ID(object), err) {
					return
				}
			}
		})
	})
	if err != nil {
		return err
	}
	for _, name := range []string{TLS, Identity} {
		if err := copySecrets(filepath.Join(s.folder.path, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	if err := durable.Write(filepath.Join(to, markName), markText); err != nil {
		return err
	}
	return errors.Join(durable.SyncFolder(to), durable.SyncFolder(filepath.Dir(to)))
}

// makeEmpty creates a folder, or accepts an empty one.
func makeEmpty(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("backup: %s is not empty: it holds %q; name another folder with --to", path, entries[0].Name())
	}
	if err := ownerOnly(path); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// empty removes the contents of a folder.
func empty(path string) error {
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(path, e.Name())))
	}
	return err
}

// copySecrets copies the files of a folder, if it exists, so that only the user can read the
// copies.
func copySecrets(from, to string) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.Mkdir(to, 0o700)
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err == nil {
			err = durable.Write(filepath.Join(to, e.Name()), string(text))
		}
		if err != nil {
			return err
		}
	}
	return durable.SyncFolder(to)
}

const (
	controlName = "control.sock"
	// maxSocketPath is the longest socket path that every system allows.
	maxSocketPath = 100
)

// Control serves other commands of the same user on a socket that only the user can reach.
type Control struct {
	Path   string // of the socket
	remove string // what to remove with it
	server *http.Server
}

// ServeControl starts to serve the control socket: backups, and the handlers, by their patterns.
// The socket lies in the data folder or, if the path of that is too long, in a temporary folder.
func (s *Store) ServeControl(handlers map[string]http.HandlerFunc) (*Control, error) {
	data, err := filepath.Abs(s.folder.path)
	if err != nil {
		return nil, err
	}
	c := &Control{Path: filepath.Join(data, controlName)}
	c.remove = c.Path
	if len(c.Path) > maxSocketPath {
		if c.remove, err = os.MkdirTemp("", "leasehold-"); err != nil {
			return nil, err
		}
		c.Path = filepath.Join(c.remove, controlName)
	}
	os.Remove(c.Path) // of a process that was killed: the folder is ours
	l, err := net.Listen("unix", c.Path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(c.Path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	mux := http.NewServeMux()
	for pattern, h := range handlers {
		mux.HandleFunc(pattern, h)
	}
	mux.HandleFunc("POST /backup", func(w http.ResponseWriter, r *http.Request) {
		to, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		if err == nil && !filepath.IsAbs(string(to)) {
			err = errors.New("backup: the path is not absolute")
		}
		if err == nil {
			err = s.Backup(r.Context(), string(to))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go c.server.Serve(l)
	return c, nil
}

// Close aborts running requests and removes the socket.
func (c *Control) Close() {
	c.server.Close()
	os.RemoveAll(c.remove)
}

// maxControlAnswer bounds an answer on the control socket, in bytes. The largest holds the names of
// all accounts.
const maxControlAnswer = 1 << 20

// Ask sends a request to the server behind a control socket and returns the body of its answer.
func Ask(ctx context.Context, socket, method, path string, body []byte) ([]byte, error) {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, method, "http://leasehold"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("the server on the data folder does not answer: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxControlAnswer))
	switch {
	case err == nil && answer.StatusCode == http.StatusNotFound:
		err = errors.New("the running server does not offer this")
	case err == nil && answer.StatusCode != http.StatusOK:
		err = errors.New(strings.TrimSpace(string(text)))
	}
	return text, err
}
