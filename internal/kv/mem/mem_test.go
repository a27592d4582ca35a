package mem_test

import (
	"context"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/kvtest"
	"github.com/leasehold/leasehold/internal/kv/mem"
)

func TestConformance(t *testing.T) {
	kvtest.Run(t, func(t *testing.T) kvtest.Store {
		return kvtest.Store{Open: func(clock func() time.Time) (kv.DB, error) {
			return mem.Open(&mem.Options{Clock: clock}), nil
		}}
	})
}

func TestSkipChecks(t *testing.T) {
	db := mem.Open(&mem.Options{SkipChecks: true})
	err := db.Update(context.Background(), nil, func(tx kv.Tx) error {
		_, err := tx.Get([]byte("undeclared"))
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
