package service_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/service"
)

// TestRandomHistories writes, snapshots, deletes and restores at random, and checks again
// and again that every state that can be read still holds what it held when it was
// written, and that sweeping leaves exactly the objects that records refer to.
func TestRandomHistories(t *testing.T) {
	seeds, steps := 12, 300
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			h := &history{store: newStore(t), rand: rand.New(rand.NewPCG(uint64(seed), 1)), contents: map[string][]byte{}}
			h.box()
			for range steps {
				h.step()
			}
			h.readAll()
			h.checkObjects()
		})
	}
}

// history is one random history.
type history struct {
	*store
	rand     *rand.Rand
	features service.Features
	contents map[string][]byte // by name and ETag
	log      []string          // what was done, for when it goes wrong
}

// try sends a request that may be refused, and notes what the blob holds if it is not.
func (h *history) try(method, target string, body []byte, headers ...string) *answer {
	h.t.Helper()
	a := h.do(method, target, body, headers...)
	h.log = append(h.log, fmt.Sprint(method, " ", target, " ", headers, " ", len(body), ": ", a.status, " ", a.code()))
	if a.status >= 500 {
		h.t.Fatalf("%s\n%s", strings.Join(h.log, "\n"), a.body)
	}
	return a
}

func (h *history) pick(choices ...string) string { return choices[h.rand.IntN(len(choices))] }

func (h *history) bytes(sizes ...int) []byte {
	data := make([]byte, sizes[h.rand.IntN(len(sizes))])
	for i := range data {
		data[i] = byte(h.rand.Uint32())
	}
	return data
}

// write changes the current state of a blob, and notes what it holds from then on.
func (h *history) write(name, query string, body []byte, headers ...string) {
	h.t.Helper()
	if a := h.try("PUT", "/box/"+name+query, body, headers...); a.status < 300 {
		h.note(name)
	}
}

func (h *history) note(name string) {
	if a := h.do("GET", "/box/"+name, nil); a.status == 200 {
		h.contents[name+a.get("ETag")] = a.body
	}
}

func (h *history) step() {
	h.t.Helper()
	name := h.pick("a", "b", "c", "d")
	kind := map[string]string{"a": "block", "b": "block", "c": "append", "d": "page"}[name]
	if h.rand.IntN(20) == 0 {
		kind = h.pick("block", "append", "page")
	}
	if h.rand.IntN(2) == 0 {
		h.writeKind(name, kind)
		return
	}
	switch h.rand.IntN(13) {
	case 0, 1:
		h.write(name, "?comp=metadata", nil, "x-ms-meta-k", h.pick("v", "w"))
	case 2, 3:
		var headers []string
		if h.rand.IntN(2) == 0 {
			headers = []string{"x-ms-meta-own", "v"}
		}
		if a := h.try("PUT", "/box/"+name+"?comp=snapshot", nil, headers...); a.status == 201 {
			h.contents[name+a.get("ETag")] = h.do("GET", "/box/"+name+"?snapshot="+a.get("x-ms-snapshot"), nil).body
		}
	case 4:
		h.try("DELETE", "/box/"+name, nil)
	case 5:
		h.try("DELETE", "/box/"+name, nil, "x-ms-delete-snapshots", h.pick("include", "only"))
	case 6, 7:
		h.deleteOne()
	case 8:
		h.try("PUT", "/box/"+name+"?comp=undelete", nil)
	case 9:
		h.configure()
	case 10, 11:
		if from := h.state(); from != nil {
			to := h.pick(name, from.Name)
			h.write(to, "", nil, "x-ms-copy-source", "http://127.0.0.1:10000/"+account+h.target(from))
		}
	case 12:
		h.store.step(time.Duration(h.rand.IntN(48)) * time.Hour)
		h.recreate()
		h.readAll()
		h.checkObjects()
	}
}

// writeKind makes or changes a blob of one of the three types.
func (h *history) writeKind(name, kind string) {
	switch kind + fmt.Sprint(h.rand.IntN(5)) {
	case "block0":
		h.write(name, "", h.bytes(0, 5, 40000), "x-ms-blob-type", "BlockBlob")
	case "block1", "block2":
		h.try("PUT", "/box/"+name+"?comp=block&blockid="+base64ID(h.pick("1", "2", "3", "4")), h.bytes(3, 40000))
	case "block3", "block4":
		h.commit(name)
	case "append0":
		h.write(name, "", nil, "x-ms-blob-type", "AppendBlob")
	case "append1", "append2", "append3", "append4":
		h.write(name, "?comp=appendblock", h.bytes(3, 40000))
	case "page0":
		h.write(name, "", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "102400")
	case "page1":
		h.write(name, "?comp=properties", nil, "x-ms-blob-content-length", h.pick("102400", "51200", "512"))
	default:
		h.writePages(name)
	}
}

// commit commits some of the blocks that there are, some of them often.
func (h *history) commit(name string) {
	var ids []string
	if a := h.do("GET", "/box/"+name+"?comp=blocklist&blocklisttype=all", nil); a.status == 200 {
		l := unmarshal[struct {
			Committed   []string `xml:"CommittedBlocks>Block>Name"`
			Uncommitted []string `xml:"UncommittedBlocks>Block>Name"`
		}](h.t, a)
		ids = append(l.Committed, l.Uncommitted...)
	}
	var list strings.Builder
	for range h.rand.IntN(14) {
		if len(ids) > 0 {
			fmt.Fprintf(&list, "<Latest>%s</Latest>", h.pick(ids...))
		}
	}
	h.write(name, "?comp=blocklist", []byte("<BlockList>"+list.String()+"</BlockList>"))
}

func (h *history) writePages(name string) {
	start := 512 * h.rand.IntN(100)
	pages := []string{"update", "clear"}[h.rand.IntN(2)]
	body := h.bytes(512, 1024, 512*80)
	r := fmt.Sprintf("bytes=%d-%d", start, start+len(body)-1)
	if pages == "clear" {
		body = nil
	}
	h.write(name, "?comp=page", body, "x-ms-page-write", pages, "x-ms-range", r)
}

// state picks a state of a blob, nil if there are none.
func (h *history) state() *item {
	items := h.list(everything)
	if len(items) == 0 {
		return nil
	}
	return &items[h.rand.IntN(len(items))]
}

// target is where a state is found.
func (h *history) target(i *item) string {
	switch {
	case i.Snapshot != "":
		return "/box/" + i.Name + "?snapshot=" + i.Snapshot
	case i.VersionID != "":
		return "/box/" + i.Name + "?versionid=" + i.VersionID
	}
	return "/box/" + i.Name
}

// deleteOne deletes a snapshot or version, for good if it is deleted already.
func (h *history) deleteOne() {
	i := h.state()
	if i == nil || i.Snapshot == "" && i.VersionID == "" {
		return
	}
	target := h.target(i)
	if i.Deleted {
		target += "&deletetype=permanent"
	}
	h.try("DELETE", target, nil)
}

func (h *history) configure() {
	h.features = service.Features{Versioning: h.rand.IntN(2) == 0, ContainerRetention: h.rand.IntN(2) * 7}
	h.Features = func(string) service.Features { return h.features }
	days := []int{0, 1, 7}[h.rand.IntN(3)]
	h.log = append(h.log, fmt.Sprint("features ", h.features, ", retention ", days))
	h.retain(days)
}

// recreate deletes the container now and then, and restores it if it can be.
func (h *history) recreate() {
	if h.rand.IntN(4) != 0 {
		return
	}
	h.try("DELETE", "/box?restype=container", nil)
	p := unmarshal[struct {
		Containers []containerItem `xml:"Containers>Container"`
	}](h.t, h.want(200, "", "GET", "/?comp=list&include=deleted", nil))
	if n := len(p.Containers); n > 0 && h.rand.IntN(4) != 0 {
		h.try("PUT", "/box?restype=container&comp=undelete", nil,
			"x-ms-deleted-container-name", "box", "x-ms-deleted-container-version", p.Containers[h.rand.IntN(n)].Version)
		return
	}
	h.box()
}

// readAll reads every state that can be read.
func (h *history) readAll() {
	h.t.Helper()
	for _, i := range h.list("include=snapshots,versions") {
		target := h.target(&i)
		a := h.want(200, "", "GET", target, nil)
		want, ok := h.contents[i.Name+a.get("ETag")]
		if !ok || !bytes.Equal(a.body, want) {
			h.t.Fatalf("%s\n%s holds %d bytes, not the %d that were written (%v)", strings.Join(h.log, "\n"), target, len(a.body), len(want), ok)
		}
	}
}

// checkObjects sweeps and compares what is stored with what records refer to.
func (h *history) checkObjects() {
	h.t.Helper()
	h.log = append(h.log, "sweep")
	h.sweep()
	for range 5 { // what comes to its end now is past its grace the next time
		if len(h.keys("g", "x")) == 0 {
			break
		}
		h.sweepAfter(2 * time.Minute)
	}
	if damage, garbage := findings(h.t, h.DB, h.Segments); len(damage)+len(garbage) > 0 {
		h.t.Fatalf("%s\nchecked: damage %q, garbage %q", strings.Join(h.log, "\n"), damage, garbage)
	}
	live := h.reachable()
	stored := objects{}
	for _, key := range h.keys("d") {
		stored["inline "+key[9:]] = true
	}
	for _, key := range h.keys("o") {
		stored["segment "+key[1:]] = true
	}
	for info, err := range h.Segments.List(h.t.Context()) {
		if err != nil {
			h.t.Fatal(err)
		}
		stored["segment "+string(info.ID[:])] = true
	}
	for _, key := range h.keys("e") {
		stored["list "+key[1:17]] = true
	}
	for _, key := range h.keys("h") {
		stored["holder "+key[17:33]] = true
	}
	for _, key := range h.keys("g", "x") {
		stored["garbage "+key] = true
	}
	for what := range live {
		if !stored[what] && !strings.HasPrefix(what, "holder ") && !strings.HasPrefix(what, "list ") {
			h.t.Fatalf("%s\n%q is lost", strings.Join(h.log, "\n"), what)
		}
	}
	for what := range stored {
		if !live[what] {
			h.t.Fatalf("%s\n%q is left", strings.Join(h.log, "\n"), what)
		}
	}
}

// objects are what records refer to or what is stored, each with its kind in front.
type objects map[string]bool

func (o objects) chunk(c blob.Chunk) {
	switch {
	case c.Length == 0:
	case c.Inline:
		o["inline "+string(c.Object[:])] = true
	default:
		o["segment "+string(c.Object[:])] = true
	}
}

// reachable collects the objects that records refer to.
func (h *history) reachable() objects {
	h.t.Helper()
	live := objects{}
	err := h.DB.View(h.t.Context(), func(r kv.Reader) error {
		var gens []uint64
		err := meta.WalkAllContainers(r, account, "", "", func(_, _ string, c *blob.Container) (meta.Step, error) {
			gens = append(gens, c.Generation)
			return meta.Next, nil
		})
		for _, gen := range gens {
			if err == nil {
				err = live.addContainer(r, gen)
			}
		}
		return err
	})
	if err != nil {
		h.t.Fatalf("%s\n%v", strings.Join(h.log, "\n"), err)
	}
	return live
}

func (o objects) addContainer(r kv.Reader, gen uint64) error {
	type state struct {
		name string
		*blob.Blob
	}
	var states []state
	err := meta.WalkStates(r, gen, meta.Names{}, func(e *meta.Entry) (meta.Step, string, error) {
		b, err := e.Decode()
		states = append(states, state{string(e.Name), b})
		return meta.Next, "", err
	})
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.Retained != 0 && s.Retained <= blob.TimeOf(r.Now()) {
			return fmt.Errorf("a state of %s is kept beyond its retention", s.name)
		}
		o["holder "+string(s.Content.Holder[:])] = true
		o["holder "+string(s.Content.List[:])] = true
		o["list "+string(s.Content.List[:])] = true
		if s.Content.Paged {
			for e, err := range meta.Extents(r, gen, s.Content, -1) {
				if err != nil {
					return err
				}
				if !e.Cleared() {
					o.chunk(e.Chunk)
				}
			}
		} else {
			for b, err := range meta.Blocks(r, s.Content, 0, s.Size) {
				if err != nil {
					return err
				}
				o.chunk(b.Chunk)
			}
		}
		staged, err := meta.AllStagedBlocks(r, gen, s.name)
		if err != nil {
			return err
		}
		for i := range staged {
			o.chunk(staged[i].Chunk)
		}
	}
	return nil
}
