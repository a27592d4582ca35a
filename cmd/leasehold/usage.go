package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// emulatorFlags says what stands for the flags of Azurite here.
var emulatorFlags = map[string]string{
	"blobPort":               "--listen 127.0.0.1:PORT",
	"blobHost":               "--listen HOST:10000",
	"location":               "--data DIR",
	"silent":                 "--log-level error",
	"debug":                  "--log-level debug",
	"inMemoryPersistence":    "--memory",
	"extentMemoryLimit":      "--memory-limit SIZE",
	"skipApiVersionCheck":    "nothing: every version is accepted",
	"loose":                  "nothing: headers that the protocol does not know are ignored",
	"oauth":                  "nothing: serve --dev issues and accepts tokens",
	"cert":                   "--tls-cert FILE",
	"key":                    "--tls-key FILE",
	"blobKeepAliveTimeout":   "nothing: idle connections stay open",
	"disableProductStyleUrl": "nothing: both forms of URLs are accepted",
	"disableTelemetry":       "nothing: there is no telemetry",
	"port":                   "--listen 127.0.0.1:PORT",
	"host":                   "--listen HOST:10000",
}

// explainFlag adds the nearest flag to an error about an unknown one.
func explainFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	name := unknown.GetSpecifiedName()
	if known, ok := emulatorFlags[name]; ok && cmd.Name() == "serve" {
		if text, none := strings.CutPrefix(known, "nothing: "); none {
			return fmt.Errorf("unknown flag --%s; leave it out: %s", name, text)
		}
		return fmt.Errorf("unknown flag --%s; use %s", name, known)
	}
	best, distance := "", 3 // as far as a slip of the keyboard goes
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if d := editDistance(name, f.Name); d < distance && !f.Hidden {
			best, distance = f.Name, d
		}
	})
	if best == "" {
		return fmt.Errorf("unknown flag --%s; %s --help lists the flags", name, cmd.CommandPath())
	}
	return fmt.Errorf("unknown flag --%s; did you mean --%s?", name, best)
}

// editDistance returns how many letters have to be inserted, removed or replaced to turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost = 1 + min(last, row[j], row[j+1])
			}
			last, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// explainArgs adds the usage line to errors about the arguments of each command.
func explainArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				first, _, _ := strings.Cut(err.Error(), "\n")
				return fmt.Errorf("%s; usage: %s", first, cmd.UseLine())
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		explainArgs(c)
	}
}

// choice is a flag with a fixed set of values.
type choice struct {
	value   *string
	allowed []string
}

// String returns the value.
func (c *choice) String() string { return *c.value }

// Type returns the name of the type in help texts.
func (c *choice) Type() string { return "string" }

// Set refuses values that are not allowed.
func (c *choice) Set(text string) error {
	if !slices.Contains(c.allowed, text) {
		return fmt.Errorf("%q is none of %s", text, strings.Join(c.allowed, ", "))
	}
	*c.value = text
	return nil
}

// outputFlag adds the flag -o with the formats that a command has. The first is the default.
func outputFlag(cmd *cobra.Command, to *string, formats ...string) {
	*to = formats[0]
	cmd.Flags().VarP(&choice{to, formats}, "output", "o", "output format: "+strings.Join(formats, ", "))
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	stat, err := f.Stat()
	return err == nil && stat.Mode()&os.ModeCharDevice != 0 && stat.Mode()&os.ModeDevice != 0 && f.Name() != os.DevNull
}
