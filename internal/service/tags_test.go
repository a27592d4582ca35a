package service_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/catalog"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/wire"
)

func tagsXML(pairs ...string) []byte {
	x := "<Tags><TagSet>"
	for i := 0; i < len(pairs); i += 2 {
		x += "<Tag><Key>" + pairs[i] + "</Key><Value>" + pairs[i+1] + "</Value></Tag>"
	}
	return []byte(x + "</TagSet></Tags>")
}

// tags returns the tags of a blob in the form of the header.
func (s *store) tags(target string) string {
	s.t.Helper()
	body := unmarshal[blob.TagsBody](s.t, s.want(200, "", "GET", target+"?comp=tags", nil))
	return blob.Tags(body.Set.Tags).String()
}

// find returns what a search finds as container/name[version] texts, and the marker.
func (s *store) find(target, where string) (found []string, next string) {
	s.t.Helper()
	a := s.want(200, "", "GET", target+"&comp=blobs&where="+url.QueryEscape(where), nil)
	list := unmarshal[struct {
		Blobs []struct {
			Name          string
			ContainerName string
			Tags          blob.TagsBody
		} `xml:"Blobs>Blob"`
		NextMarker string
	}](s.t, a)
	for _, b := range list.Blobs {
		found = append(found, b.ContainerName+"/"+b.Name+"?"+blob.Tags(b.Tags.Set.Tags).String())
	}
	return found, list.NextMarker
}

func TestTagsAreSetAndRead(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	put := s.want(201, "", "PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob", "x-ms-tags", "b=2&a=1%20x")
	if got := s.tags("/box/a"); got != "a=1+x&b=2" {
		t.Errorf("tags %q", got)
	}
	s.want(204, "", "PUT", "/box/a?comp=tags", tagsXML("state", "open"))
	head := s.want(200, "", "HEAD", "/box/a", nil)
	if head.get("x-ms-tag-count") != "1" || head.get("ETag") != put.get("ETag") {
		t.Errorf("after setting tags: %v", head.header)
	}
	list := s.want(200, "", "GET", "/box?restype=container&comp=list&include=tags", nil)
	want := "<TagCount>1</TagCount></Properties><Tags><TagSet><Tag><Key>state</Key><Value>open</Value></Tag></TagSet></Tags>"
	if !strings.Contains(string(list.body), want) {
		t.Errorf("listing %s", list.body)
	}
	snap := s.want(201, "", "PUT", "/box/a?comp=snapshot", nil).get("x-ms-snapshot")
	s.want(204, "", "PUT", "/box/a?comp=tags", tagsXML())
	if got := s.tags("/box/a"); got != "" {
		t.Errorf("tags %q after they were taken away", got)
	}
	if a := s.want(200, "", "HEAD", "/box/a?snapshot="+snap, nil); a.get("x-ms-tag-count") != "1" {
		t.Errorf("the snapshot has %q tags", a.get("x-ms-tag-count"))
	}
	s.want(400, "InvalidQueryParameterValue", "PUT", "/box/a?comp=tags&snapshot="+snap, tagsXML())
	s.want(201, "", "PUT", "/box/b", nil, "x-ms-blob-type", "AppendBlob", "x-ms-tags", "k=v")
	s.want(201, "", "PUT", "/box/c?comp=blocklist", []byte("<BlockList/>"), "x-ms-tags", "k=w")
	if b, c := s.tags("/box/b"), s.tags("/box/c"); b != "k=v" || c != "k=w" {
		t.Errorf("tags of other blobs: %q, %q", b, c)
	}
}

func TestTagsAreRefused(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob", "x-ms-tags", "a=1")
	eleven := make([]string, 0, 22)
	for i := range 11 {
		eleven = append(eleven, fmt.Sprint("k", i), "v")
	}
	for _, c := range []struct {
		code string
		body []byte
	}{
		{"InvalidXmlDocument", nil},
		{"InvalidXmlDocument", []byte("<Tags>")},
		{"EmptyTagName", tagsXML("", "v")},
		{"InvalidTag", tagsXML("a", "v!")},
		{"DuplicateTagNames", tagsXML("a", "1", "a", "2")},
		{"TagsTooLarge", tagsXML(eleven...)},
		{"TagsTooLarge", tagsXML("a", strings.Repeat("v", 257))},
	} {
		s.want(400, c.code, "PUT", "/box/a?comp=tags", c.body)
	}
	s.want(400, "InvalidTag", "PUT", "/box/a", nil, "x-ms-blob-type", "BlockBlob", "x-ms-tags", "a=%25")
	s.want(404, "BlobNotFound", "PUT", "/box/none?comp=tags", tagsXML("a", "2"))
	s.want(404, "BlobNotFound", "GET", "/box/none?comp=tags", nil)
	if got := s.tags("/box/a"); got != "a=1" {
		t.Errorf("tags %q after refused changes", got)
	}
}

func TestTagsMeetLeasesAndConditions(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	etag := s.want(201, "", "PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob", "x-ms-tags", "a=1").get("ETag")
	set := func(status int, code string, headers ...string) {
		t.Helper()
		s.want(status, code, "PUT", "/box/a?comp=tags", tagsXML("a", "1"), headers...)
	}
	past := s.Now().Add(-time.Hour).Format("Mon, 02 Jan 2006 15:04:05 GMT")
	set(204, "", "x-ms-blob-if-match", etag)
	set(412, "ConditionNotMet", "x-ms-blob-if-match", `"0x1"`)
	set(412, "ConditionNotMet", "x-ms-blob-if-none-match", etag)
	set(204, "", "x-ms-blob-if-modified-since", past)
	set(412, "ConditionNotMet", "x-ms-blob-if-unmodified-since", past)
	set(204, "", "x-ms-if-tags", "a='1'")
	set(412, "ConditionNotMet", "x-ms-if-tags", "a='2'")
	s.want(304, "ConditionNotMet", "GET", "/box/a?comp=tags", nil, "x-ms-blob-if-none-match", etag)

	s.want(201, "", "PUT", "/box/a?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", idA)
	set(412, "LeaseIdMissing")
	set(412, "LeaseIdMismatchWithBlobOperation", "x-ms-lease-id", idB)
	set(204, "", "x-ms-lease-id", idA)
	s.want(200, "", "GET", "/box/a?comp=tags", nil)
	s.want(412, "LeaseIdMismatchWithBlobOperation", "GET", "/box/a?comp=tags", nil, "x-ms-lease-id", idB)
}

func TestTagsNeedTheirPermission(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob", "x-ms-tags", "a=1")
	with, without := s.sas("box", "rwtl"), s.sas("box", "rwl")
	for _, c := range []struct {
		status         int
		method, target string
		headers        []string
	}{
		{200, "GET", "/box/a?comp=tags", nil},
		{204, "PUT", "/box/a?comp=tags", nil},
		{201, "PUT", "/box/b", []string{"x-ms-blob-type", "AppendBlob", "x-ms-tags", "a=1"}},
		{200, "HEAD", "/box/a", []string{"x-ms-if-tags", "a='1'"}},
		{200, "GET", "/box?restype=container&comp=list&include=tags", nil},
	} {
		join := "?"
		if strings.Contains(c.target, "?") {
			join = "&"
		}
		var body []byte
		if c.status == 204 {
			body = tagsXML("a", "1")
		}
		s.want(c.status, "", c.method, c.target+join+with, body, c.headers...)
		s.want(403, "AuthorizationPermissionMismatch", c.method, c.target+join+without, body, c.headers...)
	}
	if a := s.want(200, "", "HEAD", "/box/a?"+without, nil); a.get("x-ms-tag-count") != "" {
		t.Error("the number of tags is told to one who may not read them")
	}
	if a := s.want(200, "", "HEAD", "/box/a?"+with, nil); a.get("x-ms-tag-count") != "1" {
		t.Error("the number of tags is not told")
	}
}

func TestFindBlobsByTags(t *testing.T) {
	s := newStore(t)
	for _, c := range []string{"box", "other"} {
		s.want(201, "", "PUT", "/"+c+"?restype=container", nil)
		for i := range 5 {
			s.want(201, "", "PUT", fmt.Sprintf("/%s/%d", c, i), nil, "x-ms-blob-type", "BlockBlob",
				"x-ms-tags", fmt.Sprintf("state=s%d&parity=%d", i, i%2))
		}
	}
	for _, c := range []struct {
		target, where string
		want          string
	}{
		{"/?", "state='s1'", "box/1?state=s1 other/1?state=s1"},
		{"/?", "state='none'", ""},
		{"/?", "@container='other' AND \"state\">='s3'", "other/3?state=s3 other/4?state=s4"},
		{"/?", "@container='missing' AND state='s1'", ""},
		{"/?", "state>'s3'", "box/4?state=s4 other/4?state=s4"},
		{"/?", "state<='s0'", "box/0?state=s0 other/0?state=s0"},
		{"/box?restype=container", "state<'s4' AND parity='1'", "box/1?parity=1&state=s1 box/3?parity=1&state=s3"},
	} {
		found, next := s.find(c.target, c.where)
		if got := strings.Join(found, " "); got != c.want || next != "" {
			t.Errorf("%s where %s: %q, marker %q, want %q", c.target, c.where, got, next, c.want)
		}
	}
	var paged []string
	for next, pages := "", 0; pages == 0 || next != ""; pages++ {
		found, m := s.find("/?maxresults=3&marker="+next, "state>='s0'")
		if paged, next = append(paged, found...), m; len(found) > 3 || pages > 5 {
			t.Fatalf("page %d has %d entries, marker %q", pages, len(found), next)
		}
	}
	if len(paged) != 10 {
		t.Errorf("pages have %d entries: %q", len(paged), paged)
	}
	s.want(400, "InvalidQueryParameterValue", "GET", "/?comp=blobs&where=state", nil)
	s.want(400, "InvalidQueryParameterValue", "GET", "/?comp=blobs&where=%22a%00b%22%3D%271%27", nil)
	s.want(400, "MissingRequiredQueryParameter", "GET", "/?comp=blobs", nil)
	s.want(400, "OutOfRangeQueryParameterValue", "GET", "/?comp=blobs&maxresults=0&where=a%3D%27b%27", nil)
	s.want(404, "ContainerNotFound", "GET", "/none?restype=container&comp=blobs&where=a%3D%27b%27", nil)
}

// TestTheIndexOfTagsFollows changes tags in every way that takes some away.
func TestTheIndexOfTagsFollows(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	make := func(tags string) {
		s.want(201, "", "PUT", "/box/a", nil, "x-ms-blob-type", "BlockBlob", "x-ms-tags", tags)
	}
	for _, c := range []struct {
		name   string
		change func()
		want   int
	}{
		{"nothing", func() {}, 1},
		{"overwritten without tags", func() { make("") }, 0},
		{"overwritten with others", func() { make("k=w&l=v") }, 0},
		{"set to others", func() { s.want(204, "", "PUT", "/box/a?comp=tags", tagsXML("l", "v")) }, 0},
		{"committed without tags", func() { s.want(201, "", "PUT", "/box/a?comp=blocklist", []byte("<BlockList/>")) }, 0},
		{"other metadata", func() { s.want(200, "", "PUT", "/box/a?comp=metadata", nil) }, 1},
		{"deleted", func() { s.want(202, "", "DELETE", "/box/a", nil) }, 0},
		{"container deleted", func() {
			s.want(202, "", "DELETE", "/box?restype=container", nil)
			s.step(time.Hour)
		}, 0},
	} {
		make("k=v")
		c.change()
		if found, _ := s.find("/?", "k='v'"); len(found) != c.want {
			t.Errorf("%s: found %q", c.name, found)
		}
	}
	w := catalog.Sweeper{DB: s.DB, Segments: s.Segments}
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.leftovers("t")
}

// leftovers reports the keys with a prefix that are in the store.
func (s *store) leftovers(prefix string) {
	s.t.Helper()
	err := s.DB.View(s.t.Context(), func(r kv.Reader) error {
		for p, err := range r.Scan([]byte(prefix), []byte{prefix[0] + 1}) {
			if err != nil {
				return err
			}
			s.t.Errorf("key %q is left", p.Key)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestTagExpressionsAreRefusedWithThePosition: in a search and in a condition, with what is to
// blame.
func TestTagExpressionsAreRefusedWithThePosition(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/b", []byte("x"), "x-ms-blob-type", "BlockBlob")
	const position = "<Message>Error parsing query at or near character position "
	where := func(text string) string { return "comp=blobs&where=" + url.QueryEscape(text) }
	for target, want := range map[string]string{
		"/?" + where("Year='2020'"):                                     position + "1: unexpected &#39;Year&#39;",
		"/box?restype=container&" + where("@container='box' AND a='1'"): position + "1: unexpected &#39;@container&#39;",
		"/?" + where("a>'1' AND a>'2'"):                                 position + "11: unexpected &#39;a&#39;",
	} {
		a := s.want(400, "InvalidQueryParameterValue", "GET", target, nil)
		if text := strings.ReplaceAll(string(a.body), "'", "&#39;"); !strings.Contains(text, want) || !strings.Contains(text, "<QueryParameterName>where<") {
			t.Errorf("%s: %s, want %s", target, a.body, want)
		}
	}
	a := s.want(400, "InvalidHeaderValue", "GET", "/box/b", nil, "x-ms-if-tags", "a='1' OR Month='2'")
	if text := string(a.body); !strings.Contains(text, position+"10: unexpected") || !strings.Contains(text, "<HeaderName>x-ms-if-tags<") {
		t.Errorf("%s", text)
	}
}

// TestEmptyTagsNeedTheRightToSetTags: of every operation that takes tags.
func TestEmptyTagsNeedTheRightToSetTags(t *testing.T) {
	tried := 0
	for _, sample := range samples() {
		s := sample.store(t)
		p := sample.at(s, 1)
		a := sample.ask(p)
		op := p.row(a)
		if !slices.ContainsFunc(op.Arguments(), func(f wire.Field) bool { return f.Name == "x-ms-tags" }) {
			continue
		}
		tried++
		before := p.dump()
		sep := "?"
		if strings.Contains(a.target, "?") {
			sep = "&"
		}
		got := s.do(a.method, a.target+sep+s.sas(p.box[1:], "racwd"), a.body, append(a.headers, "x-ms-tags", "")...)
		if got.status != 403 || got.code() != "AuthorizationPermissionMismatch" || p.dump() != before {
			t.Errorf("%s: %d %s", sample.name, got.status, got.code())
		}
	}
	if tried < 7 {
		t.Errorf("only %d operations take tags", tried)
	}
}
