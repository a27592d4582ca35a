package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/leasehold/leasehold/internal/journal"
)

// Limits of streams.
const (
	maxStreams = 64
	gather     = 250 * time.Millisecond // changes are sent together
	beat       = 10 * time.Second
	slowest    = 10 * time.Second // how long one message may take to be written; then the reader is cut off
	share      = 10               // a stream rests for this many times as long as its page took to make
)

// message is what a stream sends.
type message struct {
	Now      int64          `json:"now"`
	Put      []row          `json:"put,omitempty"`
	Gone     []string       `json:"del,omitempty"`
	Order    []string       `json:"order,omitempty"` // all keys, if their order changed
	Matching int            `json:"matching"`
	Totals   journal.Totals `json:"totals"`
	Filled   bool           `json:"filled"`
}

// events streams a page of leases: all of it at first, then what changes.
func (v *view) events() error {
	select {
	case v.streams <- struct{}{}:
		defer func() { <-v.streams }()
	default:
		return &refusal{http.StatusServiceUnavailable, "Too many pages are open."}
	}
	v.w.Header().Set("Content-Type", "text/event-stream")
	s := stream{view: v, query: readQuery(v.r.URL.Query()), shown: map[string]row{}, control: http.NewResponseController(v.w)}
	s.version, s.waiting = v.Service.Journal.Version(), v.Service.Waiting() // before the page is made, so that no change is missed
	if err := s.send("reset", s.delta(v.leases(s.query))); err != nil {
		return nil // the reader is gone
	}
	return s.follow()
}

// stream is the page that one reader has before him.
type stream struct {
	*view
	query   leasesQuery
	shown   map[string]row
	order   []string
	control *http.ResponseController
	version uint64 // of the table, and how many waited, when the page was made
	waiting int
}

// follow sends changes until the reader is gone or has no right any more.
func (s *stream) follow() error {
	tick := time.NewTicker(gather)
	defer tick.Stop()
	beats := time.NewTicker(beat)
	defer beats.Stop()
	rested := s.Now()
	for {
		kind := "change"
		select {
		case <-s.r.Context().Done():
			return nil
		case <-beats.C:
			if kind = "beat"; !s.valid() {
				return nil
			}
		case <-tick.C:
			version, waiting := s.Service.Journal.Version(), s.Service.Waiting()
			if version == s.version && waiting == s.waiting || s.Now().Before(rested) {
				continue
			}
			s.version, s.waiting = version, waiting
		}
		begin := s.Now()
		var err error
		if s.now, err = s.Service.StoreTime(s.r.Context()); err != nil {
			return nil // the server stops
		}
		m := s.delta(s.leases(s.query))
		rested = s.Now().Add(share * s.Now().Sub(begin))
		if err := s.send(kind, m); err != nil {
			return nil // the reader is gone, or too slow
		}
	}
}

// delta returns what differs from the page that was sent last.
func (s *stream) delta(p *leasesPage) *message {
	m := &message{Now: s.Now().UnixMilli(), Matching: p.Matching, Totals: p.Totals, Filled: p.Filled}
	next, order := make(map[string]row, len(p.Rows)), make([]string, 0, len(p.Rows))
	for _, r := range p.Rows {
		bare := r
		bare.Left, bare.Held = "", "" // the page counts by itself
		next[r.Key], order = bare, append(order, r.Key)
		if old, ok := s.shown[r.Key]; !ok || old != bare {
			m.Put = append(m.Put, bare)
		}
	}
	same := len(order) == len(s.order)
	for i, key := range s.order {
		if _, ok := next[key]; !ok {
			m.Gone = append(m.Gone, key)
		}
		same = same && key == order[i]
	}
	if !same {
		m.Order = order
	}
	s.shown, s.order = next, order
	return m
}

func (s *stream) send(kind string, m *message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	s.control.SetWriteDeadline(time.Now().Add(slowest)) // where it can't be set, the server's own holds
	if _, err := fmt.Fprintf(s.w, "retry: 1000\nevent: %s\ndata: %s\n\n", kind, text); err != nil {
		return err
	}
	return s.control.Flush()
}
