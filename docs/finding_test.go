package docs_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// Env is as on the page about finding.
var Env = workflow.NewAttribute[string]("env")

type Order struct {
	Total float64 `json:"total" find:"total"` // input.total >= 100
	Card  string  `json:"card"`               // not found by
}

// Alert and FollowUp are what is done about orders that are late.
var (
	Alert    = activity.Declare[[]query.Row, activity.None]("alert")
	FollowUp = workflow.Declare[query.Row, activity.None]("follow-up")
)

func inWorkflow(ctx workflow.Context) error {
	late, err := workflow.Find(ctx, query.Where(query.Query{Type: "order", Status: query.Open, Order: "id"},
		query.Runs.Duration.Above(time.Hour)))
	if err != nil {
		return err
	}
	begun, err := workflow.Count(ctx, query.Query{Type: "order", Last: 24 * time.Hour})
	if err != nil {
		return err
	}
	if begun == 0 || len(late) > 0 { // no rows is an answer: the daily run is missing
		if _, err := workflow.Do(ctx, Alert, late); err != nil { // one alert for all of them
			return err
		}
	}
	_, err = workflow.ForEach(ctx, late, FollowUp) // a child for each
	return err
}

var _ = inWorkflow

func copyTo(ctx context.Context, rt *runtime.Runtime, position uint64, warehouse interface {
	Put(row *query.Row, gone string, position uint64) error
}) error {
	for changed, err := range rt.Feed(ctx, position) { // FeedToHead ends at what was acknowledged before
		if err != nil {
			return err
		}
		if err := warehouse.Put(changed.Row, changed.Gone, changed.Position); err != nil {
			return err
		}
	}
	return nil
}

var _ = copyTo

func byText(ctx context.Context, rt *runtime.Runtime) error {
	q, err := query.Parse("type = 'order' AND attr.env = 'uat' ORDER BY closed DESC")
	if err != nil {
		return err
	}
	for row, err := range rt.Find(ctx, q) { // all pages; Most bounds them
		if err != nil {
			return err
		}
		fmt.Println(row.ID, row.Status)
	}
	groups, err := rt.Group(ctx, q, "status", query.Day)
	if err == nil && len(groups.By) != 2 {
		err = fmt.Errorf("grouped by %v", groups.By)
	}
	return err
}

func byColumns(ctx context.Context, rt *runtime.Runtime, w io.Writer, nine time.Time) (int, error) {
	q := query.Where(query.Query{Order: "-closed"}, query.All( // the same without text
		query.Runs.Type.Is("order"), Env.Column().Is("uat"), query.Last(query.Runs.Started, 24*time.Hour)))
	if err := query.WriteCSV(w, rt.Find(ctx, q)); err != nil { // or WriteJSON, a line for each row
		return 0, err
	}
	q = query.Query{Status: query.Running, AsOf: query.AsOf{Time: nine}} // or AsOf{Position: page.Position}
	return rt.Count(ctx, q)
}

// TestWhatThePageAboutFindingSaysInGoWorks: on an order.
func TestWhatThePageAboutFindingSaysInGoWorks(t *testing.T) {
	order := workflow.Define("order", func(_ workflow.Context, o Order) (float64, error) { return o.Total, nil })
	rt, err := runtime.Open(t.Context(), runtime.Config{Store: filepath.Join(t.TempDir(), "store")}, order)
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	if _, err := runtime.Start(t.Context(), rt, "order-1", order, Order{Total: 250}, Env.Set("uat")); err != nil {
		t.Fatal(err)
	}
	if err := byText(t.Context(), rt); err != nil {
		t.Error(err)
	}
	var csv strings.Builder
	n, err := byColumns(t.Context(), rt, &csv, time.Now())
	if err != nil || n > 1 {
		t.Error(n, err)
	}
	total, err := query.Parse("input.total >= 100")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := rt.Count(t.Context(), total); n != 1 || err != nil {
		t.Error(n, err)
	}
}
