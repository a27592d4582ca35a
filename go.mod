module github.com/leasehold/leasehold

go 1.26

require (
	github.com/fxamacker/cbor/v2 v2.9.6
	github.com/minio/crc64nvme v1.1.1
	github.com/tidwall/btree v1.8.2
	pgregory.net/rapid v1.3.0
)

require (
	github.com/klauspost/cpuid/v2 v2.2.9 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/sys v0.28.0 // indirect
)
