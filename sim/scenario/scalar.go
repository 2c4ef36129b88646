package scenario

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/plsim/plsim/topology"
)

// scalar returns the text of a single value as it stands in the file, and
// whether it is plain, which is to say neither quoted nor a block.
func scalar(n ast.Node) (text string, plain, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		quoted := n.Token != nil && (n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType)
		return n.Value, !quoted, true
	case *ast.LiteralNode:
		if n.Value == nil {
			return "", false, true
		}
		return n.Value.Value, false, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true, true
	}
	return "", false, false
}

func isScalar(n ast.Node) bool {
	_, _, ok := scalar(n)
	return ok
}

// describe says what a value is, for a message about what it should be.
func describe(n ast.Node) string {
	switch n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	}
	text, _, ok := scalar(n)
	if !ok {
		return "something else"
	}
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return "the number " + text
	case *ast.BoolNode:
		return text
	}
	if short := prefix(text, 40); short != text {
		text = short + "…"
	}
	return fmt.Sprintf("the text %q", text)
}

// leadingZero finds numbers that YAML reads as octal, or as text, where the
// author most likely meant all their digits.
var leadingZero = regexp.MustCompile(`^[-+]?0[0-9_]+$`)

// plainText returns a single value as text, exactly as it is written: 200 and
// true and 1.10 keep their form. It complains only about leading zeros; ok is
// false without a word where n is no single value.
func (d *decoder) plainText(path string, n ast.Node) (string, bool) {
	text, plain, ok := scalar(n)
	if plain && leadingZero.MatchString(text) {
		d.wrong(path, start(n), "%s starts with a zero, which YAML reads as another number: write it in quotes, %q", text, text)
	}
	return text, ok
}

func (d *decoder) text(path string, n ast.Node) (string, bool) {
	text, ok := d.plainText(path, n)
	if !ok {
		d.wrong(path, start(n), "expected a text, found %s", describe(n))
	}
	return text, ok
}

var wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

func (d *decoder) integer(path string, n ast.Node, v reflect.Value) {
	text, plain, ok := scalar(n)
	switch {
	case !ok || !leadingZero.MatchString(text) && !wholeNumber.MatchString(text):
		d.wrong(path, start(n), "expected a whole number, found %s", describe(n))
	case !plain:
		d.wrong(path, start(n), "expected a whole number, found the text %q: leave out the quotes", text)
	case leadingZero.MatchString(text):
		d.wrong(path, start(n), "%s starts with a zero, which YAML reads as another number: write %s", text, withoutZeros(text))
	default:
		i, err := strconv.ParseInt(text, 10, strconv.IntSize)
		if err != nil {
			d.wrong(path, start(n), "%s is too large a number", text)
			return
		}
		v.SetInt(i)
	}
}

func withoutZeros(text string) string {
	digits := strings.TrimLeft(strings.TrimLeft(text, "+-"), "0_")
	if digits == "" {
		return "0"
	}
	if text[0] == '-' {
		return "-" + digits
	}
	return digits
}

var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

func (d *decoder) number(path string, n ast.Node, v reflect.Value) {
	text, plain, ok := scalar(n)
	switch {
	case ok && plain && leadingZero.MatchString(text):
		d.wrong(path, start(n), "%s starts with a zero, which YAML reads as another number: write %s", text, withoutZeros(text))
	case !ok || !number.MatchString(text):
		d.wrong(path, start(n), "expected a number, found %s", describe(n))
	case !plain:
		d.wrong(path, start(n), "expected a number, found the text %q: leave out the quotes", text)
	default:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(f, 0) {
			d.wrong(path, start(n), "%s is too large a number", text)
			return
		}
		v.SetFloat(f)
	}
}

func (d *decoder) duration(path string, n ast.Node, p *Duration) {
	text, _, ok := scalar(n)
	if !ok {
		d.wrong(path, start(n), "expected a duration such as 500ms, 2s or 5m, found %s", describe(n))
		return
	}
	if number.MatchString(text) {
		d.wrong(path, start(n), "%s what? A duration has a unit: write %ss or %sms", text, text, text)
		return
	}
	parsed, err := time.ParseDuration(text)
	switch {
	case err != nil:
		d.wrong(path, start(n), "expected a duration such as 500ms, 2s or 5m, found %s", describe(n))
	case parsed <= 0:
		d.wrong(path, start(n), "%s is no time at all: write more than 0s", text)
	default:
		*p = Duration(parsed)
	}
}

// worded decodes a value that has a form of its own.
func (d *decoder) worded(path string, n ast.Node, p encoding.TextUnmarshaler) {
	text, _, ok := scalar(n)
	if !ok {
		d.wrong(path, start(n), "expected a text, found %s", describe(n))
		return
	}
	if err := p.UnmarshalText([]byte(text)); err != nil {
		d.wrong(path, start(n), "%v", err)
	}
}

// command decodes a line for the shell, or a list of words.
func (d *decoder) command(path string, n ast.Node, p *topology.Command) {
	if line, ok := d.plainText(path, n); ok {
		if strings.TrimSpace(line) == "" {
			d.wrong(path, start(n), "the command is empty")
			return
		}
		*p = topology.Command{shell, shellFlag, line}
		return
	}
	if _, isList := n.(*ast.SequenceNode); !isList {
		d.wrong(path, start(n), "expected a shell command line or a list of words, found %s", describe(n))
		return
	}
	words := reflect.ValueOf(p).Elem()
	d.list(path, n, words)
	if len(*p) == 0 || (*p)[0] == "" {
		d.wrong(path, start(n), "the command is empty")
	}
}

// A command that is one line is run by the shell.
const (
	shell     = "/bin/sh"
	shellFlag = "-c"
)
