package lease

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

const written = "1f812371-a41d-49e6-b123-f4b542e851c5"

func TestParseID(t *testing.T) {
	s := readSheet(t, "record.md", "forms of a lease ID")
	for _, row := range s.Rows {
		text := strings.Trim(s.At(t, row, "text"), "`")
		id, err := ParseID(text)
		switch s.At(t, row, "accepted") {
		case "yes":
			if err != nil || id.String() != written {
				t.Errorf("%s: got %s, %v", row[0], id, err)
			}
		case "no":
			if err != ErrID || id != (ID{}) {
				t.Errorf("%s: got %s, %v", row[0], id, err)
			}
		default:
			t.Fatalf("bad cell in row %q", row[0])
		}
	}
}

func TestOptionalID(t *testing.T) {
	id, _ := ParseID(written)
	for text, want := range map[string]OptionalID{"": {}, written: Some(id), "(" + written + ")": Some(id)} {
		got := Some(ID{1})
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	got := Some(ID{1})
	if err := got.UnmarshalText([]byte("mylease")); err != ErrID || got.Given {
		t.Errorf("a word: got %v, %v", got, err)
	}
	if text, err := Some(id).MarshalText(); err != nil || string(text) != written {
		t.Errorf("written as %q, %v", text, err)
	}
	if text, err := (OptionalID{}).MarshalText(); err != nil || len(text) != 0 {
		t.Errorf("an absent ID is written as %q, %v", text, err)
	}
	if !Some(ID{}).Is(ID{}) || Some(id).Is(ID{}) || (OptionalID{}).Is(ID{}) {
		t.Error("Is confuses absent, zero and other IDs")
	}
	var plain ID
	if err := plain.UnmarshalText([]byte(strings.ToUpper(written))); err != nil || plain != id {
		t.Errorf("got %v, %v", plain, err)
	}
	if text, err := plain.MarshalText(); err != nil || string(text) != written {
		t.Errorf("written as %q, %v", text, err)
	}
}

func TestHeaderValues(t *testing.T) {
	parse := map[string]func(string) (string, error){
		"duration": func(text string) (string, error) {
			var d Duration
			err := d.UnmarshalText([]byte(text))
			return strconv.Itoa(int(d)), err
		},
		"break period": func(text string) (string, error) {
			var p BreakPeriod
			err := p.UnmarshalText([]byte(text))
			return strconv.Itoa(int(p.Seconds)), err
		},
		"action": func(text string) (string, error) {
			var a Action
			err := a.UnmarshalText([]byte(text))
			return a.String(), err
		},
	}
	s := readSheet(t, "record.md", "header values")
	for _, row := range s.Rows {
		for _, text := range quoted(s.At(t, row, "accepted")) {
			if got, err := parse[row[0]](text); err != nil || got != strings.ToLower(text) {
				t.Errorf("%s %q: got %q, %v", row[0], text, got, err)
			}
		}
		for _, text := range append(quoted(s.At(t, row, "refused")), " ", "ſ") {
			if got, err := parse[row[0]](text); err == nil {
				t.Errorf("%s %q is accepted as %q", row[0], text, got)
			}
		}
	}
	var p BreakPeriod
	if err := p.UnmarshalText(nil); err != nil || p.Given {
		t.Errorf("an empty break period is %+v, %v", p, err)
	}
	if got := Action(9).String(); got != "Action(9)" {
		t.Errorf("an unknown action is called %q", got)
	}
}

// quoted returns the parts of a cell that stand in backquotes.
func quoted(cell string) (parts []string) {
	for i, part := range strings.Split(cell, "`") {
		if i%2 == 1 {
			parts = append(parts, part)
		}
	}
	return parts
}

func TestInstant(t *testing.T) {
	if got := At(now).Time(); got != now {
		t.Errorf("got %v, want %v", got, now)
	}
	if !Instant(0).Time().IsZero() {
		t.Error("no moment must be the zero time")
	}
	if got := Duration(30).Std(); got != 30*time.Second {
		t.Errorf("30 seconds are %v", got)
	}
}

func FuzzParseID(f *testing.F) {
	for _, form := range forms {
		f.Add(strings.ReplaceAll(form, "#", "a"))
	}
	f.Add(written)
	f.Add("mylease")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseID(text)
		if err != nil {
			return
		}
		plain := strings.ReplaceAll(id.String(), "-", "")
		for _, form := range forms {
			rest := plain
			again := strings.Map(func(r rune) rune {
				if r != '#' {
					return r
				}
				r, rest = rune(rest[0]), rest[1:]
				return r
			}, form)
			if got, err := ParseID(again); err != nil || got != id {
				t.Errorf("%q reads as %v, written as %q it reads as %v, %v", text, id, again, got, err)
			}
		}
	})
}

func FuzzHeaderValues(f *testing.F) {
	for _, text := range []string{"-1", "15", "60", "0", "", "+7", "acquire", "99999999999999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); (err == nil) != d.Valid() {
			t.Errorf("duration %q: %d, %v", text, d, err)
		}
		var p BreakPeriod
		if err := p.UnmarshalText([]byte(text)); !p.Valid() || err != nil && p.Given || err == nil && text != "" && !p.Given {
			t.Errorf("break period %q: %+v, %v", text, p, err)
		}
		var a Action
		if err := a.UnmarshalText([]byte(text)); err == nil && !strings.EqualFold(a.String(), text) {
			t.Errorf("action %q: %v", text, a)
		}
	})
}
