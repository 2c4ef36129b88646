package topology

import (
	"cmp"
	"crypto/tls"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// sslPolicies are the security policies of TLS listeners that a lab knows: the
// oldest and the newest version that each lets a client speak. Which ciphers go
// with a version is Go's choice.
var sslPolicies = map[string][2]uint16{
	"ELBSecurityPolicy-2016-08":           {tls.VersionTLS10, tls.VersionTLS12},
	"ELBSecurityPolicy-TLS-1-1-2017-01":   {tls.VersionTLS11, tls.VersionTLS12},
	"ELBSecurityPolicy-TLS-1-2-2017-01":   {tls.VersionTLS12, tls.VersionTLS12},
	"ELBSecurityPolicy-TLS13-1-0-2021-06": {tls.VersionTLS10, tls.VersionTLS13},
	"ELBSecurityPolicy-TLS13-1-1-2021-06": {tls.VersionTLS11, tls.VersionTLS13},
	"ELBSecurityPolicy-TLS13-1-2-2021-06": {tls.VersionTLS12, tls.VersionTLS13},
	"ELBSecurityPolicy-TLS13-1-3-2021-06": {tls.VersionTLS13, tls.VersionTLS13},
}

// defaultSSLPolicy is what the API and Terraform take; the console suggests
// ELBSecurityPolicy-TLS13-1-2-2021-06.
const defaultSSLPolicy = "ELBSecurityPolicy-2016-08"

// alpnPolicies are what listeners prefer, the first most.
var alpnPolicies = map[string][]string{
	"None":           nil,
	"HTTP1Only":      {"http/1.1", "http/1.0"},
	"HTTP2Only":      {"h2"},
	"HTTP2Optional":  {"http/1.1", "http/1.0", "h2"},
	"HTTP2Preferred": {"h2", "http/1.1", "http/1.0"},
}

// certificateForm is that of a DNS name that a certificate can be for.
var certificateForm = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$`)

// addCertificates checks the certificates of TLS listeners.
func (b *builder) addCertificates() {
	b.find.certs = map[string]*ACMCertificate{}
	each(&b.problems, "acm_certificates", b.spec.ACMCertificates, func(path, name string, c *ACMCertificate) {
		b.find.certs[name] = c
		own := c.Body != "" || c.PrivateKey != ""
		switch {
		case own && c.Body == "":
			b.problems.add(at(path, "certificate_body"), "is missing: a private_key needs its certificate, PEM")
		case own && c.PrivateKey == "":
			b.problems.add(at(path, "private_key"), "is missing: a certificate_body needs its key, PEM")
		case own && (c.DomainName != "" || len(c.Alternative) > 0):
			b.problems.add(path, "has a certificate_body, which says its names itself: remove domain_name and subject_alternative_names, or the certificate")
		case own:
			if _, err := tls.X509KeyPair([]byte(c.Body), []byte(c.PrivateKey)); err != nil {
				b.problems.add(at(path, "certificate_body"), "is not a PEM certificate with its private_key: %s", strings.TrimPrefix(err.Error(), "tls: "))
			}
			return
		}
		if c.DomainName != "" {
			b.certificateName(at(path, "domain_name"), c.DomainName)
		}
		for i, n := range c.Alternative {
			b.certificateName(item(at(path, "subject_alternative_names"), i), n)
		}
	})
}

func (b *builder) certificateName(path, name string) {
	if !certificateForm.MatchString(name) {
		b.problems.add(path, "%q is not a DNS name: write api.example.com or *.example.com", name)
	}
}

// names are all names that the certificate is for.
func (c *ACMCertificate) names() []string {
	if c.DomainName == "" {
		return c.Alternative
	}
	return append([]string{c.DomainName}, c.Alternative...)
}

// endsTLS reports whether clients speak TLS with the listener.
func (l *Listener) endsTLS() bool { return l.Protocol == "TLS" || l.Protocol == "HTTPS" }

// tlsListener completes and checks what only listeners have that end TLS.
func (b *builder) tlsListener(path string, l *Listener) {
	if !l.endsTLS() {
		for key, value := range map[string]string{"certificate_arn": l.CertificateARN, "ssl_policy": l.SSLPolicy, "alpn_policy": l.ALPNPolicy} {
			if value != "" && fits[l.Protocol] != nil {
				b.problems.add(at(path, key), "is for TLS listeners, and this one's protocol is %s", l.Protocol)
			}
		}
		return
	}
	if l.CertificateARN == "" {
		b.problems.add(at(path, "certificate_arn"), "is missing: %s listener needs a certificate; name one of acm_certificates, such as web: { domain_name: api.example.com }", withArticle(l.Protocol))
	} else if _, err := find("certificate", b.find.certs, l.CertificateARN); err != nil {
		b.problems.add(at(path, "certificate_arn"), "%v", err)
	}
	l.SSLPolicy = cmp.Or(l.SSLPolicy, defaultSSLPolicy)
	if _, ok := sslPolicies[l.SSLPolicy]; !ok {
		b.problems.add(at(path, "ssl_policy"), "%q is not a security policy here; choose from %s", l.SSLPolicy, strings.Join(slices.Sorted(maps.Keys(sslPolicies)), ", "))
	}
	if l.Protocol == "HTTPS" {
		if l.ALPNPolicy != "" {
			b.problems.add(at(path, "alpn_policy"), "is for TLS listeners: an HTTPS listener offers HTTP/2 and HTTP/1.1, always")
		}
		return
	}
	b.choice(at(path, "alpn_policy"), &l.ALPNPolicy, "an ALPN policy", "None", "HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred")
}

// behindTLS reports whether a TLS listener forwards to a target group.
func (l *Lab) behindTLS(p *pool) bool {
	for _, lb := range l.balancers {
		for i, of := range lb.Listeners {
			if of.Protocol == "TLS" && slices.ContainsFunc(lb.forwards[i].all(), func(s share) bool { return s.pool == p }) {
				return true
			}
		}
	}
	return false
}

// TLSListener is a listener that ends TLS, at one node.
type TLSListener struct {
	Balancer    string // its name
	Node        *NIC
	Port        uint16
	Versions    [2]uint16 // the oldest and the newest, as crypto/tls numbers them
	Protocols   []string  // to choose from with ALPN, the first preferred; none: without it
	Certificate *ACMCertificate
	Names       []string // that a certificate without a body is for
}

// TLSListeners returns the TLS listeners of every node. They never change.
func (l *Lab) TLSListeners() []TLSListener {
	var all []TLSListener
	for _, lb := range l.balancers {
		for _, of := range lb.Listeners {
			if of.Protocol != "TLS" {
				continue
			}
			for _, n := range lb.nodes {
				all = append(all, l.tlsListenerOf(lb, of, n))
			}
		}
	}
	return all
}

// tlsListenerOf returns what a listener that ends TLS is at one node.
func (l *Lab) tlsListenerOf(lb *balancer, of *Listener, n *NIC) TLSListener {
	c := l.find.certs[of.CertificateARN]
	return TLSListener{
		Balancer: lb.name, Node: n, Port: uint16(of.Port),
		Versions: sslPolicies[of.SSLPolicy], Protocols: alpnPolicies[of.ALPNPolicy],
		Certificate: c, Names: c.names(),
	}
}

// EndsTLS reports whether any listener of the lab does.
func (l *Lab) EndsTLS() bool {
	return slices.ContainsFunc(l.balancers, func(lb *balancer) bool { return slices.ContainsFunc(lb.Listeners, (*Listener).endsTLS) })
}

// nameCertificates gives certificates without a name those of what they stand for.
func (b *builder) nameCertificates() {
	for _, name := range slices.Sorted(maps.Keys(b.find.certs)) {
		c := b.find.certs[name]
		if c.Body != "" || len(c.names()) > 0 {
			continue
		}
		var private, public []string
		for _, lb := range b.Lab.balancers {
			if !slices.ContainsFunc(lb.Listeners, func(l *Listener) bool { return l != nil && l.CertificateARN == name }) {
				continue
			}
			public = append(public, lb.dnsName)
			for _, o := range b.entrances(lb) {
				if o.offer != nil && o.offer.PrivateDNSName != "" && !slices.Contains(private, o.offer.PrivateDNSName) {
					private = append(private, o.offer.PrivateDNSName)
				}
			}
		}
		names := private
		if len(names) == 0 {
			names = public
		}
		if len(names) > 0 {
			c.DomainName, c.Alternative = names[0], names[1:]
		}
	}
}
