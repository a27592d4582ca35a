package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// sdk is a client library with the program that runs its flows.
type sdk struct {
	name string
	run  func(ctx context.Context, t *target, container, filled string) (map[string]float64, error)
}

// sdks returns the client libraries that are installed where the tests install them.
func sdks() []sdk {
	all := []sdk{{"Go", func(ctx context.Context, t *target, container, filled string) (map[string]float64, error) {
		return goFlows(ctx, t.connection(), container, filled)
	}}}
	root, err := os.Getwd()
	if err != nil {
		return all
	}
	for _, s := range []struct{ name, needs, program, script string }{
		{"Python", ".venv/installed", filepath.Join(root, ".venv/bin/python"), "bench/sdk/flows.py"},
		{"JavaScript", "test/js/node_modules/.package-lock.json", "node", "bench/sdk/flows.mjs"},
	} {
		if _, err := os.Stat(s.needs); err != nil {
			progress("no SDK for %s: make python js installs it", s.name)
			continue
		}
		all = append(all, sdk{s.name, func(ctx context.Context, t *target, container, filled string) (map[string]float64, error) {
			cmd := exec.CommandContext(ctx, s.program, s.script, t.connection(), container, filled)
			cmd.Env = append(os.Environ(), "SDK_ROOT="+filepath.Join(root, "test/js"))
			return flowsOf(cmd)
		}})
	}
	return all
}

// flowsOf runs a program that prints the seconds of each flow as JSON.
func flowsOf(cmd *exec.Cmd) (map[string]float64, error) {
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", cmd.Args[:2], err, failure.Bytes())
	}
	took := make(map[string]float64)
	lines := json.NewDecoder(bytes.NewReader(out))
	for lines.More() {
		var line struct {
			Flow    string
			Seconds float64
		}
		if err := lines.Decode(&line); err != nil {
			return nil, err
		}
		took[line.Flow] = line.Seconds
	}
	return took, nil
}

// connection returns the connection string of a target.
func (t *target) connection() string {
	return fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=http://%s%s;", t.account, t.key, t.addr, t.base)
}

// flowLabels says what a user knows the flows by.
var flowLabels = map[string]string{
	"upload small":   "upload 1,000 blobs of 1 KiB",
	"download small": "download them",
	"upload large":   "upload 256 MiB",
	"download large": "download it",
	"list":           "list blobs",
	"leases":         "1,000 leases, acquired and released",
}

// flowTimes are the seconds of every round of a flow on each target.
type flowTimes map[role][]float64

func (f flowTimes) best(r role) float64 {
	if len(f[r]) == 0 {
		return 0
	}
	return slices.Min(f[r])
}

// compareSDKs is the command that runs whole flows of the SDKs on the server and on the peer, in
// turns.
func compareSDKs(args []string) error {
	var o options
	f := o.flags("sdk")
	listed := f.Int("listed", listedBlobs, "number of blobs that are listed")
	f.Parse(args)
	c, err := o.comparison()
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.add(o.startServer(c.dir)); err != nil {
		return err
	}
	if err := c.add(o.startPeer(c.dir)); err != nil {
		return err
	}
	ctx := context.Background()
	for _, t := range c.targets {
		progress("filling the %v with %d blobs", t.role, *listed)
		if err := fillListed(ctx, t.connection(), "listed", *listed); err != nil {
			return err
		}
	}
	flowLabels["list"] = fmt.Sprintf("list %d blobs", *listed)
	flows := flowGrid{}
	for _, s := range sdks() {
		times := make(map[string]flowTimes)
		for round := range o.rounds {
			for _, t := range c.targets {
				progress("%s, round %d, %v", s.name, round+1, t.role)
				took, err := s.run(ctx, t, fmt.Sprintf("flows-%d-%d", round, time.Now().UnixNano()), "listed")
				if err != nil {
					return err
				}
				for flow, seconds := range took {
					if times[flow] == nil {
						times[flow] = flowTimes{}
					}
					times[flow][t.role] = append(times[flow][t.role], seconds)
				}
			}
		}
		flows.add(s.name, times)
	}
	return o.publish(c, "sdk", flows, nil, grid(flows))
}

// flowGrid is the table of flows: one line for each SDK and flow.
type flowGrid grid

func (g *flowGrid) add(sdk string, times map[string]flowTimes) {
	if len(*g) == 0 {
		*g = flowGrid{{"flow, best of the rounds", "SDK", "seconds", "peer", "× peer"}}
	}
	for _, flow := range flowNames {
		ours, theirs := times[flow].best(server), times[flow].best(peer)
		ratio := 0.0
		if ours > 0 {
			ratio = theirs / ours
		}
		*g = append(*g, []string{flowLabels[flow], sdk, number(ours, "%.2f"), number(theirs, "%.2f"), number(ratio, "%.1f")})
	}
}
