package service

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
)

func expiryOperations() []Operation {
	return []Operation{
		{
			Name: "Blob_SetExpiry", On: onBlob("PUT", "expiry"), Needs: auth.PermSetExpiry, Status: 200,
			Use: useGovern.on(onArchived), Run: update(doSetExpiry),
		},
	}
}

const (
	expiryOption = "x-ms-expiry-option"
	expiryTime   = "x-ms-expiry-time"
)

type setExpiry struct {
	Option string `header:"x-ms-expiry-option,required"`
	Time   string `header:"x-ms-expiry-time"`
}

func doSetExpiry(s *txn, a *setExpiry) (*validators, error) {
	if !s.Features(s.req.Account).Expiry {
		return nil, fault.HierarchicalNamespaceNotEnabled
	}
	at, err := a.at(s.blob.Created, s.now)
	if err != nil {
		return nil, err
	}
	s.blob.Expires = at
	s.blob.Touch(s.now)
	v := validatorsOf(s.blob.Validators())
	return &v, s.putBlob(s.blob)
}

// at returns when the blob is to expire; zero for never. The past is refused.
func (a *setExpiry) at(created, now blob.Time) (at blob.Time, err error) {
	switch option := strings.ToLower(a.Option); option {
	case "neverexpire":
		if a.Time != "" {
			return 0, fault.InvalidHeader(expiryTime, a.Time)
		}
		return 0, nil
	case "absolute":
		t, err := http.ParseTime(a.Time)
		if err != nil {
			return 0, a.badTime()
		}
		at = blob.TimeOf(t)
	case "relativetonow", "relativetocreation":
		ms, err := strconv.ParseInt(a.Time, 10, 64)
		if err != nil || ms <= 0 || ms > maxExpiry.Milliseconds() {
			return 0, a.badTime()
		}
		from := now
		if option == "relativetocreation" {
			from = created
		}
		at = blob.TimeOf(from.Std().Add(time.Duration(ms) * time.Millisecond))
	default:
		return 0, fault.InvalidHeader(expiryOption, a.Option)
	}
	if at <= now {
		return 0, a.badTime()
	}
	return at, nil
}

// maxExpiry is the longest time that can be set, as far as time.Duration reaches.
const maxExpiry = 290 * 365 * 24 * time.Hour

func (a *setExpiry) badTime() error {
	if a.Time == "" {
		return fault.MissingHeader(expiryTime)
	}
	return fault.InvalidHeader(expiryTime, a.Time)
}
