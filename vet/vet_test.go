package vet_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/clewflow/clew/vet"
)

// What is expected stands beside the code in testdata, as "want" comments; what has none is fine. Of clew itself nothing
// is expected: package workflow reads the clock and package replay has contexts, but they run workflow code and are none.
func TestWhatIsRefused(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), vet.Analyzer, "example.com/shop/...", "github.com/clewflow/clew/...")
}
