package hold

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func TestHolderSurvivesMetadata(t *testing.T) {
	h := &Holder{Name: "mover", Host: "h1", PID: 7, User: "ada", Note: "Größe  zwei   spaces \t𝄞 \"quoted\" %", Since: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	v := h.encode()
	for _, r := range v {
		if r < ' ' || r > '~' {
			t.Fatalf("%q has %q, which a header can't", v, r)
		}
	}
	if strings.Contains(v, "  ") {
		t.Errorf("%q has a run of spaces, which signatures fold", v)
	}
	if got := holderIn(map[string]string{metaHolder: v}); *got != *h {
		t.Errorf("got %+v, want %+v", got, h)
	}
}

func TestHolderOfOthers(t *testing.T) {
	j := `{"ID":"x","Operation":"OperationTypeApply","Info":"","Who":"ada@h1","Version":"1.9.0","Created":"2026-01-02T03:04:05Z","Path":"p"}`
	h := holderIn(map[string]string{metaTerraform: base64.StdEncoding.EncodeToString([]byte(j))})
	if h.Source != "terraform" || h.User != "ada" || h.Host != "h1" || h.Name != "terraform 1.9.0" || h.Note != "OperationTypeApply" || h.Since.IsZero() {
		t.Errorf("terraform: %+v", h)
	}
	if h := holderIn(map[string]string{metaTerraform: "%%%"}); h.Note != "%%%" {
		t.Errorf("unreadable text is hidden: %+v", h)
	}
	if h := holderIn(map[string]string{metaFunctions: "host-1"}); h.Name != "host-1" || h.Source != "functions" {
		t.Errorf("functions: %+v", h)
	}
	if h := holderIn(map[string]string{"other": "x"}); h != nil {
		t.Errorf("out of nothing: %+v", h)
	}
}

func FuzzHolder(f *testing.F) {
	f.Add(`{"name":"a","pid":3,"since":"2026-01-02T03:04:05Z"}`, "note")
	f.Add("eyJXaG8iOiJhQGIifQ==", "  \\u0020 \x00 ")
	f.Fuzz(func(t *testing.T, meta, note string) {
		for _, name := range []string{metaHolder, metaTerraform, metaFunctions} {
			if h := holderIn(map[string]string{name: meta}); (h == nil) != (meta == "") {
				t.Errorf("%s %q: %v", name, meta, h)
			} else if h != nil {
				_ = h.String()
			}
		}
		h := &Holder{Note: strings.ToValidUTF8(note, "?")}
		if got := holderIn(map[string]string{metaHolder: h.encode()}); got.Note != h.Note {
			t.Errorf("%q came back as %q", h.Note, got.Note)
		}
	})
}
