package auth

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
)

var testRules = []CORSRule{
	{AllowedOrigins: []string{"https://a.example"}, AllowedMethods: []string{"GET"}, AllowedHeaders: []string{"X-Ms-Meta*", "x-one"},
		ExposedHeaders: []string{"X-Named", "x-ms-*"}, MaxAge: 60},
	{AllowedOrigins: []string{"https://a.example"}, AllowedMethods: []string{"GET", "PUT"}, AllowedHeaders: []string{"*"}},
	{AllowedOrigins: []string{"https://*.b.example"}, AllowedMethods: []string{"PUT"}},
	{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"DELETE"}, MaxAge: 5},
}

func TestPreflight(t *testing.T) {
	tests := []struct {
		origin, method, headers string
		want                    string // the headers, or the code
	}{
		{"https://a.example", "GET", "", "map[Access-Control-Allow-Credentials:[true] Access-Control-Allow-Methods:[GET] Access-Control-Allow-Origin:[https://a.example] Access-Control-Max-Age:[60]]"},
		{"https://a.example", "GET", "x-ms-meta-a, X-One,accept", "map[Access-Control-Allow-Credentials:[true] Access-Control-Allow-Headers:[x-ms-meta-a, X-One,accept] Access-Control-Allow-Methods:[GET] Access-Control-Allow-Origin:[https://a.example] Access-Control-Max-Age:[60]]"},
		{"https://a.example", "GET", "x-two", "CorsPreflightFailure"}, // the second rule would allow it, but the first decides
		{"https://a.example", "PUT", "x-two", "map[Access-Control-Allow-Credentials:[true] Access-Control-Allow-Headers:[x-two] Access-Control-Allow-Methods:[PUT] Access-Control-Allow-Origin:[https://a.example] Access-Control-Max-Age:[0]]"},
		{"https://A.example", "GET", "", "CorsPreflightFailure"},
		{"https://a.example", "POST", "", "CorsPreflightFailure"},
		{"https://a.example", "get", "", "CorsPreflightFailure"},
		{"https://x.b.example", "PUT", "Accept", "map[Access-Control-Allow-Credentials:[true] Access-Control-Allow-Headers:[Accept] Access-Control-Allow-Methods:[PUT] Access-Control-Allow-Origin:[https://x.b.example] Access-Control-Max-Age:[0]]"},
		{"https://x.b.example", "PUT", "x-one", "CorsPreflightFailure"},
		{"https://b.example", "PUT", "", "CorsPreflightFailure"},
		{"https://.b.example", "PUT", "", "CorsPreflightFailure"},
		{"https://evil.example/.b.example", "PUT", "", "CorsPreflightFailure"},
		{"https://evilb.example", "PUT", "", "CorsPreflightFailure"},
		{"https://z", "DELETE", "", "map[Access-Control-Allow-Methods:[DELETE] Access-Control-Allow-Origin:[*] Access-Control-Max-Age:[5]]"},
		{"", "GET", "", "InvalidHeaderValue"},
		{"https://a.example", "", "", "InvalidHeaderValue"},
	}
	for _, tt := range tests {
		h, err := Preflight(testRules, tt.origin, tt.method, tt.headers)
		got := fmt.Sprint(map[string][]string(h))
		if err != nil {
			e, _ := fault.Of(err)
			got = string(e.Code)
		}
		if got != tt.want {
			t.Errorf("%s %s %q:\n got %s\nwant %s", tt.method, tt.origin, tt.headers, got, tt.want)
		}
	}
	if _, err := Preflight(nil, "x", "GET", ""); !errors.Is(err, fault.CorsPreflightFailure) {
		t.Errorf("without rules: %v", err)
	}
	_, err := Preflight(nil, "", "", "")
	if e, _ := fault.Of(err); e.Status != 400 || e.Message != "A required CORS header is not present." {
		t.Errorf("without headers: %v", e)
	}
}

func TestActualRequest(t *testing.T) {
	tests := []struct {
		name, origin, method string
		rules                []CORSRule
		want                 string
	}{
		{"exact", "https://a.example", "GET", testRules, "map[Access-Control-Allow-Credentials:[true] Access-Control-Allow-Origin:[https://a.example] Access-Control-Expose-Headers:[content-type,x-ms-a,x-named] Content-Type:[t] Vary:[Origin] X-Ms-A:[1] X-Other:[2]]"},
		{"exact, write", "https://a.example", "PUT", testRules, "map[Access-Control-Allow-Credentials:[true] Access-Control-Allow-Origin:[https://a.example] Access-Control-Expose-Headers:[content-type] Content-Type:[t] X-Ms-A:[1] X-Other:[2]]"},
		{"any", "https://z", "DELETE", testRules, "map[Access-Control-Allow-Origin:[*] Access-Control-Expose-Headers:[content-type] Content-Type:[t] X-Ms-A:[1] X-Other:[2]]"},
		{"any, read", "https://z", "GET", []CORSRule{{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"GET"}}}, "map[Access-Control-Allow-Origin:[*] Access-Control-Expose-Headers:[content-type] Content-Type:[t] X-Ms-A:[1] X-Other:[2]]"},
		{"none fits", "https://z", "GET", testRules, "map[Content-Type:[t] Vary:[Origin] X-Ms-A:[1] X-Other:[2]]"},
		{"none fits, write", "https://z", "PUT", testRules, "map[Content-Type:[t] X-Ms-A:[1] X-Other:[2]]"},
		{"no origin", "", "HEAD", testRules, "map[Content-Type:[t] Vary:[Origin] X-Ms-A:[1] X-Other:[2]]"},
		{"no origin, any", "", "GET", []CORSRule{{AllowedOrigins: []string{"https://a.example", "*"}, AllowedMethods: []string{"GET"}, ExposedHeaders: []string{"x-ms-*"}}}, "map[Access-Control-Allow-Origin:[*] Access-Control-Expose-Headers:[content-type,x-ms-a] Content-Type:[t] X-Ms-A:[1] X-Other:[2]]"},
		{"no origin, any, but for writes", "", "GET", testRules, "map[Content-Type:[t] Vary:[Origin] X-Ms-A:[1] X-Other:[2]]"},
		{"no origin, a write", "", "DELETE", testRules, "map[Content-Type:[t] X-Ms-A:[1] X-Other:[2]]"},
		{"no origin, hosts below one", "", "GET", []CORSRule{{AllowedOrigins: []string{"https://*.a.example"}, AllowedMethods: []string{"GET"}}}, "map[Content-Type:[t] Vary:[Origin] X-Ms-A:[1] X-Other:[2]]"},
		{"no rules", "https://a.example", "GET", nil, "map[Content-Type:[t] X-Ms-A:[1] X-Other:[2]]"},
	}
	for _, tt := range tests {
		h := http.Header{"Content-Type": {"t"}, "X-Ms-A": {"1"}, "X-Other": {"2"}}
		ActualRequest(tt.rules, tt.origin, tt.method, h)
		if got := fmt.Sprint(map[string][]string(h)); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func FuzzOrigin(f *testing.F) {
	f.Add("https://*.b.example", "https://x.b.example")
	f.Add("*", "")
	f.Add("*.", ".")
	f.Fuzz(func(t *testing.T, rule, origin string) {
		r := CORSRule{AllowedOrigins: []string{rule}}
		fits, any := r.origin(origin)
		if any != (rule == "*") || any && !fits {
			t.Errorf("%q, %q: %v, %v", rule, origin, fits, any)
		}
		if rule == origin && origin != "" && !fits {
			t.Errorf("%q does not fit itself", rule)
		}
	})
}
