package query

import "strings"

// foreign are the names that other systems have for our fields.
var foreign = map[string]string{
	"workflowtype": "type", "workflowid": "id", "runid": "run", "executionstatus": "status", "starttime": "started", "closetime": "closed",
	"start": "started", "close": "closed", "end": "closed", "ended": "closed", "executionduration": "duration", "executiontime": "started",
	"parentworkflowid": "parent", "rootworkflowid": "root", "buildids": "build", "correlationid": "correlation-id", "waiting": "waiting-for",
	"origin": "started-by", "startedby": "started-by", "due": "wake", "error": "failure", "attributes": "attr", "attempt": "attempts", "taskqueue": "queue", "patches": "patch", "changeid": "patch",
	"lastprogress": "last-progress", "workflowname": "type", "name": "type", "child": "is-child",
}

// near names the fields that may have been meant, or all of them.
func near(name string) string {
	if is := foreign[strings.ReplaceAll(name, "-", "")]; is != "" {
		return ": did you mean " + is + "?"
	}
	if best := Nearest(name, append(Fields(), attrField, memoField, inputField)); best != "" {
		return ": did you mean " + best + "?"
	}
	return ": one of " + strings.Join(Fields(), ", ") + ", attr.NAME, memo.NAME, input.NAME"
}

// Nearest is the one of some names that is nearest to name, if it is so near that it may have been meant: up to a third of the letters
// differ, two at most. Else it is empty.
func Nearest(name string, of []string) (best string) {
	least := min(3, 1+len(name)/3)
	for _, f := range of {
		if d := distance(name, f); d < least {
			best, least = f, d
		}
	}
	return best
}

// nearStatus names the status that may have been meant.
func nearStatus(name string) string {
	all := append(strings.Split((Open|Closed).String(), ","), "open", "closed")
	if best := Nearest(strings.ToLower(strings.Trim(name, `'"`)), all); best != "" {
		return best + ": "
	}
	return ""
}

// distance is how many letters are to be changed, added or taken away to make b of a, two neighbours changing places being one.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return 64
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			change := 1
			if x[i-1] == y[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
