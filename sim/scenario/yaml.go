package scenario

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on what is read. They are far above any scenario that a person writes, leave
// room for ten thousand endpoints that a program has written, and keep the YAML parser,
// which is quadratic in the keys of a mapping and in depth, within about a second.
const (
	maxSize   = 4 << 20 // bytes of a file
	maxTokens = 500_000 // words and signs of a file
	maxLines  = 25_000  // that begin in one column, as the keys of a mapping do
	maxDepth  = 64      // mappings and lists within each other
	maxValues = 500_000 // values after aliases are followed
)

// readYAML returns the one document of the source as a tree, or what is wrong
// with its syntax. YAML parsers stop at the first such mistake.
func readYAML(src *Source, text string) (root ast.Node, wrong *Mistake) {
	fail := func(at Position, format string, args ...any) (ast.Node, *Mistake) {
		m := src.mistakeAt(at, fmt.Sprintf(format, args...))
		return nil, &m
	}
	if len(text) > maxSize {
		return fail(Position{1, 1}, "the file is larger than %d KiB, which no scenario needs", maxSize>>10)
	}
	switch at, r, found := strangeRune(src.lines); {
	case found && r == utf8.RuneError:
		return fail(at, "the file is not UTF-8 text here")
	case found:
		return fail(at, "control character %U: write it as an escape within double quotes", r)
	}
	tokens := joinColons(lexer.Tokenize(text))
	if len(tokens) > maxTokens {
		return fail(Position{1, 1}, "the file has more than %d words and signs, which no scenario needs", maxTokens)
	}
	if tk := tooDeep(tokens); tk != nil {
		return fail(positionOf(tk), "nested more than %d levels deep", maxDepth)
	}
	if tk := tooLong(tokens); tk != nil {
		return fail(positionOf(tk), "more than %d lines begin in this column, which no scenario needs", maxLines)
	}
	file, err := parseTokens(tokens)
	if err != nil {
		at, msg := syntaxError(src, err)
		return fail(at, "%s", msg)
	}
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if root != nil {
			return fail(start(doc.Body), "a second YAML document starts here: write one scenario a file")
		}
		root = doc.Body
	}
	if root == nil {
		return fail(Position{1, 1}, "the file is empty: a scenario has at least name and vpcs")
	}
	return root, nil
}

// parseTokens is the parser without its panics: what makes a third-party parser
// give up is a mistake in the file, and never a crash of plsim.
func parseTokens(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			file, err = nil, errors.New("this cannot be read as YAML")
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// strangeRune finds the first character that has no place in a text file.
func strangeRune(lines []string) (at Position, strange rune, found bool) {
	for i, line := range lines {
		column := 0
		for at, r := range line {
			column++
			if r == utf8.RuneError {
				if _, size := utf8.DecodeRuneInString(line[at:]); size > 1 {
					continue // U+FFFD itself, properly encoded
				}
			}
			if r == utf8.RuneError || unicode.IsControl(r) && r != '\t' {
				return Position{i + 1, column}, r, true
			}
		}
	}
	return Position{}, 0, false
}

// tooLong returns the first token of a line that is one too many in its column.
func tooLong(tokens token.Tokens) *token.Token {
	lines, line := map[int]int{}, 0 // by column
	for _, tk := range tokens {
		at := positionOf(tk)
		if at.Line == line {
			continue
		}
		line = at.Line
		if lines[at.Column]++; lines[at.Column] > maxLines {
			return tk
		}
	}
	return nil
}

// tooDeep returns the token at which mappings and lists are nested beyond
// maxDepth. It runs before the parser, whose recursion it bounds: brackets count
// directly, block structure by the columns at which it starts.
func tooDeep(tokens token.Tokens) *token.Token {
	var columns []int
	flow, line, leads := 0, 0, false
	for _, tk := range tokens {
		at := positionOf(tk)
		if at.Line != line {
			line, leads = at.Line, true
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(flow-1, 0)
		}
		if leads && flow == 0 {
			for len(columns) > 0 && columns[len(columns)-1] >= at.Column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, at.Column)
		}
		// A list entry, a tag and the like leave the lead to what follows.
		switch tk.Type {
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
		default:
			leads = false
		}
		if flow+len(columns) > maxDepth {
			return tk
		}
	}
	return nil
}

// syntaxError puts the parser's error into words that help.
func syntaxError(src *Source, err error) (Position, string) {
	at, msg := Position{1, 1}, err.Error()
	var e interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &e) {
		msg = e.GetMessage()
		if tk := e.GetToken(); tk != nil {
			at = positionOf(tk)
		}
	}
	if line, column := tabIndent(src.lines, at.Line); line > 0 {
		return Position{line, column}, "a tab indents this line: YAML is indented with spaces only"
	}
	line := ""
	if at.Line >= 1 && at.Line <= len(src.lines) {
		line = src.lines[at.Line-1]
	}
	switch {
	case strings.Contains(msg, "must be specified") && strings.Contains(line, "${"):
		msg = "a value with ${…} inside { } or [ ] must stand in double quotes"
	case strings.Contains(msg, "mapping value is not allowed"):
		msg = "no mapping can start here: is the line indented as its neighbours are? A text with \": \" in it, or \":\" at its end, must stand in quotes"
	case strings.Contains(msg, "could not find end character of double-quoted"):
		msg = `the text has no closing "`
	case strings.Contains(msg, "could not find end character of single-quoted"):
		msg = "the text has no closing '"
	case strings.Contains(msg, "']' must be specified"), strings.Contains(msg, "sequence end token ']' not found"):
		msg = "the list has no closing ], or lacks a comma"
	case strings.Contains(msg, "could not find flow map"), strings.Contains(msg, "'}' must be specified"):
		msg = "the mapping has no closing }, or lacks a comma"
	case strings.Contains(msg, "is a reserved character"):
		msg = strings.Replace(msg, "is a reserved character", "cannot start a plain text: put the value in quotes", 1)
	case strings.Contains(msg, "value is not allowed in this context"), strings.Contains(msg, "unexpected key name"),
		strings.Contains(msg, "non-map value is specified"):
		msg = "this does not fit here: expected \"key: value\" in line with its neighbours"
	case strings.Contains(msg, "block sequence entries are not allowed"):
		msg = "a list cannot start on the line of its key: begin it on the next line, or write [a, b]"
	}
	return at, msg
}

// tabIndent looks for a tab in the indentation of the line or the one before,
// where the parser's own complaint often points beside it.
func tabIndent(lines []string, line int) (int, int) {
	for _, n := range []int{line, line - 1, line + 1} {
		if n < 1 || n > len(lines) {
			continue
		}
		text := lines[n-1]
		indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		if i := strings.IndexByte(indent, '\t'); i >= 0 {
			return n, i + 1
		}
	}
	return 0, 0
}

func positionOf(tk *token.Token) Position {
	if tk == nil || tk.Position == nil {
		return Position{}
	}
	return Position{tk.Position.Line, tk.Position.Column}
}

// start returns where a node begins; the parser itself places a mapping at its
// first colon.
func start(n ast.Node) Position {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return start(n.Values[0])
		}
		return positionOf(n.Start)
	case *ast.MappingValueNode:
		return start(n.Key)
	case nil:
		return Position{}
	}
	return positionOf(n.GetToken())
}
