package shop

import "github.com/clewflow/clew/workflow"

func inTest(ctx workflow.Context) { go pack(ctx, "lamp") }
