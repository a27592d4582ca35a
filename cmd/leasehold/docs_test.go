package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestManual: docs/cli.md is made of the commands.
func TestManual(t *testing.T) {
	const file = "../../docs/cli.md"
	want := manual(newRoot())
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("docs/cli.md is not that of the commands; run: go test ./cmd/leasehold -run TestManual -update (%v)", err)
	}
}

// manual returns the text of docs/cli.md.
func manual(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Commands\n\nMade from `leasehold --help` by `go test ./cmd/leasehold -run TestManual -update`. " +
		"Every flag can also be set in the\nenvironment: `--log-level` as `LEASEHOLD_LOG_LEVEL`. Exit statuses are listed in [operating](operating.md).\n")
	var write func(c *cobra.Command)
	write = func(c *cobra.Command) {
		if c.Runnable() && c.Name() != "help" && !strings.Contains(c.CommandPath(), "completion") {
			fmt.Fprintf(&b, "\n## %s\n\n", c.CommandPath())
			text := c.Long
			if text == "" {
				text = c.Short + "."
			}
			fmt.Fprintf(&b, "```\n%s\n\n%s\n", c.UseLine(), strings.TrimSpace(text))
			if c.Example != "" {
				fmt.Fprintf(&b, "\nExamples:\n%s\n", strings.TrimRight(c.Example, "\n"))
			}
			if flags := c.LocalFlags(); flags.HasAvailableFlags() {
				flags.VisitAll(hideFromEnvironment)
				fmt.Fprintf(&b, "\nFlags:\n%s", flags.FlagUsages())
			}
			b.WriteString("```\n")
		}
		for _, sub := range c.Commands() {
			write(sub)
		}
	}
	write(root)
	return b.String()
}

// hideFromEnvironment keeps a default that comes from the environment of the test out of the text.
func hideFromEnvironment(f *pflag.Flag) {
	if f.Name == "id" {
		f.DefValue = ""
	}
}

// command matches a line of documentation that is a command of ours.
var command = regexp.MustCompile(`(?m)^(?:\s{4}|\s*)(leasehold [a-z].*)$`)

// TestDocumentedCommandsExist: every command in a document has its command and its flags.
func TestDocumentedCommandsExist(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range append(files, "../../README.md") {
		if filepath.Base(file) == "cli.md" {
			continue // made from the commands, with usage lines
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			line, _, _ := strings.Cut(m[1], " #")
			line, _, _ = strings.Cut(line, " |")
			words := strings.Fields(strings.TrimRight(line, " &"))
			for i, w := range words {
				words[i] = strings.Trim(w, `"'`)
			}
			c, rest, err := newRoot().Find(words[1:])
			if err == nil {
				err = c.ParseFlags(rest)
			}
			if err != nil && !strings.Contains(err.Error(), "invalid argument") {
				t.Errorf("%s: %s: %v", filepath.Base(file), line, err)
			}
			seen++
		}
	}
	if seen < 20 {
		t.Errorf("only %d commands were found", seen)
	}
}

var fence = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")

// TestDocumentedShell runs the shell blocks of documents, each document in a folder of its own, on
// ports of its own.
func TestDocumentedShell(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"operating", "from-azurite"} {
		text, err := os.ReadFile("../../docs/" + name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		script := "set -e\npids=\ntrap 'kill $pids; wait' EXIT\n" // what a page starts ends with its script
		for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
			script += strings.ReplaceAll(m[1], " &\n", " &\npids=\"$pids $!\"\n")
		}
		if strings.Count(script, "leasehold") < 5 {
			t.Errorf("%s has only %q", name, script)
		}
		writeFile(t, filepath.Join(dir, name+".txtar"), "exec sh page.sh\n! stderr 'level=(WARN|ERROR)'\n-- page.sh --\n"+script)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	script := "set -e\n"
	for _, m := range regexp.MustCompile(`(?m)^    (leasehold (?:lock|lease) .*)$`).FindAllStringSubmatch(string(readme), -1) {
		script += m[1] + "\n"
	}
	if !strings.Contains(script, "leasehold lock sample-container/nightly --create -- ./nightly.sh") {
		t.Errorf("README locks nothing: %q", script)
	}
	writeFile(t, filepath.Join(dir, "readme.txtar"), "chmod 755 nightly.sh\nexec sh readme.sh\nstdout 'nightly ran'\n-- nightly.sh --\n#!/bin/sh\necho nightly ran\n-- readme.sh --\n"+script)
	testscript.Run(t, testscript.Params{Dir: dir, Setup: func(env *testscript.Env) error {
		url := startServer(env)
		env.Setenv(envConnection, "AccountName="+devAccountAndKey()+";BlobEndpoint="+url+"/devstoreaccount1")
		env.Setenv("LEASEHOLD_LISTEN", "127.0.0.1:0")
		env.Setenv("HOME", env.WorkDir)
		env.Setenv("XDG_DATA_HOME", "")
		return nil
	}})
}

func devAccountAndKey() string {
	fields, _ := connectionFields(devConnection(""))
	return fields["accountname"] + ";AccountKey=" + fields["accountkey"]
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
