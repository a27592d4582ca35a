package service

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

func doGetAccountInfo(*scope, *nothing) (*accountInfo, error) {
	return &accountInfo{SKU: accountSKU, Kind: accountKind}, nil
}
