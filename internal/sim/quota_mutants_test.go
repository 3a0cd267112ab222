package sim_test

// quotaMutants are bugs in how nodes share limits.
var quotaMutants = []mutant{
	{"quotas-beyond-the-limit", "quotas/aim.go", "\t\tv.free -= row.Held\n", ""},
	{"quota-of-the-living-taken", "runtime/quota.go", "id == n.me() || n.members.Has(id)", "id == n.me()"},
	{"quota-not-given-back", "quotas/aim.go", "\treturn min(v.unmet, max(idle, fair))\n", "\treturn 0\n"},
	{"quota-of-the-dead-stays", "runtime/quota.go", "\treturn now.Sub(since) >= n.lease/2\n", "\treturn now.Before(since)\n"},
	{"quota-is-no-limit", "dispatch/quota.go", "min(b.limit.AtOnce, b.quota.atOnce), ", "b.limit.AtOnce, "},
	{"quota-survives-its-node", "runtime/quota.go", "\tn.r.queue.DropQuotas()\n", ""},
}
