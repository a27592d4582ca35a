package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	// imageUser is the user and group that the image runs as, who owns dataFolder.
	imageUser  = 65532
	dataFolder = "data/"
)

// image writes the OCI image for all binaries as an image layout in the folder image.
func (r *release) image(binaries []binary) error {
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range binaries {
		img, err := r.imageOf(b)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: b.os, Architecture: b.arch}},
		})
	}
	_, err := layout.Write(filepath.Join(r.out, "image"), index)
	return err
}

// imageOf returns the image for one binary: the binary, trusted authorities, and the folders that a
// server needs. There is no shell and no package manager in it.
func (r *release) imageOf(b binary) (v1.Image, error) {
	command, err := os.ReadFile(b.path)
	if err != nil {
		return nil, err
	}
	base, err := r.layer([]file{
		{name: "etc/", mode: 0o755}, {name: "etc/ssl/", mode: 0o755}, {name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: authorities()},
		{name: "etc/passwd", mode: 0o644, data: fmt.Appendf(nil, "leasehold:x:%[1]d:%[1]d::/data:/nonexistent\n", imageUser)},
		{name: "etc/group", mode: 0o644, data: fmt.Appendf(nil, "leasehold:x:%d:\n", imageUser)},
		{name: "tmp/", mode: 0o1777}, {name: dataFolder, mode: 0o700},
	})
	if err != nil {
		return nil, err
	}
	own, err := r.layer([]file{{name: "leasehold", mode: 0o755, data: command}})
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), base, own)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = b.os, b.arch, v1.Time{Time: r.time}
	config.Config = v1.Config{
		User: fmt.Sprintf("%[1]d:%[1]d", imageUser), WorkingDir: "/data", Entrypoint: []string{"/leasehold"}, Cmd: []string{"serve"},
		Env:          []string{"PATH=/", "LEASEHOLD_DATA=/data", "LEASEHOLD_LISTEN=0.0.0.0:10000", "LEASEHOLD_OPS_LISTEN=0.0.0.0:9100"},
		Healthcheck:  &v1.HealthConfig{Test: []string{"CMD", "/leasehold", "health"}, Interval: 10 * time.Second, Timeout: 5 * time.Second, Retries: 3},
		ExposedPorts: map[string]struct{}{"10000/tcp": {}, "9100/tcp": {}}, Volumes: map[string]struct{}{"/data": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title": "Leasehold", "org.opencontainers.image.description": "A blob store with leases at its centre, for Azure Blob Storage clients",
			"org.opencontainers.image.source": "https://github.com/leasehold/leasehold", "org.opencontainers.image.version": r.version,
			"org.opencontainers.image.created": r.time.Format("2006-01-02T15:04:05Z"),
		},
	}
	return mutate.ConfigFile(img, config)
}

// layer returns a layer with files.
func (r *release) layer(files []file) (v1.Layer, error) {
	var data bytes.Buffer
	if err := r.tar(tar.NewWriter(&data), files); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
}

// authorities returns the certificates of the authorities that Mozilla trusts without further
// conditions, in PEM form.
func authorities() []byte {
	var all bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return all.Bytes()
}
