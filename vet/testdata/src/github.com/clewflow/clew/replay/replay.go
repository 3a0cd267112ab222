// Package replay runs workflow code, and is none.
package replay

import (
	"time"

	"github.com/clewflow/clew/workflow"
)

func Run(ctx workflow.Context) { time.Sleep(1) }
