package engine

import (
	"errors"
	"time"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// Port is the fabric's end of one interface's device. One worker receives from it, and
// several may send to it at the same time. Nobody does either during Close.
type Port interface {
	// Recv reads the next waiting frame into f and reports whether there was
	// one. It never blocks. An error is final: the device is gone.
	Recv(f *packet.Frame) (bool, error)
	// Send writes f to the device and reports whether it was taken; false
	// means that the device's queue is full. It never blocks or keeps f. An error is
	// final, but for [ErrDown].
	Send(f *packet.Frame) (bool, error)
	// Close releases the device.
	Close() error
}

// ErrDown says that a device takes no frames until somebody brings it up again.
var ErrDown = errors.New("the device is down")

// lost returns why a frame that a port was sent is lost, if it is, and whether the device is
// gone.
func lost(ok bool, err error) (why drop.Reason, gone bool) {
	switch {
	case err != nil:
		return drop.PortDown, !errors.Is(err, ErrDown)
	case !ok:
		return drop.QueueFull, false
	default:
		return drop.None, false
	}
}

// Poller waits for ports.
type Poller interface {
	// Wait blocks until a registered port has a frame to receive, Wake is
	// called or d has passed (d < 0: forever), and appends the indexes of the
	// ready ports to ready. A port that is left with a frame is ready again.
	Wait(ready []int, d time.Duration) ([]int, error)
	// Wake ends a Wait. It may be called from any goroutine.
	Wake()
	// Add registers a port under an index. The port must be of the poller's
	// own kind.
	Add(index int, p Port) error
	// Close releases the poller.
	Close() error
}
