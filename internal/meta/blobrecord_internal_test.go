package meta

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/lease"
)

// fill sets fields, and those of what they are made of, to random values; a part of them
// stays zero, none if part is 0.
func fill(rng *rand.Rand, v reflect.Value, part float64) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() && rng.Float64() >= part {
				fill(rng, v.Field(i), part)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(rng, v.Elem(), part)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+rng.IntN(30), 30))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(rng, v.Index(i), part)
		}
	case reflect.String:
		text := make([]byte, 1+rng.IntN(1<<rng.IntN(10)))
		for i := range text {
			text[i] = byte(rng.Uint32())
		}
		v.SetString(string(text))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(rng.Uint64())>>rng.IntN(64)>>(64-v.Type().Bits()) | 1)
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(rng.Uint64()>>rng.IntN(64)>>(64-v.Type().Bits()) | 1)
	default:
		panic(fmt.Sprintf("a record has a field of type %v", v.Type()))
	}
}

func randomBlob(rng *rand.Rand, part float64) *blob.Blob {
	b := new(blob.Blob)
	fill(rng, reflect.ValueOf(b).Elem(), part)
	return b
}

// TestBlobRecord: what the codec writes is read by hand, every field of it, and comes out
// as the codec reads it, also into a record that was used before.
func TestBlobRecord(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	used := new(blob.Blob)
	for i := range 3000 {
		b := randomBlob(rng, []float64{0, 0.3, 0.9}[i%3])
		raw, err := encoding.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if c := (cursor{buf: raw}); !readsAs(&c, new(blob.Blob), b) {
			t.Fatalf("%+v\nis encoded as %x\nand read, up to byte %d, as something else", b, raw, c.pos)
		}
		if c := (cursor{buf: raw}); !readsAs(&c, used, b) {
			t.Fatalf("%+v\nis encoded as %x\nand read as\n%+v", b, raw, used)
		}
		wantProperties(t, raw, used, b)
	}
}

func readsAs(c *cursor, b, want *blob.Blob) bool {
	c.blob(b)
	return c.done() && reflect.DeepEqual(b, want)
}

// FuzzBlobRecord: whatever bytes there are, the outcome is that of the codec.
func FuzzBlobRecord(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	used, err := encoding.Marshal(randomBlob(rng, 0.1))
	if err != nil {
		f.Fatal(err)
	}
	for i := range 30 {
		raw, err := encoding.Marshal(randomBlob(rng, []float64{0, 0.5, 0.9}[i%3]))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, s := range []string{"", "\xa0", "\xa0\x00", "\xbf\xff", "\xa1\x01\xf6", "\xa1\x01\x20", "\xa2\x01\x01\x01\x02",
		"\xa1\x05\x3b\xff\xff\xff\xff\xff\xff\xff\xff", "\xa1\x07\x80", "\xa1\x08\x81\x82\x61a\x61b", "\xa1\x18\x63\x01",
		"\xa1\x07\x9a\xff\xff\xff\xff", "\xa1\x18\x28\x40", "\xa1\x18\x28\x18", "\xa1\x19\x00\x01\x18\x01", "\xa1\x61a\x01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want blob.Blob
		failure := decoding.Unmarshal(raw, &want)
		got, err := newBlob(nil, used)
		if err != nil {
			t.Fatal(err)
		}
		switch err := decodeBlob(nil, raw, got); {
		case (err == nil) != (failure == nil):
			t.Errorf("the outcome is %v, that of the codec %v", err, failure)
		case err == nil && !reflect.DeepEqual(got, &want):
			t.Errorf("%+v, want %+v", got, &want)
		}
	})
}

// BenchmarkBlobRecord compares both ways to read the record of a small blob.
func BenchmarkBlobRecord(b *testing.B) {
	raw, err := encoding.Marshal(&blob.Blob{
		Type: blob.BlockBlob, ETag: 0x8DE_0000_0000_0000, Created: 17_700_000_000_000_000, Modified: 17_700_000_000_000_000, Size: 1 << 10,
		HTTP:     blob.HTTPHeaders{ContentType: "application/octet-stream", ContentMD5: make([]byte, 16)},
		Metadata: blob.Metadata{{Name: "owner", Value: "somebody"}},
		Content:  blob.Content{Count: 1, Blocks: []blob.Block{{Chunk: blob.Chunk{Inline: true, Length: 1 << 10, Size: 1 << 10}}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name string
		read func(*blob.Blob) error
	}{
		{"codec", func(*blob.Blob) error { return decoding.Unmarshal(raw, new(blob.Blob)) }},
		{"new", func(*blob.Blob) error { _, err := newBlob(nil, raw); return err }},
		{"into", func(into *blob.Blob) error { return decodeBlob(nil, raw, into) }},
		{"properties", func(into *blob.Blob) error { return decodeProperties(nil, raw, into) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			into := new(blob.Blob)
			for b.Loop() {
				if err := way.read(into); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestStoredBlobRecord: records that were stored once are read for good, by all readers. The
// older one has its content before the access tier.
func TestStoredBlobRecord(t *testing.T) {
	want := &blob.Blob{
		Type: blob.BlockBlob, ETag: 0x8DE78FADE4E0000, Created: 17725248000000000, Modified: 17725248000000000, Size: 1024,
		HTTP:     blob.HTTPHeaders{ContentType: "text/plain", ContentMD5: bytes.Repeat([]byte{5}, 16)},
		Metadata: blob.Metadata{{Name: "owner", Value: "x"}, {Name: "empty"}},
		Tags:     blob.Tags{{Key: "k", Value: "v"}},
		Lease: lease.Lease{Kind: lease.Held, ID: lease.ID{9}, Duration: lease.Infinite, Epoch: 3, Since: 1772524800000000001, Renewed: 1772524800000000001,
			Holder: lease.Holder{Principal: "acct", Address: "127.0.0.1", Client: "client/1"}},
		Content: blob.Content{Holder: blob.ObjectID{1}, Count: 1, Blocks: []blob.Block{
			{ID: "\xff", Chunk: blob.Chunk{Object: blob.ObjectID{2}, Inline: true, Length: 1024, Size: 1024}}}},
		Access: blob.TierState{Tier: blob.TierCool, Changed: 17725248000000000},
	}
	for _, name := range []string{"blob.hex", "blob-older.hex"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil {
			t.Fatal(err)
		}
		var codec blob.Blob
		if err := decoding.Unmarshal(raw, &codec); err != nil || !reflect.DeepEqual(&codec, want) {
			t.Errorf("the codec reads %s as %+v, %v, want %+v", name, &codec, err, want)
		}
		if c, b := (cursor{buf: raw}), new(blob.Blob); !readsAs(&c, b, want) {
			t.Errorf("read by hand %s is, up to byte %d, %+v", name, c.pos, b)
		}
		wantProperties(t, raw, new(blob.Blob), want)
		if again, err := encoding.Marshal(want); err != nil || bytes.Equal(again, raw) != (name == "blob.hex") {
			t.Errorf("%s is written as %x, %v", name, again, err)
		}
	}
}

// wantProperties reads all but the content.
func wantProperties(t *testing.T, raw []byte, into, want *blob.Blob) {
	t.Helper()
	err := decodeProperties(nil, raw, into)
	into.Content = want.Content
	if err != nil || !reflect.DeepEqual(into, want) {
		t.Errorf("of %x the properties are %+v, %v, want %+v", raw, into, err, want)
	}
}
