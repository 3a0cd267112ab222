package sim_test

// slotMutants are bugs in the limits of open runs that crowded worlds find.
var slotMutants = []mutant{
	{"taken-slot-kept-by-what-is-not-recorded", "runtime/slot.go", "\t\tw.x.rt.openRuns.GiveBack(t)\n", "\t\t_ = t\n"},
	{"replaced-once-more", "runtime/slot.go", ", named: true, since: began, //", ", since: began, //"},
}
