package main

import (
	"strings"
	"testing"
)

func TestGrid(t *testing.T) {
	g := grid{{"name", "p50"}, {"a", "1 µs"}, {"longer", "20 ms"}}
	if got, want := g.text(), "name      p50\na        1 µs\nlonger  20 ms\n"; got != want {
		t.Errorf("text: got\n%s", got)
	}
	if got, want := g.markdown(), "| name | p50 |\n|---|---:|\n| a | 1 µs |\n| longer | 20 ms |\n"; got != want {
		t.Errorf("markdown: got\n%s", got)
	}
}

func TestTableGridWithAndWithoutTargets(t *testing.T) {
	rows := []row{
		{Name: "all", Conns: 64, Client: rawKind, Server: &figures{Rate: 12345, P50: 10, P99: 2500, CPU: 40, Memory: 21}, Ceiling: &figures{Rate: 20000, CPU: 30},
			Peer: &figures{Rate: 50, P99: 2e6}, Ratio: 0.617, PeerRatio: 246.9, Bar: "≥ 0.40", Verdict: passed},
		{Name: "broken", Server: &figures{Error: "no"}},
		{Name: "nobody"},
	}
	g := tableGrid(rows)
	for i, line := range g {
		if len(line) != len(g[0]) {
			t.Errorf("line %d has %d cells, the head %d", i, len(line), len(g[0]))
		}
	}
	want := "all|64|raw|12,345||10 µs|2.5 ms|40 µs|21 MiB|20,000|30 µs|0.62|≥ 0.40|ok|50.0|246.9|2.0 s|"
	if got := strings.Join(g[1], "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if g[2][3] != "error" || g[3][3] != "" {
		t.Errorf("got %q and %q", g[2][3], g[3][3])
	}
}

func TestReplaceSection(t *testing.T) {
	document := "head\n<!-- bench:table:begin -->\nold\n<!-- bench:table:end -->\nmiddle\n<!-- bench:growth:begin -->\n<!-- bench:growth:end -->\n"
	got, err := replaceSection(document, "table", "new\n")
	if want := strings.Replace(document, "old", "new", 1); err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	if again, err := replaceSection(got, "table", "new\n"); err != nil || again != got {
		t.Errorf("a second time: %q, %v", again, err)
	}
	if _, err := replaceSection(document, "other", "new\n"); err == nil {
		t.Error("a section without markers was accepted")
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 12345: "12,345", 1000000: "1,000,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: got %s", n, got)
		}
	}
}
