package emulate

import (
	"context"
	"io"
	"net"
	"sync/atomic"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// sink discards what comes, and counts it.
type sink struct{ connections, datagrams, bytes atomic.Int64 }

// sink returns the sink of a service, which goes on with its counts after a
// fault.
func (h *host) sink(s *topology.Service) *sink {
	at := place{s.Type, s.Port}
	if k := h.sinks[at]; k != nil {
		return k
	}
	if h.sinks == nil {
		h.sinks = map[place]*sink{}
	}
	h.sinks[at] = new(sink)
	return h.sinks[at]
}

// place is where a sink listens.
type place struct {
	kind string // of its service
	port int
}

// swallow reads a connection to its end.
func (k *sink) swallow(c net.Conn) {
	k.connections.Add(1)
	_, _ = io.Copy(k, struct{ io.Reader }{c}) // it ends with the connection
}

// Write implements [io.Writer].
func (k *sink) Write(b []byte) (int, error) {
	k.bytes.Add(int64(len(b)))
	return len(b), nil
}

// swallowPackets reads datagrams until the socket is closed.
func (k *sink) swallowPackets(pc net.PacketConn) {
	buf := make([]byte, 64<<10)
	for {
		n, _, err := pc.ReadFrom(buf)
		if err != nil {
			return
		}
		k.datagrams.Add(1)
		k.bytes.Add(int64(n))
	}
}

// Received implements [story.World].
func (w *World) Received(_ context.Context, r *scenario.Received) (story.Receipt, error) {
	h, err := w.host(r.By)
	if err != nil {
		return story.Receipt{}, err
	}
	s, err := r.Sink(&topology.Host{Instance: h.spec, Name: h.Name})
	if err != nil {
		return story.Receipt{}, err
	}
	k := h.sinks[place{s.Type, s.Port}]
	return story.Receipt{Connections: k.connections.Load(), Datagrams: k.datagrams.Load(), Bytes: k.bytes.Load()}, nil
}
