package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/topology/cloudwatch"
)

// address is the value of --metrics-listen: where the host serves metrics. Without
// an address it is the loopback's: metrics are for others only if one is named.
type address string

func (a *address) String() string { return string(*a) }
func (a *address) Type() string   { return "ADDRESS:PORT" }

func (a *address) Set(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return errors.New("want ADDRESS:PORT, such as 127.0.0.1:9090")
	}
	if host == "" || host == "localhost" {
		host = "127.0.0.1"
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return fmt.Errorf("%q is no address: want localhost, or the very address to listen on", host)
	}
	*a = address(net.JoinHostPort(host, port))
	return nil
}

// listen opens the host's socket for an address, outside of the sandbox, and says
// where it is. It returns no file where there is no address.
func (a address) listen(stderr io.Writer) ([]*os.File, error) {
	if a == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", string(a))
	if err != nil {
		return nil, fmt.Errorf("--metrics-listen: %w", err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(stderr, "metrics for Prometheus at http://%s/metrics\n", l.Addr())
	return []*os.File{f}, nil
}

// measured is a lab that runs; nil between two.
type measured struct{ lab world }

// exporter serves the metrics of the lab that runs, if one does.
type exporter struct{ lab atomic.Value } // of a measured

// serve answers on the socket of the host that the sandbox was given, if it was, until
// closer is called.
func (e *exporter) serve(files []*os.File) (closer func(), err error) {
	if len(files) == 0 {
		return func() {}, nil
	}
	l, err := net.FileListener(files[0])
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", report.MetricsHandler(e.read))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l) // until Close
	}()
	return func() {
		_ = server.Close()
		<-ended
	}, nil
}

func (e *exporter) read() ([]cloudwatch.Series, error) {
	if m, ok := e.lab.Load().(measured); ok && m.lab != nil {
		return m.lab.Metrics()
	}
	return nil, nil // between two labs
}
