package wire

import (
	"slices"
	"testing"
)

type telling interface{ name(*[]string) }

type (
	left struct {
		A string `header:"a"`
	}
	right struct {
		B string `header:"b"`
	}
	both struct {
		left
		right
	}
	whole struct {
		both
		mute
		C string `header:"c"`
	}
	mute struct {
		D string `header:"d"`
	}
)

func (g *left) name(to *[]string)  { *to = append(*to, "left "+g.A) }
func (g *right) name(to *[]string) { *to = append(*to, "right "+g.B) }
func (g *whole) name(to *[]string) { *to = append(*to, "whole "+g.C) }

// TestGroups asks both of two embedded structs, where promotion would pass over both, then the
// struct itself.
func TestGroups(t *testing.T) {
	var got []string
	a := &whole{both: both{left{"1"}, right{"2"}}, C: "3"}
	err := CompileGroups[whole, telling]().Each(a, func(g telling) error {
		g.name(&got)
		return nil
	})
	if want := []string{"left 1", "right 2", "whole 3"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("asked %q, %v; want %q", got, err, want)
	}
	if err := CompileGroups[whole, telling]().Each(a, func(telling) error { return errForm }); err != errForm {
		t.Errorf("returned %v", err)
	}
	if n := len(CompileGroups[mute, telling]().index); n != 0 {
		t.Errorf("found %d groups in a struct without any", n)
	}
}
