package service

import (
	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/fault"
)

// queryOperations returns Query Blob Contents, which is refused once all other checks have passed.
// A program that reads the answer can do without it.
func queryOperations() []Operation {
	refuse := func(*txn, *getProperties) (*validators, error) { return nil, fault.FeatureNotSupported }
	return []Operation{
		{
			Name: "BlockBlob_Query", On: onBlob("POST", "query"), Needs: auth.PermQueryBlob, Status: 200,
			Use: useRead, Run: view(refuse),
		},
	}
}
