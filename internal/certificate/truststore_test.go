package certificate

import (
	"slices"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

func TestTrustStoreHoldsEveryCertificate(t *testing.T) {
	first, err := NewAuthority(noon)
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewAuthority(noon) // of the same subject
	if err != nil {
		t.Fatal(err)
	}
	junk := []byte("# comment\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	store, err := TrustStore(slices.Concat(first.PEM(), junk, second.PEM()))
	if err != nil {
		t.Fatal(err)
	}
	certs, err := pkcs12.DecodeTrustStore(store, "")
	if err != nil || len(certs) != 2 || !certs[0].Equal(first.cert) || !certs[1].Equal(second.cert) {
		t.Errorf("%v: %d certificates", err, len(certs))
	}
	if _, err := TrustStore(junk); err == nil {
		t.Error("a store that trusts nobody was made")
	}
}
