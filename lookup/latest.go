package lookup

import (
	"context"
	"fmt"
)

// versioned is what runs are counted by, where they have a version, so that the highest one of a type is known.
type versioned struct {
	namespace, kind string
	version         int
}

// latest is the highest version that a run of the type of a run has.
const latest = "(SELECT max(v.version) FROM version AS v WHERE v.namespace = run.namespace AND v.type = run.type AND v.runs > 0)"

func (b *batch) countVersion(r *run, version, n int) {
	if version == 0 {
		return
	}
	if b.versions == nil {
		b.versions = map[versioned]int{}
	}
	b.versions[versioned{r.Namespace, r.Type, version}] += n
}

func (b *batch) writeVersions() error {
	for of, n := range b.versions {
		if n == 0 {
			continue
		}
		if err := b.c.exec(context.Background(), addVersion, of.namespace, of.kind, int64(of.version), int64(n)); err != nil {
			return fmt.Errorf("counting the versions of %s: %w", of.kind, err)
		}
	}
	return nil
}
