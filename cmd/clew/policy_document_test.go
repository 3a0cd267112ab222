package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/runtime"
)

func TestADocumentOfPoliciesIsAppliedAsAWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	rt, err := runtime.Open(t.Context(), runtime.Config{Store: dir})
	require.NoError(t, err)
	require.NoError(t, rt.Close())
	gaps := regexp.MustCompile(` {2,}`)
	read(t, "policy", "set", "activity", "charge", "at-once=3", "force", "--by", "ann", "--dir", dir)
	read(t, "policy", "set", "limit", "bank", "per-key=2", "--by", "ann", "--dir", dir)
	read(t, "policy", "pause", "namespace", "--by", "ann", "--dir", dir)
	require.Equal(t, `{
  "policies": [
    {
      "of": "activity",
      "name": "charge",
      "policy": "at-once=3 force"
    },
    {
      "of": "limit",
      "name": "bank",
      "policy": "per-key=2"
    },
    {
      "of": "namespace",
      "policy": "halt"
    }
  ]
}
`, read(t, "policy", "export", "--dir", dir))
	file := filepath.Join(t.TempDir(), "policies.json")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write(`{"policies":[{"of":"activity","name":"charge","policy":"at-once=4"},{"of":"workflow","name":"order","policy":"halt run-timeout=2h"},{"of":"limit","name":"bank","policy":"per-key=2"}]}`)
	changes := `OF|NAME|BEFORE|AFTER
activity|charge|at-once=3 force|at-once=4
workflow|order|nothing|run-timeout=2h halt
namespace|-|halt|nothing
`
	require.Equal(t, changes, gaps.ReplaceAllString(read(t, "policy", "apply", file, "--dry-run", "--dir", dir), "|"))
	require.Contains(t, read(t, "policy", "list", "--dir", dir), "at-once=3 force", "nothing was done")
	require.Equal(t, changes+"applied: version 6 of the policies\n", gaps.ReplaceAllString(read(t, "policy", "apply", file, "--by", "bob", "--reason", "as agreed", "--dir", dir), "|"))
	require.Regexp(t, `workflow +order +run-timeout=2h halt +5 +\S+ +operator:bob +as agreed`, read(t, "policy", "list", "--dir", dir))
	require.Equal(t, "nothing changes\n", read(t, "policy", "apply", file, "--dir", dir))

	write(`{"policies":[{"of":"activity","name":"charge","policy":"at-once=9"},{"of":"activity","name":"ship","policy":"speed=3"},{"of":"queue","name":"q","policy":"at-once=x"}]}`)
	status, _, errs := tool(t, "policy", "apply", file, "--dir", dir)
	require.NotZero(t, status)
	require.Contains(t, errs, "speed")
	require.Contains(t, errs, "queue q", "all that is wrong is told at once")
	write(`{"policies":[{"of":"activity","name":"charge","policy":"at-once=9"},{"of":"namespace","policy":"at-once=3"}]}`)
	status, _, _ = tool(t, "policy", "apply", file, "--dir", dir)
	require.NotZero(t, status)
	require.Contains(t, read(t, "policy", "list", "--dir", dir), "at-once=4", "all of it or nothing")
	write(`{"policy":[]}`)
	status, _, errs = tool(t, "policy", "apply", file, "--dir", dir)
	require.NotZero(t, status)
	require.Contains(t, errs, "clew policy export")
}
