package kv

import "bytes"

// Covers reports whether one of keys covers every key in the half-open range from
// start to end (nil: no bound). An empty range needs no cover.
// Engines that check declarations ask it.
func Covers(keys []Key, start, end []byte) bool {
	if end != nil && bytes.Compare(start, end) >= 0 {
		return true
	}
	for _, k := range keys {
		if !bytes.HasPrefix(start, k) {
			continue
		}
		limit := PrefixEnd(k)
		if limit == nil || end != nil && bytes.Compare(end, limit) <= 0 {
			return true
		}
	}
	return false
}

// CoversKey reports whether one of keys covers key.
func CoversKey(keys []Key, key []byte) bool {
	for _, k := range keys {
		if bytes.HasPrefix(key, k) {
			return true
		}
	}
	return false
}

// PrefixEnd returns the end of the range of keys that begin with prefix: the first
// key after all of them, nil when there is no such key.
func PrefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := bytes.Clone(prefix[:i+1])
			end[i]++
			return end
		}
	}
	return nil
}

// DeleteRange removes every key from start up to, but not including, end (nil: no
// bound). Without RangeDeleter it scans, so that the range must then be declared.
func DeleteRange(tx Tx, start, end []byte) error {
	if rd, ok := tx.(RangeDeleter); ok {
		return rd.DeleteRange(start, end)
	}
	for p, err := range tx.Scan(start, end) {
		if err != nil {
			return err
		}
		if err := tx.Delete(p.Key); err != nil {
			return err
		}
	}
	return nil
}
