package config

import (
	"strings"
	"testing"
)

// FuzzAccounts reads any text as the accounts of the environment. No error repeats what may
// be a key.
func FuzzAccounts(f *testing.F) {
	for _, text := range []string{"acct:AAAA", "acct:AAAA:BBBB;other:CCCC", ";;", "acct", "acct:", ":AAAA", "a:b:c:d", " acct:AAAA ; "} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseAccounts(text)
		if err != nil {
			if all != nil || len(err.Error()) > 100 {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		for _, c := range all {
			if strings.ContainsAny(c.Name, ":;") || len(c.Keys) == 0 {
				t.Errorf("%q: account %+v", text, c)
			}
			account, err := c.account(false)
			if err != nil {
				for _, k := range c.Keys {
					if len(k) > 12 && strings.Contains(err.Error(), k) {
						t.Errorf("%v repeats a key", err)
					}
				}
			} else if account.Name != c.Name || len(account.Keys) != len(c.Keys) {
				t.Errorf("%q: %+v", text, account)
			}
		}
	})
}
