package meta

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
)

// The index of tags has one entry for each tag of each current blob and previous
// version. It belongs to the generation of a container, so that it ends with the container
// and follows it to another name.

func tagPrefix(gen uint64, key string) []byte {
	return append(append(generation(tagTag, gen, len(key)+1), key...), 0)
}

// tagKey is the key of one entry; version is zero for the current state.
func tagKey(gen uint64, t *blob.Tag, name string, version blob.Time) []byte {
	k := append(append(tagPrefix(gen, t.Key), t.Value...), 0)
	k = append(append(k, name...), 0)
	if version != 0 {
		k = binary.BigEndian.AppendUint64(k, uint64(version))
	}
	return k
}

// IndexTags keeps the index of tags when those of a state of a blob change from old to
// tags. version is zero for the current state.
func IndexTags(tx kv.Tx, gen uint64, name string, version blob.Time, old, tags blob.Tags) error {
	for i := range old {
		if !slices.Contains(tags, old[i]) {
			if err := tx.Delete(tagKey(gen, &old[i], name, version)); err != nil {
				return err
			}
		}
	}
	for i := range tags {
		if !slices.Contains(old, tags[i]) {
			if err := tx.Put(tagKey(gen, &tags[i], name, version), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// Tagged is one state of a blob that was found by a tag.
type Tagged struct {
	Name    string
	Version blob.Time // zero for the current state
	// Position is where a walk has to start so that this is the first it finds.
	Position string
}

// WalkTags visits the states of the blobs of a container that have a tag with a value
// in the given range, in the order of value, name and version, from a position on ("" for
// the beginning). An entry is a hint: the record has the last word.
func WalkTags(r kv.Reader, gen uint64, in blob.TagRange, position string, visit func(*Tagged) (Step, error)) error {
	prefix := tagPrefix(gen, in.Key)
	from, end := append(slices.Clone(prefix), tagBound(in.Low)...), kv.PrefixEnd(prefix)
	if in.Bounded {
		end = append(slices.Clone(prefix), tagBound(in.High)...)
	}
	if position != "" {
		from = append(slices.Clone(prefix), max(position, string(from[len(prefix):]))...)
	}
	for p, err := range r.Scan(from, end) {
		if err != nil {
			return err
		}
		found, err := parseTagged(p.Key[len(prefix):])
		if err != nil {
			return err
		}
		if step, err := visit(found); err != nil || step == Stop {
			return err
		}
	}
	return nil
}

// tagBound turns a bound on values into one on what stands behind the prefix of a key.
// Values have no characters below 0x20, so all that begins with a value and a zero
// byte lies between that value and the next.
func tagBound(value string) string {
	if v, _, ok := strings.Cut(value, "\x00"); ok {
		return v + "\x01"
	}
	return value
}

// parseTagged reads what follows the prefix: value 0 name 0, and the version if any.
func parseTagged(rest []byte) (*Tagged, error) {
	_, after, ok := strings.Cut(string(rest), "\x00")
	name, version, named := strings.Cut(after, "\x00")
	if !ok || !named || len(version) != 0 && len(version) != 8 {
		return nil, fmt.Errorf("%w: entry %q of the index of tags", ErrDamaged, rest)
	}
	found := &Tagged{Name: name, Position: string(rest)}
	if version != "" {
		found.Version = blob.Time(binary.BigEndian.Uint64([]byte(version)))
	}
	return found, nil
}
