package datadir

import (
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/pebble"
	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/disk"
)

// testEngines are the engines that keep their data.
var testEngines = &Engines{
	OpenKV: func(dir string, o KVOptions) (kv.DB, error) {
		return pebble.Open(dir, &pebble.Options{Logger: o.Log, OnFatal: o.OnFatal})
	},
	OpenSegments: func(dir string) (segment.Store, error) { return disk.Open(dir, nil) },
}
