package wire

import "reflect"

// Groups finds, in an argument struct of type A, the groups that implement G: the structs that are
// embedded in A, each before the struct that embeds it, and A itself at last.
//
// Go promotes a method of an embedded struct to the outer one, unless two of them have it. Groups
// asks each embedded struct by itself, so that none is passed over; a struct that has a method only
// by promotion is asked as well, and answers as the embedded one did.
type Groups[A, G any] struct{ index [][]int }

// CompileGroups prepares the types A and G.
func CompileGroups[A, G any]() *Groups[A, G] {
	return &Groups[A, G]{groupsOf(reflect.TypeFor[A](), reflect.TypeFor[G](), nil)}
}

func groupsOf(t, g reflect.Type, at []int) (found [][]int) {
	for sf := range t.Fields() {
		if isGroup(sf) {
			found = append(found, groupsOf(sf.Type, g, append(append([]int{}, at...), sf.Index...))...)
		}
	}
	if reflect.PointerTo(t).Implements(g) {
		found = append(found, at)
	}
	return found
}

// isGroup reports whether a field is an embedded struct whose fields count as the outer one's.
func isGroup(sf reflect.StructField) bool {
	return sf.Anonymous && sf.Tag == "" && sf.Type.Kind() == reflect.Struct
}

// Each calls fn with every group of a, until one fails.
func (g *Groups[A, G]) Each(a *A, fn func(G) error) error {
	v := reflect.ValueOf(a).Elem()
	for _, index := range g.index {
		group := v
		if len(index) > 0 {
			group = v.FieldByIndex(index)
		}
		// The type of a group may be unexported, so reflect does not hand the field itself out.
		p := reflect.NewAt(group.Type(), group.Addr().UnsafePointer())
		if err := fn(p.Interface().(G)); err != nil {
			return err
		}
	}
	return nil
}
