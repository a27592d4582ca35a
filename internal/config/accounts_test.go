package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAccounts(t *testing.T) {
	const key = "AAAAAAAAAAAAAAAAAAAAAA=="
	for text, want := range map[string]string{
		"":                                    "",
		"acct:" + key:                         "acct",
		" acct:" + key + ":" + key + "; ":     "acct",
		"nokey":                               "error",
		"acct:notbase64!":                     "error",
		"ACCT:" + key:                         "error",
		"acct:" + key + ";acct:" + key:        "error",
		"acct:" + key + ":" + key + ":" + key: "error",
	} {
		t.Setenv(AccountsVariable, text)
		accounts, err := (&File{}).All(false)
		switch {
		case want == "error":
			if err == nil {
				t.Errorf("%q was accepted", text)
			} else if strings.Contains(err.Error(), "AAAA") || strings.Contains(err.Error(), "notbase64") {
				t.Errorf("%q: the error shows the key: %v", text, err)
			}
		case err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && accounts[want] == nil:
			t.Errorf("%q: no account %s", text, want)
		}
	}
}

func TestFeaturesComeFromTheConfiguration(t *testing.T) {
	t.Setenv(AccountsVariable, "")
	file := filepath.Join(t.TempDir(), "leasehold.toml")
	text := "[[account]]\nname = \"acct\"\nkeys = [\"AAAAAAAAAAAAAAAAAAAAAA==\"]\nversioning = true\ncontainer-retention-days = 7\npage-blob-tiers = true\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &Live{o: &Options{File: file, Data: t.TempDir()}}
	s, err := c.load()
	if err != nil {
		t.Fatal(err)
	}
	if f := s.features["acct"]; !f.Versioning || f.ContainerRetention != 7 || f.Expiry || !f.PageTiers {
		t.Errorf("features %+v", f)
	}
	text = strings.Replace(text, "7", "999", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.load(); err == nil {
		t.Error("999 days were accepted")
	}
}
