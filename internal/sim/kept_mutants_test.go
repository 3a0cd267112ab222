package sim_test

import "slices"

// keptMutants are those that are looked for by the worlds in which something is taken away.
var keptMutants = []mutant{
	{"hold-not-asked", "runtime/hold.go",
		"\tcase *history.Deleted:\n\t\treturn true, a.refuse(v.ID)\n", "\tcase *history.Deleted:\n\t\treturn true, nil\n"},
	{"open-one-deleted", "runtime/erase.go",
		"if m.state.Open() || history.Fold(all...).Open() {", "if m.state == nil {"},
	{"act-never-finished", "runtime/erase.go",
		"\tif err == nil && len(acts) > 0 {\n\t\t_, err = r.complete(", "\tif err == nil && len(acts) < 0 {\n\t\t_, err = r.complete("},
	{"rows-of-what-is-gone-stay", "runtime/erase.go",
		"\treturn took, r.refold(ctx, id)\n", "\treturn took, nil\n"},
}

// every are all mutants.
func every() []mutant { return slices.Concat(mutants, keptMutants, slotMutants, quotaMutants) }
