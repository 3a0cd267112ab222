package runtime

// A crew runs functions on goroutines that it keeps for the next one, because a goroutine that has run has a stack of the
// right size.
type crew struct {
	work chan func()
	end  chan struct{}
	idle chan struct{} // one for each that may wait
}

const maxIdle = 512

func newCrew() *crew {
	return &crew{work: make(chan func()), end: make(chan struct{}), idle: make(chan struct{}, maxIdle)}
}

// run runs f, on a goroutine that waits or on a new one.
func (c *crew) run(f func()) {
	select {
	case c.work <- f:
	default:
		go c.serve(f)
	}
}

func (c *crew) serve(f func()) {
	for {
		f()
		select {
		case c.idle <- struct{}{}:
		default:
			return // enough wait
		}
		select {
		case f = <-c.work:
			<-c.idle
		case <-c.end:
			return
		}
	}
}

// dismiss ends the goroutines that wait. What runs runs on; whoever gave it waits for it.
func (c *crew) dismiss() { close(c.end) }
