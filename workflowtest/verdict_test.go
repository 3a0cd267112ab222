package workflowtest

import (
	"bytes"
	"strings"
	"testing"
)

func TestTheVerdictOnAPackage(t *testing.T) {
	for name, c := range map[string]struct {
		code    int
		percent float64
		partial bool
		want    int
		says    string
	}{
		"enough":             {0, 100, false, 0, ""},
		"too little":         {0, 101, false, 1, "FAIL: 100% is less than the 101% that TestMain asks for"},
		"only some were run": {0, 101, true, 0, ""},
		"they failed anyway": {2, 101, false, 2, ""},
	} {
		var out bytes.Buffer
		if got := verdict(c.code, c.percent, c.partial, &out); got != c.want || !strings.Contains(out.String(), c.says) || (c.says == "") != (out.Len() == 0) {
			t.Errorf("%s: got %d, %q", name, got, out.String())
		}
	}
}
