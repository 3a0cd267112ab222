package query

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAQuestionIsReadAsItIsMeant(t *testing.T) {
	for text, want := range map[string]Query{
		"":             {},
		"limit 5":      {Most: 5},
		"type='order'": {Where: "type = 'order'"},
		`type = "order" and status in (failed, stalled) and started > now - 24h ORDER BY closed DESC`: {
			Where: "type = 'order' AND status = 'stalled,failed' AND started > now-24h0m0s", Order: "-closed"},
		"Correlation_ID is not null or not id starts_with 'o''r'":        {Where: "NOT (correlation-id IS NULL) OR NOT (id STARTS WITH 'o''r')"},
		"duration not between 1d and 1w2h":                               {Where: "NOT (duration >= 24h0m0s AND duration <= 170h0m0s)"},
		"attr.'x y' <> 1.5 and (memo.a.b = true or input.in < -7)":       {Where: "NOT (attr.'x y' = 1.5) AND (memo.a.b = TRUE OR input.in < -7)"},
		"started-by = schedule and text 'card decl*'":                    {Where: "started-by STARTS WITH 'schedule:' AND TEXT 'card decl*'"},
		"closed >= 1000 and wake < 2026-01-02":                           {Where: "closed >= 1970-01-01T00:00:01Z AND wake < 2026-01-02T00:00:00Z"},
		"version = 'Latest' or version not in (3, latest)":               {Where: "version = latest OR NOT (version IN (3, latest))"},
		"queue = gpu and patch starts with 'gift' and not halted = true": {Where: "queue = 'gpu' AND patch STARTS WITH 'gift' AND NOT (halted = TRUE)"},
		"order by attr.env limit 7":                                      {Order: "attr.env", Most: 7},
	} {
		q, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, q, text)
		again, err := Parse(q.Where)
		require.NoError(t, err)
		require.Equal(t, q.Where, again.Where, "its text is read as the same")
	}
}

func TestAWrongQuestionSaysWhereInOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"statsu = 1":         "query: column 1: there is no field statsu, want a field: did you mean status?",
		"id='x' AND Start>1": "query: column 12: there is no field Start, want a field: did you mean started?",
		"WorkflowType = 'x'": "query: column 1: there is no field WorkflowType, want a field: did you mean type?",
		"type":               "query: column 5: the text ends, want one of = != < <= > >= IN, BETWEEN, IS NULL, STARTS WITH",
		"id = 'x' id":        "query: column 10: there is id, want AND, OR, ORDER BY, LIMIT or the end",
		"id = 'ü' § 5":       "query: column 10: there is '§', want a field, a value or an operator",
		"id = 'a":            "query: column 6: a quote is not closed, want another ' at the end of the text (and two for one within)",
		"type like 'x'":      "query: column 6: there is like, want STARTS WITH 'prefix', or TEXT 'words' before it all",
		"type = order":       "query: column 8: there is order, want a value: 'text', a number, a time (2026-01-02, now-24h), a duration (90s, 14d), TRUE or FALSE; a text that is also a word of the language stands in quotes: 'order'",
		"version = 'x'":      "query: column 11: version is compared with 'x', want a number, or latest",
		"status = gone":      "query: column 10: status is compared with gone, want one of open, closed, running, paused, stalled, completed, failed, cancelled, terminated, timed-out, continued",
		"status = opne":      "query: column 10: status is compared with opne, want open: one of open, closed, running, paused, stalled, completed, failed, cancelled, terminated, timed-out, continued",
		"attempt = 1":        "query: column 1: there is no field attempt, want a field: did you mean attempts?",
		"depth = latest":     "query: column 9: depth is compared with latest, want a number",
		"status < failed":    "query: column 10: status is compared by <, want =, != or IN",
		"limit 0":            "query: column 7: LIMIT is 0, want a whole number from 1 on",
		"text '*'":           "query: column 6: there is no word in '*', want at least one",
		"started > soon":     "query: column 11: started is compared with soon, want a time: 2026-01-02, 2026-01-02T15:04:05Z, now-24h, or milliseconds since 1970",
		"version = 1e999":    "query: column 11: there is 1e999, want a number, a time or a duration that can be kept",
		"attr = 1":           "query: column 1: there is no field attr, want a name behind it, as in attr.total",
		"id = 'x'; DROP":     "query: column 9: there is ';', want a field, a value or an operator",
	} {
		_, err := Parse(text)
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, ErrInvalid)
		require.NotContains(t, err.Error(), "\n")
	}
	for _, text := range []string{
		strings.Repeat("(", 1e5) + "id='x'", strings.Repeat("NOT ", 60) + "id='x'", strings.Repeat("id='x' OR ", 300) + "id='x'",
		"id IN ('x'" + strings.Repeat(",'x'", 1000) + ")", "\xff", "id = '\u202e\n" + strings.Repeat("x", 1000),
	} {
		_, err := Parse(text)
		require.ErrorIs(t, err, ErrInvalid)
		require.NotContains(t, err.Error(), "\n")
		require.Less(t, len(err.Error()), 300)
	}
	_, err := ParseWhere("id = 'x' LIMIT 3")
	require.EqualError(t, err, "query: column 16: there is a LIMIT in a condition, want it in Most, or the whole in Parse")
}

func TestTheBuilderMeansWhatTheTextMeans(t *testing.T) {
	for text, n := range map[string]Node{
		"type = 'o''rder' AND status = 'failed,timed-out'":      All(Runs.Type.Is("o'rder"), Runs.Status.In(Failed, TimedOut)),
		"started >= now-24h0m0s AND NOT (closed IS NULL)":       All(Last(Runs.Started, 24*time.Hour), None(Runs.Closed.Missing())),
		"attr.env = 'uat' OR attr.n < 7":                        AnyOf(Attr[string]("env").Is("uat"), Attr[int]("n").Below(7)),
		"input.total >= 1.5 AND input.total <= 2":               Input[float64]("total").Between(1.5, 2),
		"memo.at > 2026-01-02T12:00:00Z AND id STARTS WITH 'a'": All(Memo[time.Time]("at").Above(noon), Prefix(Runs.ID, "a")),
		"duration IN (1h0m0s, 90ns) AND attr.tags = 'x'":        All(Runs.Duration.In(time.Hour, 90), Has(Attr[[]string]("tags"), "x")),
		"version = latest AND NOT (patch = 'gift')":             All(IsLatest(), Runs.Patch.IsNot("gift")),
		"queue STARTS WITH 'g' AND attempts > 3":                All(Prefix(Runs.Queue, "g"), Runs.Attempts.Above(3)),
		"depth = 2 AND unread > 0 AND halted = FALSE":           All(Runs.Depth.Is(2), Runs.Unread.Above(0), Runs.Halted.Is(false)),
		"is-child = TRUE AND NOT (version = 3)":                 All(Runs.IsChild.Is(true), Runs.Version.IsNot(3)),
	} {
		tree, err := ParseWhere(text)
		require.NoError(t, err, text)
		require.Equal(t, tree.String(), n.String())
		built, err := ParseWhere(n.String())
		require.NoError(t, err)
		require.Equal(t, tree, built)
	}
}
