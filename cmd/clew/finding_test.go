package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// sales are a store of orders and refunds, as docs/finding.md shows it.
func sales(t *testing.T) (dir string) {
	now = func() time.Time { return noon.Add(48 * time.Hour) }
	t.Cleanup(func() { now = time.Now })
	pasts := map[string]*past{}
	for i := range 8 {
		p := &past{}
		after := time.Duration(i) * 6 * time.Hour
		typ := []string{"order", "order", "refund", "order"}[i%4]
		begun := started(typ, 1)
		begun.Run, begun.CorrelationID = fmt.Sprintf("r-%d", i), []string{"", "basket-7"}[i/4]
		begun.Attributes = value(fmt.Sprintf(`{"env":%q,"input.total":%d}`, []string{"uat", "prod"}[i%2], 50*i))
		p.at(after, history.Client, begun)
		p.at(after, history.Code, scheduled(1, "order.charge"))
		switch i % 4 {
		case 1:
			p.at(after+time.Minute, history.Worker, &history.AttemptFailed{Try: try(1, 1), Failure: failure(errors.New("network down"))})
		case 2:
			p.at(after+90*time.Second, history.Code, &history.Failed{Failure: history.Failure{Message: "no", Code: "declined"}.Payload()})
		default:
			p.at(after+time.Hour, history.Worker, &history.ActivityCompleted{Try: try(1, 1)})
			p.at(after+time.Hour, history.Code, &history.Completed{})
		}
		pasts[fmt.Sprintf("%s-%d", typ, i)] = p
	}
	pasts["sla-order-2026-01-04"] = checked()
	return keep(t, pasts)
}

// checked is a run that looks for orders that are late, as that of examples/sla does.
func checked() *past {
	p, after := &past{}, 40*time.Hour
	begun := started("sla.check", 1)
	begun.Run, begun.Input = "r-9", value(`{"Type":"order","Within":3600000000000,"Every":86400000000000}`)
	p.at(after, history.Client, begun)
	p.at(after, history.Code, &history.FindAsked{Step: 1, Query: value(`{"type":"order","last":"24h0m0s"}`), Count: true})
	p.at(after, history.Clock, &history.FindAnswered{Step: 1, Found: 3, Position: 24})
	p.at(after, history.Code, &history.FindAsked{Step: 2, Query: value(`{"type":"order","status":"running,paused,stalled","where":"duration > 1h0m0s","order":"id"}`)})
	return p
}

// TestWhatThePageAboutFindingShowsWasPrinted: below each command on the page stands what it prints.
func TestWhatThePageAboutFindingShowsWasPrinted(t *testing.T) {
	const page = "../../docs/finding.md"
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	dir := sales(t)
	shown := regexp.MustCompile("(?s)```console\n\\$ clew ([^\n]*)\n(.*?)```")
	require.GreaterOrEqual(t, len(shown.FindAllString(string(text), -1)), 8)
	got := shown.ReplaceAllStringFunc(string(text), func(block string) string {
		line := shown.FindStringSubmatch(block)[1]
		var out, errs strings.Builder
		run(t.Context(), append(parted(line), "--dir", dir), &out, &errs)
		said := errs.String()
		if i := strings.Index(said, "\nSee "); i >= 0 {
			said = said[:i+1]
		}
		return "```console\n$ clew " + line + "\n" + out.String() + said + "```"
	})
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(got), 0o644))
	}
	require.Equal(t, string(text), got)
}

// parted parts a line as a shell does, without its finer points.
func parted(line string) (all []string) {
	for _, part := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(line, -1) {
		all = append(all, strings.Trim(part, `"`))
	}
	return all
}
