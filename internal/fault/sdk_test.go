package fault

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"testing"
)

// TestEveryErrorCode holds the codes against those that the official SDK has names for.
func TestEveryErrorCode(t *testing.T) {
	known := map[string]bool{}
	for _, e := range table {
		known[string(e.code)] = true
	}
	names := sdkCodes(t)
	if len(names) < 100 {
		t.Fatalf("only %d codes were found", len(names))
	}
	for _, name := range names {
		if !known[name] {
			t.Errorf("%s is not known", name)
		}
	}
}

// sdkCodes reads the constants from the source of the SDK.
func sdkCodes(t *testing.T) (codes []string) {
	p, err := build.Import("github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, "error_codes.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for _, v := range spec.Values {
				if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					code, _ := strconv.Unquote(lit.Value)
					codes = append(codes, code)
				}
			}
		}
		return true
	})
	return codes
}
