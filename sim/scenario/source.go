package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Position is a place in a file; lines and columns count from 1, columns in
// characters. The zero Position is nowhere.
type Position struct{ Line, Column int }

// Source is the text of a scenario and where each of its values stands. A path
// is written as in vpcs.provider.subnets.a.cidr_block or steps[2].request.url.
type Source struct {
	File  string
	lines []string
	at    map[string]Position
}

func newSource(file, text string) *Source {
	return &Source{File: file, lines: strings.Split(text, "\n"), at: map[string]Position{}}
}

// Text returns the file as it was read.
func (s *Source) Text() []byte { return []byte(strings.Join(s.lines, "\n")) }

// Has reports whether the file gives a value to path.
func (s *Source) Has(path string) bool {
	_, ok := s.at[path]
	return ok
}

// Position returns where the value of path stands: a scalar at its own place, a
// mapping or list at its key. A path that is not in the file stands at its
// nearest parent that is; at worst the file's beginning.
func (s *Source) Position(path string) Position {
	if at, ok := s.at[s.nearest(path)]; ok {
		return at
	}
	return Position{1, 1}
}

// Place returns file:line of the value of path, for people. What the file does not
// say is AWS's default.
func (s *Source) Place(path string) string {
	if !s.Has(path) {
		return "AWS's default"
	}
	return fmt.Sprintf("%s:%d", s.File, s.Position(path).Line)
}

// nearest returns the path itself or the first parent that is in the file.
func (s *Source) nearest(path string) string {
	for path != "" && !s.Has(path) {
		path = parent(path)
	}
	return path
}

// Mistake returns what is wrong at path, as the author of the file sees it.
func (s *Source) Mistake(path, msg string) Mistake {
	return s.mistakeAt(s.Position(path), msg)
}

// MistakeIn is Mistake for a part of the text at path, such as a ${…} reference
// in a longer value; where the part is not found as written, the value's own
// place is named.
func (s *Source) MistakeIn(path, part, msg string) Mistake {
	at := s.Position(path)
	for i := at.Line - 1; i < len(s.lines) && i < at.Line+maxSearch; i++ {
		skip := 0
		if i == at.Line-1 {
			skip = len(prefix(s.lines[i], at.Column-1))
		}
		if at := strings.Index(s.lines[i][skip:], part); at >= 0 {
			return s.mistakeAt(Position{i + 1, utf8.RuneCountInString(s.lines[i][:skip+at]) + 1}, msg)
		}
		if s.endsAt(i+1, at) {
			break
		}
	}
	return s.mistakeAt(at, msg)
}

// maxSearch bounds how many lines of one value MistakeIn looks through.
const maxSearch = 1000

// endsAt reports whether line (from 0) starts a value other than the one at at,
// which holds as soon as it is indented no more than the line of at is.
func (s *Source) endsAt(line int, at Position) bool {
	if line >= len(s.lines) {
		return true
	}
	text := strings.TrimLeft(s.lines[line], " ")
	indent := func(l string) int { return len(l) - len(strings.TrimLeft(l, " ")) }
	return text != "" && indent(s.lines[line]) <= indent(s.lines[at.Line-1])
}

// prefix returns the first n characters of text, or all of it.
func prefix(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}

func (s *Source) mistakeAt(at Position, msg string) Mistake {
	line := min(max(at.Line, 1), len(s.lines)) // the parser may point behind the end
	return Mistake{File: s.File, Line: line, Column: max(at.Column, 1), Msg: msg, text: s.lines[line-1]}
}

// Mistake is one thing that is wrong in a scenario file, and what was meant.
type Mistake struct {
	File         string
	Line, Column int // from 1; the column counts characters
	Msg          string

	text string // the line of the file
}

// Error returns file:line:column: message.
func (m Mistake) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Msg)
}

// Excerpt returns the line of the file with a caret under the mistake, for a
// terminal. It is empty where the file has no such line.
func (m Mistake) Excerpt() string {
	text := strings.ReplaceAll(strings.TrimRight(m.text, " \r"), "\t", " ")
	if text == "" {
		return ""
	}
	column := min(m.Column, utf8.RuneCountInString(text)+1)
	first := max(1, column-60) // a very long line is cut around the caret
	text = string([]rune(text)[first-1:])
	if short := prefix(text, 120); short != text {
		text = short + "…"
	}
	return fmt.Sprintf("%5d | %s\n      | %s^\n", m.Line, text, strings.Repeat(" ", column-first))
}

// Mistakes are all the mistakes of a file, as an error.
type Mistakes []Mistake

// Error returns one line for each mistake.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// Excerpt returns the mistakes as Error does, each followed by its line of the
// file with a caret under the place.
func (ms Mistakes) Excerpt() string {
	var b strings.Builder
	for _, m := range ms {
		fmt.Fprintf(&b, "%s\n%s", m.Error(), m.Excerpt())
	}
	return b.String()
}

// err returns the mistakes by position, each once, or nil where there is none.
func (ms Mistakes) err() error {
	if len(ms) == 0 {
		return nil
	}
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Msg, b.Msg))
	})
	return slices.Compact(ms)
}
