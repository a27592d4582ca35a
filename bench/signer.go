package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"net/http"
	"time"
)

// The account and key that every emulator of this protocol publishes for local development.
const (
	devAccount = "devstoreaccount1"
	devKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// signer signs calls with Shared Key. It reuses its buffers, so it belongs to one worker.
type signer struct {
	account string
	prefix  string
	mac     hash.Hash
	text    []byte
	sum     []byte
	out     []byte
	second  int64
	date    string
}

// newSigner returns a signer for an account and its key in Base64.
func newSigner(account, key string) (*signer, error) {
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return nil, fmt.Errorf("account key: %w", err)
	}
	return &signer{account: account, prefix: "SharedKey " + account + ":", mac: hmac.New(sha256.New, raw)}, nil
}

// sign sets the date of the call and returns the value of its Authorization header, valid until the
// next sign.
func (s *signer) sign(c *call, now time.Time) []byte {
	if second := now.Unix(); second != s.second {
		s.second, s.date = second, now.UTC().Format(http.TimeFormat)
	}
	c.fields[c.date].value = s.date
	s.text = s.stringToSign(s.text[:0], c)
	s.mac.Reset()
	s.mac.Write(s.text)
	s.sum = s.mac.Sum(s.sum[:0])
	s.out = append(s.out[:0], s.prefix...)
	s.out = base64.StdEncoding.AppendEncode(s.out, s.sum)
	return s.out
}

// stringToSign appends the text that is signed: standard lines, x-ms-* headers, resource.
func (s *signer) stringToSign(b []byte, c *call) []byte {
	b = append(b, c.lines...)
	for _, f := range c.fields[c.plain:] {
		b = append(b, f.name...)
		b = append(b, ':')
		b = append(b, f.value...)
		b = append(b, '\n')
	}
	b = append(b, '/')
	b = append(b, s.account...)
	if c.path == "" {
		b = append(b, '/')
	}
	b = append(b, c.path...)
	return append(b, c.resource...)
}
