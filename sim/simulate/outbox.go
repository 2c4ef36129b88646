package simulate

import (
	"github.com/plsim/plsim/sim/simulate/host"
)

// outbox holds what a connection has no room for yet.
type outbox struct {
	bytes  []byte
	filler int64             // bytes of no meaning behind them
	then   func(c host.Conn) // what to do when all is sent; may be nil
}

// filling is what filler is made of.
var filling = func() []byte {
	b := make([]byte, 1<<16)
	for i := range b {
		b[i] = 'x'
	}
	return b
}()

// flush writes what there is room for.
func (o *outbox) flush(c host.Conn) {
	if len(o.bytes) > 0 {
		o.bytes = o.bytes[c.Write(o.bytes):]
		if len(o.bytes) > 0 {
			return // the connection tells when there is room
		}
		o.bytes = nil
	}
	for o.filler > 0 {
		n := c.Write(filling[:min(o.filler, int64(len(filling)))])
		if n == 0 {
			return
		}
		o.filler -= int64(n)
	}
	if then := o.then; then != nil {
		o.then = nil
		then(c)
	}
}

// empty reports whether all has been written.
func (o *outbox) empty() bool { return len(o.bytes) == 0 && o.filler == 0 }
