package expense_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/expense"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

const hour = time.Hour

var taxi = expense.Expense{Employee: "eve", Manager: "mia", Director: "dan", Cents: 2300}

func TestDirectorDecidesWhenManagerIsSilent(t *testing.T) {
	ask := workflowtest.Stub(expense.Ask).Pends().Pends()
	run := workflowtest.Run(t, expense.Approve, taxi,
		ask,
		workflowtest.Stub(expense.Pay).Returns(activity.None{}),
		workflowtest.At(72*hour, workflowtest.Complete(expense.Ask, expense.Decision{Granted: true})),
	)
	if got, err := run.Result(); !got.Granted || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if in := ask.Inputs(); len(in) != 2 || in[0].To != "mia" || in[1].To != "dan" {
		t.Errorf("asked %v", in)
	}
	run.Golden("testdata/director.json")
}

func TestNobodyDecides(t *testing.T) {
	run := workflowtest.Run(t, expense.Approve, taxi,
		workflowtest.Stub(expense.Ask).Pends().Pends(),
		workflowtest.Stub(expense.Pay).Never(),
	)
	if _, err := run.Result(); !errors.Is(err, activity.ErrTimeout) {
		t.Errorf("err = %v, want %v", err, activity.ErrTimeout)
	}
	if run.Elapsed != 9*24*hour {
		t.Errorf("took %v, want two days and a week", run.Elapsed)
	}
	run.Golden("testdata/nobody.json")
}

func TestARefusedExpenseIsNotPaid(t *testing.T) {
	run := workflowtest.Run(t, expense.Approve, taxi,
		workflowtest.Stub(expense.Ask).Pends(),
		workflowtest.Stub(expense.Pay).Never(),
		workflowtest.At(hour, workflowtest.Complete(expense.Ask, expense.Decision{Comment: "walk"})),
	)
	if got, err := run.Result(); got.Granted || got.Comment != "walk" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAWithdrawnExpenseIsNotAskedAboutAnyMore(t *testing.T) {
	run := workflowtest.Run(t, expense.Approve, taxi,
		workflowtest.Stub(expense.Ask).Pends(),
		workflowtest.Stub(expense.Pay).Never(),
		workflowtest.At(hour, workflowtest.Cancel),
	)
	if _, err := run.Result(); !errors.Is(err, workflow.ErrCancelled) || run.Elapsed != hour {
		t.Errorf("err = %v after %v", err, run.Elapsed)
	}
	run.Golden("testdata/withdrawn.json")
}

// The manager answers too late, and the process dies while the director thinks about it.
func TestLinksSurviveACrashAndOldOnesAreRefused(t *testing.T) {
	office := &office{paid: map[string]int{}}
	desk := &expense.Desk{Mail: office, Bank: office, URL: "/decide"}
	answer := func(number int, body string, want int) workflowtest.Act {
		return func(w *workflowtest.World) {
			if got := post(expense.Decide(w.Runtime), office.links[number], body); got != want {
				t.Errorf("answering mail %d with %s: status %d, want %d", number, body, got, want)
			}
		}
	}
	yes, no := `{"Granted":true}`, `{"Granted":false}`
	run := workflowtest.Run(t, expense.Approve, taxi,
		workflowtest.Use(desk.Definitions()...),
		workflowtest.At(hour, answer(0, `{"Granted":`, http.StatusBadRequest)),
		workflowtest.At(49*hour, answer(0, yes, http.StatusConflict), workflowtest.Crash),
		workflowtest.At(50*hour, answer(1, yes, http.StatusNoContent), answer(1, yes, http.StatusNoContent)),
		workflowtest.At(51*hour, answer(1, no, http.StatusConflict)),
	)
	if got, err := run.Result(); !got.Granted || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if len(office.paid) != 1 {
		t.Errorf("paid %v", office.paid)
	}
	if strings.Join(office.to, " ") != "mia dan" {
		t.Errorf("mail to %v", office.to)
	}
}

func TestWhatIsNoTokenOfOursIsNotFound(t *testing.T) {
	rt, err := runtime.Open(t.Context(), runtime.Config{Store: "memory:"}, (&expense.Desk{}).Definitions()...)
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	if got := post(expense.Decide(rt), "/decide?token=guessed", `{}`); got != http.StatusNotFound {
		t.Errorf("status %d", got)
	}
}

func TestExpensesOfThePastStillReplay(t *testing.T) {
	workflowtest.Replay(t, expense.Approve, "testdata/*.json")
}

// office is a mail server and a bank, which loses its first answer.
type office struct {
	to, links []string
	paid      map[string]int
	sent      chan string
}

func (o *office) Send(_ context.Context, to, _, link string) error {
	o.to, o.links = append(o.to, to), append(o.links, link)
	if o.sent != nil {
		o.sent <- link
	}
	return nil
}

func (o *office) Pay(_ context.Context, key, _ string, cents int) error {
	if o.paid[key] == 0 {
		o.paid[key] = cents
		return errors.New("the answer was lost")
	}
	return nil
}

func post(h http.Handler, link, body string) (status int) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, link, strings.NewReader(body)))
	return w.Code
}

// The person's answer goes over a real server.
func Example() {
	ctx := context.Background()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()

	office := &office{sent: make(chan string, 1)}
	desk := &expense.Desk{Mail: office, Bank: office, URL: server.URL + "/decide"}
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:", Logger: slog.New(slog.DiscardHandler)}, desk.Definitions()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	mux.Handle("POST /decide", expense.Decide(rt))
	go rt.Run(ctx)

	h, err := runtime.Start(ctx, rt, "expense-7", expense.Approve, taxi)
	if err != nil {
		fmt.Println(err)
		return
	}
	response, err := http.Post(<-office.sent, "application/json", strings.NewReader(`{"Granted":false,"Comment":"walk"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	fmt.Println(h.Result(ctx))
	// Output:
	// 204 No Content
	// {false walk} <nil>
}
