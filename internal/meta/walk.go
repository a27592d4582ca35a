package meta

import (
	"bytes"
	"fmt"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
)

// Entry is one state of a blob met by WalkBlobs or WalkStates. It is valid until the
// walk goes on.
type Entry struct {
	Name     []byte
	Revision blob.Revision // zero for the current state
	rest     []byte        // of the key, behind what all entries of the container share
	raw      []byte
}

// Decode returns the record.
func (e *Entry) Decode() (*blob.Blob, error) { return newBlob(e.rest, e.raw) }

// DecodeProperties reads the record without its content into b, whose memory it uses again, so
// that a walk through thousands of records hardly allocates. What it puts into b is valid until
// the walk goes on; [Entry.Decode] is for what stays longer.
func (e *Entry) DecodeProperties(b *blob.Blob) error { return decodeProperties(e.rest, e.raw, b) }

// Position is where a walk has to start so that the entry is the first it meets.
func (e *Entry) Position() []byte { return e.rest }

// BehindRevisions returns where a walk has to start to meet the current state of a blob and
// none of its past ones. No entry has this position.
func BehindRevisions(name string) string { return name + "\x00" + string(rune(subRevision+1)) }

// Visit is called for each entry. It returns Skip together with the name or position to
// go on from, which costs one seek however many entries lie between.
type Visit func(*Entry) (Step, string, error)

// Names are the names that a walk goes through.
type Names struct {
	Prefix string // that they begin with
	Start  string // the name or position of the first
	End    string // the name that all are before; "" for none
}

// WalkBlobs visits the current states of the blobs of a container with some names, in
// byte order of the names.
func WalkBlobs(r kv.Reader, gen uint64, names Names, visit Visit) error {
	return walk{gen: gen, visit: visit}.run(r, names)
}

// WalkStates is WalkBlobs that meets past states too: those of a blob before its current
// one, oldest first.
func WalkStates(r kv.Reader, gen uint64, names Names, visit Visit) error {
	return walk{gen: gen, past: true, visit: visit}.run(r, names)
}

type walk struct {
	gen   uint64
	past  bool
	visit Visit
}

func (w walk) run(r kv.Reader, names Names) error {
	base := generation(tagBlob, w.gen, 0)
	from := append(bytes.Clone(base), max(names.Prefix, names.Start)...)
	end := kv.PrefixEnd(append(bytes.Clone(base), names.Prefix...))
	if names.End != "" {
		if before := append(bytes.Clone(base), names.End...); bytes.Compare(before, end) < 0 {
			end = before
		}
	}
	for from != nil && bytes.Compare(from, end) < 0 {
		next, err := w.from(r, len(base), from, end)
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// from visits until a seek is needed, and returns the key to seek to.
func (w walk) from(r kv.Reader, base int, from, end []byte) ([]byte, error) {
	var e Entry // one for all, since visit makes it escape
	for p, err := range r.Scan(from, end) {
		if err != nil {
			return nil, err
		}
		zero := bytes.IndexByte(p.Key[base:], 0)
		if zero < 0 || base+zero+1 >= len(p.Key) {
			return nil, fmt.Errorf("%w: key %q", ErrDamaged, p.Key)
		}
		e = Entry{Name: p.Key[base : base+zero], rest: p.Key[base:], raw: p.Value}
		sub := base + zero + 1
		switch kind := p.Key[sub]; {
		case kind == subCurrent:
		case kind == subRevision && w.past:
			if e.Revision, err = parseRevision(p.Key[sub:]); err != nil {
				return nil, err
			}
		case w.past && kind < subRevision:
			return append(bytes.Clone(p.Key[:sub]), subRevision), nil
		default:
			return append(bytes.Clone(p.Key[:sub]), subCurrent), nil
		}
		step, to, err := w.visit(&e)
		switch {
		case err != nil || step == Stop:
			return nil, err
		case step == Skip:
			return append(bytes.Clone(p.Key[:base]), to...), nil
		}
	}
	return nil, nil
}
