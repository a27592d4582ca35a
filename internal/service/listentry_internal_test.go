package service

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/wire"
)

// noon is a reader of an empty store.
type noon struct{ kv.Reader }

func (noon) Now() time.Time { return time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC) }

// eachField calls visit once for every field of v, and of what it is made of, while that field
// alone is set.
func eachField(v reflect.Value, path string, visit func(path string)) {
	for i := range v.NumField() {
		f, name := v.Field(i), path+"."+v.Type().Field(i).Name
		before := reflect.New(f.Type()).Elem()
		before.Set(f)
		switch f.Kind() {
		case reflect.Struct:
			eachField(f, name, visit)
			continue
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		case reflect.Array:
			f.Index(0).SetUint(1)
		case reflect.String:
			f.SetString("text")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Uint8, reflect.Uint64:
			f.SetUint(2)
		default:
			f.SetInt(int64(blob.TimeOf(noon{}.Now()) + blob.Day))
		}
		visit(name)
		f.Set(before)
	}
}

// TestCommonEntries: whatever is set in a record, its entry ends as if no entries ended alike.
func TestCommonEntries(t *testing.T) {
	all := inclusions{true, true, true, true, true, true, true, true, true, true}
	for _, with := range []inclusions{{}, all} {
		l := &blobLister{txn: &txn{call: &call{Service: New(Options{}), req: &wire.Request{Version: "2026-12-06"}}, r: noon{}, now: blob.TimeOf(noon{}.Now())}, with: with, tagged: true}
		l.usual = l.appendProperties(nil, blob.Revision{}, &blob.Blob{Type: blob.BlockBlob})
		record := &blob.Blob{Type: blob.BlockBlob}
		check := func(path string) {
			for _, past := range []blob.Revision{{}, {Kind: blob.Snapshot, ID: 1}} {
				l.xml = nil
				l.addBlob([]byte("name"), past, record)
				if want := l.appendEnd(l.appendProperties(nil, past, record), record); !bytes.HasSuffix(l.xml, want) {
					t.Errorf("with %s set alone the entry is\n%s\nand should end\n%s", path, l.xml, want)
				}
			}
		}
		check("nothing")
		if !l.common(blob.Revision{}, record) {
			t.Error("no entry is common")
		}
		eachField(reflect.ValueOf(record).Elem(), "Blob", check)
	}
}

// TestRepeatedText: entries are written as if each stood alone, whatever the ones before them were.
func TestRepeatedText(t *testing.T) {
	texts := []string{"", "text/plain", "a & b", "text/plain; x"}
	day := blob.TimeOf(noon{}.Now())
	l := &blobLister{txn: &txn{call: &call{Service: New(Options{}), req: &wire.Request{Version: "2026-12-06"}}, r: noon{}, now: day}}
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func() string { return texts[rng.IntN(len(texts))] }
	moment := func() blob.Time { return day + blob.Time(rng.IntN(3)*6_000_000) } // less than a second apart
	for range 1000 {
		r := &blob.Blob{Type: blob.BlockBlob, ETag: 1, Created: moment(), Modified: moment(), HTTP: blob.HTTPHeaders{
			ContentType: pick(), ContentEncoding: pick(), ContentLanguage: pick(), CacheControl: pick(), ContentDisposition: pick(),
			ContentMD5: []byte{1}, Untyped: rng.IntN(2) == 0,
		}}
		contentType := r.HTTP.ContentType
		if contentType == "" && !r.HTTP.Untyped {
			contentType = defaultContentType
		}
		want := appendTime([]byte("<Properties>"), "Creation-Time", r.Created)
		want = append(appendTime(want, "Last-Modified", r.Modified), "<Etag>0x000000000000001</Etag><Content-Length>0</Content-Length>"...)
		want = wire.AppendXMLElement(want, "Content-Type", contentType)
		want = wire.AppendXMLElement(want, "Content-Encoding", r.HTTP.ContentEncoding)
		want = wire.AppendXMLElement(want, "Content-Language", r.HTTP.ContentLanguage)
		want = append(want, "<Content-CRC64 /><Content-MD5>AQ==</Content-MD5>"...)
		want = wire.AppendXMLElement(want, "Cache-Control", r.HTTP.CacheControl)
		want = wire.AppendXMLElement(want, "Content-Disposition", r.HTTP.ContentDisposition)
		l.xml = nil
		if l.addBlob([]byte("name"), blob.Revision{}, r); !bytes.Contains(l.xml, want) {
			t.Fatalf("the entry is\n%s\nand should have\n%s", l.xml, want)
		}
	}
}
