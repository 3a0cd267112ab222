package runtime

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// releasing lets go of what others own, whenever the work is shared anew, and says so; until ctx ends.
func (n *node) releasing(ctx context.Context) {
	for {
		n.r.await(ctx, time.Time{}, n.release, nil)
		if ctx.Err() != nil {
			return
		}
		n.r.look(ctx, "let go of all", n.release)
		n.mu.Lock()
		to := n.heardTo
		n.mu.Unlock()
		if !n.letGo(ctx) {
			return
		}
		n.mu.Lock()
		if to.After(n.actedTo) {
			n.actedTo = to
		}
		n.acts = true
		if n.heardTo == to {
			n.changing = false
		} else {
			tell(n.release) // once more for what was heard meanwhile
		}
		n.mu.Unlock()
		tell(n.speak)
		tell(n.take)
	}
}

// letGo drops the executions that others own. What is in hand of them goes on, and that is recorded. It reports false if ctx ended
// first.
func (n *node) letGo(ctx context.Context) bool {
	r := n.r
	ids := append(r.executions.ids(), r.queue.IDs()...)
	slices.SortFunc(ids, func(a, b history.ID) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(64)
	for _, id := range slices.Compact(ids) {
		group.Go(func() error {
			return r.insist(ctx, "let go of an execution", id, func(ctx context.Context) error {
				r.pace(ctx, "let go", id)
				_, err := r.do(ctx, id, &call{command: commands.HandOver{}, by: history.Clock})
				if refused(err) {
					return nil
				}
				return err
			})
		})
	}
	return group.Wait() == nil
}

// taking takes up what is owned here whenever the work was shared anew, until ctx ends.
func (n *node) taking(ctx context.Context) {
	first := true
	for {
		n.r.await(ctx, time.Time{}, n.take, nil)
		if ctx.Err() != nil {
			return
		}
		n.r.look(ctx, "take up all", n.take)
		if !n.fit() {
			continue // it comes again
		}
		n.mu.Lock()
		gone, anew, me := n.gone, n.anew, n.id
		n.gone, n.anew = nil, false
		n.mu.Unlock()
		if err := n.takeUp(ctx, first || anew, gone); err != nil {
			if ctx.Err() == nil {
				n.r.logger.Warn("executions cannot be taken up now, and are tried again", "error", err)
				n.mu.Lock()
				n.gone, n.anew = append(gone, n.gone...), n.anew || anew
				n.mu.Unlock()
				sleep(ctx, n.lease/16)
				tell(n.take)
			}
			continue
		}
		first = false
		if n.me() == me {
			n.r.once.Do(func() { close(n.r.ready) })
		}
	}
}

// takeUp takes up the executions that are owned here, and those of which members that are gone had something to do. What is known and in
// hand already stays as it is. anew: also what was left untold by whoever owned it before.
func (n *node) takeUp(ctx context.Context, anew bool, gone []string) error {
	r := n.r
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(64)
	r.wakes.Looking()
	alike := n.members.Alike()
	for tail, err := range r.open(within) {
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		switch {
		case tail.ID.Namespace != r.config.Namespace:
		case !r.owns(tail.ID, tail.Type, tail.Version):
			if !alike && tail.Unsettled > 0 {
				group.Go(func() error { return r.takeUpOne(within, tail.ID) })
			}
		default: // also what was owned here before: it may have been let go of in between
			n.takeUpOne(within, group, tail)
		}
	}
	for _, o := range gone {
		for _, id := range r.queue.HeldBy(o) {
			group.Go(func() error { return r.takeUpOne(within, id) })
		}
	}
	if len(gone) > 0 {
		r.own.Go(func() { r.mournAll(r.ctx) })
	}
	if len(gone) > 0 || anew {
		for tail, err := range r.index.Untold(within, r.config.Namespace) {
			if err != nil {
				return errors.Join(err, group.Wait())
			}
			if r.owns(tail.ID, tail.Type, tail.Version) {
				group.Go(func() error { return r.takeUpOne(within, tail.ID) })
			}
		}
	}
	return group.Wait()
}

func (n *node) takeUpOne(ctx context.Context, group *errgroup.Group, tail store.Tail) {
	n.r.wakes.WakeBy(tail.ID, tail.Wake, n.r.now())
	if n.r.toDo(tail) {
		group.Go(func() error { return n.r.takeUpOne(ctx, tail.ID) })
	} else if tail.Follows {
		n.r.follow(tail.ID)
	}
}
