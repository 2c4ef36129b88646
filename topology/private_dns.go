package topology

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// The states of a service's private DNS name (F1.27).
const (
	PendingVerification = "pendingVerification" // its TXT record has not been found yet
	Verified            = "verified"
	VerificationFailed  = "failed" // it was there, and is no more
)

// proof completes and checks the proof of a service's private name. One that the
// file says nothing of was given before the lab began.
func (b *builder) proof(o *offer) {
	path, p := at(o.path, "private_dns_name_configuration"), o.PrivateDNSProof
	switch {
	case o.PrivateDNSName == "" && p != nil:
		b.problems.add(path, "is of no use without a private_dns_name")
		return
	case o.PrivateDNSName == "":
		return
	case p == nil:
		p = new(Proof)
		o.PrivateDNSProof = p
	}
	b.choice(at(path, "state"), &p.State, "a state of a private DNS name", Verified, PendingVerification, VerificationFailed)
	made := b.newProof(o.PrivateDNSName, path)
	switch {
	case p.Name == "":
		p.Name = made.Name
	case !strings.HasPrefix(p.Name, "_") || !dnsLabel.MatchString(p.Name):
		b.problems.add(at(path, "name"), "%q is not the label of a proof: write _ and lower-case letters and digits, or leave it out", p.Name)
	}
	switch {
	case p.Value == "":
		p.Value = made.Value
	case !strings.HasPrefix(p.Value, "vpce:") || len(p.Value) > 255:
		b.problems.add(at(path, "value"), "%q is not the value of a proof: write vpce: and letters and digits, or leave it out", p.Value)
	}
}

// newProof makes what the owner of a name must publish (F1.27).
func (l *Lab) newProof(name, path string) *Proof {
	d := l.ids.digest("proof", path, len(name))
	return &Proof{State: PendingVerification, Name: "_" + hex.EncodeToString(d[:])[:20], Value: "vpce:" + hex.EncodeToString(d[:])[20:40]}
}

// privateName checks what private DNS needs (F1.26), and gives the endpoint the name.
// One that it has already it keeps, whatever became of its proof (F1.16).
func (b *builder) privateName(e *Endpoint) {
	if !e.PrivateDNS {
		e.private = ""
		return
	}
	if e.private != "" {
		return
	}
	path, n, o := at(e.path, "private_dns_enabled"), e.Network, e.offer
	if !*n.EnableDNS || !*n.EnableHosts {
		b.refuse(path, "InvalidParameter: Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for "+n.ID,
			"needs enable_dns_support and enable_dns_hostnames in VPC %s", n.Name)
	}
	if o.PrivateDNSName == "" {
		b.refuse(path, fmt.Sprintf("InvalidParameter: Private DNS can't be enabled because the service %s does not provide a private DNS name.", o.serviceName),
			"endpoint service %s has no private_dns_name", o.name)
		return
	}
	if p := o.PrivateDNSProof; p != nil && p.State != Verified {
		b.refuse(path, fmt.Sprintf("InvalidParameter: Private DNS can't be enabled because the service %s has not verified the private DNS name.", o.serviceName),
			"the ownership of %s is not proven, its state is %s: publish a TXT record %s that says %s, and start the verification", o.PrivateDNSName, p.State, o.proofName(), p.Value)
	}
	for _, other := range b.Endpoints {
		if other.Name != e.Name && other.Network == n && other.private == o.PrivateDNSName && other.State != Deleted {
			b.refuse(path, fmt.Sprintf("InvalidParameter: private-dns-enabled cannot be set because there is already a conflicting DNS domain for %s in the VPC %s", o.PrivateDNSName, n.ID),
				"endpoint %s already has %s in VPC %s: one endpoint can have it there", other.Name, o.PrivateDNSName, n.Name)
		}
	}
	e.private = o.PrivateDNSName
}

// proofName returns the name of the TXT record that proves a service's private name.
func (o *offer) proofName() string { return o.PrivateDNSProof.Name + "." + o.domain() }

// domain returns what the owner of a private name owns: a wildcard's domain.
func (o *offer) domain() string { return strings.TrimPrefix(o.PrivateDNSName, "*.") }

// StartPrivateDNSVerification looks for the TXT record that proves the ownership of
// a service's private name, below the name itself or at it (F1.27), and returns
// the state. Until it is found a new name is pending; one that loses its proof fails.
func (l *Lab) StartPrivateDNSVerification(service string) (state string, err error) {
	o, err := l.service(service)
	if err != nil {
		return "", err
	}
	if o.PrivateDNSName == "" {
		return "", &Refusal{AWS: "InvalidParameter: The service " + o.ID + " does not have a private DNS name."}
	}
	p := *o.PrivateDNSProof
	found := slices.Contains(l.texts[o.proofName()], p.Value) || slices.Contains(l.texts[o.domain()], p.Value)
	switch {
	case found:
		p.State = Verified
	case p.State == Verified:
		p.State = VerificationFailed
	}
	o.change(func(s *EndpointService) { s.PrivateDNSProof = &p })
	return p.State, nil
}

// addRecords resolves the public DNS records.
func (b *builder) addRecords() {
	b.texts = map[string][]string{}
	each(&b.problems, "route53_records", b.spec.Route53Records, func(path, name string, r *Route53Record) {
		if r.TTL == 0 {
			r.TTL = 1800
		}
		if r.TTL < 0 {
			b.problems.add(at(path, "ttl"), "%d is below 0", r.TTL)
		}
		record, problems := textRecord(r.Name, r.Type, r.Records)
		if _, twice := b.texts[record]; twice {
			problems.add("name", "there is another record of this name: write all that it says into one")
		}
		b.problems.under(path, problems)
		b.texts[record] = r.Records
	})
}

// textRecord checks a TXT record and returns its name as it is stored.
func textRecord(name, kind string, says []string) (string, Problems) {
	var problems Problems
	canonical := strings.ToLower(strings.TrimSuffix(name, "."))
	if msg := badPrivateName(canonical); msg != "" || name == "" {
		problems.add("name", "%q is not a domain name such as _abc.api.example.com", name)
	}
	if kind != "TXT" {
		problems.add("type", "%q is not a type of record here%s", kind, hint(kind, []string{"TXT"}))
	}
	if len(says) == 0 {
		problems.add("records", "is missing: say what the record says")
	}
	for i, s := range says {
		if len(s) > 255 {
			problems.add(item("records", i), "is longer than 255 characters")
		}
	}
	return canonical, problems
}

// ChangeRecord changes a public DNS record. The error is of type [Problems] where
// the record is at fault.
func (l *Lab) ChangeRecord(c *RecordChange) error {
	name, problems := textRecord(c.Name, c.Type, c.Records)
	if !slices.Contains(recordActions, c.Action) {
		problems.add("action", "%q is not an action%s", c.Action, hint(c.Action, recordActions))
	}
	if err := problems.verdict(""); err != nil {
		return err
	}
	is, exists := l.texts[name]
	switch {
	case c.Action == "CREATE" && exists:
		return &Refusal{AWS: fmt.Sprintf("InvalidChangeBatch: [Tried to create resource record set [name='%s.', type='TXT'] but it already exists]", name)}
	case c.Action == "DELETE" && !exists:
		return &Refusal{AWS: fmt.Sprintf("InvalidChangeBatch: [Tried to delete resource record set [name='%s.', type='TXT'] but it was not found]", name)}
	case c.Action == "DELETE" && !slices.Equal(is, c.Records):
		return &Refusal{AWS: fmt.Sprintf("InvalidChangeBatch: [Tried to delete resource record set [name='%s.', type='TXT'] but the values provided do not match the current values]", name)}
	case c.Action == "DELETE":
		delete(l.texts, name)
	default:
		l.texts[name] = slices.Clone(c.Records)
	}
	return nil
}

var recordActions = []string{"CREATE", "UPSERT", "DELETE"}
