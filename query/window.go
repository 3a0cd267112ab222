package query

import "time"

// AskedBy is q as a run of a workflow asks it that was recorded at started. What is relative to now is relative to that, and so is the
// duration of runs that are open, unless q has a Now. The window ends there: runs that were recorded later are not found, and neither is
// the run itself. So the question is the same however late it is answered; how the runs stand is as of the answer.
func (q Query) AskedBy(run string, started time.Time) Query {
	if q.Now.IsZero() {
		q.Now = started
	}
	end := started.Add(1) // which is out
	if q.Until.IsZero() || q.Until.After(end) {
		q.Until = end
	}
	if q.Since.After(q.Until) {
		q.Since = q.Until // there is nothing in between, which is no mistake of who asks
	}
	return Where(q, None(Runs.Run.Is(run)))
}
