package emulate

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"syscall"
	"testing"

	"github.com/plsim/plsim/dataplane/ppv2"
	"github.com/plsim/plsim/sim/service"
)

// A service that demands a PROXY protocol header tells what it says, and resets
// whoever sends none, or one with a byte of its checksum changed (F2.38).
func TestProxiedService(t *testing.T) {
	server := httptest.NewUnstartedServer(new(World).handler(new(service.HTTP)))
	server.Config.ConnContext = withConn
	server.Listener = proxied{server.Listener}
	server.Start()
	defer server.Close()

	h := ppv2.Header{
		Source:      netip.MustParseAddrPort("10.0.0.4:40000"),
		Destination: netip.MustParseAddrPort("10.0.0.5:80"),
		EndpointID:  "vpce-0123456789abcdef0",
	}
	good := make([]byte, ppv2.Size)
	h.Put(good, ppv2.Size)
	spoilt := append([]byte(nil), good...)
	spoilt[31]++
	for _, tt := range []struct {
		name   string
		header []byte
		want   *service.Introduction // nil: reset
	}{
		{"header", good, &service.Introduction{
			SourceIP: "10.0.0.4", SourcePort: 40000, DestinationIP: "10.0.0.5", DestinationPort: 80, EndpointID: h.EndpointID}},
		{"health check (F2.41)", ppv2.Local(), &service.Introduction{Local: true}},
		{"wrong checksum", spoilt, nil},
		{"no header", nil, nil},
	} {
		client := http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, addr)
				if err == nil {
					_, err = c.Write(tt.header)
				}
				return c, err
			},
		}}
		r, err := client.Get(server.URL)
		if tt.want == nil {
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("%s: %v, want a reset", tt.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var got service.Sight
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || *got.Proxy != *tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got.Proxy, err, *tt.want)
		}
		r.Body.Close()
	}
}
