package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
)

// file is a file of an archive.
type file struct {
	name string
	mode int64
	data []byte
}

// archive writes the binary with license and README, as .zip for Windows and .tar.gz for others.
func (r *release) archive(b binary) error {
	files := []file{{name: r.command(b.os), mode: 0o755}, {name: "LICENSE", mode: 0o644}, {name: "README.md", mode: 0o644}}
	for i := range files {
		path := filepath.Join(r.tree, files[i].name)
		if i == 0 {
			path = b.path
		}
		var err error
		if files[i].data, err = os.ReadFile(path); err != nil {
			return err
		}
	}
	pack, suffix := r.tarball, ".tar.gz"
	if b.os == "windows" {
		pack, suffix = r.zipball, ".zip"
	}
	data, err := pack(files)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, r.name(b)+suffix), data, 0o644)
}

func (r *release) tarball(files []file) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if err := r.tar(tar.NewWriter(z), files); err != nil {
		return nil, err
	}
	err := z.Close()
	return out.Bytes(), err
}

// tar writes files, and folders for names that end in a slash.
func (r *release) tar(t *tar.Writer, files []file) error {
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: r.time, Format: tar.FormatPAX, Typeflag: tar.TypeReg}
		if f.name[len(f.name)-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		if f.name == dataFolder {
			h.Uid, h.Gid = imageUser, imageUser
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(f.data); err != nil {
			return err
		}
	}
	return t.Close()
}

func (r *release) zipball(files []file) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: r.time})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}
