package fault

import "net/http"

// The codes of the protocol, each spelled on the wire as its value says. The name differs from the
// value only where Go writes an initialism in capitals.
const (
	AccessTierChangeTimeConditionNotMet           Code = "AccessTierChangeTimeConditionNotMet"
	AccessTierNotSupportedForBlobType             Code = "AccessTierNotSupportedForBlobType"
	AccountAlreadyExists                          Code = "AccountAlreadyExists"
	AccountBeingCreated                           Code = "AccountBeingCreated"
	AccountIsDisabled                             Code = "AccountIsDisabled"
	AccountRequiresHTTPS                          Code = "AccountRequiresHttps"
	AllBatchSubRequestsShouldBeSameAPI            Code = "AllBatchSubRequestsShouldBeSameApi"
	AppendPositionConditionNotMet                 Code = "AppendPositionConditionNotMet"
	AuthenticationFailed                          Code = "AuthenticationFailed"
	AuthorizationFailure                          Code = "AuthorizationFailure"
	AuthorizationPermissionMismatch               Code = "AuthorizationPermissionMismatch"
	AuthorizationProtocolMismatch                 Code = "AuthorizationProtocolMismatch"
	AuthorizationResourceTypeMismatch             Code = "AuthorizationResourceTypeMismatch"
	AuthorizationServiceMismatch                  Code = "AuthorizationServiceMismatch"
	AuthorizationSourceIPMismatch                 Code = "AuthorizationSourceIPMismatch"
	BlobAccessTierNotSupportedForAccountType      Code = "BlobAccessTierNotSupportedForAccountType"
	BlobAlreadyExists                             Code = "BlobAlreadyExists"
	BlobArchived                                  Code = "BlobArchived"
	BlobBeingRehydrated                           Code = "BlobBeingRehydrated"
	BlobCustomerSpecifiedEncryptionMismatch       Code = "BlobCustomerSpecifiedEncryptionMismatch"
	BlobDoesNotUseCustomerSpecifiedEncryption     Code = "BlobDoesNotUseCustomerSpecifiedEncryption"
	BlobImmutableDueToLegalHold                   Code = "BlobImmutableDueToLegalHold"
	BlobImmutableDueToPolicy                      Code = "BlobImmutableDueToPolicy"
	BlobIsSealed                                  Code = "BlobIsSealed"
	BlobNotArchived                               Code = "BlobNotArchived"
	BlobNotFound                                  Code = "BlobNotFound"
	BlobOperationNotSupported                     Code = "BlobOperationNotSupported"
	BlobOverwritten                               Code = "BlobOverwritten"
	BlobSnapshotNotSoftDeleted                    Code = "BlobSnapshotNotSoftDeleted"
	BlobTierInadequateForContentLength            Code = "BlobTierInadequateForContentLength"
	BlobUsesCustomerSpecifiedEncryption           Code = "BlobUsesCustomerSpecifiedEncryption"
	BlockCountExceedsLimit                        Code = "BlockCountExceedsLimit"
	BlockListTooLong                              Code = "BlockListTooLong"
	BothCRC64AndMD5HeaderPresent                  Code = "BothCrc64AndMd5HeaderPresent"
	BothUserTagsAndSourceTagsCopyPresentException Code = "BothUserTagsAndSourceTagsCopyPresentException"
	CannotChangeToLowerTier                       Code = "CannotChangeToLowerTier"
	CannotVerifyCopySource                        Code = "CannotVerifyCopySource"
	ConditionHeadersNotSupported                  Code = "ConditionHeadersNotSupported"
	ConditionNotMet                               Code = "ConditionNotMet"
	ContainerAlreadyExists                        Code = "ContainerAlreadyExists"
	ContainerBeingDeleted                         Code = "ContainerBeingDeleted"
	ContainerDisabled                             Code = "ContainerDisabled"
	ContainerNotFound                             Code = "ContainerNotFound"
	ContentLengthLargerThanTierLimit              Code = "ContentLengthLargerThanTierLimit"
	CopyAcrossAccountsNotSupported                Code = "CopyAcrossAccountsNotSupported"
	CopyIDMismatch                                Code = "CopyIdMismatch"
	CorsPreflightFailure                          Code = "CorsPreflightFailure"
	CRC64Mismatch                                 Code = "Crc64Mismatch"
	DuplicateTagNames                             Code = "DuplicateTagNames"
	EmptyMetadataKey                              Code = "EmptyMetadataKey"
	EmptyTagName                                  Code = "EmptyTagName"
	FeatureNotSupported                           Code = "FeatureNotSupported"
	FeatureVersionMismatch                        Code = "FeatureVersionMismatch"
	HierarchicalNamespaceNotEnabled               Code = "HierarchicalNamespaceNotEnabled"
	ImmutabilityPolicyDeleteOnLockedPolicy        Code = "ImmutabilityPolicyDeleteOnLockedPolicy"
	IncrementalCopyBlobMismatch                   Code = "IncrementalCopyBlobMismatch"
	IncrementalCopyOfEarlierSnapshotNotAllowed    Code = "IncrementalCopyOfEarlierSnapshotNotAllowed"
	IncrementalCopySourceMustBeSnapshot           Code = "IncrementalCopySourceMustBeSnapshot"
	InfiniteLeaseDurationRequired                 Code = "InfiniteLeaseDurationRequired"
	InsufficientAccountPermissions                Code = "InsufficientAccountPermissions"
	InternalError                                 Code = "InternalError"
	InvalidAuthenticationInfo                     Code = "InvalidAuthenticationInfo"
	InvalidBlobOrBlock                            Code = "InvalidBlobOrBlock"
	InvalidBlobTier                               Code = "InvalidBlobTier"
	InvalidBlobType                               Code = "InvalidBlobType"
	InvalidBlockID                                Code = "InvalidBlockId"
	InvalidBlockList                              Code = "InvalidBlockList"
	InvalidHeaderValue                            Code = "InvalidHeaderValue"
	InvalidHTTPVerb                               Code = "InvalidHttpVerb"
	InvalidInput                                  Code = "InvalidInput"
	InvalidMD5                                    Code = "InvalidMd5"
	InvalidMetadata                               Code = "InvalidMetadata"
	InvalidOperation                              Code = "InvalidOperation"
	InvalidPageRange                              Code = "InvalidPageRange"
	InvalidQueryParameterValue                    Code = "InvalidQueryParameterValue"
	InvalidRange                                  Code = "InvalidRange"
	InvalidResourceName                           Code = "InvalidResourceName"
	InvalidSourceBlobType                         Code = "InvalidSourceBlobType"
	InvalidSourceBlobURL                          Code = "InvalidSourceBlobUrl"
	InvalidTag                                    Code = "InvalidTag"
	InvalidURI                                    Code = "InvalidUri"
	InvalidVersionForPageBlobOperation            Code = "InvalidVersionForPageBlobOperation"
	InvalidXMLDocument                            Code = "InvalidXmlDocument"
	InvalidXMLNodeValue                           Code = "InvalidXmlNodeValue"
	KeyBasedAuthenticationNotPermitted            Code = "KeyBasedAuthenticationNotPermitted"
	LeaseAlreadyBroken                            Code = "LeaseAlreadyBroken"
	LeaseAlreadyPresent                           Code = "LeaseAlreadyPresent"
	LeaseIDMismatchWithBlobOperation              Code = "LeaseIdMismatchWithBlobOperation"
	LeaseIDMismatchWithContainerOperation         Code = "LeaseIdMismatchWithContainerOperation"
	LeaseIDMismatchWithLeaseOperation             Code = "LeaseIdMismatchWithLeaseOperation"
	LeaseIDMissing                                Code = "LeaseIdMissing"
	LeaseIsBreakingAndCannotBeAcquired            Code = "LeaseIsBreakingAndCannotBeAcquired"
	LeaseIsBreakingAndCannotBeChanged             Code = "LeaseIsBreakingAndCannotBeChanged"
	LeaseIsBrokenAndCannotBeRenewed               Code = "LeaseIsBrokenAndCannotBeRenewed"
	LeaseLost                                     Code = "LeaseLost"
	LeaseNotPresentWithBlobOperation              Code = "LeaseNotPresentWithBlobOperation"
	LeaseNotPresentWithContainerOperation         Code = "LeaseNotPresentWithContainerOperation"
	LeaseNotPresentWithLeaseOperation             Code = "LeaseNotPresentWithLeaseOperation"
	MaxBlobSizeConditionNotMet                    Code = "MaxBlobSizeConditionNotMet"
	MD5Mismatch                                   Code = "Md5Mismatch"
	MetadataTooLarge                              Code = "MetadataTooLarge"
	MissingContentLengthHeader                    Code = "MissingContentLengthHeader"
	MissingRequiredHeader                         Code = "MissingRequiredHeader"
	MissingRequiredQueryParameter                 Code = "MissingRequiredQueryParameter"
	MissingRequiredXMLNode                        Code = "MissingRequiredXmlNode"
	MultipleConditionHeadersNotSupported          Code = "MultipleConditionHeadersNotSupported"
	NoAuthenticationInformation                   Code = "NoAuthenticationInformation"
	NoPendingCopyOperation                        Code = "NoPendingCopyOperation"
	OperationNotAllowedOnIncrementalCopyBlob      Code = "OperationNotAllowedOnIncrementalCopyBlob"
	OperationNotAllowedOnRootBlob                 Code = "OperationNotAllowedOnRootBlob"
	OperationTimedOut                             Code = "OperationTimedOut"
	OutOfRangeInput                               Code = "OutOfRangeInput"
	OutOfRangeQueryParameterValue                 Code = "OutOfRangeQueryParameterValue"
	PendingCopyOperation                          Code = "PendingCopyOperation"
	PreviousSnapshotCannotBeNewer                 Code = "PreviousSnapshotCannotBeNewer"
	PreviousSnapshotNotFound                      Code = "PreviousSnapshotNotFound"
	PreviousSnapshotOperationNotSupported         Code = "PreviousSnapshotOperationNotSupported"
	PublicAccessNotPermitted                      Code = "PublicAccessNotPermitted"
	RequestBodyTooLarge                           Code = "RequestBodyTooLarge"
	RequestForbiddenByContainerEncryptionPolicy   Code = "RequestForbiddenByContainerEncryptionPolicy"
	RequestURLFailedToParse                       Code = "RequestUrlFailedToParse"
	ResourceAlreadyExists                         Code = "ResourceAlreadyExists"
	ResourceNotFound                              Code = "ResourceNotFound"
	ResourceTypeMismatch                          Code = "ResourceTypeMismatch"
	SequenceNumberConditionNotMet                 Code = "SequenceNumberConditionNotMet"
	SequenceNumberIncrementTooLarge               Code = "SequenceNumberIncrementTooLarge"
	ServerBusy                                    Code = "ServerBusy"
	SnapshotCountExceeded                         Code = "SnapshotCountExceeded"
	SnapshotOperationRateExceeded                 Code = "SnapshotOperationRateExceeded"
	SnapshotsPresent                              Code = "SnapshotsPresent"
	SourceConditionNotMet                         Code = "SourceConditionNotMet"
	SystemInUse                                   Code = "SystemInUse"
	TagsTooLarge                                  Code = "TagsTooLarge"
	TargetConditionNotMet                         Code = "TargetConditionNotMet"
	UnauthorizedBlobOverwrite                     Code = "UnauthorizedBlobOverwrite"
	UnsatisfiableCondition                        Code = "UnsatisfiableCondition"
	UnsupportedHeader                             Code = "UnsupportedHeader"
	UnsupportedHTTPVerb                           Code = "UnsupportedHttpVerb"
	UnsupportedQueryParameter                     Code = "UnsupportedQueryParameter"
	UnsupportedXMLNode                            Code = "UnsupportedXmlNode"
	WebContentNotFound                            Code = "WebContentNotFound" // of the website endpoint
)

// IncrementalCopyOfEralierVersionSnapshotNotAllowed is what versions before 2026-04-06 call
// [IncrementalCopyOfEarlierSnapshotNotAllowed].
const IncrementalCopyOfEralierVersionSnapshotNotAllowed Code = "IncrementalCopyOfEralierVersionSnapshotNotAllowed"

// entry is what the protocol says of one code.
type entry struct {
	code     Code
	status   int
	sentence string
}

// table holds every code in the byte order of its wire form, so that entryOf can search it.
var table = [...]entry{
	{AccessTierChangeTimeConditionNotMet, http.StatusPreconditionFailed, "The access tier change time condition specified is not met."},
	{AccessTierNotSupportedForBlobType, http.StatusBadRequest, "The access tier is not supported for this blob type."},
	{AccountAlreadyExists, http.StatusConflict, "The specified account already exists."},
	{AccountBeingCreated, http.StatusConflict, "The specified account is in the process of being created."},
	{AccountIsDisabled, http.StatusForbidden, "The specified account is disabled."},
	{AccountRequiresHTTPS, http.StatusBadRequest, "The account being accessed does not support http."},
	{AllBatchSubRequestsShouldBeSameAPI, http.StatusBadRequest, "All batch subrequests should be the same api."},
	{AppendPositionConditionNotMet, http.StatusPreconditionFailed, "The append position condition specified was not met."},
	{AuthenticationFailed, http.StatusForbidden, "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature."},
	{AuthorizationFailure, http.StatusForbidden, "This request is not authorized to perform this operation."},
	{AuthorizationPermissionMismatch, http.StatusForbidden, "This request is not authorized to perform this operation using this permission."},
	{AuthorizationProtocolMismatch, http.StatusForbidden, "This request is not authorized to perform this operation using this protocol."},
	{AuthorizationResourceTypeMismatch, http.StatusForbidden, "This request is not authorized to perform this operation using this resource type."},
	{AuthorizationServiceMismatch, http.StatusForbidden, "This request is not authorized to perform this operation using this service."},
	{AuthorizationSourceIPMismatch, http.StatusForbidden, "This request is not authorized to perform this operation using this source IP."},
	{BlobAccessTierNotSupportedForAccountType, http.StatusConflict, "The account's type does not support setting this access tier."},
	{BlobAlreadyExists, http.StatusConflict, "The specified blob already exists."},
	{BlobArchived, http.StatusConflict, "This operation is not permitted on an archived blob."},
	{BlobBeingRehydrated, http.StatusConflict, "This operation is not permitted because the blob is being rehydrated."},
	{BlobCustomerSpecifiedEncryptionMismatch, http.StatusConflict, "The given customer specified encryption does not match the encryption used to encrypt the blob."},
	{BlobDoesNotUseCustomerSpecifiedEncryption, http.StatusConflict, "The blob is not encrypted with customer specified encryption, but one was provided in the request."},
	{BlobImmutableDueToLegalHold, http.StatusConflict, "This operation is not permitted as the blob is immutable due to one or more legal holds."},
	{BlobImmutableDueToPolicy, http.StatusConflict, "This operation is not permitted as the blob is immutable due to a policy."},
	{BlobIsSealed, http.StatusConflict, "The blob is sealed and its contents cannot be modified."},
	{BlobNotArchived, http.StatusConflict, "This blob is currently not in the archived state."},
	{BlobNotFound, http.StatusNotFound, "The specified blob does not exist."},
	{BlobOperationNotSupported, http.StatusConflict, "The operation is not supported in this scenario."},
	{BlobOverwritten, http.StatusConflict, "The blob has been recreated since the previous snapshot was taken."},
	{BlobSnapshotNotSoftDeleted, http.StatusConflict, "The specified blob snapshot or version is not soft-deleted."},
	{BlobTierInadequateForContentLength, http.StatusConflict, "Specified blob tier size limit cannot be less than content length."},
	{BlobUsesCustomerSpecifiedEncryption, http.StatusConflict, "The blob is encrypted with customer specified encryption, but it was not provided in the request."},
	{BlockCountExceedsLimit, http.StatusConflict, "The committed block count cannot exceed the maximum limit of 50,000 blocks."},
	{BlockListTooLong, http.StatusBadRequest, "The block list may not contain more than 50,000 blocks."},
	{BothCRC64AndMD5HeaderPresent, http.StatusBadRequest, "Both x-ms-content-crc64 header and Content-MD5 header are present."},
	{BothUserTagsAndSourceTagsCopyPresentException, http.StatusBadRequest, "x-ms-tags header must not be present with x-ms-copy-source-tag-option as COPY."},
	{CannotChangeToLowerTier, http.StatusConflict, "A higher blob tier has already been explicitly set."},
	{CannotVerifyCopySource, http.StatusInternalServerError, "Could not verify the copy source within the specified time."},
	{ConditionHeadersNotSupported, http.StatusBadRequest, "Condition headers are not supported."},
	{ConditionNotMet, http.StatusPreconditionFailed, "The condition specified using HTTP conditional header(s) is not met."},
	{ContainerAlreadyExists, http.StatusConflict, "The specified container already exists."},
	{ContainerBeingDeleted, http.StatusConflict, "The specified container is being deleted. Try operation later."},
	{ContainerDisabled, http.StatusConflict, "The specified container has been disabled by the administrator."},
	{ContainerNotFound, http.StatusNotFound, "The specified container does not exist."},
	{ContentLengthLargerThanTierLimit, http.StatusConflict, "The blob's content length cannot exceed its tier limit."},
	{CopyAcrossAccountsNotSupported, http.StatusBadRequest, "The copy source account and destination account must be the same."},
	{CopyIDMismatch, http.StatusConflict, "The specified copy ID did not match the copy ID for the pending copy operation."},
	{CorsPreflightFailure, http.StatusForbidden, "CORS not enabled or no matching rule found for this request."},
	{CRC64Mismatch, http.StatusBadRequest, "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server."},
	{DuplicateTagNames, http.StatusBadRequest, "The tags specified contain duplicate names."},
	{EmptyMetadataKey, http.StatusBadRequest, "The key for one of the metadata key-value pairs is empty."},
	{EmptyTagName, http.StatusBadRequest, "The name of one of the tag key-value pairs is empty."},
	{FeatureNotSupported, http.StatusConflict, "This feature is not supported for the account."},
	{FeatureVersionMismatch, http.StatusConflict, "The operation for AppendBlob requires at least version 2015-02-21."},
	{HierarchicalNamespaceNotEnabled, http.StatusConflict, "Hierarchical namespace is not enabled for this account."},
	{ImmutabilityPolicyDeleteOnLockedPolicy, http.StatusConflict, "The immutability policy is locked and cannot be deleted."},
	{IncrementalCopyBlobMismatch, http.StatusConflict, "The specified source blob is different than the copy source of the existing incremental copy blob."},
	{IncrementalCopyOfEarlierSnapshotNotAllowed, http.StatusConflict, "The specified snapshot is earlier than the last snapshot copied into the incremental copy blob."},
	{IncrementalCopyOfEralierVersionSnapshotNotAllowed, http.StatusConflict, "The specified snapshot is earlier than the last snapshot copied into the incremental copy blob."},
	{IncrementalCopySourceMustBeSnapshot, http.StatusConflict, "The source for incremental copy request must be a snapshot."},
	{InfiniteLeaseDurationRequired, http.StatusPreconditionFailed, "The lease ID matched, but the specified lease must be an infinite-duration lease."},
	{InsufficientAccountPermissions, http.StatusForbidden, "The account being accessed does not have sufficient permissions to execute this operation."},
	{InternalError, http.StatusInternalServerError, "The server encountered an internal error. Please retry the request."},
	{InvalidAuthenticationInfo, http.StatusBadRequest, "Authentication information is not given in the correct format. Check the value of Authorization header."},
	{InvalidBlobOrBlock, http.StatusBadRequest, "The specified blob or block content is invalid."},
	{InvalidBlobTier, http.StatusBadRequest, "The specified blob tier is invalid."},
	{InvalidBlobType, http.StatusConflict, "The blob type is invalid for this operation."},
	{InvalidBlockID, http.StatusBadRequest, "The specified block ID is invalid. The block ID must be Base64-encoded."},
	{InvalidBlockList, http.StatusBadRequest, "The specified block list is invalid."},
	{InvalidHeaderValue, http.StatusBadRequest, "The value for one of the HTTP headers is not in the correct format."},
	{InvalidHTTPVerb, http.StatusBadRequest, "The HTTP verb specified was not recognized by the server."},
	{InvalidInput, http.StatusBadRequest, "One of the request inputs is not valid."},
	{InvalidMD5, http.StatusBadRequest, "The MD5 value specified in the request is invalid. The MD5 value must be 128 bits and Base64-encoded."},
	{InvalidMetadata, http.StatusBadRequest, "The metadata specified is invalid. It has characters that are not permitted."},
	{InvalidOperation, http.StatusBadRequest, "Invalid operation against a blob snapshot."},
	{InvalidPageRange, http.StatusRequestedRangeNotSatisfiable, "The page range specified is invalid."},
	{InvalidQueryParameterValue, http.StatusBadRequest, "Value for one of the query parameters specified in the request URI is invalid."},
	{InvalidRange, http.StatusRequestedRangeNotSatisfiable, "The range specified is invalid for the current size of the resource."},
	{InvalidResourceName, http.StatusBadRequest, "The specifed resource name contains invalid characters."},
	{InvalidSourceBlobType, http.StatusConflict, "The copy source blob type is invalid for this operation."},
	{InvalidSourceBlobURL, http.StatusConflict, "The source URL for incremental copy request must be valid Azure Storage blob URL."},
	{InvalidTag, http.StatusBadRequest, "The tags specified are invalid. It contains characters that are not permitted."},
	{InvalidURI, http.StatusBadRequest, "The requested URI does not represent any resource on the server."},
	{InvalidVersionForPageBlobOperation, http.StatusBadRequest, "All operations on page blobs require at least version 2009-09-19."},
	{InvalidXMLDocument, http.StatusBadRequest, "XML specified is not syntactically valid."},
	{InvalidXMLNodeValue, http.StatusBadRequest, "The value for one of the XML nodes is not in the correct format."},
	{KeyBasedAuthenticationNotPermitted, http.StatusForbidden, "Key based authentication is not permitted on this storage account."},
	{LeaseAlreadyBroken, http.StatusConflict, "The lease has already been broken and cannot be broken again."},
	{LeaseAlreadyPresent, http.StatusConflict, "There is already a lease present."},
	{LeaseIDMismatchWithBlobOperation, http.StatusPreconditionFailed, "The lease ID specified did not match the lease ID for the blob."},
	{LeaseIDMismatchWithContainerOperation, http.StatusPreconditionFailed, "The lease ID specified did not match the lease ID for the container."},
	{LeaseIDMismatchWithLeaseOperation, http.StatusConflict, "The lease ID specified did not match the lease ID for the blob."},
	{LeaseIDMissing, http.StatusPreconditionFailed, "There is currently a lease on the blob and no lease ID was specified in the request."},
	{LeaseIsBreakingAndCannotBeAcquired, http.StatusConflict, "The lease ID matched, but the lease is currently in breaking state and cannot be acquired until it is broken."},
	{LeaseIsBreakingAndCannotBeChanged, http.StatusConflict, "The lease ID matched, but the lease is currently in breaking state and cannot be changed."},
	{LeaseIsBrokenAndCannotBeRenewed, http.StatusConflict, "The lease ID matched, but the lease has been broken explicitly and cannot be renewed."},
	{LeaseLost, http.StatusPreconditionFailed, "A lease ID was specified, but the lease for the blob has expired."},
	{LeaseNotPresentWithBlobOperation, http.StatusPreconditionFailed, "There is currently no lease on the blob."},
	{LeaseNotPresentWithContainerOperation, http.StatusPreconditionFailed, "There is currently no lease on the container."},
	{LeaseNotPresentWithLeaseOperation, http.StatusConflict, "There is currently no lease on the blob."},
	{MaxBlobSizeConditionNotMet, http.StatusPreconditionFailed, "The max blob size condition specified was not met."},
	{MD5Mismatch, http.StatusBadRequest, "The MD5 value specified in the request did not match with the MD5 value calculated by the server."},
	{MetadataTooLarge, http.StatusBadRequest, "The metadata specified exceeds the maximum permissible limit."},
	{MissingContentLengthHeader, http.StatusLengthRequired, "The Content-Length header was not specified."},
	{MissingRequiredHeader, http.StatusBadRequest, "An HTTP header that's mandatory for this request is not specified."},
	{MissingRequiredQueryParameter, http.StatusBadRequest, "A query parameter that's mandatory for this request is not specified."},
	{MissingRequiredXMLNode, http.StatusBadRequest, "A required XML node was not specified in the request body."},
	{MultipleConditionHeadersNotSupported, http.StatusBadRequest, "Multiple condition headers are not supported."},
	{NoAuthenticationInformation, http.StatusUnauthorized, "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."},
	{NoPendingCopyOperation, http.StatusConflict, "There is currently no pending copy operation."},
	{OperationNotAllowedOnIncrementalCopyBlob, http.StatusConflict, "The specified operation is not allowed on an incremental copy blob."},
	{OperationNotAllowedOnRootBlob, http.StatusBadRequest, "The operation is not allowed on root blob."},
	{OperationTimedOut, http.StatusInternalServerError, "Operation could not be completed within the specified time."},
	{OutOfRangeInput, http.StatusBadRequest, "One of the request inputs is out of range."},
	{OutOfRangeQueryParameterValue, http.StatusBadRequest, "One of the query parameters specified in the request URI is outside the permissible range."},
	{PendingCopyOperation, http.StatusConflict, "There is currently a pending copy operation."},
	{PreviousSnapshotCannotBeNewer, http.StatusBadRequest, "The prevsnapshot query parameter value cannot be newer than snapshot query parameter value."},
	{PreviousSnapshotNotFound, http.StatusConflict, "The previous snapshot is not found."},
	{PreviousSnapshotOperationNotSupported, http.StatusConflict, "Differential Get Page Ranges is not supported on the previous snapshot."},
	{PublicAccessNotPermitted, http.StatusConflict, "Public access is not permitted on this storage account."},
	{RequestBodyTooLarge, http.StatusRequestEntityTooLarge, "The request body is too large and exceeds the maximum permissible limit."},
	{RequestForbiddenByContainerEncryptionPolicy, http.StatusForbidden, "The request is forbidden by the container encryption policy."},
	{RequestURLFailedToParse, http.StatusBadRequest, "The url in the request could not be parsed."},
	{ResourceAlreadyExists, http.StatusConflict, "The specified resource already exists."},
	{ResourceNotFound, http.StatusNotFound, "The specified resource does not exist."},
	{ResourceTypeMismatch, http.StatusConflict, "The specified resource type does not match the type of the existing resource."},
	{SequenceNumberConditionNotMet, http.StatusPreconditionFailed, "The sequence number condition specified was not met."},
	{SequenceNumberIncrementTooLarge, http.StatusConflict, "The sequence number increment cannot be performed because it would result in overflow of the sequence number."},
	{ServerBusy, http.StatusServiceUnavailable, "The server is currently unable to receive requests. Please retry your request."},
	{SnapshotCountExceeded, http.StatusConflict, "The snapshot count against this blob has been exceeded."},
	{SnapshotOperationRateExceeded, http.StatusConflict, "The rate of snapshot operations against this blob has been exceeded."},
	{SnapshotsPresent, http.StatusConflict, "This operation is not permitted because the blob has snapshots."},
	{SourceConditionNotMet, http.StatusPreconditionFailed, "The source condition specified using HTTP conditional header(s) is not met."},
	{SystemInUse, http.StatusConflict, "This blob is in use by the system."},
	{TagsTooLarge, http.StatusBadRequest, "The tags specified exceed the maximum permissible limit."},
	{TargetConditionNotMet, http.StatusPreconditionFailed, "The target condition specified using HTTP conditional header(s) is not met."},
	{UnauthorizedBlobOverwrite, http.StatusForbidden, "This request is not authorized to perform blob overwrites."},
	{UnsatisfiableCondition, http.StatusBadRequest, "The request includes an unsatisfiable condition for this operation."},
	{UnsupportedHeader, http.StatusBadRequest, "One of the HTTP headers specified in the request is not supported."},
	{UnsupportedHTTPVerb, http.StatusMethodNotAllowed, "The resource doesn't support specified Http Verb."},
	{UnsupportedQueryParameter, http.StatusBadRequest, "One of the query parameters specified in the request URI is not supported."},
	{UnsupportedXMLNode, http.StatusBadRequest, "One of the XML nodes specified in the request body is not supported."},
	{WebContentNotFound, http.StatusNotFound, "The requested content does not exist."},
}
