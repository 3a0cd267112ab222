package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/clewflow/clew/query"
)

func printGroups(w io.Writer, answer query.Groups, asJSON bool) error {
	if asJSON {
		return printAnswer(w, answer)
	}
	header := ""
	if len(answer.By) > 0 {
		header = "RUNS"
	}
	if header != "" && len(answer.Groups) == 0 {
		_, err := fmt.Fprintln(w, "no executions")
		return err
	}
	return printCells(w, header, answer.By, answer.More, func(row func(keys []any, cells ...string)) {
		for _, g := range answer.Groups {
			row(g.Keys, strconv.Itoa(g.Count))
		}
	})
}

func printMeasures(w io.Writer, answer query.Measures, asJSON bool) error {
	if asJSON {
		return printAnswer(w, answer)
	}
	if len(answer.Measures) == 0 {
		_, err := fmt.Fprintf(w, "no run has a number as %s\n", plain(answer.Of))
		return err
	}
	return printCells(w, "RUNS\tMIN\tAVERAGE\tP50\tP90\tP95\tP99\tMAX\tSUM", answer.By, answer.More, func(row func(keys []any, cells ...string)) {
		for _, m := range answer.Measures {
			cells := []string{strconv.Itoa(m.Count)}
			for _, n := range []float64{m.Min, m.Average, m.P50, m.P90, m.P95, m.P99, m.Max, m.Sum} {
				cells = append(cells, measureText(n, m.Unit))
			}
			row(m.Keys, cells...)
		}
	})
}

// measureText is a number with its unit. Durations of more than two centuries stay seconds.
func measureText(n float64, unit string) string {
	if unit == query.Seconds && math.Abs(n) < float64(math.MaxInt64)/1e9 {
		return span(time.Duration(n * 1e9))
	}
	return strconv.FormatFloat(n, 'g', 10, 64) + unit
}

func printAnswer(w io.Writer, answer any) error {
	line, err := json.Marshal(answer)
	if err == nil {
		_, err = fmt.Fprintln(w, printable(line))
	}
	return err
}

// printCells prints a table of groups: what there is of each, and then its keys.
func printCells(w io.Writer, header string, by []string, more bool, each func(row func(keys []any, cells ...string))) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, name := range by {
		header += "\t" + strings.ToUpper(plain(name))
	}
	if header != "" {
		fmt.Fprintln(t, header)
	}
	each(func(keys []any, cells ...string) {
		for _, key := range keys {
			if key == nil {
				key = "-"
			}
			cells = append(cells, plain(fmt.Sprint(key)))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	})
	if more {
		fmt.Fprintln(t, "…")
	}
	_ = t.Flush() // into memory
	return printLines(w, b.String())
}

// printLines prints a table without the blanks at the ends of its lines.
func printLines(w io.Writer, text string) error {
	for line := range strings.Lines(text) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}
