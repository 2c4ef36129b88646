package story

import (
	"fmt"
	"time"
)

// Failure says how an exchange failed: the words of scenario.Expect.Error. They
// tell apart what a user came to tell apart: silence is no refusal.
type Failure struct {
	Kind   string // "" where nothing failed
	Detail string // for people: "no answer from 10.0.1.9:80 within 500ms"
}

// The kinds of failure.
const (
	Timeout     = "timeout"     // silence
	Refused     = "refused"     // RST in answer to a SYN
	Reset       = "reset"       // RST on an open connection
	Closed      = "closed"      // FIN without an answer, or never opened
	Unreachable = "unreachable" // ICMP, or no route
	DNS         = "dns"         // the name does not resolve
	TLS         = "tls"         // the handshake failed
	HTTP        = "http"        // the answer is no HTTP
)

// TimedOut is the failure of what waited in vain for a peer.
func TimedOut(peer string, limit time.Duration) Failure {
	return Failure{Timeout, fmt.Sprintf("nothing from %s within %s", peer, limit)}
}

// ConnectionRefused is the failure of a connection whose SYN was answered with a RST.
func ConnectionRefused(peer string) Failure {
	return Failure{Refused, peer + " refused the connection (RST in answer to the SYN)"}
}

// DatagramRefused is the failure of a datagram to a port that nobody listens on.
func DatagramRefused(peer string) Failure {
	return Failure{Refused, peer + " refused the datagram (ICMP port unreachable)"}
}

// ConnectionReset is the failure of a connection that a RST ended.
func ConnectionReset(peer string) Failure {
	return Failure{Reset, peer + " reset the connection (RST)"}
}

// ConnectionClosed is the failure of an exchange that a FIN ended before an answer.
func ConnectionClosed(peer string) Failure {
	return Failure{Closed, peer + " closed the connection (FIN)"}
}

// NeverOpened is the failure of an exchange over a connection that does not exist.
func NeverOpened(connection string) Failure {
	return Failure{Closed, "connection " + connection + " was never opened"}
}

// NotReachable is the failure of what found no way, for the reason that why gives.
func NotReachable(peer, why string) Failure {
	return Failure{Unreachable, fmt.Sprintf("%s is not reachable: %s", peer, why)}
}

// OutOfPorts is the failure of a connection that had no port to come from.
func OutOfPorts(peer string) Failure {
	return NotReachable(peer, "the client has used all of its ports towards it: let more instances send, or fewer connections be open")
}

// HalfAnswer is the failure of a request whose answer breaks off.
func HalfAnswer(peer string) Failure {
	return Failure{HTTP, peer + " closed the connection without a whole answer"}
}

// NoEcho is the failure of a ping that met silence.
func NoEcho(to string, limit time.Duration) Failure {
	return Failure{Timeout, fmt.Sprintf("no echo reply from %s within %s", to, limit)}
}

// EchoUnreachable is the failure of a ping that a router or host answered for another.
func EchoUnreachable(says, to string) Failure {
	return Failure{Unreachable, fmt.Sprintf("%s says that %s is unreachable (ICMP)", says, to)}
}

// NoAddressOfFamily says why a host cannot speak to an address.
func NoAddressOfFamily(host string) string { return host + " has no address of its family" }

// NameError is a name that could not be resolved.
type NameError struct{ msg string }

func (e *NameError) Error() string { return e.msg }

// Failure returns the error as how an exchange failed.
func (e *NameError) Failure() Failure { return Failure{DNS, e.msg} }

// NoSuchName is the error of a name that the resolver says does not exist.
func NoSuchName(name, resolver string) *NameError {
	return &NameError{fmt.Sprintf("%s does not exist (NXDOMAIN from %s)", name, resolver)}
}

// ResolverSilent is the error of a name whose resolver did not answer.
func ResolverSilent(name, resolver string) *NameError {
	return &NameError{fmt.Sprintf("no answer for %s from the DNS server at %s", name, resolver)}
}

// ResolverFailed is the error of a name whose resolver answered with another code.
func ResolverFailed(name, code, resolver string) *NameError {
	return &NameError{fmt.Sprintf("%s: %s from %s", name, code, resolver)}
}

// ResolverError is the error of a name whose resolver could not be asked.
func ResolverError(name, resolver, why string) *NameError {
	return &NameError{fmt.Sprintf("ask the DNS server at %s for %s: %s", resolver, name, why)}
}

// NoAddress is the error of a name that has no address that the asker could use.
func NoAddress(name string) *NameError { return &NameError{name + " has no address"} }

// NoRecord is the error of a name that has no record of a type.
func NoRecord(name, kind string) *NameError {
	return &NameError{fmt.Sprintf("%s exists but has no %s record", name, kind)}
}
