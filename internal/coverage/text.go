package coverage

import (
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
)

// Text writes what was never seen, for people: a table for each workflow, the one of which the least was seen first. The last
// column holds the words of package workflowtest that would show it.
func (r *Report) Text(to io.Writer) error {
	var b strings.Builder
	workflows := r.Workflows()
	seen, all := r.Count()
	fmt.Fprintf(&b, "%s of what can happen to %d %s was seen (%d of %d)\n",
		Percentage(r.Percent()), len(workflows), plural(len(workflows), "workflow", "workflows"), seen, all)
	for _, w := range workflows {
		seen, all := w.count()
		fmt.Fprintf(&b, "\n%s  %s  %d of %d in %d %s\n", printable(w.Name), Percentage(percent(seen, all)), seen, all, w.Runs, plural(w.Runs, "run", "runs"))
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		last := ""
		for _, i := range w.Items {
			if i.Seen > 0 {
				continue
			}
			of := short(i.Of)
			if of == last {
				of = ""
			}
			last = short(i.Of)
			fmt.Fprintf(table, "  %s\t%s\t%s\n", of, printable(never(i.Case)), i.Try)
		}
		table.Flush() // into a strings.Builder, which takes all
	}
	_, err := io.WriteString(to, b.String())
	return err
}

// never denies a case.
func never(name string) string {
	if rest, was := strings.CutPrefix(name, "was "); was {
		return "was never " + rest
	}
	return "never " + name
}

// Percentage is a share in whole percents. It never says 100% of what is not all.
func Percentage(share float64) string { return fmt.Sprintf("%d%%", int(share)) }

// printable keeps names, which come from histories, from being commands to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, s)
}

// short leaves of a place the file and the line.
func short(of string) string {
	kind, name, _ := strings.Cut(of, " ")
	if strings.Contains(name, ".go:") {
		name = path.Base(name)
	}
	return printable(strings.TrimSpace(kind + " " + name))
}

// fileAndLine are those of what an item is of; lines are no texts, so that 9 comes before 10.
func fileAndLine(of string) (file string, line int) {
	i := strings.LastIndex(of, ".go:")
	if i < 0 {
		return of, 0
	}
	line, _ = strconv.Atoi(of[i+4:])
	return of[:i], line
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
