package main

import (
	"context"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store/eventstore/esdbtest"
	"github.com/clewflow/clew/workflow"
)

func TestNodesAndExecutionsOfAServerAreShown(t *testing.T) {
	s, err := esdbtest.Start(esdbtest.Options{})
	require.NoError(t, err)
	defer s.Close()
	code := workflow.Define("waits", func(ctx workflow.Context, _ workflow.None) (workflow.None, error) {
		return workflow.None{}, workflow.Sleep(ctx, 1<<50)
	})
	require.Equal(t, "no node works on this namespace (the log ends at position 0)\n", read(t, "nodes", "--dir", s.URL()))
	require.Empty(t, s.Events(), "who looks leaves no trace")
	rt, err := runtime.Open(t.Context(), runtime.Config{Store: s.URL(), Node: "worker-1", Build: "v1"}, code)
	require.NoError(t, err)
	defer rt.Close()
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- rt.Run(ctx) }()
	<-rt.Ready()
	_, err = runtime.Start(t.Context(), rt, "w-1", code, workflow.None{})
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`(?s)^NAME +ID +SAID +ACTED UP TO +OPEN +TYPES +ACTIVITIES +BUILD\nworker-1 +\S+ +\S+ ago +\d+ +1 +1 +0 +v1\n\nthe log ends at position \d+\n$`),
		read(t, "nodes", "--dir", s.URL()))
	require.Contains(t, read(t, "ls", "--dir", s.URL()), "w-1")
	require.Contains(t, read(t, "why", "w-1", "--dir", s.URL()), "timer")
	require.Contains(t, read(t, "verify", "--dir", s.URL()), "1 execution")
	stop()
	require.NoError(t, <-ran)
	code1, _, errs := tool(t, "nodes", "--dir", world(t))
	require.Equal(t, failed, code1)
	require.Contains(t, errs, "esdb://")
}
