// Package ranges ranges over maps.
package ranges

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

var Charge = activity.Define("charge", func(ctx context.Context, who string) (int, error) { return 0, nil })

type account struct {
	name    string
	balance int
	rate    float64
	opened  time.Time
	closed  bool
}

func (a *account) close() { a.closed = true }

func Refused(ctx workflow.Context, m map[string]*account, rng *rand.Rand) ([]string, error) {
	for who := range m { // want `^range over a map comes in another order each time, and workflow.Do is called in that order; range over slices.Sorted\(maps.Keys\(m\)\), or sort what comes of it$`
		if _, err := workflow.Do(ctx, Charge, who); err != nil {
			return nil, err
		}
	}
	fs := map[string]workflow.Future[int]{}
	for who := range m { // want `workflow.Begin is called in that order`
		fs[who] = workflow.Begin(ctx, Charge, who)
	}
	var names []string
	for who := range m { // want `names is appended to and not sorted afterwards`
		names = append(names, who)
	}
	for _, a := range m { // want `undo is called in that order`
		undo := func() {}
		_ = a
		undo()
	}
	var b strings.Builder
	for who := range m { // want `b.WriteString is called in that order`
		b.WriteString(who)
	}
	text, rate, last := "", 0.0, ""
	for who, a := range m { // want `what text adds up to depends on it`
		text += who
		_ = a
	}
	for _, a := range m { // want `what rate adds up to depends on it`
		rate += a.rate
	}
	for who := range m { // want `the last one decides what last is`
		last = who
	}
	best, leader := 0, ""
	for who, a := range m { // want `the last one decides what leader is`
		if a.balance > best {
			best, leader = a.balance, who
		}
	}
	var oldest *account
	for _, a := range m { // want `the last one decides what oldest is`
		if oldest == nil || a.opened.Before(oldest.opened) {
			oldest = a
		}
	}
	for name := range map[string]int{"a": 1} { // want `range over a slice, or sort`
		b.WriteString(name)
	}
	n := 0
	for who := range m { // want `the loop ends before it has seen all`
		n += len(who)
		if strings.HasPrefix(who, "x") {
			break
		}
	}
	few := map[string]bool{}
	for who := range m { // want `few\[who\] decides what is done with the next element`
		if len(few) < 3 {
			few[who] = true
		}
	}
	state := 0
	for _, a := range m { // want `the last one decides what state is`
		if a.closed {
			state = 1
		} else {
			state = 2
		}
	}
	_ = state
	throws := map[string]int{}
	for who := range m { // want `rand.Rand.IntN draws in that order`
		throws[who] = rng.IntN(6)
	}
	byState := map[bool][]string{}
	for who, a := range m { // want `byState\[a.closed\] is appended to and not sorted afterwards`
		byState[a.closed] = append(byState[a.closed], who)
	}
	names = byState[true]
	for who := range maps.Keys(m) { // want `^range over a map .*fmt.Fprint is called in that order; range over slices.Sorted\(maps.Keys\(m\)\)`
		fmt.Fprint(&b, who)
	}
	for who := range slices.Collect(maps.Keys(m)) { // want `^range over a map `
		fmt.Fprint(&b, who)
	}
	keys := slices.Collect(maps.Keys(m)) // want `^maps.Keys come in another order each time; use slices.Sorted\(maps.Keys\(m\)\)`
	for who, a := range m {              // want `what is deferred is done in that order`
		defer a.close()
		_ = who
	}
	helped(m)               // want `^helped → range over a map comes in another order`
	_ = unsorted(m, true)   // want `^unsorted → range over a map .*what is returned is of whichever comes first`
	for who, a := range m { // want `what is returned is of whichever comes first`
		if a.closed {
			return []string{who, last, leader}, nil
		}
	}
	for _, a := range m { // want `which return comes first decides`
		if a.closed {
			return nil, nil
		}
		if a.balance < 0 {
			return names, nil
		}
	}
	return append(keys, text), nil
}

func helped(m map[string]*account) { // want helped:`range over a map`
	for who := range m {
		fmt.Sprintf("%s", who)
	}
}

func unsorted(m map[string]*account, any bool) string { // want unsorted:`range over a map`
	for who := range m {
		return who
	}
	return ""
}

func Fine(ctx workflow.Context, m map[string]*account, wanted string) (names []string, err error) {
	for who := range m {
		names = append(names, who)
	}
	slices.Sort(names)
	var accounts []*account
	for _, a := range m {
		if a.closed {
			continue
		}
		accounts = append(accounts, a)
	}
	sort.Slice(accounts, func(i, j int) bool { return accounts[i].name < accounts[j].name })
	copied, inverse, sums, groups := map[string]*account{}, map[int]string{}, map[bool]int{}, map[bool][]string{}
	total, n, richest, any, all := 0, 0, 0, false, true
	var wait time.Duration
	var newest time.Time
	var found *account
	for who, a := range m {
		copied[who] = a
		inverse[a.balance] = who
		sums[a.closed] += a.balance
		groups[a.closed] = append(groups[a.closed], who)
		total += a.balance
		total = total + len(who)
		n++
		wait += time.Duration(a.balance) * time.Second
		richest = max(richest, a.balance)
		if a.opened.After(newest) {
			newest = a.opened
		}
		if a.balance > richest {
			richest = a.balance
		}
		any = any || a.closed
		if a.balance < 0 {
			all = false
		}
		a.closed = true
		a.close()
		switch {
		case a.name == wanted:
			found = a
		}
		delete(m, who)
	}
	for _, g := range groups {
		sort.Strings(g)
	}
	best, leader := 0, ""
	for who, a := range m {
		if a.balance > best || a.balance == best && who < leader {
			best, leader = a.balance, who
		}
	}
	var oldest, first *account
	for _, a := range m {
		if oldest == nil || a.opened.Before(oldest.opened) || a.opened.Equal(oldest.opened) && a.name < oldest.name {
			oldest = a
		}
		if first == nil || before(a, first) {
			first = a
		}
	}
	for range m {
		n++
	}
	for who := range m {
		workflow.Logger(ctx).Info("there is", "who", who, "at", workflow.Now(ctx))
	}
	for _, a := range m {
		if a.closed {
			any = true
			break
		}
	}
	for who, a := range m {
		if a.name == wanted {
			return []string{who}, nil
		}
	}
	for _, a := range m {
		if a.closed {
			return nil, context.Canceled
		}
	}
	for who := range m {
		for i, r := range who {
			if r == 'x' {
				break
			}
			sums[r == 'y'] += i
		}
	}
	var loose []string
	for who := range m {
		loose = append(loose, who)
	}
	n += len(loose)
	if slices.Contains(loose, wanted) {
		n++
	}
	keys := slices.Sorted(maps.Keys(m))
	more := slices.Collect(maps.Values(m))
	slices.SortFunc(more, func(a, b *account) int { return strings.Compare(a.name, b.name) })
	keys = slices.AppendSeq(keys, maps.Keys(m))
	slices.Sort(keys)
	clone := maps.Collect(maps.All(m))
	maps.Copy(clone, m)
	for _, who := range slices.Sorted(maps.Keys(m)) {
		if _, err := workflow.Do(ctx, Charge, who); err != nil {
			return nil, err
		}
	}
	all1 := keysOf(m)
	slices.Sort(all1)
	lines := report{}
	for who := range m {
		lines.names = append(lines.names, who)
	}
	sortNames(lines.names)
	header := header{}
	for who := range m {
		header.Set(who, "x")
	}
	seen := map[string]bool{}
	for who := range m {
		if !seen[who] {
			seen[who] = true
		}
	}
	_, _, _, _, _, _ = any, all, found, n, more, wait
	return keys, nil
}

func before(a, b *account) bool { return a.name < b.name }

type report struct{ names []string }

type header map[string]string

func (h header) Set(k, v string) { h[k] = v }

func sortNames(names []string) { slices.Sort(names) }

// keysOf leaves the sorting to whoever calls it, as package maps does.
func keysOf(m map[string]*account) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}
