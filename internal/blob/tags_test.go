package blob

import (
	"encoding/xml"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
)

func TestParseTags(t *testing.T) {
	long := strings.Repeat("k", MaxTagKey)
	tests := []struct {
		name, text, want string
		err              error
	}{
		{"none", "", "", nil},
		{"sample", "state=open&owner=a%20b", "owner=a+b&state=open", nil},
		{"plus is a space", "a+b=c+d", "a+b=c+d", nil},
		{"every sign", "+-./:%3D_%2B=+-./:=_%2B", "+-.%2F%3A%3D_%2B=+-.%2F%3A%3D_%2B", nil},
		{"letter case", "A=1&a=2", "A=1&a=2", nil},
		{"empty values", "a=&b", "a=&b=", nil},
		{"empty pairs", "&a=1&&b=2&", "a=1&b=2", nil},
		{"as many as may be", "0=&1=&2=&3=&4=&5=&6=&7=&8=&9=", "0=&1=&2=&3=&4=&5=&6=&7=&8=&9=", nil},
		{"longest", long + "=" + long + long, long + "=" + long + long, nil},
		{"one too many", "0=&1=&2=&3=&4=&5=&6=&7=&8=&9=&x=", "", fault.TagsTooLarge},
		{"long key", long + "k=v", "", fault.TagsTooLarge},
		{"long value", "k=" + long + long + "v", "", fault.TagsTooLarge},
		{"no key", "=v", "", fault.EmptyTagName},
		{"duplicate", "a=1&b=2&a=1", "", fault.DuplicateTagNames},
		{"sign in key", "a%26=1", "", fault.InvalidTag},
		{"sign in value", "a='", "", fault.InvalidTag},
		{"letter of another alphabet", "a=%C3%A9", "", fault.InvalidTag},
		{"no character", "a=%00", "", fault.InvalidTag},
		{"bad escape in key", "%zz=1", "", fault.InvalidHeaderValue},
		{"bad escape in value", "a=%4", "", fault.InvalidHeaderValue},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tags, err := ParseTags("x-ms-tags", tt.text)
			if tt.err == nil && err != nil || tt.err != nil && !errors.Is(err, tt.err) || tags.String() != tt.want {
				t.Errorf("got %q, %v", tags, err)
			}
		})
	}
}

func TestNewTagsLeavesItsArgument(t *testing.T) {
	given := []Tag{{Key: "b", Value: "2"}, {Key: "a", Value: "1"}}
	tags, err := NewTags(given)
	if err != nil || tags.String() != "a=1&b=2" || given[0].Key != "b" {
		t.Errorf("got %v, %v of %v", tags, err, given)
	}
	if v, ok := tags.Get("b"); !ok || v != "2" {
		t.Errorf("b is %q, %v", v, ok)
	}
	if v, ok := tags.Get("B"); ok {
		t.Errorf("B is %q", v)
	}
	if _, err := NewTags(make([]Tag, MaxTags+1)); err != fault.TagsTooLarge {
		t.Errorf("too many tags: %v", err)
	}
}

func TestTagsBody(t *testing.T) {
	for want, tags := range map[string]Tags{
		"<Tags><TagSet></TagSet></Tags>": nil,
		"<Tags><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value></Value></Tag></TagSet></Tags>": {
			{Key: "a", Value: "1"}, {Key: "b"},
		},
	} {
		text, err := xml.Marshal(tags.Body())
		if err != nil || string(text) != want {
			t.Errorf("got %s, %v", text, err)
		}
		var body TagsBody
		if err := xml.Unmarshal([]byte(want), &body); err != nil || !slices.Equal(body.Set.Tags, tags) {
			t.Errorf("%s: got %v, %v", want, body.Set.Tags, err)
		}
	}
}

func FuzzParseTags(f *testing.F) {
	f.Add("state=open&owner=a%20b")
	f.Add("a+b=c%2Bd&&x")
	f.Add("=&%zz")
	f.Fuzz(func(t *testing.T, text string) {
		tags, err := ParseTags("x-ms-tags", text)
		if err != nil {
			if full, ok := fault.Of(err); !ok || full.Status != 400 {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		again, err := ParseTags("x-ms-tags", tags.String())
		if err != nil || !slices.Equal(again, tags) {
			t.Errorf("%q is %v, written and read %v, %v", text, tags, again, err)
		}
	})
}
