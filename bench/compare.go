package main

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"time"
)

// figures are what one target did in one row.
type figures struct {
	Rate      float64   `json:"opsPerSecond"` // requests a second, median of the slices
	P50       float64   `json:"p50Microseconds"`
	P99       float64   `json:"p99Microseconds"`
	CPU       float64   `json:"cpuMicrosecondsPerOp,omitempty"`
	MiBPerSec float64   `json:"mibPerSecond,omitempty"` // of bodies
	Memory    float64   `json:"memoryMiB,omitempty"`    // largest resident size seen at the end of a slice
	Client    float64   `json:"clientMicrosecondsPerOp,omitempty"`
	Granted   float64   `json:"grantedPerSecond,omitempty"` // contended lease: acquisitions that succeeded
	Requests  int       `json:"requests"`
	Slices    []float64 `json:"slices,omitempty"` // rates of all slices
	Error     string    `json:"error,omitempty"`
}

// row is one workload on all targets.
type row struct {
	Name      string   `json:"name"`
	Conns     int      `json:"connections"`
	Client    string   `json:"client"`
	Server    *figures `json:"server,omitempty"`
	Ceiling   *figures `json:"ceiling,omitempty"`
	Peer      *figures `json:"peer,omitempty"`
	Ratio     float64  `json:"ratioToCeiling,omitempty"` // median over pairs of neighbouring slices
	PeerRatio float64  `json:"ratioToPeer,omitempty"`
	TwinRatio float64  `json:"ratioToTwin,omitempty"` // to the rate of the same on a small set of blobs, slice by slice
	SyncP50   float64  `json:"diskSyncP50Microseconds,omitempty"`
	SyncP99   float64  `json:"diskSyncP99Microseconds,omitempty"`
	DiskRate  float64  `json:"diskMiBPerSecond,omitempty"`
	Noise     float64  `json:"otherLoad"` // share of the machine that other processes used meanwhile
	Bar       string   `json:"bar,omitempty"`
	Verdict   string   `json:"verdict,omitempty"`
}

// comparison measures workloads on a set of targets.
type comparison struct {
	targets  []*target
	clients  []string // kinds
	rounds   int
	length   time.Duration // of a slice
	dir      string        // on the disk that the servers use
	run      string        // names the containers of this run
	only     *regexp.Regexp
	among    int
	progress func(format string, args ...any)

	rows  []row
	count int
}

// lane is one target's part in a row.
type lane struct {
	*stage
	steps   []step
	twin    bool // the second setup of the row
	slices  []slice
	granted int64
	memory  int64
	err     error
}

// all measures the rows that were asked for.
func (c *comparison) all(list []workload) {
	for _, w := range list {
		for _, kind := range c.clients {
			if name := fmt.Sprintf("%s %d", w.name, w.conns); c.only == nil || c.only.MatchString(name) {
				c.rows = append(c.rows, c.measure(w, kind))
			}
		}
	}
}

// measure runs one workload: every target in turn, in short slices, several rounds, so that what
// else happens on the machine hits all of them. Whoever is not measured stands still.
func (c *comparison) measure(w workload, kind string) row {
	c.progress("%s, %d connections, %s", w.name, w.conns, kind)
	c.count++
	r := row{Name: w.name, Conns: w.conns, Client: kind, Bar: w.bar.String()}
	lanes := c.lanes(w)
	var disk diskProbe
	var noise, capacity time.Duration
	for round := -1; round < c.rounds; round++ {
		for _, l := range lanes {
			s := l.once(w, kind, c.sliceLength(round))
			if round >= 0 && l.err == nil {
				l.slices = append(l.slices, s)
				noise += max(0, s.machine-s.cpu-s.client)
				capacity += s.wall * time.Duration(runtime.NumCPU())
			}
		}
		if round >= 0 {
			disk.measure(w.bar, c.dir, w.conns, c.length)
		}
		slices.Reverse(lanes)
	}
	if capacity > 0 {
		r.Noise = float64(noise) / float64(capacity)
	}
	disk.report(&r)
	for _, l := range lanes {
		l.finish(w)
		l.report(&r)
	}
	r.compare(lanes)
	r.Verdict = w.bar.judge(&r)
	return r
}

// sliceLength is shorter for the round that only warms up.
func (c *comparison) sliceLength(round int) time.Duration {
	if round < 0 {
		return c.length / 3
	}
	return c.length
}

// lanes prepares a workload on all targets and tells the ceiling what the first store answers.
func (c *comparison) lanes(w workload) []*lane {
	var lanes []*lane
	var answers *recorder
	for _, t := range c.targets {
		if w.heavy && t.role == peer {
			continue
		}
		l := c.lane(w, t, w.setup)
		if l.err == nil && t.store() && answers == nil {
			l.resume()
			answers, l.err = l.record(w)
			l.halt()
		}
		lanes = append(lanes, l)
		if t.role == server && w.twin != nil {
			twin := c.lane(w, t, w.twin)
			twin.twin = true
			lanes = append(lanes, twin)
		}
	}
	for _, l := range lanes {
		if l.store() || l.err != nil {
			continue
		}
		if answers == nil { // a row without a store
			return nil
		}
		l.resume()
		l.err = answers.teach(l.target)
		l.halt()
	}
	return lanes
}

// lane prepares a workload on one target.
func (c *comparison) lane(w workload, t *target, setup func(*stage) ([]step, error)) *lane {
	s := &stage{target: t, conns: w.conns, among: c.among, container: c.run, prefix: fmt.Sprintf("r%03d-", c.count), progress: c.progress}
	l := &lane{stage: s}
	t.resume()
	l.steps, l.err = setup(s)
	t.halt()
	return l
}

// record runs the workload's sample, or its first step, once and keeps the answers.
func (l *lane) record(w workload) (*recorder, error) {
	r, err := newRecorder(l.target)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if w.before != nil && w.sample == nil {
		if err := w.before(l.stage); err != nil {
			return nil, err
		}
	}
	worker := &worker{client: r}
	if w.sample != nil {
		return r, w.sample(l.stage, worker)
	}
	return r, l.steps[0](worker)
}

// once measures one slice, unless the lane has failed before.
func (l *lane) once(w workload, kind string, d time.Duration) slice {
	if l.err != nil {
		return slice{}
	}
	l.resume()
	defer l.halt()
	if w.before != nil {
		if l.err = w.before(l.stage); l.err != nil {
			return slice{}
		}
	}
	if w.bulk {
		settle()
	}
	granted := l.stage.granted.Load()
	var s slice
	s, l.err = runSlice(l.target, kind, l.steps, getCall(l.base+"/"+l.container+"/none"), d)
	l.granted += l.stage.granted.Load() - granted
	l.memory = max(l.memory, memory(l.pid))
	return s
}

// finish checks what the workload left behind.
func (l *lane) finish(w workload) {
	if l.store() && l.err == nil && w.after != nil {
		l.resume()
		l.err = w.after(l.stage)
		l.halt()
	}
	if l.err != nil {
		if dead := l.alive(); dead != nil {
			l.err = fmt.Errorf("%w; %v", l.err, dead)
		}
		l.progress("  %s: %v", l.role, l.err)
	}
}

// report adds the lane's figures to the row.
func (l *lane) report(r *row) {
	f := l.figures()
	if l.twin {
		if f.Error != "" {
			l.progress("  twin: %s", f.Error)
		}
		return
	}
	switch l.role {
	case server:
		r.Server = f
	case ceilingRole:
		r.Ceiling = f
	case peer:
		r.Peer = f
	}
}

// compare sets what the row compares.
func (r *row) compare(lanes []*lane) {
	if r.Server == nil || r.Server.Error != "" {
		return
	}
	if c := r.Ceiling; c != nil && c.Error == "" {
		r.Ratio = median(ratios(r.Server.Slices, c.Slices))
	}
	if p := r.Peer; p != nil && p.Error == "" && p.Rate > 0 {
		r.PeerRatio = r.Server.Rate / p.Rate
	}
	for _, l := range lanes {
		if l.twin && l.err == nil {
			r.TwinRatio = median(ratios(r.Server.Slices, l.figures().Slices))
		}
	}
}

// figures sums the slices up.
func (l *lane) figures() *figures {
	f := &figures{Memory: float64(l.memory) / mib}
	if l.err != nil {
		f.Error = l.err.Error()
		return f
	}
	var latency []int64
	var cpu, client, wall time.Duration
	var rates []float64
	for _, s := range l.slices {
		f.Requests += s.requests
		f.Slices = append(f.Slices, s.rate)
		if s.requests > 0 {
			rates = append(rates, float64(s.bytes)/float64(s.requests)*s.rate/mib)
		}
		latency = append(latency, s.latency...)
		cpu, client, wall = cpu+s.cpu, client+s.client, wall+s.wall
	}
	slices.Sort(latency)
	f.Rate, f.MiBPerSec = median(f.Slices), median(rates)
	f.P50, f.P99 = micros(percentile(latency, 0.50)), micros(percentile(latency, 0.99))
	if f.Requests > 0 {
		f.CPU, f.Client = micros(cpu)/float64(f.Requests), micros(client)/float64(f.Requests)
	}
	if wall > 0 {
		f.Granted = float64(l.granted) / wall.Seconds()
	}
	return f
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// diskProbe measures the disk by itself, between the slices of a row that is judged against it.
type diskProbe struct {
	syncs []int64
	rates []float64
	err   error
}

func (p *diskProbe) measure(b bar, dir string, writers int, d time.Duration) {
	if b.sync && p.err == nil {
		var times []int64
		times, p.err = syncTimes(dir, d)
		p.syncs = append(p.syncs, times...)
	}
	if b.disk > 0 && p.err == nil {
		settle()
		var rate float64
		rate, p.err = writeRate(dir, writers, 8*mib, d)
		p.rates = append(p.rates, rate)
	}
}

func (p *diskProbe) report(r *row) {
	if p.err != nil {
		return
	}
	slices.Sort(p.syncs)
	r.SyncP50, r.SyncP99 = micros(percentile(p.syncs, 0.50)), micros(percentile(p.syncs, 0.99))
	r.DiskRate = median(p.rates)
}
