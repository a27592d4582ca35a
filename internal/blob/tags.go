package blob

import (
	"encoding/xml"
	"net/url"
	"slices"
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// The limits of index tags, in tags of a blob and in characters.
const (
	MaxTags     = 10
	MaxTagKey   = 128
	MaxTagValue = 256
)

// ParseTags reads tags in the form of the x-ms-tags header: key=value pairs joined by &,
// form-encoded. An empty text is no tags. A text that can't be decoded is refused with
// InvalidHeaderValue under the given header name, tags with the codes of [NewTags].
func ParseTags(header, text string) (Tags, error) {
	var tags []Tag
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		if len(tags) == MaxTags {
			return nil, fault.TagsTooLarge
		}
		k, v, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(k)
		if err != nil {
			return nil, fault.InvalidHeader(header, text)
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			return nil, fault.InvalidHeader(header, text)
		}
		tags = append(tags, Tag{Key: key, Value: value})
	}
	return NewTags(tags)
}

// NewTags returns tags sorted by key. It refuses them with EmptyTagName, InvalidTag, TagsTooLarge
// (too many or too long) or DuplicateTagNames. The argument is left as it is.
func NewTags(tags []Tag) (Tags, error) {
	if len(tags) > MaxTags {
		return nil, fault.TagsTooLarge
	}
	for _, t := range tags {
		switch {
		case t.Key == "":
			return nil, fault.EmptyTagName
		case !tagText(t.Key) || !tagText(t.Value):
			return nil, fault.InvalidTag
		case len(t.Key) > MaxTagKey || len(t.Value) > MaxTagValue:
			return nil, fault.TagsTooLarge
		}
	}
	sorted := slices.SortedFunc(slices.Values(tags), func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	for i := 1; i < len(sorted); i++ {
		if sorted[i].Key == sorted[i-1].Key {
			return nil, fault.DuplicateTagNames
		}
	}
	return sorted, nil
}

// tagText reports whether all characters of s may stand in a tag.
func tagText(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte(" +-./:=_", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// Get returns the value of a tag; keys differ in letter case.
func (t Tags) Get(key string) (value string, ok bool) {
	for i := range t {
		if t[i].Key == key {
			return t[i].Value, true
		}
	}
	return "", false
}

// String returns the tags in the form of the x-ms-tags header.
func (t Tags) String() string {
	var b strings.Builder
	for i := range t {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(t[i].Key) + "=" + url.QueryEscape(t[i].Value))
	}
	return b.String()
}

// TagsBody is the XML form of tags, as Get and Set Blob Tags and listings have it. Tags that were
// read from a request still have to pass [NewTags].
type TagsBody struct {
	XMLName xml.Name `xml:"Tags"`
	Set     TagSet   `xml:"TagSet"`
}

// TagSet is the list in a [TagsBody]; it is there even when it is empty.
type TagSet struct {
	Tags []Tag `xml:"Tag"`
}

// Body returns the XML form.
func (t Tags) Body() TagsBody { return TagsBody{Set: TagSet{Tags: t}} }
