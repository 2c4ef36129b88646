// Package bench measures the forwarder: in memory by Go benchmarks, and the live
// path, from a client process to a server process through the whole of plsim,
// beside what else could stand in the middle.
//
// [Compare] is the live harness. It builds a lab of one endpoint, one load
// balancer and one target, and for each rival a double of it from namespaces and veth
// pairs: nft, whose middle does DNAT and SNAT in the kernel, veth, which has no middle,
// and proxies. Both ends have the same MTU, route and congestion control
// on every path, and the same two programs talk, each a process of its own: copies
// of the one that measures, with sockets that block. So the middle is all that
// differs.
//
// A machine drifts by a factor of two within minutes. Therefore runs come in
// adjacent pairs, turns about, and what is reported is the median of the pairs'
// ratios, with their spread.
package bench
