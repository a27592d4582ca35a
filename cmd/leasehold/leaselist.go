package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/spf13/cobra"
)

// liveLease is an entry in the list of live leases.
type liveLease struct {
	Container string      `json:"container"`
	Blob      string      `json:"blob,omitempty"`
	State     string      `json:"state"`
	Duration  int64       `json:"duration,omitempty"`  // seconds, -1: infinite
	Remaining *int64      `json:"remaining,omitempty"` // seconds
	Epoch     uint64      `json:"epoch,omitempty"`
	Holder    shownHolder `json:"holder,omitzero"`
}

func (l *liveLease) name() string {
	if l.Blob == "" {
		return l.Container
	}
	return l.Container + "/" + l.Blob
}

type listFlags struct {
	state, prefix, output string
	olderThan             time.Duration
}

func newList() *cobra.Command {
	f := &listFlags{}
	cmd := &cobra.Command{
		Use:   "list [CONTAINER]",
		Short: "List the live leases of an account or container",
		Long: `List the leases that are held or breaking. A Leasehold server keeps an index of them, and says who holds
each one and since when. On other servers all containers and blobs are listed, which shows only their states.

` + targetHelp,
		Example: `  leasehold lease list
  leasehold lease list --older-than 24h --state leased
  leasehold lease list jobs --prefix nightly/ -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			prefix := f.prefix
			if len(args) == 1 {
				prefix = strings.TrimSuffix(args[0], "/") + "/" + prefix
			}
			return f.run(cmd, prefix)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.state, "state", "", "only leases in this state: leased, breaking")
	fl.StringVar(&f.prefix, "prefix", "", "only names with this prefix")
	fl.DurationVar(&f.olderThan, "older-than", 0, "only leases held for longer than this")
	outputFlag(cmd, &f.output, "text", "json")
	return cmd
}

func (f *listFlags) run(cmd *cobra.Command, prefix string) error {
	p, named, err := placeFromEnv(os.Getenv)
	if err != nil {
		return err
	}
	if !named {
		return fmt.Errorf("no account is named: set %s, or %s", envConnection, envAccount)
	}
	leases, err := p.liveLeases(cmd.Context(), prefix, f.state)
	if errors.Is(err, errNoIndex) {
		if f.olderThan > 0 {
			return &exitError{exitUsage, errors.New("--older-than: this server does not say since when leases are held")}
		}
		leases, err = p.walkLeases(cmd.Context(), prefix, f.state)
	}
	if err != nil {
		return status(err)
	}
	return f.print(cmd.OutOrStdout(), leases)
}

func (f *listFlags) print(w io.Writer, leases []liveLease) error {
	kept := make([]liveLease, 0, len(leases))
	for _, l := range leases {
		if f.olderThan == 0 || time.Since(l.Holder.Since) > f.olderThan {
			kept = append(kept, l)
		}
	}
	if f.output == "json" {
		return printJSON(w, kept)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSTATE\tLEFT\tPRINCIPAL\tADDRESS\tSINCE")
	for i := range kept {
		l := &kept[i]
		left, since := "infinite", ""
		if l.Remaining != nil {
			left = (time.Duration(*l.Remaining) * time.Second).String()
		} else if l.Duration == 0 {
			left = ""
		}
		if !l.Holder.Since.IsZero() {
			since = l.Holder.Since.Format(time.RFC3339)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", l.name(), l.State, left, l.Holder.Principal, l.Holder.Address, since)
	}
	return t.Flush()
}

// errNoIndex means that the server has no list of leases.
var errNoIndex = errors.New("the server has no list of leases")

// askLeases rewrites a List Containers request into a request for the live leases before it is
// signed, and keeps the answer.
type askLeases struct {
	query url.Values
	body  []byte
}

// Do implements policy.Policy.
func (a *askLeases) Do(req *policy.Request) (*http.Response, error) {
	raw := req.Raw()
	q := raw.URL.Query()
	q.Set("comp", "leases")
	q.Del("include")
	for name, values := range a.query {
		q[name] = values
	}
	raw.URL.RawQuery = q.Encode()
	raw.Header.Set("Accept", "application/json")
	resp, err := req.Next()
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	defer resp.Body.Close()
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<20)); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader([]byte(`<EnumerationResults/>`)))
	return resp, nil
}

// liveLeases returns the server's list of live leases.
func (p *place) liveLeases(ctx context.Context, prefix, state string) ([]liveLease, error) {
	ask := &askLeases{query: url.Values{"prefix": {prefix}}}
	if state != "" {
		ask.query.Set("state", state)
	}
	client, err := p.account(ask)
	if err != nil {
		return nil, err
	}
	var all []liveLease
	for {
		_, err := client.NewListContainersPager(nil).NextPage(ctx)
		if bloberror.HasCode(err, bloberror.InvalidQueryParameterValue) {
			return nil, errNoIndex
		}
		if err != nil {
			return nil, err
		}
		var page struct {
			Leases []liveLease
			Next   string `json:"nextMarker"`
		}
		if json.Unmarshal(ask.body, &page) != nil {
			return nil, errNoIndex
		}
		all = append(all, page.Leases...)
		if page.Next == "" {
			return all, nil
		}
		ask.query.Set("marker", page.Next)
	}
}

// walkLeases lists all containers, and the blobs of those that can match.
func (p *place) walkLeases(ctx context.Context, prefix, state string) ([]liveLease, error) {
	client, err := p.account()
	if err != nil {
		return nil, err
	}
	var all []liveLease
	note := func(container, blob string, s *lease.StateType, d *lease.DurationType) {
		l := liveLease{Container: container, Blob: blob}
		if s == nil || *s != lease.StateTypeLeased && *s != lease.StateTypeBreaking || state != "" && state != string(*s) {
			return
		}
		if l.State = string(*s); d != nil && *d == lease.DurationTypeInfinite {
			l.Duration = -1
		}
		if strings.HasPrefix(l.name(), prefix) {
			all = append(all, l)
		}
	}
	containers := client.NewListContainersPager(nil)
	for containers.More() {
		page, err := containers.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range page.ContainerItems {
			note(*c.Name, "", c.Properties.LeaseState, c.Properties.LeaseDuration)
			if err := walkBlobs(ctx, client, *c.Name, prefix, note); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// walkBlobs notes the blobs of a container unless its name rules out a match.
func walkBlobs(ctx context.Context, client *service.Client, container, prefix string,
	note func(container, blob string, s *lease.StateType, d *lease.DurationType)) error {
	if full := container + "/"; !strings.HasPrefix(full, prefix) && !strings.HasPrefix(prefix, full) {
		return nil
	}
	blobs := client.NewContainerClient(container).NewListBlobsFlatPager(nil)
	for blobs.More() {
		page, err := blobs.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, b := range page.Segment.BlobItems {
			note(container, *b.Name, b.Properties.LeaseState, b.Properties.LeaseDuration)
		}
	}
	return nil
}
