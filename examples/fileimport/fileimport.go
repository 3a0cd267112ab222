// Package fileimport loads a long file into a table, tells how far it is, and goes on where it was when it is interrupted.
package fileimport

import (
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// File is what is to be loaded.
type File struct{ Path string }

// Position is how far an attempt has come. It is the checkpoint.
type Position struct{ Offset, Rows int64 }

// Report is what was loaded.
type Report struct{ Rows int64 }

// Load may take half a day, but is not to be silent for longer than half a minute. [Loader] has the body.
var Load = activity.Declare[File, Report]("import.load",
	activity.StartToClose(12*time.Hour), activity.HeartbeatWithin(30*time.Second))

// Progress asks how many rows are loaded.
var Progress = workflow.NewQuery[int64]("progress")

// Import is the life of an import.
var Import = workflow.Define("import", importFile)

func importFile(ctx workflow.Context, f File) (Report, error) {
	var rows int64
	Progress.Handle(ctx, func() int64 { return rows })

	loaded, checkpoints := workflow.BeginWatched[Position](ctx, Load, f)
	for {
		at, loading, err := checkpoints.Receive(ctx)
		if err != nil {
			return Report{}, err
		}
		if !loading {
			break
		}
		rows = at.Rows
	}
	report, err := loaded.Get(ctx)
	if err == nil {
		rows = report.Rows // checkpoints are told now and then, hardly ever the last one
	}
	return report, err
}
