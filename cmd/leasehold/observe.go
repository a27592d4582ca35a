package main

import (
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/leasehold/leasehold/internal/observe"
)

// observeOptions holds the flags of serve about logs of requests.
type observeOptions struct{ access, audit string }

func (o *observeOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.access, "access-log", "", "append a JSON record of each request to this `file`, whatever --log-level; - for standard output")
	f.StringVar(&o.audit, "audit-log", "", "append a JSON record of each break, takeover, expiry, deletion of a container, change of policy, and denied attempt to this `file`; - for standard output")
}

// watch opens the logs and returns what observes the server.
func (o *observeOptions) watch(log *slog.Logger) (*observe.Watch, error) {
	b := thisBuild()
	return observe.New(&observe.Options{Access: o.access, Audit: o.audit, Log: log, Version: b.Version, Commit: b.Commit, Go: b.Go})
}
