package query

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/clewflow/clew/history"
)

// Beside is what a condition asks of that does not stand in the row of a run.
type Beside struct {
	Now    time.Time // of the question
	Texts  []string  // inputs, results and failures of the run, which [Text] looks into; nil fits none
	Latest int       // the highest version that a run of its namespace and type has; 0: none has one
}

// Match reports whether a row fits a condition. It is the plain meaning of the language, which the index is held against.
func Match(n Node, r *Row, by Beside) bool {
	switch n := n.(type) {
	case nil:
		return true
	case And:
		return !slices.ContainsFunc(n, func(n Node) bool { return !Match(n, r, by) })
	case Or:
		return slices.ContainsFunc(n, func(n Node) bool { return Match(n, r, by) })
	case Not:
		return !Match(n.Node, r, by)
	case Null:
		return len(n.Field.Values(r, by.Now)) == 0
	case Text:
		return slices.ContainsFunc(by.Texts, func(text string) bool { return hasWords(text, n.Text) })
	case Compare:
		return slices.ContainsFunc(n.Field.Values(r, by.Now), func(v any) bool { return fits(v, n.Op, by.resolve(n.Value)) })
	case In:
		return slices.ContainsFunc(n.Field.Values(r, by.Now), func(v any) bool {
			return slices.ContainsFunc(n.Values, func(one any) bool { return fits(v, Equal, by.resolve(one)) })
		})
	}
	return false
}

func (b Beside) resolve(v any) any {
	if _, is := v.(Latest); !is {
		return Resolve(v, b.Now)
	}
	return some(int64(b.Latest))
}

func fits(v any, op Op, with any) bool {
	if set, ok := with.(Status); ok {
		status, ok := v.(Status)
		return ok && status&set != 0
	}
	if op == StartsWith {
		text, ok := v.(string)
		prefix, also := with.(string)
		return ok && also && strings.HasPrefix(text, prefix)
	}
	c, ok := compareValues(v, with)
	if !ok {
		return false
	}
	switch op {
	case Equal:
		return c == 0
	case Less:
		return c < 0
	case AtMost:
		return c <= 0
	case More:
		return c > 0
	}
	return c >= 0
}

const longestWord = 64 // bytes; of longer words the beginning counts

// Words are the words of a text, in lower case: what stands between signs, spaces and invisible letters. Of words longer than 64
// bytes the beginning counts.
func Words(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !inWord(r) })
	for i, w := range words {
		words[i] = cutWord(w)
	}
	return words
}

func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r))
}

func cutWord(w string) string {
	if len(w) <= longestWord {
		return w
	}
	end := longestWord
	for !utf8.RuneStart(w[end]) {
		end--
	}
	return w[:end]
}

// Sought are the words that a search asks for; those before a * need only begin so.
func Sought(text string) (words []string, prefix []bool) {
	for field := range strings.FieldsSeq(text) {
		all := Words(field)
		for i, w := range all {
			words = append(words, w)
			prefix = append(prefix, i == len(all)-1 && strings.HasSuffix(field, "*"))
		}
	}
	return words, prefix
}

func hasWords(text, sought string) bool {
	have := Words(text)
	words, prefix := Sought(sought)
	for i, w := range words {
		if !slices.ContainsFunc(have, func(h string) bool { return h == w || prefix[i] && strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return len(words) > 0
}

// TextOf is what [Text] looks into of an event: the texts and numbers in its input, its result and its failure. Of what is closed or
// in another encoding than JSON there is none.
func TextOf(e history.Event) string {
	var b strings.Builder
	for name, p := range history.Payloads(e) {
		if (name != "input" && name != "result" && name != "failure") || p.Encoding != "" || len(p.Data) == 0 {
			continue
		}
		var v any
		d := json.NewDecoder(bytes.NewReader(p.Data))
		d.UseNumber()
		if d.Decode(&v) == nil {
			gather(&b, v)
		}
	}
	return b.String()
}

func gather(b *strings.Builder, v any) {
	switch v := v.(type) {
	case string:
		b.WriteString(v)
		b.WriteByte('\n')
	case json.Number:
		b.WriteString(v.String())
		b.WriteByte('\n')
	case []any:
		for _, element := range v {
			gather(b, element)
		}
	case map[string]any:
		for _, member := range v {
			gather(b, member)
		}
	}
}
