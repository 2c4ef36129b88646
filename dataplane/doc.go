// Package dataplane is the fabric of a lab: the walk that every packet takes, and
// the program that the walk reads.
//
//	consumer VPC                       the fabric                              provider VPC
//	instance ─ eth0 ═▶ decode ─▶ path known? ──yes──▶ count, rewrite ═▶ eth0 ─ instance
//	                                │ no                     ▲
//	                                ▼                        │ install both directions
//	          groups out ─▶ route ─▶ groups in ─▶ endpoint ─▶ balance ─▶ translate ─▶ groups in
//
// The first packet of a flow takes the lower way: [Walk.Process] finds no path
// and decides one, hop by hop, in decide.go. What was decided is left as a path
// for both directions; every later packet is one lookup, one count and one
// rewrite. A path may be forgotten at any time, since the state that AWS keeps
// lives beside it, in two tables with keys and timers of their own: the security
// groups' tracking of each interface, and the load balancers' flows. A new
// [Program] makes every path stale; the next packet decides again with the state
// that exists, so a tracked flow survives the rule that admitted it (F3.12).
//
// Nothing here reads a clock, starts a goroutine, takes a lock or knows of files
// and sockets: packets from namespaces, simulated packets and the probe of an
// explanation all take the same walk.
package dataplane
