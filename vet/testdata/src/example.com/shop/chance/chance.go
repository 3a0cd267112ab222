// Package chance throws dice.
package chance

import (
	crypto "crypto/rand"
	"hash/maphash"
	old "math/rand"
	"math/rand/v2"

	"github.com/clewflow/clew/workflow"
	"github.com/google/uuid"
)

func Throw(ctx workflow.Context, in []int) (string, error) {
	_ = rand.IntN(6)                                       // want `^rand.IntN is something else when the run is remembered; use workflow.Rand$`
	_ = rand.N(6)                                          // want `^rand.N `
	rand.Shuffle(len(in), func(i, j int) {})               // want `^rand.Shuffle `
	_ = old.Intn(6)                                        // want `^rand.Intn `
	old.Seed(1)                                            // want `^rand.Seed `
	_, _ = crypto.Read(nil)                                // want `^rand.Read `
	_, _ = crypto.Reader.Read(nil)                         // want `^rand.Reader `
	_ = maphash.MakeSeed()                                 // want `^maphash.MakeSeed `
	_ = uuid.New()                                         // want `^uuid.New makes another UUID .*; use workflow.NewUUID$`
	_ = uuid.NewString()                                   // want `^uuid.NewString `
	_ = uuid.Must(uuid.NewV7())                            // want `^uuid.NewV7 `
	_ = uuid.NewSHA1(uuid.UUID{}, nil).String()            // is the same each time
	_, _ = uuid.Parse("x")                                 // so is this
	_ = workflow.NewUUID(ctx)                              //
	_ = workflow.Rand(ctx).IntN(6)                         //
	workflow.Rand(ctx).Shuffle(len(in), func(i, j int) {}) //
	_ = rand.New(rand.NewPCG(1, 2)).Float64()              //
	_ = old.New(old.NewSource(7)).Intn(3)                  //
	return "", nil
}
