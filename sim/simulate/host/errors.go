package host

import (
	"errors"
	"fmt"
	"net/netip"
)

// What a connection ends with, in the words of Linux.
var (
	ErrTimeout = errors.New("connection timed out")
	ErrRefused = errors.New("connection refused")
	ErrReset   = errors.New("connection reset by peer")
)

// What a host refuses to do.
var (
	ErrInUse     = errors.New("address already in use")
	ErrNoPort    = errors.New("cannot assign requested address: all ports are in use")
	ErrNoAddress = errors.New("cannot assign requested address: the host does not have it")
	ErrTooLong   = errors.New("message too long")
)

// Unreachable is the error of what cannot be reached.
type Unreachable struct {
	To netip.Addr // what was to be reached
	By netip.Addr // who said so in an ICMP error: the host itself, if its neighbour does not answer
	// Code is the code of the ICMP error (RFC 792) or of the ICMPv6 error (RFC
	// 4443), of the family of By.
	Code uint8
}

// Error implements error.
func (e *Unreachable) Error() string {
	return fmt.Sprintf("%s is unreachable, says %s (code %d)", e.To, e.By, e.Code)
}
