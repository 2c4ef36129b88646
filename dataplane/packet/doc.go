// Package packet decodes Ethernet frames and rewrites them in place: ARP, IPv4,
// IPv6, TCP, UDP, ICMP and ICMPv6, behind the virtio-net header that a TAP
// device puts in front of them. It works on bytes alone and allocates nothing on
// the way of a packet.
//
//	Frame ── Decode ──▶ View ── Apply(Rewrite) ──▶ the same Frame, on its way
//	                         └─ AnswerARP, AnswerNeighbor, AnswerReset ──▶ the same Frame, back
//	Spec ─── Build ───▶ Frame
//
// A [View] says what a frame is, and [View.Decode] refuses every frame that a
// host would not accept either, each under its own reason. Whether a host may
// speak to whom is for others to judge: multicast, loopback and foreign
// addresses decode like any other.
//
// Checksums are never computed anew on the way through. A [Rewrite] knows the
// one's-complement difference it makes, and applies it to the checksum that is
// there (RFC 1624). A frame whose checksum the sender left to its device
// (virtio's NEEDS_CSUM) carries only the sum of the pseudo-header, which is
// adjusted in the same way, so that superframes of TCP and UDP segmentation
// offload pass whole and untouched. So they do where a rewrite leads from one
// family to the other: the segment stays where it is, and only the headers before
// it become longer or shorter.
package packet
