// Package bench measures the forwarder: in memory by Go benchmarks, and the live
// path, from a client process to a server process through the whole of plsim,
// beside what else could stand in the middle ([Compare]).
package bench
