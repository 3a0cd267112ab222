package query

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar, as package participle reads it from the tags.
type (
	gSentence struct {
		Where *gOr     `parser:"@@?"`
		Order *gOrder  `parser:"( 'ORDER' 'BY' @@ )?"`
		Limit *gNumber `parser:"( 'LIMIT' @@ )?"`
	}
	gOr struct {
		Terms []*gAnd `parser:"@@ ( 'OR' @@ )*"`
	}
	gAnd struct {
		Terms []*gNot `parser:"@@ ( 'AND' @@ )*"`
	}
	gNot struct {
		Not   *gNot  `parser:"'NOT' @@"`
		Group *gOr   `parser:"| '(' @@ ')'"`
		Text  *gText `parser:"| 'TEXT' @@"`
		Test  *gTest `parser:"| @@"`
	}
	gText struct {
		Pos  lexer.Position
		Text string `parser:"@String"`
	}
	gTest struct {
		Pos     lexer.Position
		Path    *gPath    `parser:"@@"`
		Op      string    `parser:"( @( '=' | '!=' | '<>' | '<=' | '>=' | '<' | '>' )"`
		Value   *gValue   `parser:"@@"`
		Starts  *gValue   `parser:"| ( 'STARTS_WITH' | 'STARTS' 'WITH' ) @@"`
		Is      bool      `parser:"| @'IS'"`
		NotNull bool      `parser:"@'NOT'? 'NULL'"`
		Not     bool      `parser:"| @'NOT'?"`
		In      []*gValue `parser:"( 'IN' '(' @@ ( ',' @@ )* ')'"`
		Low     *gValue   `parser:"| 'BETWEEN' @@"`
		High    *gValue   `parser:"'AND' @@ ) )"`
	}
	gPath struct {
		Pos  lexer.Position
		Name string   `parser:"@Ident"`
		Keys []string `parser:"( '.' ( @Ident | @Keyword | @String ) )*"`
	}
	gValue struct {
		Pos      lexer.Position
		Text     *string `parser:"@String"`
		Relative *string `parser:"| @Relative"`
		Time     *string `parser:"| @Time"`
		Duration *string `parser:"| @Duration"`
		Number   *string `parser:"| @Number"`
		Bool     *string `parser:"| @( 'TRUE' | 'FALSE' )"`
		Word     *string `parser:"| @Ident"`
	}
	gOrder struct {
		Pos  lexer.Position
		Path *gPath `parser:"@@"`
		Desc bool   `parser:"( @'DESC' | 'ASC' )?"`
	}
	gNumber struct {
		Pos    lexer.Position
		Number string `parser:"@Number"`
	}
)

var words = map[string]bool{
	"AND": true, "OR": true, "NOT": true, "IN": true, "IS": true, "NULL": true, "BETWEEN": true, "STARTS": true, "WITH": true, "STARTS_WITH": true,
	"TEXT": true, "ORDER": true, "BY": true, "ASC": true, "DESC": true, "LIMIT": true, "TRUE": true, "FALSE": true,
}

var tokens = lexer.MustSimple([]lexer.SimpleRule{
	{Name: "Space", Pattern: `\s+`},
	{Name: "Relative", Pattern: `(?i:now)(?:\s*[+-]\s*` + units + `+)?\b`},
	{Name: "Time", Pattern: `\d{4}-\d{2}-\d{2}(?:[Tt]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[Zz]|[+-]\d{2}:\d{2})?)?`},
	{Name: "Duration", Pattern: `-?` + units + `+\b`},
	{Name: "Number", Pattern: `-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?`},
	{Name: "String", Pattern: `'(?:[^']|'')*'|"(?:[^"]|"")*"`},
	{Name: "Ident", Pattern: `[\pL_][\pL\pN_-]*`},
	{Name: "Op", Pattern: `<=|>=|!=|<>|[=<>(),.]`},
	{Name: "Keyword", Pattern: `[^\s\S]`}, // none is matched: they are words that mean something
})

var (
	keyword = tokens.Symbols()["Keyword"]
	ident   = tokens.Symbols()["Ident"]
	grammar = participle.MustBuild[gSentence](
		participle.Lexer(tokens), participle.Elide("Space"), participle.CaseInsensitive("Keyword"), participle.UseLookahead(2),
		participle.Map(func(t lexer.Token) (lexer.Token, error) {
			if words[strings.ToUpper(t.Value)] {
				t.Type = keyword
			}
			return t, nil
		}, "Ident"),
	)
)

// Limits of a text in the language.
const (
	maxText  = 8 << 20 // bytes
	maxTests = 200     // comparisons, values in lists not counted
	maxDepth = 50      // of parentheses and NOTs in each other
	maxList  = 1000    // values of an IN
)

// Wrong says where a text in the language is wrong.
type Wrong struct {
	Column int    // from 1, in characters; a line break is one
	Found  string // what stands there
	Want   string // what was expected
}

func (e *Wrong) Error() string {
	return "query: column " + valueText(int64(e.Column)) + ": " + e.Found + ", want " + e.Want
}

// Unwrap returns [ErrInvalid].
func (e *Wrong) Unwrap() error { return ErrInvalid }

func wrongAt(text string, offset int, found, want string) error {
	return &Wrong{utf8.RuneCountInString(text[:min(offset, len(text))]) + 1, shortened(found), want}
}

// shortened keeps an error on one line.
func shortened(found string) string {
	found = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}, found)
	if utf8.RuneCountInString(found) > 60 {
		return string([]rune(found)[:60]) + "…"
	}
	return found
}

// read parses a text by the grammar.
func read(text string) (*gSentence, error) {
	switch {
	case len(text) > maxText:
		return nil, wrongAt(text, maxText, "the text is longer than 8 MiB", "a shorter one")
	case !utf8.ValidString(text):
		return nil, wrongAt(text, strings.IndexFunc(text, func(r rune) bool { return r == utf8.RuneError }), "the text is not in UTF-8", "UTF-8")
	}
	all, err := grammar.Lex("", strings.NewReader(text))
	if err != nil {
		return nil, unread(text, err)
	}
	depth := 0
	for _, t := range all {
		switch value := strings.ToUpper(t.Value); {
		case value == "(" || t.Type == keyword && value == "NOT":
			depth++
		case value == ")" || t.Type == keyword && (value == "AND" || value == "OR"):
			depth = max(0, depth-1) // of one of them
		}
		if depth > 2*maxDepth {
			return nil, wrongAt(text, t.Pos.Offset, "parentheses and NOTs stand too deep in each other", "at most 50")
		}
	}
	s, err := grammar.ParseString("", text)
	if err != nil {
		return nil, unexpected(text, all, err)
	}
	return s, nil
}

// unread is the error for what is no token.
func unread(text string, err error) error {
	offset := 0
	var at participle.Error
	if errors.As(err, &at) {
		offset = at.Position().Offset
	}
	rest := text[min(offset, len(text)):]
	if rest != "" && (rest[0] == '\'' || rest[0] == '"') {
		return wrongAt(text, offset, "a quote is not closed", "another "+rest[:1]+" at the end of the text (and two for one within)")
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return wrongAt(text, offset, "there is "+quoted(string(r)), "a field, a value or an operator")
}

// unexpected is the error for a token in the wrong place; what was expected there follows from the one before.
func unexpected(text string, all []lexer.Token, err error) error {
	offset := len(text)
	var refused participle.Error
	if errors.As(err, &refused) {
		offset = refused.Position().Offset
	}
	var at lexer.Token
	var before []lexer.Token
	found := "the text ends"
	for _, t := range all {
		if t.EOF() || t.Type == tokens.Symbols()["Space"] {
			continue
		}
		if t.Pos.Offset >= offset {
			at, found = t, "there is "+t.Value
			break
		}
		before = append(before, t)
	}
	if strings.EqualFold(found, "there is like") {
		return wrongAt(text, offset, found, "STARTS WITH 'prefix', or TEXT 'words' before it all")
	}
	want := expected(before)
	if at.Type == keyword && want == wantValue {
		want += "; a text that is also a word of the language stands in quotes: '" + at.Value + "'"
	}
	return wrongAt(text, offset, found, want)
}

const (
	wantTest  = "a field to compare, NOT, TEXT or ("
	wantOp    = "one of = != < <= > >= IN, BETWEEN, IS NULL, STARTS WITH"
	wantValue = "a value: 'text', a number, a time (2026-01-02, now-24h), a duration (90s, 14d), TRUE or FALSE"
	wantMore  = "AND, OR, ORDER BY, LIMIT or the end"
)

func expected(before []lexer.Token) string {
	if len(before) == 0 {
		return wantTest
	}
	last := before[len(before)-1]
	value := strings.ToUpper(last.Value)
	previous := ""
	if len(before) > 1 {
		previous = strings.ToUpper(before[len(before)-2].Value)
	}
	between := len(before) > 3 && strings.EqualFold(before[len(before)-3].Value, "BETWEEN")
	switch {
	case value == "AND" && between:
		return wantValue
	case value == "(" && previous == "IN", value == "," && last.Type != keyword, strings.ContainsAny(value[:1], "=<>!"), value == "BETWEEN", value == "WITH", value == "STARTS_WITH":
		return wantValue
	case value == "AND", value == "OR", value == "(":
		return wantTest
	case value == "NOT" && previous == "IS":
		return "NULL"
	case value == "NOT" && len(before) > 1 && before[len(before)-2].Type == ident:
		return "IN or BETWEEN"
	case value == "NOT":
		return wantTest
	case value == "IN":
		return "( and values parted by commas"
	case value == "IS":
		return "NULL or NOT NULL"
	case value == "TEXT":
		return "words in quotes"
	case value == "STARTS":
		return "WITH"
	case value == "ORDER":
		return "BY"
	case value == "BY":
		return "a field"
	case value == "LIMIT":
		return "a number"
	case value == ".":
		return "a name"
	case last.Type == ident && !strings.ContainsAny(previous+" ", "=<>") && previous != "BY" && previous != "," && previous != "WITH" && !(previous == "(" && len(before) > 2 && strings.EqualFold(before[len(before)-3].Value, "IN")):
		return wantOp
	}
	return wantMore
}
