package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Campaign is the sum of many reports. The zero Campaign has none.
type Campaign struct {
	Seeds, Entries int
	Virtual        float64       // seconds that it took in the worlds
	Took           time.Duration // that it took outside
	Faults, Seen   map[string]int
	Broken         []*Report
	appends        []int // of each world
}

// Add adds a report.
func (c *Campaign) Add(r *Report) {
	if c.Faults == nil {
		c.Faults, c.Seen = map[string]int{}, map[string]int{}
	}
	c.Seeds++
	c.appends = append(c.appends, r.Appends)
	c.Entries += r.Entries
	c.Virtual += r.Virtual.Seconds()
	for what, n := range r.Faults {
		c.Faults[what] += n
	}
	for what, n := range r.Seen {
		c.Seen[what] += n
	}
	if len(r.Wrong) > 0 {
		c.Broken = append(c.Broken, r)
	}
}

// Never is what must happen now and then and never did.
func (c *Campaign) Never() (never []string) {
	for _, what := range Sometimes {
		if c.Seen[what] == 0 {
			never = append(never, what)
		}
	}
	for _, f := range faults {
		if c.Faults[string(f)] == 0 {
			never = append(never, "fault: "+string(f))
		}
	}
	return never
}

// String is the campaign for people.
func (c *Campaign) String() string {
	var b strings.Builder
	appends, real := 0, max(c.Took.Seconds(), 1e-9)
	for _, n := range c.appends {
		appends += n
	}
	fmt.Fprintf(&b, "%d seeds, %d appends, %d entries, %d broken\n", c.Seeds, appends, c.Entries, len(c.Broken))
	if c.Seeds > 0 {
		fmt.Fprintf(&b, "half of the seeds have at least %d appends\n", slices.Sorted(slices.Values(c.appends))[c.Seeds/2])
	}
	fmt.Fprintf(&b, "%.1f seeds a second, %.0f appends a second\n", float64(c.Seeds)/real, float64(appends)/real)
	fmt.Fprintf(&b, "%.2f simulated years in %s, %.3g times as fast as they pass\n", c.Virtual/year.Seconds(), c.Took.Round(time.Second), c.Virtual/real)
	for _, table := range []struct {
		name string
		of   map[string]int
	}{{"faults", c.Faults}, {"sometimes", c.Seen}} {
		sum := 0
		for _, n := range table.of {
			sum += n
		}
		fmt.Fprintf(&b, "%s: %d\n", table.name, sum)
		for _, what := range slices.Sorted(maps.Keys(table.of)) {
			fmt.Fprintf(&b, "%8d  %s\n", table.of[what], what)
		}
	}
	return b.String()
}

const year = 365 * 24 * time.Hour
