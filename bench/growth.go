package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What a store must keep to at every size.
const (
	memoryBar = 300             // MiB
	startBar  = 2 * time.Second // from the start of the process to the first answer, after a kill under load
	flatBar   = 1.25            // times the CPU time of listing a folder at the smallest size
)

// crashes is how often the server is killed at each size; the slowest start counts.
const crashes = 3

// growthStep is what was measured at one size.
type growthStep struct {
	Blobs    int     `json:"blobs"`
	FillRate float64 `json:"fillPerSecond"`
	Settled  float64 `json:"settledSeconds"` // what the server worked on after the last blob
	Memory   float64 `json:"memoryMiB"`      // largest resident size in any row
	Disk     float64 `json:"diskMiB"`
	Start    float64 `json:"startSeconds"` // slowest of several after a kill
	Checked  int     `json:"acknowledgedAndFound"`
	Rows     []row   `json:"rows"`
	Error    string  `json:"error,omitempty"`
}

// growth is the command that measures at growing numbers of blobs.
func growth(args []string) error {
	var o options
	o.flags("growth").Parse(args)
	sizes, err := parseSizes(o.sizes)
	if err != nil {
		return err
	}
	c, err := o.comparison()
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.add(o.startServer(c.dir)); err != nil {
		return err
	}
	if len(c.targets) == 0 {
		return errors.New("growth needs a server")
	}
	if err := c.add(startCeiling()); err != nil {
		return err
	}
	for _, t := range c.targets {
		t.halt()
	}
	var steps []growthStep
	filled := 0
	for _, n := range sizes {
		s := c.grow(filled, n)
		steps, filled = append(steps, s), n
		if s.Error != "" {
			break
		}
	}
	if err := o.publish(c, "growth", steps, growthNotes(steps), storeGrid(steps), growthGrid(steps)); err != nil {
		return err
	}
	if last := steps[len(steps)-1]; last.Error != "" {
		return errors.New(last.Error)
	}
	return nil
}

// parseSizes reads rising numbers separated by commas.
func parseSizes(text string) ([]int, error) {
	var sizes []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1000 || len(sizes) > 0 && n <= sizes[len(sizes)-1] {
			return nil, fmt.Errorf("-sizes %q: want rising numbers from 1000", text)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// grow fills the server up to n blobs, measures the rows and kills the server.
func (c *comparison) grow(from, n int) growthStep {
	g := growthStep{Blobs: n}
	t := c.targets[0]
	s := &stage{target: t, container: c.run, progress: c.progress, data: newBodies(kib)}
	c.progress("filling up to %s blobs", thousands(n))
	t.resume()
	start := time.Now()
	if err := s.fill(n-from, func(i int) string { return s.blob(treePath(from + i)) }, s.data); err != nil {
		g.Error = err.Error()
		return g
	}
	g.FillRate = float64(n-from) / time.Since(start).Seconds()
	g.Memory = float64(memory(t.pid)) / mib
	g.Settled = c.settle(t).Seconds()
	t.halt()
	first := len(c.rows)
	c.among = n
	c.all(growthWorkloads(n))
	g.Rows = slices.Clone(c.rows[first:])
	for _, r := range g.Rows {
		g.Memory = max(g.Memory, r.Server.Memory)
	}
	g.Disk = float64(folderSize(filepath.Join(c.dir, "server"))) / mib
	if err := c.crash(s, &g); err != nil {
		g.Error = err.Error()
	}
	return g
}

// settle waits until the server has done what filling it left to do: the rows shall tell what a
// size costs, not what getting there did. It returns how long that took.
func (c *comparison) settle(t *target) time.Duration {
	const (
		look  = time.Second
		quiet = look / 20 // CPU time in one look
		limit = 2 * time.Minute
	)
	start := time.Now()
	for before := cpuTime(t.pid); ; {
		time.Sleep(look)
		now := cpuTime(t.pid)
		if took := time.Since(start); now-before < quiet || took > limit {
			c.progress("  settled after %v", took.Round(look))
			return took
		}
		before = now
	}
}

// crash kills the server several times in the middle of writes, and measures how long it takes to
// answer again. What was acknowledged must be there afterwards.
func (c *comparison) crash(s *stage, g *growthStep) error {
	if s.cmd == nil {
		return nil
	}
	s.resume()
	defer s.halt()
	for i := range crashes {
		c.progress("  kill and start %d of %d", i+1, crashes)
		paths, err := s.putUntilKilled(fmt.Sprintf("crash-%d-%d-", g.Blobs, i), time.Second)
		if err != nil {
			return err
		}
		start := time.Now()
		if err := s.restart(); err != nil {
			return err
		}
		if err := s.answers(s.blob(treePath(g.Blobs - 1))); err != nil {
			return err
		}
		g.Start = max(g.Start, time.Since(start).Seconds())
		if err := s.readBack(paths, s.data); err != nil {
			return fmt.Errorf("acknowledged before a kill, gone or changed after it: %w", err)
		}
		g.Checked += len(paths)
	}
	return nil
}

// putUntilKilled puts new blobs over many connections, kills the server after d and returns what it
// had acknowledged.
func (s *stage) putUntilKilled(prefix string, d time.Duration) (pathList, error) {
	const conns = 32
	acknowledged := make([]pathList, conns)
	var group sync.WaitGroup
	for id := range conns {
		w, err := newWorker(s.target, rawKind, id, time.Now().Add(stall+d))
		if err != nil {
			return nil, err
		}
		defer w.client.close()
		group.Go(func() {
			c := putCall(s.data)
			for n := 0; ; n++ {
				c.path = s.blob(fmt.Sprintf("%s%d-%d", prefix, id, n))
				c.body = s.data.of(c.path)
				if w.call(c, 201) != nil {
					return // killed
				}
				acknowledged[id] = append(acknowledged[id], c.path)
			}
		})
	}
	time.Sleep(d)
	s.kill()
	group.Wait()
	all := slices.Concat(acknowledged...)
	if len(all) == 0 {
		return nil, errors.New("nothing was acknowledged before the kill")
	}
	return all, nil
}

// answers waits until the properties of a blob can be read.
func (s *stage) answers(path string) error {
	end := time.Now().Add(stall)
	for {
		err := s.ask(path)
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func (s *stage) ask(path string) error {
	w, err := newWorker(s.target, rawKind, 0, time.Now().Add(stall))
	if err != nil {
		return err
	}
	defer w.client.close()
	return w.call(newCall("HEAD", path, "", nil, "x-ms-version", version), 200)
}

// folderSize sums the sizes of the files below a folder.
func folderSize(dir string) int64 {
	var size int64
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil
	})
	return size
}

// storeGrid lays out what concerns the whole store.
func storeGrid(steps []growthStep) grid {
	g := grid{{"blobs", "fill/s", "memory", fmt.Sprintf("bar < %d MiB", memoryBar), "disk", "start after kill", fmt.Sprintf("bar < %s", startBar), "cost of listing", fmt.Sprintf("bar ≤ %.2f", flatBar)}}
	for _, s := range steps {
		line := []string{thousands(s.Blobs), thousands(int(s.FillRate)), number(s.Memory, "%.0f MiB"), verdict(s.Memory < memoryBar),
			number(s.Disk, "%.0f MiB"), "", "", "", ""}
		if s.Start > 0 {
			line[5], line[6] = duration(s.Start*1e6), verdict(s.Start < startBar.Seconds())
		}
		first, here := listCost(steps[0]), listCost(s)
		if first > 0 && here > 0 {
			line[7], line[8] = fmt.Sprintf("× %.2f", here/first), verdict(here <= flatBar*first)
		}
		g = append(g, line)
	}
	return g
}

// listCost returns the CPU time of listing a folder. Sizes are measured minutes apart, when the
// machine may have more or less other work: CPU time suffers least from that.
func listCost(s growthStep) float64 {
	for _, r := range s.Rows {
		if r.Name == listName {
			return r.Server.CPU
		}
	}
	return 0
}

// growthGrid lays out the rows with one group of columns per size.
func growthGrid(steps []growthStep) grid {
	head := []string{"workload", "conns", "client"}
	for _, s := range steps {
		head = append(head, "ops/s at "+thousands(s.Blobs), "ratio", "p99")
	}
	g := grid{head}
	for i, r := range steps[0].Rows {
		line := []string{r.Name, fmt.Sprint(r.Conns), r.Client}
		for _, s := range steps {
			if i >= len(s.Rows) {
				line = append(line, "", "", "")
				continue
			}
			here := s.Rows[i]
			line = append(line, here.Server.rate(), number(here.Ratio, "%.2f"), here.Server.tail())
		}
		g = append(g, line)
	}
	return g
}

// growthNotes tells what went wrong and what was checked.
func growthNotes(steps []growthStep) []string {
	var lines []string
	for _, s := range steps {
		if s.Error != "" {
			lines = append(lines, fmt.Sprintf("at %s blobs: %s", thousands(s.Blobs), s.Error))
		}
		if s.Checked > 0 {
			lines = append(lines, fmt.Sprintf("at %s blobs: %s puts acknowledged before %d kills were found after them", thousands(s.Blobs), thousands(s.Checked), crashes))
		}
		lines = append(lines, notes(s.Rows)...)
	}
	return lines
}
