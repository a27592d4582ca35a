module github.com/leasehold/leasehold

go 1.26

require (
	github.com/minio/crc64nvme v1.1.1
	github.com/tidwall/btree v1.8.2
	pgregory.net/rapid v1.3.0
)

require (
	github.com/klauspost/cpuid/v2 v2.2.9 // indirect
	golang.org/x/sys v0.28.0 // indirect
)
