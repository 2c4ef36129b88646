package topology

import (
	"cmp"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/ppv2"
)

// Placements of the PROXY protocol header, by AWS's names (F2.40).
const (
	onFirstPayload = "on_first_ack_with_payload"
	onFirstAck     = "on_first_ack"
)

// proxyProtocol completes and checks proxy_protocol_v2 and what belongs to it
// (F2.35).
func (b *builder) proxyProtocol(path string, g *TargetGroup) {
	const attribute = "proxy_protocol_v2"
	placement, length := at(path, attribute+"_client_to_server_header_placement"), at(path, attribute+"_ipv6_length")
	g.ProxyProtocolV2 = cmp.Or(g.ProxyProtocolV2, new(bool))
	if !*g.ProxyProtocolV2 {
		const idle = "is about a header that is not sent: add proxy_protocol_v2: true, or remove it"
		if g.ProxyPlacement != "" {
			b.problems.add(placement, idle)
		}
		if g.ProxyIPv6Length != 0 {
			b.problems.add(length, idle)
		}
		return
	}
	if g.Protocol == "UDP" || g.Protocol == "TCP_UDP" {
		b.problems.add(at(path, attribute), "is for TCP here, and the group's protocol is %s: what AWS sends before datagrams is not published; use a TCP group, or remove it", g.Protocol)
	}
	b.choice(placement, &g.ProxyPlacement, "a placement", onFirstPayload, onFirstAck)
	switch g.ProxyIPv6Length {
	case 0:
		g.ProxyIPv6Length = ppv2.Size
	case ppv2.Size, ppv2.WideSize:
	default:
		b.problems.add(length, "%d is not a length of the header over IPv6: choose %d or %d bytes", g.ProxyIPv6Length, ppv2.Size, ppv2.WideSize)
	}
}

// proxy compiles what proxyProtocol has checked.
func (g *TargetGroup) proxy() dataplane.ProxyProtocol {
	return dataplane.ProxyProtocol{
		Enabled: *g.ProxyProtocolV2, Early: g.ProxyPlacement == onFirstAck, IPv6Size: g.ProxyIPv6Length,
	}
}
