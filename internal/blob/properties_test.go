package blob

import (
	"encoding/xml"
	"reflect"
	"testing"
)

// FuzzServiceProperties checks that settings that pass are told as they were made.
func FuzzServiceProperties(f *testing.F) {
	for _, children := range []string{
		"",
		"<Cors/><DeleteRetentionPolicy><Enabled>true</Enabled><Days>7</Days><AllowPermanentDelete>true</AllowPermanentDelete></DeleteRetentionPolicy>",
		"<Cors><CorsRule><AllowedOrigins>*</AllowedOrigins><AllowedMethods>GET, PUT</AllowedMethods><AllowedHeaders>a*,b</AllowedHeaders><ExposedHeaders/><MaxAgeInSeconds>5</MaxAgeInSeconds></CorsRule></Cors>",
		"<Logging><Version>1.0</Version><Delete>1</Delete><Read>false</Read><Write>T</Write><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>",
		"<HourMetrics><Version>1.0</Version><Enabled>true</Enabled><IncludeAPIs>true</IncludeAPIs><RetentionPolicy><Enabled>true</Enabled><Days>365</Days></RetentionPolicy></HourMetrics>",
		"<StaticWebsite><Enabled>true</Enabled><IndexDocument>i</IndexDocument></StaticWebsite><DefaultServiceVersion>2021-12-02</DefaultServiceVersion>",
	} {
		f.Add("<StorageServiceProperties>" + children + "</StorageServiceProperties>")
	}
	type document struct {
		XMLName xml.Name `xml:"StorageServiceProperties"`
		ServiceProperties
	}
	f.Fuzz(func(t *testing.T, text string) {
		var made, told document
		if xml.Unmarshal([]byte(text), &made) != nil || made.Check() != nil {
			return
		}
		body, err := xml.Marshal(&made)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(body, &told); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if !reflect.DeepEqual(made.ServiceProperties, told.ServiceProperties) {
			t.Errorf("%s is told as %s", text, body)
		}
	})
}

func FuzzParseStamp(f *testing.F) {
	f.Add("2026-03-03T08:00:00.1234567Z")
	f.Add("0001-01-01T00:00:00.0000000Z")
	f.Add("2026-03-03T08:00:00,1234567Z")
	f.Add("2026-13-03T08:00:00.123456Z")
	f.Fuzz(func(t *testing.T, text string) {
		stamp, err := ParseStamp(text)
		if err == nil && stamp.Stamp() != text {
			t.Errorf("%q is read as %s", text, stamp.Stamp())
		}
	})
}
