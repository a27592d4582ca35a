package tree

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// TestPackageComments demands one package comment for every folder, in the form
// that go doc expects.
func TestPackageComments(t *testing.T) {
	documented := make(map[string]bool)
	for _, s := range sources(t) {
		name := strings.TrimSuffix(s.file.Name.Name, "_test")
		if s.file.Doc == nil {
			documented[s.dir] = documented[s.dir] || false
			continue
		}
		documented[s.dir] = true
		opening := s.file.Doc.Text()
		if name != "main" && !strings.HasPrefix(opening, "Package "+name+" ") {
			t.Errorf("%s: the package comment does not begin with %q", s.path, "Package "+name+" ")
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package in %s has no package comment", dir)
		}
	}
}

// TestExportedDocs demands a comment on every exported name outside tests. A
// comment on a group of constants or variables serves the whole group. In hold,
// the public package, fields and interface methods need one as well.
func TestExportedDocs(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			for _, missing := range undocumented(d, s.dir == "hold") {
				t.Errorf("%s:%d: exported %s has no comment", s.path, s.line(missing.Pos()), missing.Name)
			}
		}
	}
}

// undocumented returns the exported names that d declares without a comment.
func undocumented(d ast.Decl, fields bool) []*ast.Ident {
	var missing []*ast.Ident
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			missing = append(missing, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			missing = append(missing, undocumentedSpec(d, spec, fields)...)
		}
	}
	return missing
}

func undocumentedSpec(d *ast.GenDecl, spec ast.Spec, fields bool) []*ast.Ident {
	var missing []*ast.Ident
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if !spec.Name.IsExported() {
			return nil
		}
		alone := !d.Lparen.IsValid()
		if spec.Doc == nil && !(alone && d.Doc != nil) {
			missing = append(missing, spec.Name)
		}
		if fields {
			missing = append(missing, undocumentedFields(spec.Type)...)
		}
	case *ast.ValueSpec:
		if spec.Doc != nil || spec.Comment != nil || d.Doc != nil {
			return nil
		}
		for _, n := range spec.Names {
			if n.IsExported() {
				missing = append(missing, n)
			}
		}
	}
	return missing
}

// undocumentedFields looks into a struct or interface type; a comment behind the
// field on the same line counts.
func undocumentedFields(typ ast.Expr) []*ast.Ident {
	var list *ast.FieldList
	switch typ := typ.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list = typ.Methods
	default:
		return nil
	}
	var missing []*ast.Ident
	for _, f := range list.List {
		for _, n := range f.Names {
			if n.IsExported() && f.Doc == nil && f.Comment == nil {
				missing = append(missing, n)
			}
		}
	}
	return missing
}

// exportedReceiver reports whether d is a function, or a method of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	name := ""
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return name == ""
	})
	return token.IsExported(name)
}
