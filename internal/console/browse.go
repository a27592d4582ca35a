package console

import (
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
)

const (
	listed    = 1000
	maxUpload = 256 << 20 // of a form; larger blobs are for the clients of the protocol
)

// browsePage is a list of containers, or of what is in one.
type browsePage struct {
	Container, Prefix string
	Containers        []containerEntry
	Folders           []folder
	Blobs             []blobEntry
	Next              string
	Up                string
	Message           string
}

type folder struct{ Prefix, Name string }

type containerEntry struct {
	Name       string
	Properties struct {
		Modified string `xml:"Last-Modified"`
		Lease    string `xml:"LeaseState"`
		Public   string `xml:"PublicAccess"`
	}
}

type blobEntry struct {
	Name       string
	Properties struct {
		Modified string `xml:"Last-Modified"`
		Size     int64  `xml:"Content-Length"`
		Type     string `xml:"Content-Type"`
		Kind     string `xml:"BlobType"`
		Tier     string `xml:"AccessTier"`
		Lease    string `xml:"LeaseState"`
	}
}

// Short returns the name below the folder that is shown.
func (p *browsePage) Short(name string) string { return strings.TrimPrefix(name, p.Prefix) }

// Path returns the way to the folder that is shown, step by step.
func (p *browsePage) Path() (steps []folder) {
	at := ""
	for part := range strings.SplitAfterSeq(p.Prefix, "/") {
		if at += part; part != "" {
			steps = append(steps, folder{at, part})
		}
	}
	return steps
}

func (v *view) browse() error {
	q := v.r.URL.Query()
	p := &browsePage{Container: q.Get("container"), Prefix: q.Get("prefix"), Message: q.Get("done")}
	if p.Container == "" && v.session.container != "" {
		p.Container = v.session.container
	}
	if p.Container == "" {
		return v.browseContainers(p, q.Get("marker"))
	}
	return v.browseBlobs(p, q.Get("marker"))
}

func (v *view) browseContainers(p *browsePage, marker string) error {
	a, err := v.call(operation{method: "GET", query: "comp=list&maxresults=1000&marker=" + url.QueryEscape(marker)})
	if err != nil {
		return err
	}
	var list struct {
		Containers []containerEntry `xml:"Containers>Container"`
		NextMarker string
	}
	if err := xml.Unmarshal(a.body.Bytes(), &list); err != nil {
		return err
	}
	p.Containers, p.Next = list.Containers, list.NextMarker
	return v.render("containers.html", p)
}

func (v *view) browseBlobs(p *browsePage, marker string) error {
	a, err := v.call(operation{method: "GET", container: p.Container, query: "restype=container&comp=list&delimiter=%2F&maxresults=1000&prefix=" +
		url.QueryEscape(p.Prefix) + "&marker=" + url.QueryEscape(marker)})
	if err != nil {
		return err
	}
	var list struct {
		Blobs    []blobEntry `xml:"Blobs>Blob"`
		Prefixes []struct {
			Name string
		} `xml:"Blobs>BlobPrefix"`
		NextMarker string
	}
	if err := xml.Unmarshal(a.body.Bytes(), &list); err != nil {
		return err
	}
	p.Blobs, p.Next = list.Blobs, list.NextMarker
	for _, one := range list.Prefixes {
		p.Folders = append(p.Folders, folder{one.Name, p.Short(one.Name)})
	}
	return v.render("containers.html", p)
}

// download sends a blob as a file, which no browser takes for a page of the console.
func (v *view) download() error {
	name, err := v.named(v.r.URL.Query().Get("name"))
	if err != nil {
		return err
	}
	w := &attachment{ResponseWriter: v.w, name: path.Base(name.Blob)}
	return v.callTo(operation{method: "GET", container: name.Container, blob: name.Blob}, w)
}

// attachment is a writer whose answer is saved, not shown.
type attachment struct {
	http.ResponseWriter
	name string
}

// WriteHeader puts the console's own headers over those of the blob.
func (a *attachment) WriteHeader(status int) {
	h := a.Header()
	for name := range h {
		switch http.CanonicalHeaderKey(name) {
		case "Content-Length", "Etag", "Last-Modified":
		default:
			delete(h, name)
		}
	}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.name}))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "no-store")
	a.ResponseWriter.WriteHeader(status)
}

// change makes a container, uploads a blob, or deletes one.
func (v *view) change() error {
	container, prefix := v.r.FormValue("container"), v.r.FormValue("prefix")
	back := url.Values{"container": {container}, "prefix": {prefix}}
	var err error
	switch v.r.FormValue("do") {
	case "create":
		_, err = v.call(operation{method: "PUT", container: container, query: "restype=container"})
	case "upload":
		err = v.upload(container, prefix)
	case "delete":
		o := operation{method: "DELETE", container: container, blob: v.r.FormValue("blob"), header: map[string]string{}}
		if id := strings.TrimSpace(v.r.FormValue("lease")); id != "" {
			o.header["x-ms-lease-id"] = id
		}
		if v.r.FormValue("confirm") != o.blob || o.blob == "" {
			return &refusal{http.StatusBadRequest, "Nothing was deleted: what was typed is not the name of the blob."}
		}
		_, err = v.call(o)
	default:
		return &refusal{http.StatusBadRequest, "The form says nothing that can be done."}
	}
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, "/containers?"+back.Encode(), http.StatusSeeOther)
	return nil
}

// upload stores the file of a form as a block blob.
func (v *view) upload(container, prefix string) error {
	f, head, err := v.r.FormFile("file")
	if errors.Is(err, http.ErrMissingFile) {
		return &refusal{http.StatusBadRequest, "No file was chosen."}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	defer v.r.MultipartForm.RemoveAll()
	o := operation{method: "PUT", container: container, blob: prefix + head.Filename, body: io.Reader(f), length: head.Size,
		header: map[string]string{"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}}
	if kind := mime.TypeByExtension(path.Ext(head.Filename)); kind != "" {
		o.header["x-ms-blob-content-type"] = kind
	}
	if id := strings.TrimSpace(v.r.FormValue("lease")); id != "" {
		o.header["x-ms-lease-id"] = id
	}
	_, err = v.call(o)
	return err
}
