package blob

import "strings"

// ServiceProperties are the settings of an account's Blob service, as they stand in
// requests and answers and in the store. A nil setting was never made; in a request it
// is to be left alone (docs/reference/operations.md 7.6).
type ServiceProperties struct {
	Logging        *Logging         `xml:"Logging" cbor:"1,keyasint,omitempty"`
	HourMetrics    *Metrics         `xml:"HourMetrics" cbor:"2,keyasint,omitempty"`
	MinuteMetrics  *Metrics         `xml:"MinuteMetrics" cbor:"3,keyasint,omitempty"`
	CORS           *CORS            `xml:"Cors" cbor:"4,keyasint,omitempty"`
	DefaultVersion string           `xml:"DefaultServiceVersion,omitempty" cbor:"5,keyasint,omitempty"`
	Deletions      *DeleteRetention `xml:"DeleteRetentionPolicy" cbor:"6,keyasint,omitempty"`
	Website        *StaticWebsite   `xml:"StaticWebsite" cbor:"7,keyasint,omitempty"`
}

// Retention says how long something is kept.
type Retention struct {
	Enabled *bool `xml:"Enabled" cbor:"1,keyasint,omitempty"`
	Days    *int  `xml:"Days" cbor:"2,keyasint,omitempty"` // 1 to MaxRetentionDays; nil unless enabled
}

// MaxRetentionDays is the longest retention.
const MaxRetentionDays = 365

// Logging says which requests are logged. It is stored and returned, but nothing is logged.
type Logging struct {
	Version   string     `xml:"Version" cbor:"1,keyasint,omitempty"`
	Read      *bool      `xml:"Read" cbor:"3,keyasint,omitempty"`
	Write     *bool      `xml:"Write" cbor:"4,keyasint,omitempty"`
	Delete    *bool      `xml:"Delete" cbor:"2,keyasint,omitempty"`
	Retention *Retention `xml:"RetentionPolicy" cbor:"5,keyasint,omitempty"`
}

// Logs reports whether any requests are to be logged, which is when an account gets its container
// $logs.
func (l *Logging) Logs() bool {
	if l == nil {
		return false
	}
	on := func(b *bool) bool { return b != nil && *b }
	return on(l.Delete) || on(l.Read) || on(l.Write)
}

// Metrics says which metrics are collected. It is stored and returned, but has no effect.
type Metrics struct {
	Version     string     `xml:"Version" cbor:"1,keyasint,omitempty"`
	Enabled     *bool      `xml:"Enabled" cbor:"2,keyasint,omitempty"`
	IncludeAPIs *bool      `xml:"IncludeAPIs" cbor:"3,keyasint,omitempty"`
	Retention   *Retention `xml:"RetentionPolicy" cbor:"4,keyasint,omitempty"`
}

// CORS is the list of rules by which scripts of other origins may use the account.
type CORS struct {
	Rules []CORSRule `xml:"CorsRule" cbor:"1,keyasint,omitempty"`
}

// CORSRule is one rule. Its lists are separated by commas, as on the wire.
type CORSRule struct {
	AllowedMethods string  `xml:"AllowedMethods" cbor:"2,keyasint,omitempty"`
	AllowedOrigins string  `xml:"AllowedOrigins" cbor:"1,keyasint,omitempty"`
	AllowedHeaders *string `xml:"AllowedHeaders" cbor:"3,keyasint,omitempty"`
	ExposedHeaders *string `xml:"ExposedHeaders" cbor:"4,keyasint,omitempty"`
	MaxAge         *int    `xml:"MaxAgeInSeconds" cbor:"5,keyasint,omitempty"`
}

// DeleteRetention says how long deleted and overwritten blobs can be restored.
type DeleteRetention struct {
	Retention
	// Permanent allows soft-deleted blobs to be deleted for good.
	Permanent *bool `xml:"AllowPermanentDelete" cbor:"3,keyasint,omitempty"`
}

// StaticWebsite says how the container $web is served.
type StaticWebsite struct {
	Enabled      *bool  `xml:"Enabled" cbor:"1,keyasint,omitempty"`
	Index        string `xml:"IndexDocument,omitempty" cbor:"2,keyasint,omitempty"`
	DefaultIndex string `xml:"DefaultIndexDocumentPath,omitempty" cbor:"3,keyasint,omitempty"`
	NotFound     string `xml:"ErrorDocument404Path,omitempty" cbor:"4,keyasint,omitempty"`
}

// Serves reports whether there is a website. w may be nil.
func (w *StaticWebsite) Serves() bool { return w != nil && w.Enabled != nil && *w.Enabled }

// Documents returns the names of blobs, the first existing of which is shown for a path (without
// its first slash) (docs/facts/static-website.md).
func (w *StaticWebsite) Documents(path string) []string {
	folder := path == "" || strings.HasSuffix(path, "/")
	switch {
	case folder && w.DefaultIndex != "":
		return []string{strings.TrimPrefix(w.DefaultIndex, "/"), path}
	case folder && w.Index != "":
		return []string{path + w.Index, path}
	case w.Index != "":
		return []string{path, path + "/" + w.Index}
	}
	return []string{path}
}

// ErrorDocument returns the name of the blob that is shown when a document does not exist; "" for
// none.
func (w *StaticWebsite) ErrorDocument() string { return strings.TrimPrefix(w.NotFound, "/") }

// Merge takes over the settings that changes makes.
func (p *ServiceProperties) Merge(changes *ServiceProperties) {
	replace(&p.Logging, changes.Logging)
	replace(&p.HourMetrics, changes.HourMetrics)
	replace(&p.MinuteMetrics, changes.MinuteMetrics)
	replace(&p.CORS, changes.CORS)
	replace(&p.Deletions, changes.Deletions)
	replace(&p.Website, changes.Website)
	if changes.DefaultVersion != "" {
		p.DefaultVersion = changes.DefaultVersion
	}
}

func replace[T any](old **T, changed *T) {
	if changed != nil {
		*old = changed
	}
}

// Retained returns until when a blob that is deleted at now is kept; zero if it is deleted for
// good. p may be nil.
func (p *ServiceProperties) Retained(now Time) Time {
	if p == nil || p.Deletions == nil || p.Deletions.Days == nil {
		return 0
	}
	return now + Time(*p.Deletions.Days)*Day
}

// AllowsPermanentDelete reports whether soft-deleted blobs may be deleted for good. p may be nil.
func (p *ServiceProperties) AllowsPermanentDelete() bool {
	return p != nil && p.Deletions != nil && p.Deletions.Days != nil && p.Deletions.Permanent != nil && *p.Deletions.Permanent
}
