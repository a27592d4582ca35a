package certificate

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strconv"

	"software.sslmate.com/src/go-pkcs12"
)

// TrustStore converts PEM certificates into a PKCS #12 store without a password, which Java 8 and
// newer accept as the property javax.net.ssl.trustStore. It skips certificates that can't be
// parsed, since the lists of some systems hold such. It returns an error if none is left.
func TrustStore(text []byte) ([]byte, error) {
	var entries []pkcs12.TrustStoreEntry
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			// Java keeps one certificate of each name, and subjects are not unique.
			name := strconv.Itoa(len(entries) + 1)
			entries = append(entries, pkcs12.TrustStoreEntry{Cert: c, FriendlyName: name})
		}
	}
	if entries == nil {
		return nil, errors.New("no certificate to trust")
	}
	return pkcs12.Passwordless.EncodeTrustStoreEntries(entries, "")
}
