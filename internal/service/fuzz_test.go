package service_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/wire"
)

// fuzzed are the samples in a fuzz test, each with the place that it has at the moment.
type fuzzed struct {
	trials []*fieldTrial
	fields []struct {
		trial *fieldTrial
		field wire.Field
	}
}

func newFuzzed(f *testing.F) *fuzzed {
	all := &fuzzed{}
	for _, s := range samples() {
		trial := &fieldTrial{sample: s, store: s.store(f)}
		trial.remake()
		all.trials = append(all.trials, trial)
		for _, field := range trial.op.Arguments() {
			if field.Name == "x-ms-copy-source" {
				continue // would be fetched; FuzzSourceURL tries it
			}
			if field.In == "header" || field.In == "query" {
				all.fields = append(all.fields, struct {
					trial *fieldTrial
					field wire.Field
				}{trial, field})
			}
		}
	}
	return all
}

// fuzz sends a request, which the server must not fail, and which may change something only
// if it is not refused.
func (f *fieldTrial) fuzz(t *testing.T, a ask) {
	was := f.store.t
	f.store.t = t
	defer func() { f.store.t = was }()
	got := f.place.send(a)
	if f.place.dump() == f.before {
		return
	}
	if got.status >= 400 {
		t.Errorf("%s %s %q: answered %d %s and changed something", a.method, a.target, a.headers, got.status, got.code())
	}
	f.remake()
}

// FuzzFields sends any text as any header or parameter of any operation.
func FuzzFields(f *testing.F) {
	all := newFuzzed(f)
	values := []string{"word", "-1", "9223372036854775808", "a='1' OR b<>'2'", "bytes=0-5", "A, B", "%00", "{(" + idA + ")}", "AAAA", "Tue, 03 Mar 2026 08:00:00 GMT"}
	for i := range all.fields {
		f.Add(uint16(i), values[i%len(values)])
	}
	f.Fuzz(func(t *testing.T, which uint16, value string) {
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) {
			return // never gets through HTTP
		}
		one := all.fields[int(which)%len(all.fields)]
		if one.field.In == "query" {
			if value = url.QueryEscape(value); len(value) > 4<<10 {
				return
			}
		}
		one.trial.fuzz(t, with(one.trial.ask, one.field, value))
	})
}

// FuzzBodies sends anything as the XML body of the operations that read one.
func FuzzBodies(f *testing.F) {
	var trials []*fieldTrial
	for _, trial := range newFuzzed(f).trials {
		if _, ok := trial.in("xml"); ok {
			f.Add(uint8(len(trials)), trial.ask.body)
			f.Add(uint8(len(trials)), []byte("<BlockList><Latest>AAAA</Latest><Odd/></BlockList>"))
			f.Add(uint8(len(trials)), []byte("\xEF\xBB\xBF<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e 'x'>]><Tags>&e;</Tags>"))
			trials = append(trials, trial)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		trial := trials[int(which)%len(trials)]
		a := trial.ask
		a.body = body
		trial.fuzz(t, a)
	})
}
