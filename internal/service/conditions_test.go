package service_test

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
	"github.com/leasehold/leasehold/test/sheet"
)

const conditionSheets = "testdata/conditions.md"

// fourConditions are the conditional headers of HTTP.
var fourConditions = []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}

// conditionTrial tries the conditional headers of one sample.
type conditionTrial struct {
	trial
	place  *place // where nothing has changed; nil for none
	asked  ask    // of the sample there
	op     *service.Operation
	prefix string   // of the names of the four
	reads  []string // of the five, under their plain names
}

// reading sets which conditions the row says are read.
func (c *conditionTrial) reading(cell string) {
	for kind := range strings.SplitSeq(cell, ", ") {
		switch kind {
		case "":
		case "four":
			c.reads = append(c.reads, fourConditions...)
		case "x-ms-blob-":
			c.prefix = kind
			c.reads = append(c.reads, fourConditions...)
		case "dates":
			c.reads = append(c.reads, fourConditions[2:]...)
		case "tags":
			c.reads = append(c.reads, "x-ms-if-tags")
		default:
			c.reads = append(c.reads, kind)
		}
	}
}

// header returns the name that a condition goes by.
func (c *conditionTrial) header(name string) string {
	if strings.HasPrefix(name, "If-") {
		return c.prefix + name
	}
	return name
}

// TestConditions drives every sample through testdata/conditions.md.
func TestConditions(t *testing.T) {
	named := map[string]sample{}
	for _, s := range samples() {
		named[s.name] = s
	}
	all := sheet.Read(t, conditionSheets, "operations")
	for _, row := range all.Rows {
		s, ok := named[row[0]]
		if !ok {
			t.Errorf("no sample %q", row[0])
			continue
		}
		delete(named, row[0])
		t.Run(s.name, func(t *testing.T) {
			c := &conditionTrial{trial: trial{sample: s, t: t, store: s.store(t)}}
			c.reading(row[1])
			if row[2] == "ignored" {
				return
			}
			c.tryUnread()
			if len(c.reads) == 0 {
				return
			}
			kind, differing := row[2], []string{row[2]}
			if kind == "creation" {
				differing = append(differing, "write")
			}
			c.tryTables(differing)
			if kind == "creation" {
				c.tryMissing("nothing there, creation")
			} else if kind != "incremental copy" && c.blobLevel() {
				c.tryMissing(kind)
			}
		})
	}
	for name := range named {
		t.Errorf("%s has no row for %q", conditionSheets, name)
	}
}

func (c *conditionTrial) blobLevel() bool {
	p := c.fresh()
	return p.row(c.ask(p)).On.Level == wire.LevelBlob
}

// tryUnread sends the conditions that are not read.
func (c *conditionTrial) tryUnread() {
	p := c.fresh()
	ask := c.ask(p)
	op, before := p.row(ask), p.dump()
	for _, name := range append(fourConditions[:4:4], "x-ms-if-tags") {
		declared := slices.ContainsFunc(op.Arguments(), func(f wire.Field) bool {
			return strings.EqualFold(f.Name, c.header(name))
		})
		if declared != slices.Contains(c.reads, name) {
			c.t.Errorf("%s is an argument: %v", c.header(name), declared)
		}
		if declared && c.prefix == "" {
			continue
		}
		if name == "x-ms-if-tags" && declared || strings.HasSuffix(name, "Match") && strings.Contains(c.name, "Lease Container") {
			continue
		}
		value := map[string]string{"If-Match": "*", "If-None-Match": `"0x1"`, "x-ms-if-tags": "a='1'"}[name]
		if value == "" {
			value = p.Now().Format(http.TimeFormat)
		}
		if problem := coded("ConditionHeadersNotSupported")(p.send(ask, name, value)); problem != "" {
			c.t.Errorf("%s: %s", name, problem)
		}
		if p.dump() != before {
			c.t.Fatalf("%s: changed something", name)
		}
	}
}

// values returns the headers that a row stands for, for what has the given version. ok is false
// if the operation does not read them all.
func (c *conditionTrial) values(columns, row []string, etag, modified string) (headers []string, ok bool) {
	at, err := http.ParseTime(modified)
	if err != nil {
		at = c.store.Now()
	}
	date := func(d time.Duration) string { return at.Add(d).Format(http.TimeFormat) }
	meaning := map[string]string{"own": etag, "other": `"0x1"`, "*": "*", "both": `"0x1", ` + etag, "before": date(-time.Hour), "same": date(0),
		"after": date(time.Hour), "word": "word", "true": "a='1'", "false": "a='2'"}
	for i, name := range columns[:5] {
		if row[i] == "" {
			continue
		}
		if !slices.Contains(c.reads, name) {
			return nil, false
		}
		headers = append(headers, c.header(name), meaning[row[i]])
	}
	return headers, true
}

// version returns ETag and Last-Modified of what a request is about.
func (c *conditionTrial) version(p *place, a ask) (etag, modified string) {
	path, query, _ := strings.Cut(a.target, "?")
	targets := []string{path, p.blob}
	if path == p.box {
		targets = []string{p.box + "?restype=container"}
	}
	for part := range strings.SplitSeq(query, "&") {
		if strings.HasPrefix(part, "snapshot=") || strings.HasPrefix(part, "versionid=") {
			targets = slices.Insert(targets, 0, path+"?"+part)
		}
	}
	for _, target := range targets {
		if got := p.do("HEAD", target, nil); got.status == 200 {
			return got.get("ETag"), got.get("Last-Modified")
		}
	}
	c.t.Fatal("nothing there")
	return "", ""
}

// tryTables tries the rows of the first table, and those of the others that are not in one before.
func (c *conditionTrial) tryTables(headings []string) {
	tried := map[string]bool{}
	for _, heading := range headings {
		all := sheet.Read(c.t, conditionSheets, heading)
		for _, row := range all.Rows {
			if id := fmt.Sprint(row[:5]); !tried[id] {
				tried[id] = true
				c.tryRow(all.Columns, row, "")
			}
		}
	}
}

// tryMissing tries the rows of a table where there is no blob.
func (c *conditionTrial) tryMissing(heading string) {
	all := sheet.Read(c.t, conditionSheets, heading)
	for _, row := range all.Rows {
		if heading != "nothing there, creation" && !strings.HasPrefix(row[5], "400") {
			row = append(row[:5:5], "404 BlobNotFound")
		}
		c.tryRow(all.Columns, row, "/none")
	}
}

// tryRow tries one row, with another blob in the place of the sample's unless that is "".
func (c *conditionTrial) tryRow(columns, row []string, instead string) {
	if c.place == nil {
		c.place = c.fresh()
		c.asked = c.ask(c.place)
		c.op = c.place.row(c.asked)
	}
	p, ask, op := c.place, c.asked, c.op
	etag, modified := c.version(p, ask)
	if instead != "" {
		ask.target = strings.Replace(ask.target, p.blob, p.box+instead, 1)
	}
	headers, ok := c.values(columns, row, etag, modified)
	if !ok {
		return
	}
	before := p.dump()
	a := p.send(ask, headers...)
	want := row[5]
	if got := fmt.Sprint(a.status, " ", a.code()); want == "ok" && !c.succeeded(op, a) || want != "ok" && got != want {
		c.t.Errorf("%s%q: %s, want %s", instead, headers, got, want)
	}
	changed := p.dump() != before
	if want != "ok" && changed {
		c.t.Errorf("%q: changed something", headers)
	}
	if changed {
		c.place = nil
	}
	if a.status == 304 && (len(a.body) > 0 || a.get("ETag") == "" || a.header[textproto.CanonicalMIMEHeaderKey("Content-Type")] != nil) {
		c.t.Errorf("%q: %v %s", headers, a.header, a.body)
	}
}
