package workflow

import (
	"encoding/binary"
	"log/slog"
	"math/rand/v2"

	"github.com/google/uuid"

	"github.com/clewflow/clew/history"
)

// Info says which run this is.
func Info(ctx Context) Run { return ctx.run.driver.Run() }

// Logger is silent while the code is told what it was told before, so nothing is logged twice.
func Logger(ctx Context) *slog.Logger { return ctx.run.driver.Logger() }

// Rand gives random numbers that are the same each time the run is remembered. The sequence for a seed never changes.
func Rand(ctx Context) *rand.Rand {
	ctx.run.driver.Change("rolling dice")
	if ctx.run.rand == nil {
		ctx.run.rand = rand.New(&dice{run: ctx.run})
	}
	return ctx.run.rand
}

// dice are rolled by the seed of the run. A run that has adopted a part of an earlier one has the seed of that up to there.
type dice struct {
	run  *run
	seed uint64
	pcg  *rand.PCG
}

func (d *dice) Uint64() uint64 {
	if of := d.run.driver.Run().Seed; d.pcg == nil || d.seed != of {
		d.seed, d.pcg = of, rand.NewPCG(of, 0)
	}
	return d.pcg.Uint64()
}

// NewUUID makes a random UUID that is the same each time the run is remembered.
func NewUUID(ctx Context) string {
	ctx.run.driver.Change("making a UUID")
	if of := ctx.run.driver.Run().Seed; ctx.run.uuids == nil || ctx.run.uuidSeed != of {
		var seed [32]byte
		binary.LittleEndian.PutUint64(seed[:], of)
		copy(seed[8:], "clew.uuid")
		ctx.run.uuids, ctx.run.uuidSeed = rand.NewChaCha8(seed), of
	}
	id, err := uuid.NewRandomFromReader(ctx.run.uuids)
	if err != nil {
		panic(stall("a UUID: %v", err))
	}
	return id.String()
}

// Value evaluates fn once in a run and keeps what it returns; fn is not called again when the run is remembered. The
// name stands for the value in the whole run: the same name again gives the same value. fn must be quick and do no I/O.
func Value[T any](ctx Context, name string, fn func() T) (v T) {
	kept, _ := ctx.run.driver.Keep(false, name, func() history.Payload {
		return ctx.keepable(name, fn())
	})
	if err := kept.Decode(&v); err != nil {
		panic(stall("value %s: %v", name, err))
	}
	return v
}

// Latest evaluates fn each time and keeps what it returns when that has changed, such as a setting that is read again and
// again. When the run is remembered, each call gives what it gave before. fn must be quick and do no I/O.
func Latest[T any](ctx Context, name string, fn func() T) (v T) {
	if ctx.run.latest == nil {
		ctx.run.latest = map[string]int{}
	}
	ctx.run.latest[name]++
	kept := ctx.run.driver.KeepLatest(name, ctx.run.latest[name], func() history.Payload {
		return ctx.keepable(name, fn())
	})
	if err := kept.Decode(&v); err != nil {
		panic(stall("value %s: %v", name, err))
	}
	return v
}

// keepable encodes a value that is to be kept.
func (c Context) keepable(name string, v any) history.Payload {
	p, err := history.Encode(v)
	if err == nil {
		err = c.run.driver.Fits(p)
	}
	if err != nil {
		panic(stall("value %s: %v", name, err))
	}
	return p
}

// Patched is a gate in front of changed code: true in runs that come here for the first time with it, false in those that
// had passed here before the code knew of the change. The first answer stands for the whole run.
func Patched(ctx Context, id string) bool { return Variant(ctx, id, 1) > 0 }

// Variant is [Patched] for more than two: latest in runs that come here for the first time, what was latest then in
// others, and 0 in those that had passed here before the code knew of the gate.
func Variant(ctx Context, id string, latest int) int {
	v := variant(ctx, id, latest)
	if ctx.run.watch != nil {
		ctx.seeGate(id, latest, v)
	}
	return v
}

func variant(ctx Context, id string, latest int) (v int) {
	kept, old := ctx.run.driver.Keep(true, id, func() history.Payload {
		p, _ := history.Encode(latest) // an int always encodes
		return p
	})
	if old {
		return 0
	}
	if err := kept.Decode(&v); err != nil {
		panic(stall("gate %s: %v", id, err))
	}
	return v
}
