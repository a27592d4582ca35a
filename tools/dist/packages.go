package main

import (
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // packagers register themselves
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// packages writes the .deb and .rpm of a binary.
func (r *release) packages(b binary) error {
	for _, format := range []string{"deb", "rpm"} {
		info := nfpm.WithDefaults(r.packageInfo(b))
		packager, err := nfpm.Get(format)
		if err != nil {
			return err
		}
		if err := nfpm.PrepareForPackager(info, format); err != nil {
			return err
		}
		out, err := os.Create(filepath.Join(r.out, packager.ConventionalFileName(info)))
		if err != nil {
			return err
		}
		if err := packager.Package(info, out); err != nil {
			return err
		}
		if err := out.Close(); err != nil {
			return err
		}
	}
	return nil
}

// packageInfo describes the package of a binary. Configuration is kept on upgrades, data always.
func (r *release) packageInfo(b binary) *nfpm.Info {
	contrib := func(name string) string { return filepath.Join(r.tree, "contrib", name) }
	put := func(source, destination, kind string, mode os.FileMode) *files.Content {
		return &files.Content{Source: source, Destination: destination, Type: kind, FileInfo: &files.ContentFileInfo{Mode: mode, MTime: r.time}}
	}
	return &nfpm.Info{
		Name: "leasehold", Arch: b.arch, Platform: b.os, Version: r.version, MTime: r.time,
		Maintainer: "The Leasehold authors <leasehold@users.noreply.github.com>", Homepage: "https://github.com/leasehold/leasehold",
		Section: "database", Priority: "optional", License: "Apache-2.0",
		Description: "blob store with leases at its centre\nIt speaks the Azure Blob Storage protocol to unmodified clients.",
		Overridables: nfpm.Overridables{
			Contents: files.Contents{
				put(b.path, "/usr/bin/leasehold", "", 0o755),
				put(contrib("systemd/leasehold.service"), "/usr/lib/systemd/system/leasehold.service", "", 0o644),
				put(contrib("systemd/leasehold.sysusers"), "/usr/lib/sysusers.d/leasehold.conf", "", 0o644),
				put("", "/etc/leasehold", "dir", 0o750),
				put(contrib("packages/leasehold.toml"), "/etc/leasehold/leasehold.toml", "config|noreplace", 0o640),
				put(contrib("packages/leasehold.env"), "/etc/leasehold/leasehold.env", "config|noreplace", 0o640),
				put(filepath.Join(r.tree, "LICENSE"), "/usr/share/doc/leasehold/copyright", "", 0o644),
			},
			Scripts: nfpm.Scripts{
				PostInstall: contrib("packages/postinstall.sh"), PreRemove: contrib("packages/preremove.sh"), PostRemove: contrib("packages/postremove.sh"),
			},
			RPM: nfpm.RPM{BuildHost: "leasehold"},
		},
	}
}
