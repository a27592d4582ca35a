package meta

import (
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
)

// ServiceProperties returns the settings of an account's Blob service, nil when none was
// ever made.
func ServiceProperties(r kv.Reader, account string) (*blob.ServiceProperties, error) {
	return get[blob.ServiceProperties](r, ServiceKey(account))
}

// PutServiceProperties stores the settings of an account's Blob service.
func PutServiceProperties(tx kv.Tx, account string, p *blob.ServiceProperties) error {
	return put(tx, ServiceKey(account), p)
}
