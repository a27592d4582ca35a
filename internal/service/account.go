package service

import "context"

type accountInfo struct {
	SKU  string `header:"x-ms-sku-name"`
	Kind string `header:"x-ms-account-kind"`
	HNS  bool   `header:"x-ms-is-hns-enabled,always,since=2019-07-07"`
}

// What an account is said to be: one that has every feature of the Blob service but
// hierarchical namespaces.
const (
	accountSKU  = "Standard_RAGRS"
	accountKind = "StorageV2"
)

// unread runs fn without looking for what the request names: its answer is the same for every
// container and blob, also for those that are not there.
func (c *call) unread(_ context.Context, fn func(*txn) error) error {
	return fn(&txn{call: c})
}

func doGetAccountInfo(*txn, *nothing) (*accountInfo, error) {
	return &accountInfo{SKU: accountSKU, Kind: accountKind}, nil
}
