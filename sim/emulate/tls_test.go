package emulate

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
)

const tlsLab = `
name: tls
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    subnets: { a: {} }
    security_groups:
      all: { ingress: [{ protocol: "-1", cidr_blocks: [10.0.0.0/16] }] }
    instances:
      app: { vpc_security_group_ids: [all] }
      web: { vpc_security_group_ids: [all], services: [{ type: tcp_echo, port: 7 }, { type: http, port: 80 }] }
acm_certificates:
  api: { CERTIFICATE }
load_balancers:
  api:
    subnets: [provider/a]
    listeners:
      - { port: 7, protocol: TLS, certificate_arn: api, default_action: { target_group_arn: echo } }
      - { port: 443, protocol: TLS, certificate_arn: api, default_action: { target_group_arn: secret } }
target_groups:
  echo: { port: 7, protocol: TCP, targets: [web] }
  secret: { port: 80, protocol: TLS, targets: [web] }
`

// dialTLS opens a connection to the load balancer's node, without a handshake.
func dialTLS(t *testing.T, w *World, port int) net.Conn {
	t.Helper()
	node := w.lab.TLSListeners()[0].Node.Addr()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, err := w.hosts["provider/app"].ns.Dial(ctx, "tcp", net.JoinHostPort(node.String(), fmt.Sprint(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// tlsErrors returns how many handshakes have failed.
func tlsErrors(t *testing.T, w *World) (client, target uint64) {
	t.Helper()
	err := w.engine.Do(func(walk *dataplane.Walk, now clock.Time) {
		for _, s := range walk.Metrics(now) {
			for _, slot := range s.Slots {
				client += slot.Sums[metrics.ClientTLSErrors]
				target += slot.Sums[metrics.TargetTLSErrors]
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return client, target
}

// TestTLSStream sends more through a TLS listener (F2.8) than any buffer holds, closes
// one direction and gets all of it back.
func TestTLSStream(t *testing.T) {
	w, _ := newWorld(t, strings.Replace(tlsLab, "CERTIFICATE", "domain_name: api.example.com", 1))
	config := w.ca.clientConfig()
	config.ServerName = "api.example.com"
	c := tls.Client(dialTLS(t, w, 7), config)
	sent := make([]byte, 8<<20)
	if _, err := rand.NewChaCha8([32]byte{1}).Read(sent); err != nil {
		t.Fatal(err)
	}
	go func() {
		if _, err := c.Write(sent); err != nil {
			t.Errorf("write: %v", err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Errorf("close for writing: %v", err)
		}
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back of %d, with error %v", len(got), len(sent), err)
	}
	if client, target := tlsErrors(t, w); client != 0 || target != 0 {
		t.Errorf("%d and %d handshakes failed", client, target)
	}
}

// TestTLSErrors counts handshakes that fail, on either side (F2.69). A client that says
// nothing at all, or a PROXY header (F2.35), gets no further.
func TestTLSErrors(t *testing.T) {
	w, _ := newWorld(t, strings.Replace(tlsLab, "CERTIFICATE", "domain_name: api.example.com", 1))
	counted := func(client, target uint64) func() bool {
		return func() bool {
			gotClient, gotTarget := tlsErrors(t, w)
			return gotClient == client && gotTarget == target
		}
	}
	dialTLS(t, w, 7).Close()
	if _, err := io.WriteString(dialTLS(t, w, 7), "PROXY TCP4 192.0.2.1 192.0.2.2 1 7\r\n"); err != nil {
		t.Fatal(err)
	}
	await(t, "an error of the client's", counted(1, 0))
	c := tls.Client(dialTLS(t, w, 443), &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a target that speaks no TLS has answered")
	}
	await(t, "an error of the target's", counted(1, 1))
}

// TestOwnCertificate: a certificate of the file's own is presented, and trusted.
func TestOwnCertificate(t *testing.T) {
	ca, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	own, err := ca.issue([]string{"own.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalECPrivateKey(own.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return fmt.Sprintf("%q", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	w, l := newWorld(t, strings.Replace(tlsLab, "CERTIFICATE",
		"certificate_body: "+encode("CERTIFICATE", own.Certificate[0])+", private_key: "+encode("EC PRIVATE KEY", key), 1))
	app, err := l.Lab.Instance("provider/app")
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.secure(t.Context(), dialTLS(t, w, 7), "own.example.com:7")
	if err != nil {
		t.Fatalf("%s does not trust it: %v", app.Name, err)
	}
	if got := c.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw; !bytes.Equal(got, own.Certificate[0]) {
		t.Error("another certificate is presented")
	}
	r, err := w.Exchange(t.Context(), &scenario.Exchange{
		From: "provider/app", To: l.Lab.TLSListeners()[0].Node.Addr().String() + ":7", Protocol: "tls",
		Send: "x", Timeout: scenario.Duration(5 * time.Second),
	})
	if err != nil || r.Kind != story.TLS {
		t.Errorf("to an address that it is not for: %+v, %v", r, err)
	}
}
