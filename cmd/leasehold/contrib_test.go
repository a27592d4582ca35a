package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestContribNamesMetrics: every metric that the dashboard, the alert rules and their tests ask for
// is in docs/metrics.md, which lists what a server serves; and the dashboard shows most of them.
func TestContribNamesMetrics(t *testing.T) {
	document, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(leasehold_\\w+)`").FindAllSubmatch(document, -1) {
		served[string(m[1])] = true
	}
	for file, least := range map[string]int{
		"grafana/leasehold.json": len(served) - 5, "prometheus/alerts.yml": 10, "prometheus/alerts_test.yml": 10,
	} {
		text, err := os.ReadFile("../../contrib/" + file)
		if err != nil {
			t.Fatal(err)
		}
		asked := map[string]bool{}
		for _, name := range regexp.MustCompile(`leasehold_\w+`).FindAllString(string(text), -1) {
			name = strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count")
			asked[name] = true
			if !served[name] {
				t.Errorf("%s asks for %s, which no server serves", file, name)
			}
		}
		if len(asked) < least {
			t.Errorf("%s asks for %d metrics, fewer than %d", file, len(asked), least)
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(text) {
			t.Errorf("%s is no JSON", file)
		}
	}
}
