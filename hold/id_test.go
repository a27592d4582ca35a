package hold

import (
	"strings"
	"testing"
)

func TestParseID(t *testing.T) {
	const want = ID("1f812371-a41d-49e6-b123-f4b542e851c5")
	for _, s := range []string{
		"1f812371-a41d-49e6-b123-f4b542e851c5",
		"1F812371-A41D-49E6-B123-F4B542E851C5",
		"1f812371a41d49e6b123f4b542e851c5",
		"{1f812371-a41d-49e6-b123-f4b542e851c5}",
		"(1f812371-a41d-49e6-b123-f4b542e851c5)",
		"{0x1f812371,0xa41d,0x49e6,{0xb1,0x23,0xf4,0xb5,0x42,0xe8,0x51,0xc5}}",
	} {
		if id, err := ParseID(s); err != nil || id != want || !want.Equal(ID(s)) {
			t.Errorf("%s: %s, %v", s, id, err)
		}
	}
	for _, s := range []string{
		"", "lock", "1f812371-a41d-49e6-b123-f4b542e851c", "1f812371-a41d-49e6-b123-f4b542e851c5 ",
		"{1f812371-a41d-49e6-b123-f4b542e851c5)", "1f812371xa41dx49e6xb123xf4b542e851c5", "{1f812371a41d49e6b123f4b542e851c5}",
		"{0x1f812371,0xa41d,0x49e6,{0xb1,0x23,0xf4,0xb5,0x42,0xe8,0x51}}", "{0x,0xa41d,0x49e6,{0xb1,0x23,0xf4,0xb5,0x42,0xe8,0x51,0xc5}}",
	} {
		if id, err := ParseID(s); err == nil {
			t.Errorf("%q was read as %s", s, id)
		}
		if ID(s).Equal(ID(s)) {
			t.Errorf("%q, which is no ID, equals itself", s)
		}
	}
}

func TestNewID(t *testing.T) {
	a, b := NewID(), NewID()
	if a.Equal(b) {
		t.Error("two random IDs are equal")
	}
	if id, err := ParseID(string(a)); err != nil || id != a || a[14] != '4' || !strings.ContainsRune("89ab", rune(a[19])) {
		t.Errorf("%s is not a random GUID in the usual form", a)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("1f812371-a41d-49e6-b123-f4b542e851c5")
	f.Add("{0x1f812371,0xa41d,0x49e6,{0xb1,0x23,0xf4,0xb5,0x42,0xe8,0x51,0xc5}}")
	f.Add("{0x1,0x0,0x0,{0x0,0x0,0x0,0x0,0x0,0x0,0x0,0x0}}")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			return
		}
		if again, err := ParseID(string(id)); err != nil || again != id || len(id) != 36 || !id.Equal(ID(strings.ToUpper(s))) {
			t.Errorf("%q became %q, and that %q, %v", s, id, again, err)
		}
	})
}
