package service

import "context"

type accountInfo struct {
	SKU  string `header:"x-ms-sku-name"`
	Kind string `header:"x-ms-account-kind"`
	HNS  bool   `header:"x-ms-is-hns-enabled,always,since=2019-07-07"`
}

// The SKU and kind that an account reports: a general-purpose account, which has every feature of
// the Blob service except hierarchical namespaces.
const (
	accountSKU  = "Standard_RAGRS"
	accountKind = "StorageV2"
)

// unread runs fn without loading what the request names: the answer is the same for every container
// and blob, even for missing ones.
func (c *call) unread(_ context.Context, fn func(*txn) error) error {
	return fn(&txn{call: c})
}

func doGetAccountInfo(*txn, *nothing) (*accountInfo, error) {
	return &accountInfo{SKU: accountSKU, Kind: accountKind}, nil
}
