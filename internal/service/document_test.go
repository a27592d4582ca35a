package service_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
)

var update = flag.Bool("update", false, "write the files that are compared with anew")

// TestDocument keeps docs/operations.md what the table says.
func TestDocument(t *testing.T) {
	const path = "../../docs/operations.md"
	want := document()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the table of operations says (%v): go test ./internal/service -run TestDocument -update", path, err)
	}
}

const documentHead = `# Operations

Generated from the table of operations by ` + "`go test ./internal/service -run TestDocument -update`" + `; don't edit.

For each operation: the requests it is for, with the permission each needs, then what it reads and what a success answers. An argument
with an asterisk is required. A result with a version is sent to requests of that version or a newer one. Every answer has
` + "`x-ms-request-id`, `x-ms-version` and `Date`, and `x-ms-client-request-id`" + ` if the request had one.

Rules: how the operation treats its container or blob. One that says nothing of the lease does not look at it; one that says nothing of
archived or protected blobs is refused on them (409), if it would change or read them.

Permissions: the letters of a service or user delegation SAS, those of an account SAS after its resource type (` + "`sco`" + ` if any type
will do), and the actions of roles; one of each suffices. In parentheses stand those that suffice as long as nothing is
overwritten. Account keys may do everything, except where a token is asked for.
`

// document renders the table.
func document() []byte {
	var b bytes.Buffer
	b.WriteString(documentHead)
	named := map[string][]service.Operation{}
	for _, op := range service.Operations() {
		named[op.Name] = append(named[op.Name], op)
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		rows := named[name]
		if _, not := refused[name]; not {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n", name)
		if also := served(name); also != "" {
			fmt.Fprintf(&b, "Serves %s as well.\n\n", also)
		}
		last := ""
		for i, op := range rows {
			form := ""
			if rules := op.Rules(); len(rules) > 0 {
				form = "- Rules: " + strings.Join(rules, "; ") + "\n"
			}
			form += fmt.Sprintf("- Arguments: %s\n- Results: %s\n", fields(op.Arguments()), fields(op.Results()))
			if i > 0 && form != last {
				b.WriteString(last)
			}
			fmt.Fprintf(&b, "- %s → %d; %s\n", request(op.On), op.Status, permission(op.Needs))
			last = form
		}
		b.WriteString(last)
	}
	b.WriteString("\n## Not offered\n\n")
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		fmt.Fprintf(&b, "- %s: `%s`\n", name, refused[name].answer)
	}
	return b.Bytes()
}

// served lists the operations that a row serves under other names.
func served(row string) string {
	var names []string
	for name, by := range servedBy {
		if by == row {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// request tells which requests a row is for.
func request(on wire.Selector) string {
	level := on.Level.String()
	if on.AnyLevel {
		level = "any level"
	}
	var query, headers []string
	for _, p := range []struct{ name, value string }{{"restype", on.Restype}, {"comp", on.Comp}} {
		if p.value != "" {
			query = append(query, p.name+"="+p.value)
		}
	}
	query = append(query, on.Query...)
	for _, h := range on.Header {
		headers = append(headers, map[string]string{"": "with `" + h.Name + "`", "-": "without `" + h.Name + "`"}[h.Value])
		if h.Value != "" && h.Value != "-" {
			headers[len(headers)-1] = "with `" + h.Name + ": " + h.Value + "`"
		}
	}
	text := strings.ReplaceAll(on.Method, ",", " or ") + " " + level
	if len(query) > 0 {
		text += " `?" + strings.Join(query, "&") + "`"
	}
	return strings.Join(append([]string{text}, headers...), ", ")
}

// permission tells who may.
func permission(p auth.Permission) string {
	if p.Open {
		return "open to everybody"
	}
	kind := "sco"
	if p.Type != 0 {
		kind = string(p.Type)
	}
	var ways []string
	add := func(name, prefix string, l, fresh auth.Letters) {
		text := string(l)
		switch {
		case l == "":
			return
		case l == auth.AnyLetter:
			text = "any"
		case fresh != "":
			text += "(" + string(fresh) + ")"
		}
		ways = append(ways, name+" `"+prefix+text+"`")
	}
	add("SAS", "", p.Scoped, p.ScopedNew)
	add("account SAS", kind+":", p.Account, p.AccountNew)
	add("to break also", "", p.Break, "")
	for _, a := range p.Actions {
		if a == auth.ActionAuthenticated {
			ways = append(ways, "any token")
		} else {
			ways = append(ways, "`"+string(a)+"`")
		}
	}
	for _, a := range p.ActionsNew {
		ways = append(ways, "(`"+string(a)+"`)")
	}
	if p.Public != auth.PublicNone {
		ways = append(ways, map[auth.PublicAccess]string{auth.PublicBlob: "public blobs", auth.PublicContainer: "public containers"}[p.Public])
	}
	if p.TokenOnly {
		ways = append(ways, "tokens only")
	}
	return strings.Join(ways, ", ")
}

// fields lists arguments or results.
func fields(all []wire.Field) string {
	var list []string
	for _, f := range all {
		text := map[string]string{
			"header": "`" + f.Name + "`", "query": "`?" + f.Name + "`", "metadata": "`" + f.Name + "*`",
			"status": "another status", "xml": "XML body", "stream": "body",
		}[f.In]
		if f.Other != "" {
			text += " or `" + f.Other + "`"
		}
		if f.Required {
			text += "*"
		}
		if f.Since != "" {
			text += " (" + string(f.Since) + ")"
		}
		list = append(list, text)
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
