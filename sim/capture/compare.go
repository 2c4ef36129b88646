package capture

import (
	"slices"
	"strconv"
)

// expr is a number, and what must hold for there to be one.
type expr struct {
	value value
	needs test    // nil: nothing
	fixed *uint32 // what it is, where it does not depend on the packet
}

// comparison reads two numbers and how they are compared.
func (p *parser) comparison() (test, bool) {
	a := p.sum(0)
	operator := p.peek()
	compare, ok := map[string]func(a, b uint32) bool{
		"=": func(a, b uint32) bool { return a == b }, "==": func(a, b uint32) bool { return a == b },
		"!=": func(a, b uint32) bool { return a != b },
		"<":  func(a, b uint32) bool { return a < b }, "<=": func(a, b uint32) bool { return a <= b },
		">": func(a, b uint32) bool { return a > b }, ">=": func(a, b uint32) bool { return a >= b },
	}[operator]
	if !ok {
		p.fail("this is a number, which must be compared: write = 0 or > 0 behind it")
	}
	p.next++
	b := p.sum(0)
	t := func(f *probe) bool {
		x := a.value(f)
		return compare(x, b.value(f))
	}
	for _, needs := range []test{b.needs, a.needs} {
		if needs != nil {
			t = both(needs, t)
		}
	}
	return t, true
}

// operators are those that bind equally, those that bind least first. % and ^ are not
// among them: see remainder.
var operators = [][]string{{"|", "&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/"}}

// sum reads numbers that are joined by operators which bind no less than those of a
// level.
func (p *parser) sum(level int) expr {
	if level == len(operators) {
		return p.remainder()
	}
	a := p.sum(level + 1)
	for slices.Contains(operators[level], p.peek()) {
		operator := p.peek()
		p.next++
		a = p.right(operator, a, level+1)
	}
	return a
}

// remainder reads a number, and what % or ^ do to it: tcpdump's grammar gives them no
// precedence, so all that follows is their right side.
func (p *parser) remainder() expr {
	a := p.operand()
	if operator := p.peek(); p.take("%", "^") {
		return p.right(operator, a, 0)
	}
	return a
}

// right reads the right side of an operator.
func (p *parser) right(operator string, a expr, level int) expr {
	at := p.next
	b := p.sum(level)
	if b.fixed != nil {
		wrong := ""
		switch {
		case *b.fixed == 0 && (operator == "/" || operator == "%"):
			wrong = "nothing can be divided by 0"
		case *b.fixed > 31 && (operator == "<<" || operator == ">>"):
			wrong = "a number has 32 bits, so it is shifted by 31 at most"
		}
		if wrong != "" {
			p.next = at
			p.fail("%s", wrong)
		}
	}
	return join(operator, a, b)
}

// join combines two numbers. A packet for which something is divided by 0 does not
// match.
func join(operator string, a, b expr) expr {
	compute := func(f *probe, x, y uint32) uint32 {
		switch operator {
		case "+":
			return x + y
		case "-":
			return x - y
		case "*":
			return x * y
		case "&":
			return x & y
		case "|":
			return x | y
		case "^":
			return x ^ y
		case "<<":
			return x << y
		case ">>":
			return x >> y
		}
		if y == 0 {
			f.short = true
			return 0
		}
		if operator == "/" {
			return x / y
		}
		return x % y
	}
	e := expr{needs: a.needs, value: func(f *probe) uint32 {
		x := a.value(f)
		return compute(f, x, b.value(f))
	}}
	switch {
	case a.needs == nil:
		e.needs = b.needs
	case b.needs != nil:
		e.needs = both(a.needs, b.needs)
	}
	if a.fixed != nil && b.fixed != nil {
		e = constant(compute(new(probe), *a.fixed, *b.fixed))
	}
	return e
}

func constant(n uint32) expr {
	return expr{value: func(*probe) uint32 { return n }, fixed: &n}
}

// operand reads one number.
func (p *parser) operand() expr {
	defer p.deeper()()
	switch {
	case p.take("-"):
		return join("-", constant(0), p.operand())
	case p.take("("):
		e := p.sum(0)
		p.want(")")
		return e
	case p.take("len"):
		return expr{value: func(f *probe) uint32 { return uint32(len(f.frame)) }}
	case p.indexed(p.next):
		return p.bytes()
	}
	if n, ok := constants[p.peek()]; ok {
		p.next++
		return constant(n)
	}
	return constant(p.literal())
}

// literal reads a number as it stands.
func (p *parser) literal() uint32 {
	n, err := strconv.ParseUint(p.peek(), 0, 32)
	if err != nil {
		p.fail("expected a number, found %q", p.peek())
	}
	p.next++
	return uint32(n)
}

// bytes reads PROTOCOL[OFFSET] or PROTOCOL[OFFSET:SIZE].
func (p *parser) bytes() expr {
	h := headers[p.peek()]
	p.next += 2
	at, size := p.sum(0), 1
	if p.take(":") {
		if n := p.literal(); n == 1 || n == 2 || n == 4 {
			size = int(n)
		} else {
			p.next--
			p.fail("%d is no size: 1, 2 or 4 bytes make a number", n)
		}
	}
	p.want("]")
	e := expr{needs: h.is, value: func(f *probe) uint32 {
		offset := at.value(f)
		return f.number(h.at(f)+uint64(offset), size)
	}}
	if at.needs != nil {
		e.needs = at.needs
		if h.is != nil {
			e.needs = both(at.needs, h.is)
		}
	}
	return e
}
