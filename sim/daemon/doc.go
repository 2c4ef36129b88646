// Package daemon is a lab that stays: where its control socket lies, what is said over
// it, the side of the lab and the side of those who speak to it.
//
// Each lab has a directory of its own within one that only its owner may enter:
//
//	lab.json  what the lab is, with plsim's mark; locked as long as a process of it lives
//	socket    on which the lab listens
//	log       what its processes print
//
// Nothing else of a lab has a name on the host. A lab whose lock is free is dead, and
// what lies in its directory is all that is left of it.
package daemon
