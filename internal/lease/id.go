package lease

import (
	"encoding/hex"
	"errors"
)

// ID is a lease ID: a GUID compared by value, whatever form it was written in. Its version and
// variant bits mean nothing and every value is legal, the zero one too; where an ID may be absent,
// [OptionalID] says so.
type ID [16]byte

// ErrID says that a text is in none of the forms of a lease ID.
var ErrID = errors.New("lease: not a GUID")

// forms are the five accepted ways to write an ID, with # for a hexadecimal digit in either case.
// The digits come in the same order in all of them. The first is the one that is written.
var forms = [...]string{
	"########-####-####-####-############",
	"################################",
	"{########-####-####-####-############}",
	"(########-####-####-####-############)",
	"{0x########,0x####,0x####,{0x##,0x##,0x##,0x##,0x##,0x##,0x##,0x##}}",
}

// ParseID reads an ID in any of its five forms. The error is [ErrID].
func ParseID[T string | []byte](text T) (ID, error) {
	for _, form := range forms {
		if id, ok := match(form, text); ok {
			return id, nil
		}
	}
	return ID{}, ErrID
}

func match[T string | []byte](form string, text T) (id ID, ok bool) {
	if len(text) != len(form) {
		return ID{}, false
	}
	digits := 0
	for i := range len(form) {
		if form[i] != '#' {
			if text[i] != form[i] {
				return ID{}, false
			}
			continue
		}
		v, ok := digit(text[i])
		if !ok {
			return ID{}, false
		}
		id[digits/2] = id[digits/2]<<4 | v
		digits++
	}
	return id, true
}

func digit(c byte) (value byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// String returns the ID as it is always written: lower case, with hyphens.
func (id ID) String() string {
	var text [36]byte
	b, _ := id.AppendText(text[:0])
	return string(b)
}

// AppendText appends what String returns; it never fails.
func (id ID) AppendText(b []byte) ([]byte, error) {
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b, nil
}

// MarshalText returns what String returns; it never fails.
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText reads any of the five forms. The error is [ErrID].
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(text)
	return err
}

// OptionalID is an ID that a request may leave out. The zero value is absent.
type OptionalID struct {
	ID    ID
	Given bool
}

// Some returns an ID that is given.
func Some(id ID) OptionalID { return OptionalID{id, true} }

// Is reports whether an ID is given and equal to id.
func (o OptionalID) Is(id ID) bool { return o.Given && o.ID == id }

// String returns the ID, or "" when none is given.
func (o OptionalID) String() string {
	if !o.Given {
		return ""
	}
	return o.ID.String()
}

// MarshalText returns what String returns; it never fails.
func (o OptionalID) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads any of the five forms; an empty text is an absent ID. The error is [ErrID].
func (o *OptionalID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*o = OptionalID{}
		return nil
	}
	id, err := ParseID(text)
	*o = OptionalID{id, err == nil}
	return err
}
