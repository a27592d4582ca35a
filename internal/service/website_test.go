package service_test

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// browse sends a request to the website endpoint.
func (s *store) browse(method, path string, headers ...string) *answer {
	s.t.Helper()
	r := httptest.NewRequest(method, "http://"+account+".web.localhost:10000"+path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.serve(r)
}

// shows checks status, error code and body of an answer of the website endpoint; a body of
// "" is not looked at.
func (s *store) shows(a *answer, status int, code, body string) *answer {
	s.t.Helper()
	if a.status != status || a.code() != code || body != "" && string(a.body) != body {
		s.t.Errorf("%d %s %s, want %d %s %s", a.status, a.code(), a.body, status, code, body)
	}
	if html := "<title>" + code + "</title>"; body == "" && code != "" && len(a.body) > 0 && !strings.Contains(string(a.body), html) {
		s.t.Errorf("no %s in %s", html, a.body)
	}
	return a
}

func siteStore(t *testing.T, settings string) *store {
	s := newStore(t)
	s.set("<StaticWebsite>" + settings + "</StaticWebsite>")
	for name, text := range map[string]string{
		"index.html": "home", "404.html": "lost", "dir/index.html": "folder", "dir/page": "page", "both": "a file", "both/index.html": "a folder",
	} {
		s.html("$web/"+name, text)
	}
	return s
}

// html stores a block blob of HTML.
func (s *store) html(path, text string, headers ...string) {
	s.t.Helper()
	s.want(201, "", "PUT", "/"+path, []byte(text), append([]string{"x-ms-blob-type", "BlockBlob", "x-ms-blob-content-type", "text/html"}, headers...)...)
}

const fullSite = "<Enabled>true</Enabled><IndexDocument>index.html</IndexDocument><ErrorDocument404Path>404.html</ErrorDocument404Path>"

func TestWebsiteDocuments(t *testing.T) {
	s := siteStore(t, fullSite)
	for path, want := range map[string]string{
		"": "home", "/": "home", "/index.html": "home", "/dir/": "folder", "/dir": "folder", "/dir%2Fpage": "page", "/dir/page?v=1&comp=list": "page",
		"/both": "a file", "/both/": "a folder", `/dir\page`: "page", "/404.html": "lost",
	} {
		s.shows(s.browse("GET", path), 200, "", want)
	}
	for _, path := range []string{"/none", "/none/", "/Index.html", "/dir/page/", "//", "/dir//", "/a%00b", "/dir?restype=container&comp=list&x=lost"} {
		if path == "/dir?restype=container&comp=list&x=lost" {
			s.shows(s.browse("GET", path), 200, "", "folder")
			continue
		}
		s.shows(s.browse("GET", path), 404, "WebContentNotFound", "lost")
	}
	if a := s.shows(s.browse("HEAD", "/none"), 404, "WebContentNotFound", ""); len(a.body) > 0 || a.get("Content-Length") != "4" {
		t.Errorf("HEAD: %v %s", a.header, a.body)
	}
	// Neither conditions nor ranges change what is not found.
	s.shows(s.browse("GET", "/none", "Range", "bytes=1-2", "If-None-Match", s.browse("GET", "/404.html").get("ETag")), 404, "WebContentNotFound", "lost")

	s.set("<StaticWebsite><Enabled>true</Enabled><DefaultIndexDocumentPath>/dir/page</DefaultIndexDocumentPath></StaticWebsite>")
	for path, want := range map[string]string{"/": "page", "/dir/": "page", "/none/": "page", "/both": "a file"} {
		s.shows(s.browse("GET", path), 200, "", want)
	}
	for _, path := range []string{"/none", "/dir"} {
		s.shows(s.browse("GET", path), 404, "WebContentNotFound", "")
	}
	s.set("<StaticWebsite><Enabled>true</Enabled></StaticWebsite>")
	s.shows(s.browse("GET", "/"), 404, "WebContentNotFound", "")
	s.set("<StaticWebsite><Enabled>false</Enabled></StaticWebsite>")
	s.shows(s.browse("GET", "/index.html"), 404, "WebContentNotFound", "")
}

func TestWebsiteHeaders(t *testing.T) {
	s := siteStore(t, fullSite)
	s.html("$web/a.css", "body{}", "x-ms-blob-content-type", "text/css", "x-ms-blob-content-encoding", "br", "x-ms-blob-cache-control", "max-age=60",
		"x-ms-meta-owner", "me", "x-ms-tags", "a=b")
	a := s.shows(s.browse("GET", "/a.css", "x-ms-version", "2026-12-06", "leasehold", "1"), 200, "", "body{}")
	for name, want := range map[string]string{
		"Content-Type": "text/css", "Content-Encoding": "br", "Cache-Control": "max-age=60", "Content-Length": "6", "Accept-Ranges": "bytes",
		"Server": "Windows-Azure-Web/1.0 Microsoft-HTTPAPI/2.0", "x-ms-version": "2018-03-28", "Last-Modified": s.clock.Now().Format("Mon, 02 Jan 2006 15:04:05 GMT"),
	} {
		if got := a.get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for name := range a.header {
		if low := strings.ToLower(name); strings.HasPrefix(low, "x-ms-") && low != "x-ms-version" && low != "x-ms-request-id" {
			t.Errorf("the site tells %s", name)
		}
	}
	etag, date := a.get("ETag"), a.get("Last-Modified")
	s.shows(s.browse("GET", "/a.css", "If-None-Match", etag), 304, "ConditionNotMet", "")
	s.shows(s.browse("GET", "/a.css", "If-Modified-Since", date), 304, "ConditionNotMet", "")
	s.shows(s.browse("GET", "/a.css", "If-Match", `"0x8D0000000000000"`), 412, "ConditionNotMet", "")
	s.shows(s.browse("HEAD", "/a.css", "If-Unmodified-Since", date, "Range", "bytes=0-1"), 200, "", "")
	part := s.shows(s.browse("GET", "/a.css", "Range", "bytes=4-", "If-Match", etag), 206, "", "{}")
	if part.get("Content-Range") != "bytes 4-5/6" || part.get("Content-MD5") != "" {
		t.Errorf("a range: %v", part.header)
	}
	s.shows(s.browse("GET", "/a.css", "Range", "bytes=9-"), 416, "InvalidRange", "")
}

// TestWebsiteIsForReadingOnly: whatever is no GET or HEAD is refused and changes nothing, and
// no credentials help.
func TestWebsiteIsForReadingOnly(t *testing.T) {
	s := siteStore(t, fullSite)
	for _, method := range []string{"PUT", "POST", "DELETE", "OPTIONS", "PATCH"} {
		for _, path := range []string{"/", "/index.html", "/index.html?comp=lease", "/?restype=container&comp=list", "/none"} {
			a := s.shows(s.browse(method, path, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1", "x-ms-blob-type", "BlockBlob",
				"Origin", "https://app.example", "Access-Control-Request-Method", "GET"), 405, "UnsupportedHttpVerb", "")
			if a.get("Content-Type") != "text/html" {
				t.Errorf("%s %s: %v", method, path, a.header)
			}
		}
	}
	s.shows(s.browse("GET", "/index.html"), 200, "", "home")
	if a := s.want(200, "", "HEAD", "/$web/index.html", nil); a.get("x-ms-lease-state") != "available" {
		t.Error(a.header)
	}
	// Through the blob endpoint the container is as private as before, and its leases guard it.
	s.asked(409, "PublicAccessNotPermitted", "GET", "/$web/index.html", nil)
	s.lease(201, "", "/$web/index.html", "acquire", "x-ms-lease-duration", "-1")
	s.want(412, "LeaseIdMissing", "PUT", "/$web/index.html", []byte("x"), "x-ms-blob-type", "BlockBlob")
	s.shows(s.browse("GET", "/", "x-ms-lease-id", idB), 200, "", "home")
}

func TestWebsiteShowsOnlyWhatCanBeRead(t *testing.T) {
	s := siteStore(t, fullSite)
	s.want(201, "", "PUT", "/$web/staged?comp=block&blockid="+base64ID("a"), []byte("x"))
	s.shows(s.browse("GET", "/staged"), 404, "WebContentNotFound", "lost")
	s.want(200, "", "PUT", "/$web/dir/page?comp=tier", nil, "x-ms-access-tier", "Archive")
	s.shows(s.browse("GET", "/dir/page"), 409, "BlobArchived", "")
	s.remote = "127.0.0.1:1234" // a customer's key needs a loopback connection or TLS
	s.html("$web/secret", "x", customerKey(1)...)
	s.shows(s.browse("GET", "/secret"), 409, "BlobUsesCustomerSpecifiedEncryption", "")
	s.want(200, "", "PUT", "/$web/404.html?comp=tier", nil, "x-ms-access-tier", "Archive")
	s.shows(s.browse("GET", "/none"), 404, "WebContentNotFound", "")
	s.want(202, "", "DELETE", "/$web/index.html", nil)
	s.shows(s.browse("GET", "/"), 404, "WebContentNotFound", "")
	s.want(202, "", "DELETE", "/$web?restype=container", nil)
	s.shows(s.browse("GET", "/both"), 404, "WebContentNotFound", "")
	s.step(time.Minute)
	// What is set again makes the container again.
	s.set("")
	s.want(201, "", "PUT", "/$web/index.html", []byte("new"), "x-ms-blob-type", "BlockBlob")
	s.shows(s.browse("GET", "/"), 200, "", "new")
	r := httptest.NewRequest("GET", "http://other.web.localhost/", nil)
	w := httptest.NewRecorder()
	req, err := wire.NewRequest(w, r, s.clock.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Serve(req); w.Code != 404 || req.Failure.Code != fault.WebContentNotFound || req.Operation != "Website_Read" {
		t.Errorf("an account that does not exist: %d, %+v", w.Code, req)
	}
}

// TestWebsiteContainer: enabling the site makes the container, once, and disabling it leaves
// what is there.
func TestWebsiteContainer(t *testing.T) {
	s := newStore(t)
	s.set("<StaticWebsite><Enabled>false</Enabled></StaticWebsite>")
	s.want(404, "ContainerNotFound", "GET", "/$web?restype=container", nil)
	s.want(400, "InvalidXmlDocument", "PUT", properties, []byte("<StorageServiceProperties><StaticWebsite><Enabled>true</Enabled>"+
		"<IndexDocument>a</IndexDocument><DefaultIndexDocumentPath>b</DefaultIndexDocumentPath></StaticWebsite></StorageServiceProperties>"))
	s.want(404, "ContainerNotFound", "GET", "/$web?restype=container", nil)
	s.set("<StaticWebsite><Enabled>true</Enabled></StaticWebsite>")
	first := s.want(200, "", "GET", "/$web?restype=container", nil)
	s.html("$web/a", "x")
	s.step(time.Minute)
	s.set("<StaticWebsite><Enabled>false</Enabled></StaticWebsite>")
	s.set("<StaticWebsite><Enabled>true</Enabled></StaticWebsite>")
	again := s.want(200, "", "GET", "/$web?restype=container", nil)
	if first.get("ETag") != again.get("ETag") || again.get("x-ms-blob-public-access") != "" {
		t.Errorf("%v, then %v", first.header, again.header)
	}
	s.shows(s.browse("GET", "/a"), 200, "", "x")
}

// TestLogsContainer: whoever turns logging on gets the container of the logs.
func TestLogsContainer(t *testing.T) {
	s := newStore(t)
	logging := func(write string) {
		s.set("<Logging><Version>1.0</Version><Delete>false</Delete><Read>false</Read><Write>" + write + "</Write>" +
			"<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>")
	}
	logging("false")
	s.want(404, "ContainerNotFound", "GET", "/$logs?restype=container", nil)
	logging("true")
	s.want(200, "", "GET", "/$logs?restype=container", nil)
	s.want(404, "ContainerNotFound", "GET", "/$web?restype=container", nil)
	all := s.want(200, "", "GET", "/?comp=list&include=system", nil)
	if some := s.want(200, "", "GET", "/?comp=list", nil); !bytes.Contains(all.body, []byte("$logs")) || bytes.Contains(some.body, []byte("$logs")) {
		t.Errorf("%s\n%s", all.body, some.body)
	}
}
