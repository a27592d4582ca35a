package certificate

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"

	"github.com/leasehold/leasehold/internal/durable"
)

// TrustFiles are the files by which programs trust the local authority, each in a form that some of them take.
type TrustFiles struct {
	CA     string `json:"ca,omitempty"`          // its certificate alone, PEM
	Bundle string `json:"bundle,omitempty"`      // and those that the system trusts, PEM
	Java   string `json:"trust-store,omitempty"` // the same, PKCS #12 without a password
}

// systemRoots are the places where systems keep the certificates that they trust.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem", "/usr/local/share/certs/ca-root-nss.crt",
}

// WriteTrustFiles writes the files beside the certificate of an authority in its folder. A file that programs use in the
// place of the system's certificates holds the system's certificates too.
func WriteTrustFiles(dir string, ca []byte) (t TrustFiles, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return t, err
	}
	t = TrustFiles{
		CA: filepath.Join(dir, "ca.pem"), Bundle: filepath.Join(dir, "bundle.pem"), Java: filepath.Join(dir, "truststore.p12"),
	}
	all := ca
	for _, f := range slices.Concat([]string{os.Getenv("SSL_CERT_FILE")}, systemRoots) {
		if f == "" || f == t.Bundle {
			continue
		}
		if text, err := os.ReadFile(f); err == nil {
			all = bytes.Join([][]byte{text, ca}, []byte("\n"))
			break
		}
	}
	store, err := TrustStore(all)
	if err != nil {
		return t, err
	}
	if err := durable.Replace(t.Bundle, string(all)); err != nil { // programs may be reading it
		return t, err
	}
	return t, durable.Replace(t.Java, string(store))
}
