// Command bench measures a Leasehold server side by side with the ceiling, a handler over net/http
// that does nothing, and with a peer, the emulator Azurite, on the same machine in the same
// minutes. See docs/performance.md.
//
//	bench [table]   the table of operations
//	bench growth    the same at growing numbers of blobs, with memory and start-up time
//	bench sdk       whole flows of the SDKs for Go, Python and JavaScript, beside the peer
//	bench ceiling   only the ceiling (started by the others as a process of its own)
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	runtime.LockOSThread() // children are tied to this thread, see tie
	debug.SetGCPercent(400)
	args := os.Args[1:]
	command := "table"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	var err error
	switch command {
	case "table":
		err = table(args)
	case "growth":
		err = growth(args)
	case "sdk":
		err = compareSDKs(args)
	case "ceiling":
		err = runCeiling(args)
	default:
		err = fmt.Errorf("unknown command %q: want table, growth, sdk or ceiling", command)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags that the commands share.
type options struct {
	binary, serve       string
	url, account, key   string
	pid                 int
	peer, node          string
	client, rows        string
	rounds              int
	slice               time.Duration
	dir, json, document string
	large               int
	sizes               string
}

func (o *options) flags(command string) *flag.FlagSet {
	f := flag.NewFlagSet("bench "+command, flag.ExitOnError)
	f.StringVar(&o.binary, "server", "", "server binary (default: built from ./cmd/leasehold)")
	f.StringVar(&o.serve, "serve", "serve --dev --data {data} --listen {listen}", "arguments that start the server")
	f.StringVar(&o.url, "url", "", "measure a server that is already running, such as http://127.0.0.1:10000/devstoreaccount1")
	f.StringVar(&o.account, "account", devAccount, "account, with -url")
	f.StringVar(&o.key, "key", devKey, "account key, with -url")
	f.IntVar(&o.pid, "pid", 0, "process of the server, for CPU and memory, with -url")
	f.StringVar(&o.peer, "peer", ".build/peer/node_modules/azurite/dist/src/blob/main.js", "script that starts Azurite's blob service; columns stay empty without it")
	f.StringVar(&o.node, "node", "node", "program that runs the peer")
	f.StringVar(&o.client, "client", rawKind, "client: raw, http or both")
	f.StringVar(&o.rows, "rows", "", "only rows that match this expression, for example 'lease.* 64$'")
	f.IntVar(&o.rounds, "rounds", 5, "slices of each row and target")
	f.DurationVar(&o.slice, "slice", 500*time.Millisecond, "length of a slice")
	f.StringVar(&o.dir, "dir", ".build/bench", "folder for binaries and data; put it on the disk that shall be measured")
	f.StringVar(&o.json, "json", "", "write the figures to this file")
	f.StringVar(&o.document, "write", "", "write the table between its markers in this document")
	if command == "growth" {
		f.StringVar(&o.sizes, "sizes", "1000,100000,1000000", "numbers of blobs")
	} else {
		f.IntVar(&o.large, "large", 100_000, "number of blobs of the larger tree that is listed (10^6 takes minutes to fill)")
	}
	return f
}

// comparison returns a comparison without targets.
func (o *options) comparison() (*comparison, error) {
	c := &comparison{rounds: o.rounds, length: o.slice, run: "bench-" + strconv.FormatInt(time.Now().Unix(), 36), progress: progress}
	switch o.client {
	case rawKind, netKind:
		c.clients = []string{o.client}
	case "both":
		c.clients = []string{rawKind, netKind}
	default:
		return nil, fmt.Errorf("-client %q: want raw, http or both", o.client)
	}
	if o.rows != "" {
		var err error
		if c.only, err = regexp.Compile(o.rows); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	c.dir, err = os.MkdirTemp(o.dir, "run-")
	go c.closeOnInterrupt()
	return c, err
}

// closeOnInterrupt leaves nothing behind when the run is broken off.
func (c *comparison) closeOnInterrupt() {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	<-interrupted
	os.RemoveAll(c.dir)
	os.Exit(130) // which ends the children too, see tie
}

// close stops what was started and removes its data.
func (c *comparison) close() {
	for _, t := range c.targets {
		t.stop()
	}
	os.RemoveAll(c.dir)
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// startServer starts the server under test, or returns nil with a word on why there is none.
func (o *options) startServer(dir string) (*target, error) {
	if o.url != "" {
		return external(o.url, o.account, o.key, o.pid)
	}
	binary := o.binary
	if binary == "" {
		if _, err := os.Stat("cmd/leasehold"); err != nil {
			progress("no cmd/leasehold here and no -server or -url: the server's columns stay empty")
			return nil, nil
		}
		binary = filepath.Join(o.dir, "leasehold")
		build := exec.Command("go", "build", "-o", binary, "./cmd/leasehold")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			return nil, fmt.Errorf("building the server: %w", err)
		}
	}
	data := filepath.Join(dir, "server")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	return launch(server, data, binary, strings.Fields(o.serve)...)
}

// startPeer starts Azurite as it is used: with its default, persistent stores.
func (o *options) startPeer(dir string) (*target, error) {
	if _, err := os.Stat(o.peer); err != nil {
		progress("no peer at %s: its columns stay empty", o.peer)
		return nil, nil
	}
	data := filepath.Join(dir, "peer")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	return launch(peer, data, o.node, o.peer, "--silent", "--skipApiVersionCheck", "--disableTelemetry",
		"--location", "{data}", "--blobHost", "127.0.0.1", "--blobPort", "{port}")
}

// startCeiling starts this program again, as the ceiling.
func startCeiling() (*target, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return launch(ceilingRole, "", self, "ceiling", "--listen", "{listen}")
}

// add takes a target into the comparison.
func (c *comparison) add(t *target, err error) error {
	if t != nil {
		c.targets = append(c.targets, t)
	}
	if err != nil || t == nil || !t.store() {
		return err
	}
	return (&stage{target: t, container: c.run}).makeContainer()
}

// table is the command that measures all rows once.
func table(args []string) error {
	var o options
	o.flags("table").Parse(args)
	c, err := o.comparison()
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.add(o.startServer(c.dir)); err != nil {
		return err
	}
	if err := c.add(startCeiling()); err != nil {
		return err
	}
	if err := c.add(o.startPeer(c.dir)); err != nil {
		return err
	}
	for _, t := range c.targets {
		t.halt()
	}
	c.all(workloads(o.large))
	return o.publish(c, "table", c.rows, notes(c.rows), tableGrid(c.rows))
}

// publish prints the results and writes the files that were asked for. It fails if the server
// failed in a row.
func (o *options) publish(c *comparison, section string, result any, lines []string, grids ...grid) error {
	env := newEnvironment(o, o.peerVersion(c))
	document := "\n" + env.String() + ".\n\n"
	fmt.Printf("\n%s\n\n", env)
	for _, g := range grids {
		fmt.Println(g.text())
		document += g.markdown() + "\n"
	}
	for _, line := range lines {
		fmt.Println("-", line)
		document += "- " + line + "\n"
	}
	if o.json != "" {
		if err := writeJSON(o.json, map[string]any{"environment": env, section: result}); err != nil {
			return err
		}
	}
	if o.document != "" {
		if err := writeSection(o.document, section, document); err != nil {
			return err
		}
	}
	for _, r := range c.rows {
		if r.Server != nil && r.Server.Error != "" {
			return fmt.Errorf("the server failed in %q", r.Name)
		}
	}
	return nil
}

// peerVersion names the peer, if it took part.
func (o *options) peerVersion(c *comparison) string {
	for _, t := range c.targets {
		if t.role == peer {
			version, _ := exec.Command(o.node, o.peer, "--version").Output()
			return "Azurite " + strings.TrimSpace(string(version))
		}
	}
	return ""
}

// runCeiling is the command that serves the ceiling.
func runCeiling(args []string) error {
	f := flag.NewFlagSet("bench ceiling", flag.ExitOnError)
	listen := f.String("listen", "127.0.0.1:0", "address")
	f.Parse(args)
	debug.SetGCPercent(100)
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "ceiling on", l.Addr())
	return serveCeiling(l)
}
