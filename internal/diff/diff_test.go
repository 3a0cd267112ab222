package diff_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clewflow/clew/internal/diff"
)

// aligned shows how two words are paired: "a" in both, "-a" on the left only, "+a" on the right only.
func aligned(left, right string) string {
	var parts []string
	pairs := diff.Align(len(left), len(right), func(i, j int) int {
		if left[i] == right[j] {
			return 1
		}
		return 0
	})
	for _, p := range pairs {
		switch {
		case p.Right < 0:
			parts = append(parts, "-"+string(left[p.Left]))
		case p.Left < 0:
			parts = append(parts, "+"+string(right[p.Right]))
		default:
			parts = append(parts, string(left[p.Left]))
		}
	}
	return strings.Join(parts, " ")
}

func TestAsMuchAsPossibleFits(t *testing.T) {
	for _, c := range []struct{ left, right, want string }{
		{"", "", ""},
		{"abc", "abc", "a b c"},
		{"abc", "axbc", "a +x b c"},
		{"abc", "ac", "a -b c"},
		{"abc", "axc", "a -b +x c"},
		{"ab", "ba", "-a b +a"},
		{"a", "", "-a"},
		{"", "a", "+a"},
	} {
		assert.Equal(t, c.want, aligned(c.left, c.right), "%s against %s", c.left, c.right)
	}
}

func TestLongListsArePairedPlaceByPlace(t *testing.T) {
	long := strings.Repeat("a", 3000)
	got := aligned(long+"b", long+"cd")
	assert.True(t, strings.HasSuffix(got, " a -b +c +d"), got[len(got)-20:])
	assert.Equal(t, 3000, strings.Count(got, "a"))
}

func TestWhereTheyDifferIsShown(t *testing.T) {
	same := strings.Repeat("0123456789", 8)
	got := diff.SideBySide("", "a", "b", []diff.Row{{Left: same + "left", Right: same + "right"}, {Left: same, Right: same}})
	assert.Contains(t, got, "012345678901234567890123…456789left")
	assert.Contains(t, got, "│ 012345678901234567890123…456789right\n")
	assert.Contains(t, got, "│ "+same[:57]+"…\n", "what is the same is only cut")
}

func TestSideBySide(t *testing.T) {
	assert.Equal(t, "  entry  recorded │ asked\n"+
		"      2  a        │ a\n"+
		"▶                 │ b\n"+
		"     10  ……       │ "+strings.Repeat("x", 57)+"…\n",
		diff.SideBySide("entry", "recorded", "asked", []diff.Row{
			{Number: 2, Left: "a", Right: "a"}, {Mark: true, Right: "b"}, {Number: 10, Left: "……", Right: strings.Repeat("x", 60)},
		}))
}
