package hold

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// ID is a lease ID: a GUID. Whoever knows it can renew, change and release the lease, so treat it
// as you would treat a lock's key, though it is no credential. The service compares IDs by value;
// so does [ID.Equal].
type ID string

// NewID returns a random ID in its usual form: 32 lower-case hexadecimal digits in five groups. It
// is never derived from the name of a machine or a process, which may not be unique.
func NewID() ID {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return format(b)
}

// ParseID reads an ID in any form the service accepts: with hyphens, as 32 digits, in braces or in
// parentheses, or as hexadecimal groups. It returns the usual form.
func ParseID(s string) (ID, error) {
	b, ok := parse(s)
	if !ok {
		return "", fmt.Errorf("hold: %q is not a lease ID", s)
	}
	return format(b), nil
}

// Equal reports whether the two are the same ID, however they are written.
func (id ID) Equal(other ID) bool {
	a, ok := parse(string(id))
	b, ok2 := parse(string(other))
	return ok && ok2 && a == b
}

func (id ID) ptr() *string {
	s := string(id)
	return &s
}

func format(b [16]byte) ID {
	s := hex.EncodeToString(b[:])
	return ID(s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:])
}

func parse(s string) (b [16]byte, ok bool) {
	if strings.Contains(s, "0x") || strings.Contains(s, "0X") {
		return parseGroups(s)
	}
	if n := len(s); n == 38 && (s[0] == '{' && s[n-1] == '}' || s[0] == '(' && s[n-1] == ')') {
		s = s[1 : n-1]
	}
	if len(s) == 36 {
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return b, false
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	if len(s) != 32 {
		return b, false
	}
	_, err := hex.Decode(b[:], []byte(s))
	return b, err == nil
}

// parseGroups reads the form {0x00000000,0x0000,0x0000,{0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00}}.
func parseGroups(s string) (b [16]byte, ok bool) {
	s, ok = strings.CutPrefix(s, "{")
	s, ok2 := strings.CutSuffix(s, "}}")
	groups := strings.Split(s, ",")
	if !ok || !ok2 || len(groups) != 11 || !strings.HasPrefix(groups[3], "{") {
		return b, false
	}
	groups[3] = groups[3][1:]
	digits := ""
	for i, g := range groups {
		width := 2
		switch i {
		case 0:
			width = 8
		case 1, 2:
			width = 4
		}
		if len(g) < 3 || len(g) > 2+width || g[0] != '0' || g[1]|0x20 != 'x' {
			return b, false
		}
		digits += strings.Repeat("0", width-len(g)+2) + g[2:]
	}
	_, err := hex.Decode(b[:], []byte(digits))
	return b, err == nil
}
