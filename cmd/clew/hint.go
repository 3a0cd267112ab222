package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
)

// hint says on the side which types were asked for that no run has, and which may have been meant, where nothing was found. That nothing is
// found is an answer and no error, so what is wrong with the hint itself is left unsaid.
func hint(cmd *cobra.Command, e *executions, q query.Query, found bool) {
	if !found {
		hintTypes(cmd, e, query.Query{Namespace: e.of(q), AsOf: q.AsOf}, query.Types(q))
	}
}

// hintTypes is hint for some types, among the runs that of asks for.
func hintTypes(cmd *cobra.Command, e *executions, of query.Query, types []string) {
	if len(types) == 0 {
		return
	}
	answer, err := e.Group(cmd.Context(), of, "type")
	if err != nil || answer.More {
		return
	}
	var known []string
	for _, g := range answer.Groups {
		if name, is := g.Keys[0].(string); is {
			known = append(known, name)
		}
	}
	for _, name := range types {
		if slices.Contains(known, name) {
			continue
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "clew: no run is of the type %s%s\n", plain(name), plain(nearest(name, known)))
	}
}

// hintRules is hint for the types of rules that nothing was found by.
func hintRules(cmd *cobra.Command, s *site, rules []runtime.RetentionRule, found []runtime.Expired) {
	var types []string
	for _, rule := range rules {
		if rule.Type != "" && !slices.ContainsFunc(found, func(x runtime.Expired) bool { return x.Type == rule.Type }) {
			types = append(types, rule.Type)
		}
	}
	if len(types) == 0 {
		return
	}
	e, err := s.open(cmd)
	if err != nil {
		return
	}
	hintTypes(cmd, e, query.Query{Namespace: e.namespace}, types)
	_ = e.close()
}

// nearest names the types that there are: the one that is near, or some.
func nearest(name string, known []string) string {
	slices.Sort(known)
	switch best := query.Nearest(name, known); {
	case best != "":
		return ": did you mean " + best + "?"
	case len(known) == 0:
		return ", because there is no run"
	case len(known) > 10:
		return fmt.Sprintf("; there are %s and %d more", strings.Join(known[:10], ", "), len(known)-10)
	}
	return "; there are " + strings.Join(known, ", ")
}
