package service

import (
	"context"
	"encoding/xml"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/wire"
)

func propertiesOperations() []Operation {
	return []Operation{
		{
			Name: "Service_GetProperties", Status: 200,
			On: onService("GET", "service", "properties"), Needs: auth.PermGetServiceProperties,
			Use: useNothing, Run: view(doGetServiceProperties),
		},
		{
			Name: "Service_SetProperties", Status: 202,
			On: onService("PUT", "service", "properties"), Needs: auth.PermSetServiceProperties,
			Use: useNothing, Also: websiteContainers, Run: update(doSetServiceProperties),
		},
		{
			Name: "Service_GetStatistics", Status: 200,
			On: onService("GET", "service", "stats"), Needs: auth.PermGetServiceStats,
			Use: useNothing, Run: view(doGetStatistics),
		},
	}
}

// servicePropertiesXML is the body of both operations.
type servicePropertiesXML struct {
	XMLName xml.Name `xml:"StorageServiceProperties"`
	blob.ServiceProperties
}

type gotServiceProperties struct {
	Body servicePropertiesXML `body:"xml"`
}

func doGetServiceProperties(s *txn, _ *nothing) (*gotServiceProperties, error) {
	stored, err := meta.ServiceProperties(s.r, s.req.Account)
	if err != nil {
		return nil, err
	}
	out := &gotServiceProperties{}
	out.Body.ServiceProperties = *defaultProperties()
	if stored != nil {
		out.Body.Merge(stored)
	}
	return out, nil
}

// defaultProperties returns the properties of an account that has set none.
func defaultProperties() *blob.ServiceProperties {
	off := new(bool)
	never := &blob.Retention{Enabled: off}
	metrics := &blob.Metrics{Version: "1.0", Enabled: off, Retention: never}
	return &blob.ServiceProperties{
		Logging:       &blob.Logging{Version: "1.0", Delete: off, Read: off, Write: off, Retention: never},
		HourMetrics:   metrics,
		MinuteMetrics: metrics,
		CORS:          &blob.CORS{},
		Deletions:     &blob.DeleteRetention{Retention: *never, Permanent: off},
		Website:       &blob.StaticWebsite{Enabled: off},
	}
}

type setServiceProperties struct {
	Body servicePropertiesXML `body:"xml,required"`
}

func (a *setServiceProperties) checkForm() error {
	if v := a.Body.DefaultVersion; v != "" {
		if _, err := wire.ParseVersion(v); err != nil {
			return fault.InvalidXML("DefaultServiceVersion", v)
		}
	}
	return a.Body.Check()
}

// websiteContainers returns the keys of the containers that a change of the settings may create.
func websiteContainers(c *call) []kv.Key {
	return []kv.Key{meta.ContainerKey(c.req.Account, blob.WebContainer), meta.ContainerKey(c.req.Account, blob.LogsContainer)}
}

func doSetServiceProperties(s *txn, a *setServiceProperties) (*nothing, error) {
	p, err := meta.ServiceProperties(s.r, s.req.Account)
	if err != nil {
		return nil, err
	}
	if p == nil {
		p = &blob.ServiceProperties{}
	}
	p.Merge(&a.Body.ServiceProperties)
	if p.Deletions != nil && p.Deletions.Permanent == nil {
		p.Deletions.Permanent = new(bool)
	}
	for name, needed := range map[string]bool{blob.WebContainer: p.Website.Serves(), blob.LogsContainer: p.Logging.Logs()} {
		if !needed {
			continue
		}
		if err := s.createSystemContainer(name); err != nil {
			return nil, err
		}
	}
	return &nothing{}, meta.PutServiceProperties(s.tx, s.req.Account, p)
}

// createSystemContainer creates a container that belongs to a setting, unless it exists.
func (s *txn) createSystemContainer(name string) error {
	c, err := meta.Container(s.r, s.req.Account, name)
	if c != nil || err != nil {
		return err
	}
	return meta.PutContainer(s.tx, s.req.Account, name, s.newContainer(name))
}

// Properties returns the settings of an account's Blob service, for code that needs them before an
// operation runs; nil if none was ever set.
func (s *Service) Properties(ctx context.Context, account string) (p *blob.ServiceProperties, err error) {
	err = s.DB.View(ctx, func(r kv.Reader) error {
		p, err = meta.ServiceProperties(r, account)
		return err
	})
	return p, err
}

// DefaultVersion returns the version that serves requests that name none; "" if the account has set
// none.
func (s *Service) DefaultVersion(ctx context.Context, account string) (wire.Version, error) {
	p, err := s.Properties(ctx, account)
	if p == nil || err != nil {
		return "", err
	}
	return wire.Version(p.DefaultVersion), nil
}

type statistics struct {
	Body statisticsXML `body:"xml"`
}

type statisticsXML struct {
	XMLName      xml.Name  `xml:"StorageServiceStats"`
	Status       string    `xml:"GeoReplication>Status"`
	LastSyncTime blob.Time `xml:"GeoReplication>LastSyncTime"`
}

// doGetStatistics describes the replication to the secondary endpoint, and answers only there. Both
// endpoints read the same store, so the secondary is never behind.
func doGetStatistics(s *txn, _ *nothing) (*statistics, error) {
	if !s.req.Secondary {
		return nil, fault.InvalidQuery("comp", "stats", "Statistics are those of the secondary endpoint.")
	}
	return &statistics{statisticsXML{Status: "live", LastSyncTime: s.now.Second()}}, nil
}
