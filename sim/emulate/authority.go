package emulate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/plsim/plsim/topology"
)

// authority is a lab's certificate authority. It lives and dies with the run;
// nothing outside the lab trusts it.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// others are certificates of the file's own, whose issuers are trusted, too.
	others []*x509.Certificate
	// made are the listeners' certificates, each once.
	made map[*topology.ACMCertificate]*tls.Certificate
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template("plsim lab")
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert: cert, key: key, made: map[*topology.ACMCertificate]*tls.Certificate{}}, err
}

func template(name string) *x509.Certificate {
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(30 * 24 * time.Hour),
	}
}

// serverConfig returns the configuration of a server with a certificate for names.
func (a *authority) serverConfig(names []string) (*tls.Config, error) {
	cert, err := a.issue(names)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*cert}}, nil
}

// issue makes a server's certificate for names.
func (a *authority) issue(names []string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	common := "plsim"
	if len(names) > 0 {
		common = names[0]
	}
	t := template(common)
	t.DNSNames, t.KeyUsage = names, x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// listenerCertificate returns the certificate of a listener that ends TLS, the same
// for all that name it.
func (a *authority) listenerCertificate(l *topology.TLSListener) (*tls.Certificate, error) {
	if cert := a.made[l.Certificate]; cert != nil {
		return cert, nil
	}
	cert, err := a.certificateOf(l)
	if err != nil {
		return nil, fmt.Errorf("certificate of load balancer %s, port %d: %w", l.Balancer, l.Port, err)
	}
	a.made[l.Certificate] = cert
	return cert, nil
}

// certificateOf returns a certificate of the file's own, whose last certificate the
// lab trusts from now on, or a new one.
func (a *authority) certificateOf(l *topology.TLSListener) (*tls.Certificate, error) {
	if l.Certificate.Body == "" {
		return a.issue(l.Names)
	}
	cert, err := tls.X509KeyPair([]byte(l.Certificate.Body), []byte(l.Certificate.PrivateKey))
	if err != nil {
		return nil, err
	}
	root, err := x509.ParseCertificate(cert.Certificate[len(cert.Certificate)-1])
	if err != nil {
		return nil, err
	}
	a.others = append(a.others, root)
	return &cert, nil
}

// trusted returns whom instances trust.
func (a *authority) trusted() []*x509.Certificate {
	return append([]*x509.Certificate{a.cert}, a.others...)
}

// clientConfig returns the configuration of the built-in client, which trusts the
// lab's authority and the file's own certificates alone. It is nil for a lab without one.
func (a *authority) clientConfig() *tls.Config {
	if a == nil {
		return nil
	}
	pool := x509.NewCertPool()
	for _, cert := range a.trusted() {
		pool.AddCert(cert)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
}

// hostBundles are where distributions keep the certificates that programs trust.
var hostBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/cert.pem",
}

// bundle returns what programs in the lab trust: the lab's authority, and what
// they would trust anyway.
func (a *authority) bundle() string {
	var b strings.Builder
	for _, cert := range a.trusted() {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}) // a Builder takes all
	}
	for _, path := range hostBundles {
		if host, err := os.ReadFile(path); err == nil {
			b.Write(host)
			break
		}
	}
	return b.String()
}
