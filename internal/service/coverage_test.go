package service_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/service"
)

// servedBy names the rows that serve operations under another name: on the wire they are
// one operation.
var servedBy = map[string]string{
	"Blob_GetAccountInfo":                           "Service_GetAccountInfo",
	"Container_GetAccountInfo":                      "Service_GetAccountInfo",
	"Container_ListBlobFlatSegment":                 "Container_ListBlobs",
	"Container_ListBlobHierarchySegment":            "Container_ListBlobs",
	"Container_ListBlobFlatSegmentApacheArrow":      "Container_ListBlobs", // answered in XML, which these clients take as well
	"Container_ListBlobHierarchySegmentApacheArrow": "Container_ListBlobs",
	"PageBlob_Resize":                               "Blob_SetHTTPHeaders",
	"PageBlob_UpdateSequenceNumber":                 "Blob_SetHTTPHeaders",
}

// refused are operations that are not offered, with a request for each and its answer.
var refused = map[string]struct {
	method, target, answer string
}{
	"BlockBlob_Query":  {"POST", "/box/blob?comp=query", "409 FeatureNotSupported"},
	"Container_Rename": {"PUT", "/new?restype=container&comp=rename", "400 InvalidQueryParameterValue"},
}

// TestEveryOperation holds the table against all operations of the published API.
func TestEveryOperation(t *testing.T) {
	text, err := os.ReadFile("testdata/operations.txt")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, op := range service.Operations() {
		rows[op.Name] = true
	}
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/blob", nil, "x-ms-blob-type", "BlockBlob")
	published := strings.Fields(string(text))
	if len(published) != 71 {
		t.Errorf("%d operations", len(published))
	}
	for _, id := range published {
		by, shared := servedBy[id]
		no, not := refused[id]
		switch {
		case not:
			a := s.do(no.method, no.target, nil, "x-ms-source-container-name", "box", "x-ms-copy-source", "http://127.0.0.1/acct/box/blob")
			if got := fmt.Sprint(a.status, " ", a.code()); got != no.answer {
				t.Errorf("%s is answered with %s; take it from the list if it is offered", id, got)
			}
		case shared && (rows[id] || !rows[by]), !shared && !rows[id]:
			t.Errorf("%s is neither in the table nor on one list", id)
		}
	}
}

// TestArrowAnsweredInXML tells what clients get that would rather have Arrow.
func TestArrowAnsweredInXML(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	for _, delimiter := range []string{"", "&delimiter=/"} {
		a := s.want(200, "", "GET", "/box?restype=container&comp=list"+delimiter, nil, "Accept", acceptArrow)
		if got := a.get("Content-Type"); got != "application/xml" {
			t.Error(got)
		}
	}
}
