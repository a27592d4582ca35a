package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"
)

// environment says where and how figures came about.
type environment struct {
	Date      string  `json:"date"`
	Commit    string  `json:"commit,omitempty"`
	Processor string  `json:"processor"`
	CPUs      int     `json:"cpus"`
	System    string  `json:"system"`
	Go        string  `json:"go"`
	Peer      string  `json:"peer,omitempty"`
	Rounds    int     `json:"rounds"`
	Slice     float64 `json:"sliceSeconds"`
}

func newEnvironment(o *options, peerName string) environment {
	commit, _ := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	return environment{
		Date: time.Now().UTC().Format(time.DateOnly), Commit: strings.TrimSpace(string(commit)), Processor: processor(),
		CPUs: runtime.NumCPU(), System: system(), Go: runtime.Version(), Peer: peerName, Rounds: o.rounds, Slice: o.slice.Seconds(),
	}
}

func (e environment) String() string {
	s := fmt.Sprintf("%s, %d CPUs (%s), %s, %s, %d slices of %gs", e.Date, e.CPUs, e.Processor, e.System, e.Go, e.Rounds, e.Slice)
	if e.Commit != "" {
		s += ", commit " + e.Commit
	}
	if e.Peer != "" {
		s += ", peer " + e.Peer
	}
	return s
}

// grid is a table of text; its first line is the head.
type grid [][]string

// text aligns the columns with spaces: the first to the left, the others to the right.
func (g grid) text() string {
	widths := g.widths()
	var b strings.Builder
	for _, line := range g {
		for i, cell := range line {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case i == 0:
				b.WriteString(cell + pad)
			default:
				b.WriteString("  " + pad + cell)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// markdown writes the same as a Markdown table.
func (g grid) markdown() string {
	var b strings.Builder
	for n, line := range g {
		b.WriteString("| " + strings.Join(line, " | ") + " |\n")
		if n == 0 {
			b.WriteString("|---" + strings.Repeat("|---:", len(line)-1) + "|\n")
		}
	}
	return b.String()
}

func (g grid) widths() []int {
	var widths []int
	for _, line := range g {
		for i, cell := range line {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

// tableGrid lays out the rows of a run.
func tableGrid(rows []row) grid {
	g := grid{{"workload", "conns", "client", "ops/s", "MiB/s", "p50", "p99", "CPU/op", "memory", "ceiling", "CPU/op", "ratio", "bar", "", "peer", "× peer", "peer p99", "other load"}}
	for _, r := range rows {
		line := []string{r.Name, fmt.Sprint(r.Conns), r.Client}
		line = append(line, r.Server.cells()...)
		line = append(line, r.Ceiling.rate(), r.Ceiling.cpu(), number(r.Ratio, "%.2f"), r.Bar, r.Verdict, r.Peer.rate(), number(r.PeerRatio, "%.1f"), r.Peer.tail(),
			number(r.Noise*100, "%.0f %%"))
		g = append(g, line)
	}
	return g
}

// notes tells what does not fit into the columns.
func notes(rows []row) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, r := range rows {
		name := fmt.Sprintf("%s, %d connections, %s", r.Name, r.Conns, r.Client)
		if r.SyncP99 > 0 {
			add("%s: the disk's own sync takes %s (p50), %s (p99)", name, duration(r.SyncP50), duration(r.SyncP99))
		}
		if r.TwinRatio > 0 {
			add("%s: %.2f of the rate among %s, slice by slice", name, r.TwinRatio, thousands(smallTree))
		}
		if r.DiskRate > 0 {
			add("%s: the disk's own synced write rate is %.0f MiB/s", name, r.DiskRate)
		}
		for _, f := range []struct {
			who string
			*figures
		}{{"server", r.Server}, {"peer", r.Peer}, {"ceiling", r.Ceiling}} {
			if f.figures == nil {
				continue
			}
			if f.Granted > 0 && f.who != "ceiling" {
				add("%s: %s granted the lease %.0f times a second", name, f.who, f.Granted)
			}
			if f.Error != "" {
				add("%s: %s failed: %s", name, f.who, strings.ReplaceAll(strings.TrimSpace(f.Error), "\n", " "))
			}
		}
	}
	return lines
}

// cells are the columns of the server under test.
func (f *figures) cells() []string {
	if f == nil || f.Error != "" {
		return []string{f.rate(), "", "", "", "", ""}
	}
	return []string{f.rate(), number(f.MiBPerSec, "%.1f"), duration(f.P50), duration(f.P99), duration(f.CPU), number(f.Memory, "%.0f MiB")}
}

func (f *figures) rate() string {
	switch {
	case f == nil:
		return ""
	case f.Error != "":
		return "error"
	case f.Rate < 100:
		return fmt.Sprintf("%.1f", f.Rate)
	}
	return thousands(int(f.Rate))
}

func (f *figures) tail() string {
	if f == nil || f.Error != "" {
		return ""
	}
	return duration(f.P99)
}

func (f *figures) cpu() string {
	if f == nil || f.Error != "" {
		return ""
	}
	return duration(f.CPU)
}

// number leaves a cell empty for nothing.
func number(v float64, format string) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}

// duration writes microseconds in a unit that fits.
func duration(us float64) string {
	switch {
	case us == 0:
		return ""
	case us < 1000:
		return fmt.Sprintf("%.0f µs", us)
	case us < 100e3:
		return fmt.Sprintf("%.1f ms", us/1000)
	case us < 1e6:
		return fmt.Sprintf("%.0f ms", us/1000)
	}
	return fmt.Sprintf("%.1f s", us/1e6)
}

// writeJSON writes v to a file.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// writeSection replaces what stands between the markers of a section in a document.
func writeSection(path, section, text string) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	out, err := replaceSection(string(document), section, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(out), 0o644)
}

func replaceSection(document, section, text string) (string, error) {
	begin, end := "<!-- bench:"+section+":begin -->\n", "<!-- bench:"+section+":end -->"
	before, rest, ok := strings.Cut(document, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return "", fmt.Errorf("no markers for section %q", section)
	}
	return before + begin + text + end + after, nil
}
