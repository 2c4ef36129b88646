package capture

import (
	"fmt"
	"strconv"
	"strings"
)

// Bounds of a filter.
const (
	maxText  = 4096
	maxDepth = 64 // of parentheses, brackets and negations
)

// ParseFilter understands a filter. Where it does not, the error is a *FilterError.
func ParseFilter(text string) (f *Filter, err error) {
	if len(text) > maxText {
		return nil, &FilterError{Msg: fmt.Sprintf("the filter is longer than %d characters", maxText)}
	}
	p := &parser{words: split(text), end: len(text)}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *FilterError:
			f, err = nil, e
		default:
			panic(e)
		}
	}()
	if len(p.words) == 0 {
		return &Filter{text: text}, nil
	}
	t := p.expression()
	if p.peek() != "" {
		p.fail("%q does not belong here: join tests with and or or", p.peek())
	}
	return &Filter{text: text, test: t}, nil
}

// token is a word of a filter and its place.
type token struct {
	text string
	at   int
}

// split cuts a filter into words.
func split(text string) []token {
	var words []token
	brackets := 0
	for at := 0; at < len(text); {
		n := 1
		switch c := text[at]; {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			at++
			continue
		case c == '[':
			brackets++
		case c == ']':
			brackets--
		case c == ':' && brackets == 0, c != '-' && wordByte(c):
			for at+n < len(text) && (wordByte(text[at+n]) || brackets == 0 && isAddress(text[at:at+n+1])) {
				n++
			}
			for text[at+n-1] == '-' {
				n--
			}
		case at+1 < len(text) && strings.Contains(" && || == != <= >= << >> ", " "+text[at:at+2]+" "):
			n = 2
		}
		words = append(words, token{text[at : at+n], at})
		at += n
	}
	return words
}

// wordByte reports whether a character is part of names and numbers. A colon is where
// it stands in an address of IPv6; see isAddress.
func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-' || c == '_' || c == '\\' || c >= 0x80
}

// isAddress reports whether a text that ends with a colon may be the beginning of an
// address of IPv6, not of PROTOCOL[OFFSET:SIZE].
func isAddress(text string) bool {
	return strings.HasSuffix(text, ":") && strings.Trim(text, "0123456789abcdefABCDEF:.") == ""
}

// parser reads a filter, word by word. Its methods stop at a mistake by a panic with a
// *FilterError.
type parser struct {
	words []token
	next  int
	end   int
	depth int
	last  *qualifiers // of the value before
}

func (p *parser) peek() string {
	if p.next < len(p.words) {
		return p.words[p.next].text
	}
	return ""
}

func (p *parser) take(words ...string) bool {
	for _, w := range words {
		if p.peek() == w {
			p.next++
			return true
		}
	}
	return false
}

// fail stops at the next word.
func (p *parser) fail(format string, args ...any) {
	e := &FilterError{At: p.end, Msg: fmt.Sprintf(format, args...)}
	if p.next < len(p.words) {
		e.At, e.Near = p.words[p.next].at, p.words[p.next].text
	}
	panic(e)
}

func (p *parser) want(word string) {
	if p.take(word) {
		return
	}
	if p.peek() == "" {
		p.fail("the filter ends where %s is missing", word)
	}
	p.fail("expected %s, found %q", word, p.peek())
}

// deeper counts how deep things are nested; call what it returns at the end.
func (p *parser) deeper() func() {
	if p.depth++; p.depth > maxDepth {
		p.fail("the filter is nested too deeply")
	}
	return func() { p.depth-- }
}

// expression reads tests that are joined by and and or.
func (p *parser) expression() test {
	defer p.deeper()()
	t := p.term()
	for {
		switch {
		case p.take("and", "&&"):
			t = both(t, p.term())
		case p.take("or", "||"):
			t = either(t, p.term())
		default:
			return t
		}
	}
}

func (p *parser) term() test {
	if p.take("not", "!") {
		defer p.deeper()()
		return negate(p.term())
	}
	if t, ok := p.attempt(); ok {
		return t
	}
	if p.take("(") {
		t := p.expression()
		p.want(")")
		return t
	}
	return p.primitive()
}

// attempt reads a comparison, if one stands here: whether a parenthesis is one of
// tests or of numbers shows only after it.
func (p *parser) attempt() (t test, ok bool) {
	was := *p
	if !p.beginsNumber() {
		return nil, false
	}
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if _, mistake := r.(*FilterError); !mistake || p.surely(was.next) {
			panic(r)
		}
		*p, t, ok = was, nil, false
	}()
	return p.comparison()
}

// beginsNumber reports whether the next word can begin a number.
func (p *parser) beginsNumber() bool {
	w := p.peek()
	if w == "" {
		return false
	}
	_, err := strconv.ParseUint(w, 0, 32)
	return err == nil || w == "(" || w == "-" || p.surely(p.next)
}

// surely reports whether a word begins what is nothing but a number: PROTOCOL[…], len,
// or the name of one.
func (p *parser) surely(i int) bool {
	if _, named := constants[p.words[i].text]; named || p.words[i].text == "len" {
		return true
	}
	return p.indexed(i)
}

// indexed reports whether PROTOCOL[…] begins at a word.
func (p *parser) indexed(i int) bool {
	if i+1 >= len(p.words) || p.words[i+1].text != "[" {
		return false
	}
	_, ok := headers[p.words[i].text]
	return ok
}

// primitive reads a test that begins with a word.
func (p *parser) primitive() test {
	word := p.peek()
	switch {
	case word == "":
		p.fail("the filter ends where a test is missing, such as port 80")
	case p.take("less"):
		n := p.literal()
		return func(f *probe) bool { return uint32(len(f.frame)) <= n }
	case p.take("greater"):
		n := p.literal()
		return func(f *probe) bool { return uint32(len(f.frame)) >= n }
	}
	q, words := p.qualifiers()
	switch {
	case words == 0 && p.last != nil:
		q = *p.last
	case words == 0:
		p.fail("%q is not a test: one begins with host, net, port, portrange, src, dst, ip, ip6, arp, tcp, udp, icmp, icmp6, less, greater, len, not or a parenthesis", word)
	case q.kind == "" && q.dir == "" && words > 0:
		return protocols[q.proto]
	}
	if q.kind == "" {
		q.kind = "host"
	}
	p.last = &q
	if words > 0 && p.take("(") {
		t := p.values(q)
		p.want(")")
		return t
	}
	return p.value(q)
}

// values reads what stands in parentheses behind qualifiers: port (80 or 443).
func (p *parser) values(q qualifiers) test {
	defer p.deeper()()
	one := func() test {
		switch {
		case p.take("not", "!"):
			return negate(p.value(q))
		case p.take("("):
			t := p.values(q)
			p.want(")")
			return t
		}
		return p.value(q)
	}
	t := one()
	for {
		switch {
		case p.take("and", "&&"):
			t = both(t, one())
		case p.take("or", "||"):
			t = either(t, one())
		default:
			return t
		}
	}
}

// qualifiers reads the words before a value, and says how many there were.
func (p *parser) qualifiers() (q qualifiers, words int) {
	first := p.next
	if _, ok := protocols[p.peek()]; ok {
		q.proto = p.peek()
		p.next++
	}
	if p.take("src", "dst") {
		q.dir = p.words[p.next-1].text
		other := map[string]string{"src": "dst", "dst": "src"}[q.dir]
		if p.next+1 < len(p.words) && p.words[p.next+1].text == other {
			switch {
			case p.take("and", "&&"):
				q.dir = "src and dst"
			case p.take("or", "||"):
				q.dir = ""
			}
			p.take(other)
		}
	}
	if p.take("host", "net", "port", "portrange", "proto") {
		q.kind = p.words[p.next-1].text
	}
	words = p.next - first
	if q.dir == "" && q.kind == "" && words > 1 {
		q.kind = "host" // src or dst
	}
	return q, words
}
