package certificate

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"

	"github.com/leasehold/leasehold/internal/durable"
)

// TrustFiles names the files by which programs trust the local authority. Programs differ in the
// format they need.
type TrustFiles struct {
	CA     string `json:"ca,omitempty"`          // the certificate of the authority alone, PEM
	Bundle string `json:"bundle,omitempty"`      // the same and the system's trusted certificates, PEM
	Java   string `json:"trust-store,omitempty"` // the bundle as PKCS #12 without a password
}

// systemRoots are the files in which systems keep their trusted certificates.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem", "/usr/local/share/certs/ca-root-nss.crt",
}

// WriteTrustFiles writes the trust files into the folder of an authority. A file that replaces the
// system's trusted certificates includes them.
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
