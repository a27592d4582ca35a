package tree

import (
	"go/ast"
	"go/token"
	"slices"
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
// comment on a group of constants or variables serves the whole group, and that
// on a struct may serve its fields.
func TestExportedDocs(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			for _, missing := range undocumented(d) {
				t.Errorf("%s:%d: exported %s has no comment", s.path, s.line(missing.Pos()), missing.Name)
			}
		}
	}
}

// undocumented returns the exported names that d declares without a comment.
func undocumented(d ast.Decl) []*ast.Ident {
	var missing []*ast.Ident
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && !conventional(d) {
			missing = append(missing, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			missing = append(missing, undocumentedSpec(d, spec)...)
		}
	}
	return missing
}

func undocumentedSpec(d *ast.GenDecl, spec ast.Spec) []*ast.Ident {
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
		if typ, ok := spec.Type.(*ast.InterfaceType); ok {
			missing = append(missing, undocumentedMethods(typ)...)
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

// undocumentedMethods looks into an interface; a comment behind the method on the
// same line counts, and that of the type serves its only method.
func undocumentedMethods(typ *ast.InterfaceType) []*ast.Ident {
	if typ.Methods.NumFields() == 1 {
		return nil
	}
	var missing []*ast.Ident
	for _, m := range typ.Methods.List {
		for _, n := range m.Names {
			if n.IsExported() && m.Doc == nil && m.Comment == nil {
				missing = append(missing, n)
			}
		}
	}
	return missing
}

// conventional reports whether d is a method whose contract every Go programmer
// knows from the standard library.
func conventional(d *ast.FuncDecl) bool {
	return d.Recv != nil && slices.Contains([]string{"Error", "Unwrap", "String"}, d.Name.Name)
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
