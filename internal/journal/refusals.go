package journal

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/lease"
)

// Bounds of what is kept of one resource that was refused.
const (
	minutes      = 60 // of which refusals are counted
	maxCodes     = 8
	maxRefusedBy = 16
)

// refusals are the requests that were refused because of a lease, by resource. They have a lock of
// their own: the requests of a crowd that is refused don't hold up those that change leases.
type refusals struct {
	mu     sync.Mutex
	byName map[Name]*list.Element
	order  list.List // of *refused, the latest refused first
}

type refused struct {
	name    Name
	codes   []CodeCount
	clients []Client
	more    bool // there were more clients
	minute  int64
	count   [minutes]uint32 // by minute, count[minute%minutes] that of the last one
	last    time.Time
}

// CodeCount is how often a code was the answer.
type CodeCount struct {
	Code fault.Code
	N    uint64
}

// Client is a caller that was refused.
type Client struct {
	Principal, Address string
	N                  uint64
	Last               time.Time
}

// Contended is what is known of a resource whose lease stood in the way of requests.
type Contended struct {
	Name     Name
	LastHour uint64 // refusals
	Codes    []CodeCount
	Clients  []Client
	More     bool // there were more clients than are kept
	Last     time.Time
	ByMinute [minutes]uint32 // the last one is the present minute
}

// Refuse notes that a request was refused because of the lease of a resource, or of one it named.
// The first of a resource in a minute is an event as well.
func (j *Journal) Refuse(name Name, code fault.Code, by lease.Holder, at time.Time, request string) {
	j.occur(Occurrence{Kind: Refused, Name: name, Code: code})
	own, first := j.refusals.add(name, code, &by, at)
	if !first {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events.add(Event{At: lease.At(at), Kind: Refused, Name: own, By: j.share(&by), Request: request, Code: code})
}

// add returns the name with texts of its own, and whether it is the first refusal in a minute.
func (r *refusals) add(name Name, code fault.Code, by *lease.Holder, at time.Time) (own Name, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.find(name)
	minute := at.Unix() / 60
	first = one.turn(minute)
	one.count[minute%minutes]++
	one.last = at
	if i := slices.IndexFunc(one.codes, func(c CodeCount) bool { return c.Code == code }); i >= 0 {
		one.codes[i].N++
	} else if len(one.codes) < maxCodes {
		one.codes = append(one.codes, CodeCount{code, 1})
	}
	same := func(c Client) bool { return c.Principal == by.Principal && c.Address == by.Address }
	switch i := slices.IndexFunc(one.clients, same); {
	case i >= 0:
		one.clients[i].N++
		one.clients[i].Last = at
	case len(one.clients) < maxRefusedBy:
		one.clients = append(one.clients, Client{by.Principal, by.Address, 1, at})
	default:
		one.more = true
	}
	return one.name, first
}

// find returns the entry of a resource, as the latest refused.
func (r *refusals) find(name Name) *refused {
	if el := r.byName[name]; el != nil {
		r.order.MoveToFront(el)
		return el.Value.(*refused)
	}
	if r.byName == nil {
		r.byName = make(map[Name]*list.Element)
	}
	if r.order.Len() >= MaxRefused {
		last := r.order.Back()
		delete(r.byName, last.Value.(*refused).name)
		r.order.Remove(last)
	}
	one := &refused{name: name.clone()}
	r.byName[one.name] = r.order.PushFront(one)
	return one
}

// turn makes a minute the present one, and reports whether it was not before.
func (r *refused) turn(minute int64) bool {
	if minute <= r.minute {
		return false
	}
	for m := max(r.minute+1, minute-minutes+1); m <= minute; m++ {
		r.count[m%minutes] = 0
	}
	r.minute = minute
	return true
}

// Contention returns the resources of an account whose lease stood in the way within the last hour,
// the most often refused first.
func (j *Journal) Contention(account string, now time.Time) (all []Contended) {
	r := &j.refusals
	r.mu.Lock()
	defer r.mu.Unlock()
	for el := r.order.Front(); el != nil; el = el.Next() {
		one := el.Value.(*refused)
		if one.name.Account != account {
			continue
		}
		if c := one.contended(now.Unix() / 60); c.LastHour > 0 {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b Contended) int {
		if a.LastHour != b.LastHour {
			return int(int64(b.LastHour) - int64(a.LastHour))
		}
		return compareNames(&a.Name, &b.Name)
	})
	return all
}

func (r *refused) contended(minute int64) Contended {
	c := Contended{Name: r.name, Codes: slices.Clone(r.codes), Clients: slices.Clone(r.clients), More: r.more, Last: r.last}
	for i := range c.ByMinute {
		if m := minute - minutes + 1 + int64(i); m > r.minute-minutes && m <= r.minute {
			c.ByMinute[i] = r.count[m%minutes]
			c.LastHour += uint64(c.ByMinute[i])
		}
	}
	return c
}
