package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHoldsRetentionAndActsFromOutside(t *testing.T) {
	dir := world(t)
	assert.Equal(t, "refund-1 is held\n", read(t, "hold", "refund-1", "--name", "case-7", "--reason", "the court", "--by", "ann", "--dir", dir))
	code, _, errs := tool(t, "delete", "refund-1", "--dir", dir)
	assert.Equal(t, failed, code)
	assert.Regexp(t, `^clew: held: refund-1, by hold "case-7" by operator:ann since \S+: the court; release it first\n$`, errs)
	assert.Contains(t, read(t, "show", "refund-1", "--dir", dir), `Nothing of it may be taken away: hold "case-7" by operator:ann since`)
	assert.Contains(t, read(t, "why", "refund-1", "--dir", dir), `Nothing of it may be taken away: hold "case-7"`)
	assert.Contains(t, read(t, "ls", "held = true", "--dir", dir), "refund-1")
	assert.Equal(t, "everything is kept for ever\n", read(t, "retention", "show", "--dir", dir))
	assert.Equal(t, "type=refund,age=1h,name=old; every 2h (version 1 of the policies)\n",
		read(t, "retention", "set", "--rule", "type=refund,age=1h,name=old", "--every", "2h", "--reason", "contract", "--by", "ann", "--dir", dir))
	assert.Equal(t, "all is kept for ever (version 2 of the policies)\n", read(t, "retention", "off", "--by", "bob", "--dir", dir))
	assert.Equal(t, "type=refund,age=1h,name=old; every 2h (version 3 of the policies)\n", read(t, "retention", "restore", "1", "--by", "ann", "--dir", dir))
	assert.Regexp(t, `(?s)^laid down by operator:ann at \S+ \(version 3 of the policies\)\n1. type=refund,age=1h,name=old\n`, read(t, "retention", "show", "--dir", dir))
	assert.Regexp(t, `(?m)^1 +\S+ +operator:ann +all is kept for ever +type=refund,age=1h,name=old; every 2h +contract$`, read(t, "retention", "history", "--dir", dir))
	acts := read(t, "acts", "--by", "ann", "--since", "24h", "--dir", dir)
	assert.Regexp(t, `(?m)^\S+ +ann +refund-1 +refund-1 held as case-7: the court$`, acts)
	assert.Regexp(t, `(?m)^\S+ +ann +\(the namespace\) +retention: type=refund,age=1h,name=old; every 2h; before: all is kept for ever: contract$`, acts)
	assert.NotContains(t, acts, "bob")
	assert.Contains(t, read(t, "acts", "refund-1", "--dir", dir), "held as case-7")
	assert.Contains(t, read(t, "acts", "refund-1", "--json", "--dir", dir), `"kind":"held"`)
	read(t, "hold", "refund-1", "--name", "case-8", "--by", "ann", "--dir", dir)
	still := `refund-1 has that hold no more\nNothing of it may be taken away: hold "case-7" by operator:ann since \S+: the court.\n$`
	assert.Regexp(t, still, read(t, "release", "refund-1", "--name", "case-8", "--by", "ann", "--dir", dir))
	require.Equal(t, "refund-1 has that hold no more\n", read(t, "release", "refund-1", "--name", "case-7", "--by", "ann", "--dir", dir))
	assert.Contains(t, read(t, "delete", "refund-1", "--dir", dir), "entries are gone")
}

func TestWhatThereIsNoneOfIsSaid(t *testing.T) {
	dir := keep(t, map[string]*past{"order-1": order()})
	for want, args := range map[string][]string{
		"nothing was taken away, held or taken over\n":           {"show", "--erased"},
		"no rules were laid down: everything is kept for ever\n": {"retention", "history"},
		"no policy was ever laid down\n":                         {"policy", "history"},
		"no executions\n":                                        {"find", "status = failed", "--group-by", "type"},
	} {
		assert.Equal(t, want, read(t, append(args, "--dir", dir)...))
	}
	assert.Contains(t, read(t, "show", "order-1", "--kind", "nope", "--dir", dir), "\nno entry is of that kind or about that step; --json shows how kinds are named\n")
	assert.NotContains(t, read(t, "show", "order-1", "--kind", "activity", "--dir", dir), "no entry is of that kind")
}
