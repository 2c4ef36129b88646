package scenario

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// title says what the exchange is.
func (x *Exchange) title() string {
	who := x.From + " to " + x.To
	if x.From == "" {
		who = "Over connection " + x.Connection
	}
	if x.Send == "" {
		return who + ": nothing is said"
	}
	said := x.Send
	if strings.ContainsFunc(said, unicode.IsControl) {
		said = strconv.Quote(said) // a terminal would take it for an order
	}
	return who + ": " + said
}

// exchange checks that an exchange has a connection: its own, or one that an
// earlier step kept.
func (c *checker) exchange(path string, x *Exchange) {
	p := join(path, "connection")
	switch {
	case x.From == "" && x.To == "" && x.Connection == "":
		if !c.brokenBelow(path) {
			c.wrong(path, "needs from and to, or the connection that an earlier step kept")
		}
	case x.From == "" && x.To == "":
		if !slices.Contains(c.kept, x.Connection) {
			c.wrong(p, "no earlier step keeps a connection %q%s; one that opens it has from and to", x.Connection, hint(x.Connection, c.kept))
		}
		for _, key := range []string{"protocol", "keepalive"} {
			if c.src.Has(join(path, key)) {
				c.wrong(join(path, key), "is for the step that opens the connection, with from and to")
			}
		}
		return
	case x.From == "" || x.To == "":
		if !c.brokenBelow(path) {
			c.wrong(path, "from and to belong together: who connects, and to what")
		}
	default:
		c.instance(join(path, "from"), x.From)
		c.hostPort(join(path, "to"), x.To)
		if x.Connection != "" {
			c.kept = append(c.kept, x.Connection)
		}
	}
	switch x.Protocol {
	case "", "tcp", "tls":
	case "udp":
		if x.Keepalive != 0 {
			c.wrong(join(path, "keepalive"), "is for tcp: UDP has no keepalives")
		}
	default:
		c.wrong(join(path, "protocol"), "%q is not a protocol here: write tcp, udp or tls", x.Protocol)
	}
}
