package sim

// Sometimes is what must happen now and then in a campaign; a campaign in which one never did has not tried it.
var Sometimes = []string{
	"a completion from outside is refused",
	"a request is answered after it was repeated",
	"a run continues as new",
	"a signal is carried into the next run",
	"an append arrives late and is stored",
	"an attempt goes on at a checkpoint",
	"an attempt is lost",
	"an outcome comes late",
	"an update is carried into the next run",
	"conflict at the end of a run",
	"conflict while a run continues",
	"death while recovering",
	"several inputs in one append",
	"somebody stalls",
	"somebody goes on after a stall",
	"unknown outcome at the end of a run",
	"unknown outcome of a start",
	"unknown outcome while a run continues",
	"unread signals are left over",
}
