package main

import (
	"path/filepath"

	"github.com/leasehold/leasehold/internal/datadir"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/pebble"
	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/disk"
)

// engines opens the stores of every data folder. No other code names an engine.
var engines = &datadir.Engines{
	OpenKV: func(dir string, o datadir.KVOptions) (kv.DB, error) {
		p := &pebble.Options{Logger: o.Log, OnFatal: o.OnFatal}
		if o.Serving {
			p.Clock, p.OpenFiles = kv.SystemClock(), openTables()
		}
		return pebble.Open(dir, p)
	},
	MissingKV: func(dir string) (string, error) {
		for _, name := range []string{"MANIFEST-*", "marker.manifest.*"} {
			if found, err := filepath.Glob(filepath.Join(dir, name)); err != nil || len(found) == 0 {
				return name, err
			}
		}
		return "", nil
	},
	OpenSegments: func(dir string) (segment.Store, error) {
		return disk.Open(dir, &disk.Options{OpenFiles: openSegments()})
	},
}
