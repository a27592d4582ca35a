package service_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/wire"
)

const properties = "/?restype=service&comp=properties"

// set sets some properties of the service, given as the children of the root element.
func (s *store) set(children string) {
	s.t.Helper()
	s.want(202, "", "PUT", properties, []byte("<StorageServiceProperties>"+children+"</StorageServiceProperties>"))
}

// wantProperties checks that the properties of the service contain all of some texts.
func (s *store) wantProperties(texts ...string) {
	s.t.Helper()
	body := string(s.want(200, "", "GET", properties, nil).body)
	for _, text := range texts {
		if !strings.Contains(body, text) {
			s.t.Errorf("no %s in %s", text, body)
		}
	}
}

const (
	logging = "<Logging><Version>1.0</Version><Read>false</Read><Write>true</Write><Delete>true</Delete>" +
		"<RetentionPolicy><Enabled>true</Enabled><Days>5</Days></RetentionPolicy></Logging>"
	metrics = "<Version>1.0</Version><Enabled>true</Enabled><IncludeAPIs>true</IncludeAPIs>" +
		"<RetentionPolicy><Enabled>true</Enabled><Days>365</Days></RetentionPolicy>"
	rule = "<CorsRule><AllowedMethods>GET,PUT</AllowedMethods><AllowedOrigins>https://app.example</AllowedOrigins>" +
		"<AllowedHeaders>x-ms-*</AllowedHeaders><ExposedHeaders></ExposedHeaders><MaxAgeInSeconds>300</MaxAgeInSeconds></CorsRule>"
	website = "<StaticWebsite><Enabled>true</Enabled><IndexDocument>index.html</IndexDocument>" +
		"<ErrorDocument404Path>404.html</ErrorDocument404Path></StaticWebsite>"
)

func TestServiceProperties(t *testing.T) {
	s := newStore(t)
	s.wantProperties("<Logging><Version>1.0</Version><Read>false</Read><Write>false</Write><Delete>false</Delete>", "<Cors></Cors>",
		"<DeleteRetentionPolicy><Enabled>false</Enabled><AllowPermanentDelete>false</AllowPermanentDelete></DeleteRetentionPolicy>")
	// The service's order of elements (docs/facts/listing-order.md).
	all := []string{logging, "<HourMetrics>" + metrics + "</HourMetrics>", "<MinuteMetrics>" + metrics + "</MinuteMetrics>",
		"<Cors>" + rule + rule + "</Cors>", "<DefaultServiceVersion>2021-12-02</DefaultServiceVersion>",
		"<DeleteRetentionPolicy><Enabled>true</Enabled><Days>7</Days><AllowPermanentDelete>true</AllowPermanentDelete></DeleteRetentionPolicy>", website}
	s.set(strings.Join(all, ""))
	s.wantProperties(all...)
	s.set("")
	s.wantProperties(all...)
	s.set("<Cors /><DeleteRetentionPolicy><Enabled>false</Enabled><Days>9</Days></DeleteRetentionPolicy>")
	all[3] = "<Cors></Cors>"
	all[5] = "<DeleteRetentionPolicy><Enabled>false</Enabled><AllowPermanentDelete>false</AllowPermanentDelete></DeleteRetentionPolicy>"
	s.wantProperties(all...)
	if v, err := s.DefaultVersion(t.Context(), account); v != "2021-12-02" || err != nil {
		t.Errorf("default version %q, %v", v, err)
	}
}

func TestServicePropertiesErrors(t *testing.T) {
	s := newStore(t)
	s.set(logging)
	deletions := func(children string) string {
		return "<DeleteRetentionPolicy>" + children + "</DeleteRetentionPolicy>"
	}
	cors := func(old, new string) string { return "<Cors>" + strings.Replace(rule, old, new, 1) + "</Cors>" }
	long := strings.Repeat("a", 257)
	for name, c := range map[string]struct{ code, children string }{
		"days missing":       {"InvalidXmlDocument", deletions("<Enabled>true</Enabled>")},
		"no days":            {"InvalidXmlDocument", deletions("<Enabled>true</Enabled><Days>0</Days>")},
		"too many days":      {"InvalidXmlDocument", deletions("<Enabled>true</Enabled><Days>366</Days>")},
		"days no number":     {"InvalidXmlNodeValue", deletions("<Enabled>true</Enabled><Days>week</Days>")},
		"empty policy":       {"InvalidXmlDocument", deletions("")},
		"not a bool":         {"InvalidXmlNodeValue", deletions("<Enabled>perhaps</Enabled>")},
		"unknown element":    {"UnsupportedXmlNode", deletions("<Enabled>false</Enabled><Weeks>1</Weeks>")},
		"unknown setting":    {"UnsupportedXmlNode", "<Encryption/>"},
		"logging incomplete": {"InvalidXmlDocument", strings.Replace(logging, "<Read>false</Read>", "", 1)},
		"logging days":       {"InvalidXmlDocument", strings.Replace(logging, "<Days>5</Days>", "", 1)},
		"metrics incomplete": {"InvalidXmlDocument", "<HourMetrics>" + strings.Replace(metrics, "<IncludeAPIs>true</IncludeAPIs>", "", 1) + "</HourMetrics>"},
		"metrics retention":  {"InvalidXmlDocument", "<MinuteMetrics><Version>1.0</Version><Enabled>false</Enabled></MinuteMetrics>"},
		"six rules":          {"InvalidXmlDocument", "<Cors>" + strings.Repeat(rule, 6) + "</Cors>"},
		"rules too long":     {"InvalidXmlDocument", cors("x-ms-*", strings.Repeat("x-ms-meta-abcdefghijklmnopqrstuvwxyz,", 60))},
		"header too long":    {"InvalidXmlDocument", cors("x-ms-*", long)},
		"three prefixes":     {"InvalidXmlDocument", cors("x-ms-*", "a*,b*,c*")},
		"no origins":         {"InvalidXmlDocument", cors("https://app.example", "")},
		"no headers":         {"InvalidXmlDocument", cors("<AllowedHeaders>x-ms-*</AllowedHeaders>", "")},
		"no such method":     {"InvalidXmlNodeValue", cors("GET", "FETCH")},
		"negative age":       {"InvalidXmlDocument", cors("300", "-1")},
		"two indexes":        {"InvalidXmlDocument", strings.Replace(website, "<IndexDocument>", "<DefaultIndexDocumentPath>a</DefaultIndexDocumentPath><IndexDocument>", 1)},
		"website unsaid":     {"InvalidXmlDocument", "<StaticWebsite></StaticWebsite>"},
		"no such version":    {"InvalidXmlNodeValue", "<DefaultServiceVersion>soon</DefaultServiceVersion>"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			body := "<StorageServiceProperties><HourMetrics>" + metrics + "</HourMetrics>" + c.children + "</StorageServiceProperties>"
			if strings.HasPrefix(c.children, "<HourMetrics>") {
				body = "<StorageServiceProperties>" + c.children + "</StorageServiceProperties>"
			}
			s.want(400, c.code, "PUT", properties, []byte(body))
			s.wantProperties(logging, "<HourMetrics><Version>1.0</Version><Enabled>false</Enabled>")
		})
	}
	s.t = t
	s.want(400, "InvalidXmlDocument", "PUT", properties, nil)
	s.want(400, "InvalidXmlDocument", "PUT", properties, []byte("<StorageServiceProperties>"))
	s.want(400, "InvalidXmlDocument", "PUT", properties, []byte("<Properties/>"))
}

// TestDefaultServiceVersion: requests that name no version are served by that of the
// account, whoever sends them, except with a token.
func TestDefaultServiceVersion(t *testing.T) {
	s := newStore(t)
	s.Accounts(account).AllowPublicAccess = true
	s.want(201, "", "PUT", "/public?restype=container", nil, "x-ms-blob-public-access", "blob")
	s.want(201, "", "PUT", "/public/one", []byte("x"), "x-ms-blob-type", "BlockBlob")
	addressing := &wire.Addressing{DefaultVersion: s.DefaultVersion}
	ask := func(target string, prepare func(*http.Request)) *answer {
		r := httptest.NewRequest("GET", "https://127.0.0.1:10000/"+account+target, nil)
		prepare(r)
		w := httptest.NewRecorder()
		req, err := wire.NewRequest(w, r, s.clock.Now(), addressing)
		if err != nil {
			t.Fatal(err)
		}
		s.Serve(req)
		return &answer{w.Code, w.Header(), w.Body.Bytes()}
	}
	anonymous := func(*http.Request) {}
	signed := func(r *http.Request) {
		r.Header.Set("x-ms-date", s.clock.Now().Format(http.TimeFormat))
		sign(t, r)
	}
	token := func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }
	for _, version := range []string{"2014-02-14", "2019-12-12", "2021-12-02"} {
		if version != "2014-02-14" {
			s.set("<DefaultServiceVersion>" + version + "</DefaultServiceVersion>")
		}
		for name, prepare := range map[string]func(*http.Request){"anonymous": anonymous, "key": signed} {
			a := ask("/public/one", prepare)
			_, told := a.header["x-ms-creation-time"] // since 2017-11-09
			if a.status != 200 || a.get("x-ms-version") != version || told != (version > "2017-11-09") {
				t.Errorf("%s at %s: %d %v", name, version, a.status, a.header)
			}
		}
		if a := ask("/public/one?"+s.sas("public", "r"), anonymous); a.status != 200 || a.get("x-ms-version") != "2020-12-06" {
			t.Errorf("signature at %s: %d %v", version, a.status, a.header)
		}
		if a := ask("/public/one", token); a.status != 400 || a.code() != "" && a.code() != "MissingRequiredHeader" {
			t.Errorf("token at %s: %d %v", version, a.status, a.header)
		}
	}
}

func TestStatistics(t *testing.T) {
	s := newStore(t)
	s.want(400, "InvalidQueryParameterValue", "GET", "/?restype=service&comp=stats", nil)
	got := s.want(200, "", "GET", "-secondary/?restype=service&comp=stats", nil)
	want := fmt.Sprintf("<StorageServiceStats><GeoReplication><Status>live</Status><LastSyncTime>%s</LastSyncTime></GeoReplication></StorageServiceStats>",
		"Tue, 03 Mar 2026 08:00:00 GMT")
	if !strings.HasSuffix(string(got.body), want) {
		t.Errorf("statistics %s", got.body)
	}
}
