// Package azblob names the packages of the official Go SDK whose own live tests
// are run against the server, so that go.mod and go.sum pin them together with
// everything that their tests need. It is a module of its own: none of that may
// reach users of the main module. The tests in test/clients drive it.
package azblob

import (
	_ "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	_ "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/appendblob"
	_ "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	_ "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	_ "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	_ "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	_ "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/pageblob"
	_ "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
)
