package encryption_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/fault"
)

func given(fill byte) (key, hash, algorithm string) {
	secret := bytes.Repeat([]byte{fill}, 32)
	sum := sha256.Sum256(secret)
	return base64.StdEncoding.EncodeToString(secret), base64.StdEncoding.EncodeToString(sum[:]), "AES256"
}

func mustParse(t testing.TB, fill byte) *encryption.Key {
	t.Helper()
	k, err := encryption.OfBlob.Parse(given(fill))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysAreParsed(t *testing.T) {
	key, hash, algorithm := given(1)
	_, other, _ := given(2)
	short := base64.StdEncoding.EncodeToString(make([]byte, 31))
	for _, c := range []struct {
		key, hash, algorithm string
		code                 fault.Code
		names                string
	}{
		{"", hash, algorithm, fault.MissingRequiredHeader, "key"},
		{key, "", algorithm, fault.MissingRequiredHeader, "key-sha256"},
		{key, hash, "", fault.MissingRequiredHeader, "algorithm"},
		{key, hash, "AES128", fault.InvalidHeaderValue, "algorithm"},
		{short, hash, algorithm, fault.InvalidHeaderValue, "key"},
		{"%" + key, hash, algorithm, fault.InvalidHeaderValue, "key"},
		{key, other, algorithm, fault.InvalidHeaderValue, "key-sha256"},
		{key, "%", algorithm, fault.InvalidHeaderValue, "key-sha256"},
	} {
		for prefix, headers := range map[string]encryption.Headers{
			"x-ms-encryption-": encryption.OfBlob, "x-ms-source-encryption-": encryption.OfSource} {
			k, err := headers.Parse(c.key, c.hash, c.algorithm)
			e, _ := fault.Of(err)
			if k != nil || e == nil || e.Code != c.code || !strings.Contains(e.Details[0].Value, prefix+c.names) {
				t.Errorf("%+v: %v, %+v", c, k, e)
			}
			if e != nil && strings.Contains(e.Error(), key) {
				t.Errorf("%+v: the error repeats the key", c)
			}
		}
	}
	if k, err := encryption.OfBlob.Parse("", "", ""); k != nil || err != nil || k.Hash() != nil {
		t.Errorf("without a key: %v, %v", k, err)
	}
	k := mustParse(t, 1)
	h := http.Header{}
	k.Give(h)
	again, err := encryption.OfBlob.Parse(h.Get("x-ms-encryption-key"), h.Get("x-ms-encryption-key-sha256"), h.Get("x-ms-encryption-algorithm"))
	if err != nil || !bytes.Equal(again.Hash(), k.Hash()) || k.HashText() != hash {
		t.Errorf("passed on: %v, %v", h, err)
	}
}

func TestEveryRangeCanBeOpened(t *testing.T) {
	k, random := mustParse(t, 1), bytes.NewReader(bytes.Repeat([]byte{7}, encryption.NonceSize))
	plain := bytes.Repeat([]byte("some text "), 10)
	stored, err := k.Seal(random, iotest.OneByteReader(bytes.NewReader(plain)))
	if err != nil {
		t.Fatal(err)
	}
	object, err := io.ReadAll(stored)
	if err != nil || len(object) != len(plain)+encryption.NonceSize || bytes.Contains(object, plain[:10]) {
		t.Fatalf("%d bytes, %v", len(object), err)
	}
	nonce, sealed := object[:encryption.NonceSize], object[encryption.NonceSize:]
	for off := range sealed {
		got := bytes.Clone(sealed[off:])
		k.Open(nonce, int64(off)).XORKeyStream(got, got)
		if !bytes.Equal(got, plain[off:]) {
			t.Errorf("from %d: %q", off, got)
		}
	}
	got := bytes.Clone(sealed)
	mustParse(t, 2).Open(nonce, 0).XORKeyStream(got, got)
	if bytes.Equal(got, plain) {
		t.Error("another key opens it")
	}
	if _, err := k.Seal(bytes.NewReader(nonce[1:]), bytes.NewReader(plain)); err == nil {
		t.Error("sealed with a nonce that is too short")
	}
}

func TestNamesOfScopes(t *testing.T) {
	for name, want := range map[string]bool{
		"abc": true, "ours-2": true, "OURS": true, encryption.DefaultScope: true, strings.Repeat("a", 63): true,
		"ab": false, strings.Repeat("a", 64): false, "a b": false, "$other": false, "äöü": false, "a/b": false,
	} {
		var s encryption.Scope
		if err := s.UnmarshalText([]byte(name)); (err == nil) != want || want && string(s) != name {
			t.Errorf("%q: %q, %v", name, s, err)
		}
	}
}

func TestUseIsChecked(t *testing.T) {
	uses := []encryption.Use{{}, {KeyHash: []byte("1")}, {KeyHash: []byte("2")}, {Scope: "ours"}, {Scope: "theirs"}}
	for i, is := range uses {
		for j, given := range uses {
			var want error
			switch {
			case i == j:
			case j == 0:
				want = fault.BlobUsesCustomerSpecifiedEncryption
			case i == 0:
				want = fault.BlobDoesNotUseCustomerSpecifiedEncryption
			default:
				want = fault.BlobCustomerSpecifiedEncryptionMismatch
			}
			if err := is.Check(given); err != want {
				t.Errorf("%v given %v: %v, want %v", is, given, err, want)
			}
		}
	}
}

// FuzzParse checks that what is accepted can be passed on, and that no error has the key in it.
func FuzzParse(f *testing.F) {
	key, hash, algorithm := given(1)
	f.Add(key, hash, algorithm)
	f.Add(key, hash[1:], "")
	f.Fuzz(func(t *testing.T, key, hash, algorithm string) {
		k, err := encryption.OfSource.Parse(key, hash, algorithm)
		switch {
		case err != nil:
			e, _ := fault.Of(err)
			for _, d := range e.Details {
				if d.Value == key && key != hash && key != algorithm && len(key) > 40 {
					t.Errorf("the error has the key: %+v", e)
				}
			}
		case k != nil:
			h := http.Header{}
			k.Give(h)
			again, err := encryption.OfBlob.Parse(h.Get("x-ms-encryption-key"), h.Get("x-ms-encryption-key-sha256"), h.Get("x-ms-encryption-algorithm"))
			if err != nil || !bytes.Equal(again.Hash(), k.Hash()) {
				t.Errorf("passed on: %v", err)
			}
		}
	})
}
