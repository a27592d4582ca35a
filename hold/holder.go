package hold

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf16"
)

// The names of our metadata. Others write their own: terraformlockid holds a Base64 JSON text
// (Terraform and OpenTofu), functioninstance an identifier (WebJobs and Functions hosts). Names are
// compared without case.
const (
	metaHolder    = "leaseholder"
	metaEpoch     = "leaseepoch"
	metaTerraform = "terraformlockid"
	metaFunctions = "functioninstance"
)

// Holder is what the holder of a lease tells about itself, for people to read: nothing depends on
// it.
type Holder struct {
	Name  string    `json:"name,omitempty"` // of the program or of the candidate
	Host  string    `json:"host,omitempty"`
	PID   int       `json:"pid,omitempty"`
	User  string    `json:"user,omitempty"`
	Note  string    `json:"note,omitempty"` // free text
	Since time.Time `json:"since,omitzero"` // by the holder's own clock
	// Source names the convention from which the description was read: "" for ours, "terraform" or
	// "functions".
	Source string `json:"-"`
}

// Self describes this process, with a note.
func Self(note string) *Holder {
	h := &Holder{Name: filepath.Base(os.Args[0]), PID: os.Getpid(), Note: note}
	h.Host, _ = os.Hostname()
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	return h
}

// String returns the description in one line.
func (h *Holder) String() string {
	who := h.Name
	if h.User != "" || h.Host != "" {
		who = strings.TrimSpace(who + " " + strings.Trim(h.User+"@"+h.Host, "@"))
	}
	if h.PID != 0 {
		who += fmt.Sprintf(" (process %d)", h.PID)
	}
	if h.Note != "" {
		who += ": " + h.Note
	}
	if !h.Since.IsZero() {
		who += " since " + h.Since.Format(time.RFC3339)
	}
	return strings.TrimSpace(who)
}

// encode returns the description as a metadata value: JSON in printable ASCII without runs of
// spaces, since the value travels as a header and is part of signatures.
func (h *Holder) encode() string {
	j, err := json.Marshal(h)
	if err != nil {
		panic(err) // strings, a number and a time can always be written
	}
	var b strings.Builder
	last := rune(0)
	for _, r := range string(j) {
		switch {
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		case r < ' ' || r > '~' || r == ' ' && last == ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// holderIn reads a description from metadata with lower-case names, or returns nil. Text of others
// that can't be read becomes the note: showing it beats hiding it.
func holderIn(meta map[string]string) *Holder {
	if v := meta[metaHolder]; v != "" {
		h := &Holder{}
		if json.Unmarshal([]byte(v), h) != nil {
			h = &Holder{Note: v}
		}
		return h
	}
	if v := meta[metaTerraform]; v != "" {
		return terraformHolder(v)
	}
	if v := meta[metaFunctions]; v != "" {
		return &Holder{Name: v, Source: "functions"}
	}
	return nil
}

func terraformHolder(v string) *Holder {
	var t struct {
		Operation, Info, Who, Version string
		Created                       time.Time
	}
	j, err := base64.StdEncoding.DecodeString(v)
	if err != nil || json.Unmarshal(j, &t) != nil {
		return &Holder{Note: v, Source: "terraform"}
	}
	h := &Holder{Name: strings.TrimSpace("terraform " + t.Version), Since: t.Created, Source: "terraform"}
	h.User, h.Host, _ = strings.Cut(t.Who, "@")
	h.Note = strings.TrimSpace(t.Operation + " " + t.Info)
	return h
}
