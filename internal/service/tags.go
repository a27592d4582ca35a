package service

import (
	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

func tagOperations() []Operation {
	return []Operation{
		{
			Name: "Blob_GetTags", On: onBlob("GET", "tags"), Needs: auth.PermGetTags, Status: 200,
			Use: useAttribute, Run: view(doGetTags),
		},
		{
			Name: "Blob_SetTags", On: onBlob("PUT", "tags"), Needs: auth.PermSetTags, Status: 204,
			Use: useWrite.on(onArchived | onImmutable), Run: update(doSetTags),
		},
		{
			Name: "Service_FilterBlobs", On: onService("GET", "", "blobs"), Needs: auth.PermFindBlobs, Status: 200,
			Use: useNothing, Run: view(doFindBlobs),
		},
		{
			Name: "Container_FilterBlobs", On: onContainer("GET", "blobs"), Needs: auth.PermFindContainerBlobs, Status: 200,
			Use: useUnguarded, Run: view(doFindBlobs),
		},
	}
}

// tagCondition is an expression over tags that a request depends on.
type tagCondition struct{ blob.TagCondition }

// UnmarshalText parses the expression.
func (c *tagCondition) UnmarshalText(text []byte) error {
	e, err := blob.ParseTagExpr(string(text))
	c.TagCondition = e
	return err
}

// tagsHeader holds the tags of a new blob.
type tagsHeader blob.Tags

// UnmarshalText reads form-encoded pairs.
func (h *tagsHeader) UnmarshalText(text []byte) error {
	tags, err := blob.ParseTags("x-ms-tags", string(text))
	*h = tagsHeader(tags)
	return err
}

// tagConditions holds the conditions of operations on tags, which have other names for If-Match and
// so on.
type tagConditions struct {
	IfMatch           string        `header:"x-ms-blob-if-match"`
	IfNoneMatch       string        `header:"x-ms-blob-if-none-match"`
	IfModifiedSince   conditionDate `header:"x-ms-blob-if-modified-since"`
	IfUnmodifiedSince conditionDate `header:"x-ms-blob-if-unmodified-since"`
	IfTags            tagCondition  `header:"x-ms-if-tags"`
}

func (c *tagConditions) note(f *form) {
	same := conditional(*c)
	same.note(f)
}

type getTags struct {
	tagConditions
	leaseIDHeader
	stateParams
}

type gotTags struct {
	Body blob.TagsBody `body:"xml"`
}

func doGetTags(s *txn, _ *getTags) (*gotTags, error) {
	return &gotTags{s.blob.Tags.Body()}, nil
}

type setTags struct {
	tagConditions
	leaseIDHeader
	stateParams
	Body blob.TagsBody `body:"xml,required"`
}

// checkForm refuses snapshots, whose tags never change.
func (a *setTags) checkForm() error {
	if a.Snapshot != 0 {
		return fault.InvalidQuery("snapshot", blob.Time(a.Snapshot).Stamp(), "The tags of a snapshot can't be changed.")
	}
	_, err := blob.NewTags(a.Body.Set.Tags)
	return err
}

func doSetTags(s *txn, a *setTags) (*nothing, error) {
	tags, err := blob.NewTags(a.Body.Set.Tags)
	if err != nil {
		return nil, err
	}
	s.blob.Tags = tags
	return &nothing{}, s.putBlob(s.blob)
}

// appendTags appends the XML form of tags.
func appendTags(b []byte, tags blob.Tags) []byte {
	b = append(b, "<Tags><TagSet>"...)
	for i := range tags {
		b = append(b, "<Tag>"...)
		b = wire.AppendXMLElement(b, "Key", tags[i].Key)
		b = wire.AppendXMLElement(b, "Value", tags[i].Value)
		b = append(b, "</Tag>"...)
	}
	return append(b, "</TagSet></Tags>"...)
}
