package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is the version of a release. The build of a release sets it with -ldflags "-X
// main.release=v1.2.3".
var release string

// build identifies a program.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Date     string `json:"date,omitempty"` // of the commit, RFC 3339
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// thisBuild returns the build of this program, from what the Go linker recorded.
func thisBuild() build {
	b := build{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	if release != "" {
		b.Version = release
	}
	if !ok {
		return b
	}
	modified := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Commit = s.Value
		case s.Key == "vcs.time":
			b.Date = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+changes"
		}
	}
	b.Commit += modified
	return b
}

// String returns the build in one line.
func (b build) String() string {
	text := "leasehold " + b.Version
	if b.Commit != "" {
		text += ", commit " + b.Commit + " of " + b.Date
	}
	return text + ", " + b.Go + ", " + b.Platform
}

func newVersion() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version, commit and platform of this program",
		Example: `  leasehold version -o json`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return printBuild(cmd.OutOrStdout(), output, thisBuild()) },
	}
	outputFlag(cmd, &output, "text", "json", "env")
	return cmd
}

func printBuild(w io.Writer, form string, b build) error {
	var err error
	switch form {
	case "json":
		return printJSON(w, b)
	case "env":
		_, err = fmt.Fprintf(w, "LEASEHOLD_VERSION=%s\nLEASEHOLD_COMMIT=%s\n", quote(b.Version), quote(b.Commit))
	default:
		_, err = fmt.Fprintln(w, b)
	}
	return err
}
