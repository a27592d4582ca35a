package service

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/wire"
)

func leaseListOperations() []Operation {
	return []Operation{
		{
			Name: "Leasehold_ListLeases", On: onService("GET", "", "leases"), Needs: auth.PermListContainers, Status: 200,
			Use: useNothing, Run: view(doListLeases),
		},
	}
}

// maxLeasesVisited bounds the entries that one page visits: the index may have leases that ended
// and have not been taken out of it yet.
const maxLeasesVisited = 20_000

type listLeases struct {
	page
	State string `query:"state"`
}

func (a *listLeases) checkForm() error {
	switch a.State {
	case "", lease.Leased.String(), lease.Breaking.String():
		return nil
	}
	return fault.InvalidQuery("state", a.State, "The state is leased or breaking.")
}

// leaseEntry is one live lease.
type leaseEntry struct {
	XMLName   xml.Name     `xml:"Lease" json:"-"`
	Container string       `json:"container"`
	Blob      string       `xml:",omitempty" json:"blob,omitempty"`
	State     string       `json:"state"`
	Duration  int64        `xml:",omitempty" json:"duration,omitempty"`
	Remaining *int64       `xml:",omitempty" json:"remaining,omitempty"`
	Epoch     uint64       `json:"epoch"`
	Holder    *leaseHolder `xml:",omitempty" json:"holder,omitempty"` // for requests that may break the lease
}

type leaseHolder struct {
	Principal string `json:"principal"`
	Address   string `json:"address"`
	Client    string `json:"client"`
	Since     string `json:"since"`
	Renewed   string `json:"renewed"`
}

func holderOf(l *lease.Lease) *leaseHolder {
	return &leaseHolder{l.Holder.Principal, l.Holder.Address, l.Holder.Client,
		l.Since.Time().Format(time.RFC3339Nano), l.Renewed.Time().Format(time.RFC3339Nano)}
}

// entryOf returns the entry of a lease, without its holder.
func entryOf(container, name string, l lease.Lease, now time.Time) leaseEntry {
	e := leaseEntry{Container: container, Blob: name, State: l.State(now).String(), Epoch: l.Epoch}
	if l.State(now) == lease.Leased {
		e.Duration = int64(l.Duration)
	}
	if left := l.Left(now); left != lease.Forever {
		seconds := int64(left / time.Second)
		e.Remaining = &seconds
	}
	return e
}

type leaseListXML struct {
	XMLName  xml.Name     `xml:"EnumerationResults" json:"-"`
	Endpoint string       `xml:"ServiceEndpoint,attr" json:"-"`
	Prefix   string       `xml:",omitempty" json:"-"`
	Leases   []leaseEntry `xml:"Leases>Lease" json:"leases"`
	Next     string       `xml:"NextMarker" json:"nextMarker"`
}

type leaseListing struct {
	ContentType string       `header:"Content-Type"`
	Body        wire.Content `body:"stream"`
}

func leaseListingOf(contentType string, body []byte) *leaseListing {
	return &leaseListing{contentType, &stream{size: int64(len(body)), parts: []part{{inline: body}}}}
}

// doListLeases lists the live leases of an account. The names of blobs need the right to list
// blobs, besides that to list containers.
func doListLeases(s *txn, a *listLeases) (*leaseListing, error) {
	if err := s.grant.Allow(auth.PermListBlobs, auth.Resource{}); err != nil {
		return nil, err
	}
	limit, err := a.size()
	if err != nil {
		return nil, err
	}
	l := &leaseLister{txn: s, listLeases: a, limit: limit}
	l.out = leaseListXML{Endpoint: s.endpoint(), Prefix: a.Prefix, Leases: []leaseEntry{}}
	from := string(a.Marker)
	if from == "" {
		if from, err = l.begin(); err != nil {
			return nil, err
		}
	}
	if err := meta.WalkLeases(s.r, s.req.Account, from, l.visit); err != nil {
		return nil, err
	}
	if strings.Contains(s.req.Header.Get("Accept"), "application/json") {
		body, err := json.Marshal(l.out)
		return leaseListingOf("application/json", body), err
	}
	body, err := xml.Marshal(l.out)
	return leaseListingOf("application/xml", append([]byte(wire.XMLHeader), body...)), err
}

// leaseLister collects one page of the live leases of an account.
type leaseLister struct {
	*txn
	*listLeases
	limit   int
	visited int
	out     leaseListXML

	name      string // of the container last looked up
	container *blob.Container
}

func (l *leaseLister) visit(e meta.LeaseEntry) (meta.Step, error) {
	full := e.Container
	if e.Blob != "" {
		full += "/" + e.Blob
	}
	matches := strings.HasPrefix(full, l.Prefix)
	if l.past(e) {
		return meta.Stop, nil
	}
	if l.visited++; matches && len(l.out.Leases) == l.limit || l.visited > maxLeasesVisited {
		l.out.Next = marker(e.Position).String()
		return meta.Stop, nil
	}
	if !matches {
		return meta.Next, nil
	}
	held, _, err := l.lookUp(e)
	if err != nil || !held.State(l.r.Now()).Locked() {
		return meta.Next, err
	}
	if state := held.State(l.r.Now()).String(); l.State != "" && l.State != state {
		return meta.Next, nil
	}
	entry := entryOf(e.Container, e.Blob, held, l.r.Now())
	if l.mayBreak(e) {
		entry.Holder = holderOf(&held)
	}
	l.out.Leases = append(l.out.Leases, entry)
	return meta.Next, nil
}

// begin returns the position in the index of the first name that can have the prefix.
func (l *leaseLister) begin() (string, error) {
	container, name, below := strings.Cut(l.Prefix, "/")
	if !below {
		return container, nil
	}
	c, err := meta.Container(l.r, l.req.Account, container)
	if c == nil || err != nil {
		return container, err
	}
	return meta.LeasePosition(container, c.Generation, name), nil
}

// past reports whether no entry from here on has the prefix.
func (l *leaseLister) past(e meta.LeaseEntry) bool {
	container, name, below := strings.Cut(l.Prefix, "/")
	if !below {
		return e.Container > container && !strings.HasPrefix(e.Container, container)
	}
	return e.Container > container || e.Container == container && e.Blob > name && !strings.HasPrefix(e.Blob, name)
}

// mayBreak reports whether the request may break a lease, and so may see who holds it.
func (l *leaseLister) mayBreak(e meta.LeaseEntry) bool {
	need := auth.PermBreakLease
	if e.Blob == "" {
		need = auth.PermBreakContainerLease
	}
	return l.grant.Allow(need, auth.Resource{Container: e.Container, Blob: e.Blob}) == nil
}

// lookUp returns the lease to which an entry of the index refers, if it still exists, and when its
// blob expires; 0 for never.
func (l *leaseLister) lookUp(e meta.LeaseEntry) (lease.Lease, blob.Time, error) {
	if l.name != e.Container {
		c, err := meta.Container(l.r, l.req.Account, e.Container)
		if err != nil {
			return lease.Lease{}, 0, err
		}
		l.name, l.container = e.Container, c
	}
	if l.container == nil || l.container.Generation != e.Generation {
		return lease.Lease{}, 0, nil
	}
	if e.Blob == "" {
		return l.container.Lease, 0, nil
	}
	b, err := meta.Blob(l.r, e.Generation, e.Blob)
	if b == nil || err != nil || b.Expired(l.now) {
		return lease.Lease{}, 0, err
	}
	return b.Lease, b.Ends(), nil
}
