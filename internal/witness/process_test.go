package witness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/workflow"
)

// Variables by which the binary knows that it is to be a process and not the test.
const (
	dirVariable    = "CLEW_WITNESS_DIR"
	nameVariable   = "CLEW_WITNESS_NAME"
	closeVariable  = "CLEW_WITNESS_CLOSE"  // not empty: Close alone ends the work, and not the context of Run before it
	forgetVariable = "CLEW_WITNESS_FORGET" // not empty: nothing is remembered that is not worked on
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirVariable); dir != "" {
		os.Exit(work(dir, os.Getenv(nameVariable)))
	}
	os.Exit(m.Run())
}

// A request is what the witness asks of a process: a line on its standard input.
type request struct {
	Number  int    `json:"number"`
	What    string `json:"what"`
	ID      string `json:"id,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Request string `json:"request,omitempty"`
	Value   string `json:"value,omitempty"`
	Token   string `json:"token,omitempty"`
	Size    int    `json:"size,omitempty"` // the input of what is started
	Replace bool   `json:"replace,omitempty"`
	To      string `json:"to,omitempty"`      // to whom a courier goes
	Weight  int    `json:"weight,omitempty"`  // of the value
	Patient bool   `json:"patient,omitempty"` // of an update
}

// What can be asked.
const (
	start     = "start"
	await     = "await" // start, and wait for the end
	send      = "send"
	update    = "update"
	cancel    = "cancel"
	terminate = "terminate"
	complete  = "complete"
	ask       = "ask"
	list      = "list" // some open executions
	describe  = "describe"

	startSend   = "start-send"
	startUpdate = "start-update"
)

// A line is what a process tells the witness on its standard output.
type line struct {
	What   string   `json:"what"`
	Number int      `json:"number,omitempty"` // of the request, or of the attempt
	Error  string   `json:"error,omitempty"`  // its kind
	Text   string   `json:"text,omitempty"`   // the whole of it
	ID     string   `json:"id,omitempty"`
	Run    string   `json:"run,omitempty"`
	Key    string   `json:"key,omitempty"`
	Value  string   `json:"value,omitempty"`
	Count  int      `json:"count,omitempty"`
	Millis int64    `json:"millis,omitempty"`
	IDs    []string `json:"ids,omitempty"`
}

// What is told.
const (
	openingLine  = "opening" // the store is being opened
	openLine     = "open"
	refusedLine  = "refused"  // it could not be opened
	answerLine   = "answer"   // a call has returned
	acceptedLine = "accepted" // an update
	readyLine    = "ready"    // the first execution that was started has ended; Millis since opening
	beginLine    = "begin"    // of an attempt; Count is the checkpoint from which it goes on
	endLine      = "end"      // of an attempt that succeeds; Value is its stamp
	failLine     = "fail"     // of an attempt that fails on purpose
	tokenLine    = "token"    // handed out by an attempt
	closedLine   = "closed"   // the runtime has closed without an error
	closeError   = "unclosed" // it has not
)

// here is the process; nil in the witness, whose judge runs no local step.
var here *process

// process is what runs in the process.
type process struct {
	name   string
	rt     *runtime.Runtime
	opened time.Time

	mu     sync.Mutex
	stamps int
}

// tell writes a line. When it returns, the witness will know.
func (p *process) tell(l line) {
	text, err := json.Marshal(l)
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := os.Stdout.Write(append(text, '\n')); err != nil {
		os.Exit(3) // the witness is gone
	}
}

func (p *process) stamp() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stamps++
	return fmt.Sprintf("%s.%d", p.name, p.stamps)
}

func (p *process) begin(ctx context.Context, from int) activity.Attempt {
	a := activity.Info(ctx)
	p.tell(line{What: beginLine, ID: a.Execution, Key: a.IdempotencyKey, Number: a.Number, Value: a.Activity, Count: from})
	return a
}

func (p *process) ends(a activity.Attempt) (string, error) {
	stamp := p.stamp()
	p.tell(line{What: endLine, Key: a.IdempotencyKey, Number: a.Number, Value: stamp})
	return stamp, nil
}

func (p *process) fails(a activity.Attempt) error {
	p.tell(line{What: failLine, Key: a.IdempotencyKey, Number: a.Number})
	return errors.New("not yet")
}

// work is the whole life of a process. It ends with SIGTERM, or when the witness closes its standard input.
func work(dir, name string) int {
	p := &process{name: name, opened: time.Now()}
	here = p
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	p.tell(line{What: openingLine})
	definitions := append([]workflow.Definition{
		flaky.Bind(p.flaky), beating.Bind(p.beating), single.Bind(p.single), outside.Bind(p.outside), tireless.Bind(p.tireless),
		carrying.Bind(p.carrying), undoing.Bind(p.undoing),
	}, workflows...)
	config := runtime.Config{Store: dir, Drain: time.Second, Build: "witness"}
	if os.Getenv(forgetVariable) != "" {
		config.Memory = runtime.Forget
	}
	rt, err := runtime.Open(context.Background(), config, definitions...)
	if err != nil {
		p.tell(line{What: refusedLine, Error: kindOf(err), Text: err.Error(), Millis: time.Since(p.opened).Milliseconds()})
		return 2
	}
	p.rt = rt
	p.tell(line{What: openLine, Millis: time.Since(p.opened).Milliseconds()})
	running, end := context.WithCancel(context.Background())
	defer end()
	ended := make(chan error, 1)
	go func() { ended <- rt.Run(running) }()
	go p.listen(stop)
	<-ctx.Done()
	if os.Getenv(closeVariable) == "" {
		end()
		err = <-ended
	}
	if err := errors.Join(err, rt.Close()); err != nil {
		p.tell(line{What: closeError, Text: err.Error()})
		return 4
	}
	p.tell(line{What: closedLine})
	return 0
}

// listen does what it is asked, all at once, until there is nothing more to come.
func (p *process) listen(stop func()) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			panic(err)
		}
		go func() {
			l, err := p.answer(context.Background(), r)
			l.What, l.Number = answerLine, r.Number
			if err != nil {
				l.Error, l.Text = kindOf(err), err.Error()
			}
			p.tell(l)
		}()
	}
	stop()
}

func (p *process) answer(ctx context.Context, r request) (l line, err error) {
	switch r.What {
	case start:
		l.Run, err = p.start(ctx, r)
	case await:
		if l.Run, err = p.start(ctx, r); err != nil {
			return l, err
		}
		if _, err = runtime.Result(ctx, p.rt, r.ID, sequence); err == nil {
			<-p.rt.Ready()
			p.tell(line{What: readyLine, Millis: time.Since(p.opened).Milliseconds()})
		}
	case send:
		err = p.rt.Signal(ctx, r.ID, note.With(weigh(r.Value, r.Weight)), runtime.RequestID(r.Request))
	case startSend:
		l.Run, err = p.start(ctx, r)
	case update, startUpdate:
		l.Value, err = p.update(ctx, r)
	case cancel:
		err = p.rt.Cancel(ctx, r.ID, runtime.RequestID(r.Request))
	case terminate:
		err = p.rt.Terminate(ctx, r.ID, runtime.RequestID(r.Request), runtime.Reason(r.Request))
	case complete:
		err = runtime.Complete(ctx, p.rt, outside, r.Token, r.Value)
	case ask:
		l.Count, err = runtime.Query(ctx, p.rt, r.ID, notes)
	case describe:
		var d runtime.Description
		d, err = p.rt.Describe(ctx, r.ID)
		l.Text = fmt.Sprint(d.StatusName, " waits for ", d.Waiting)
	case list:
		for row, err := range p.rt.Find(ctx, query.Query{Status: query.Open}) {
			if err != nil {
				return l, err
			}
			if l.IDs = append(l.IDs, row.ID); len(l.IDs) == 200 {
				break
			}
		}
	default:
		panic("what is " + r.What + "?")
	}
	return l, err
}

func (p *process) start(ctx context.Context, r request) (run string, err error) {
	opts := []workflow.Option{runtime.RequestID(r.Request)}
	if r.Replace {
		opts = append(opts, runtime.IfRunning(runtime.TerminateExisting))
	}
	if r.What == startSend {
		opts = append(opts, runtime.IfRunning(runtime.UseExisting), runtime.AndSignal(note.With(weigh(r.Value, r.Weight))))
	}
	switch r.Kind {
	case relayKind:
		return begin(ctx, p, r, relay, baton{Load: weigh(r.ID, r.Size)}, opts)
	case courierKind:
		return begin(ctx, p, r, courier, parcel{To: r.To, Weight: r.Weight}, opts)
	case familyKind:
		return begin(ctx, p, r, family, r.Size, opts)
	}
	for _, d := range workflows {
		if t, ok := d.(workflow.Type[int, outcome]); ok && t.Name() == r.Kind {
			return begin(ctx, p, r, t, r.Size, opts)
		}
	}
	panic("no workflow " + r.Kind)
}

func begin[In any](ctx context.Context, p *process, r request, t workflow.Type[In, outcome], in In, opts []workflow.Option) (run string, err error) {
	h, err := runtime.Start(ctx, p.rt, r.ID, t, in, opts...)
	return h.Run, err
}

// update asks a relay something. That it was accepted is told before it is answered.
func (p *process) update(ctx context.Context, r request) (value string, err error) {
	var h runtime.UpdateHandle[string]
	q := question{Text: r.Value, Patient: r.Patient, Weight: r.Weight}
	if r.What == startUpdate {
		h, err = runtime.UpdateWithStart(ctx, p.rt, r.ID, relay, baton{Load: weigh(r.ID, r.Size)}, answer, q, runtime.RequestID(r.Request))
	} else {
		h, err = runtime.BeginUpdate(ctx, p.rt, r.ID, answer, q, runtime.RequestID(r.Request))
	}
	if err != nil {
		return "", err
	}
	p.tell(line{What: acceptedLine, Number: r.Number})
	value, err = h.Result(ctx)
	if err == nil && !genuine(value) {
		return "", errors.New("the answer has another weight than it was given")
	}
	return light(value), err
}

// kindOf names what an error is. What has no name here is not expected.
func kindOf(err error) string {
	for _, e := range []error{
		runtime.ErrClosed, runtime.ErrNotRunning, runtime.ErrSettled, runtime.ErrStale, runtime.ErrNotFound, runtime.ErrAlreadyRunning,
		runtime.ErrAlreadyExists, runtime.ErrStalled, runtime.ErrRunClosed, runtime.ErrUnavailable, store.ErrInUse, store.ErrClosed, context.Canceled,
	} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	return "unexpected"
}
