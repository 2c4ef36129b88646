// Package cloudwatch makes CloudWatch's metrics of what a lab has counted: their
// names, dimensions, units, points and statistics. Which load balancer, endpoint or
// service a count belongs to is for others to say.
package cloudwatch

import (
	"slices"

	"github.com/plsim/plsim/dataplane/metrics"
)

// The namespaces (F1.54, F1.55, F2.69).
const (
	NetworkELB           = "AWS/NetworkELB"
	PrivateLinkEndpoints = "AWS/PrivateLinkEndpoints"
	PrivateLinkServices  = "AWS/PrivateLinkServices"
)

// Namespaces lists the namespaces.
func Namespaces() []string { return []string{NetworkELB, PrivateLinkEndpoints, PrivateLinkServices} }

// Metric is a metric of a namespace.
type Metric struct {
	Namespace string
	Name      string
	Unit      string
	// Statistics are those that AWS calls useful; the first is meant where none
	// is asked for.
	Statistics []string
	// Dimensions are the sets of dimensions in which the metric is reported.
	Dimensions [][]string

	reported criterion
	source
}

// source is what a metric is made of: counters, or levels, which are added.
type source struct {
	sums   []metrics.Counter
	peak   bool // of the sums, the highest average over a slot
	levels []Level
}

func sum(c ...metrics.Counter) source  { return source{sums: c} }
func peak(c ...metrics.Counter) source { return source{sums: c, peak: true} }
func level(l ...Level) source          { return source{levels: l} }

// criterion says which minutes have a point.
type criterion uint8

const (
	inTraffic criterion = iota // every one with traffic
	nonzero                    // those in which the value is not 0
	steady                     // every one
)

// Level names what goes up and down: a gauge of the packet path, or a state of the lab.
type Level int

// The levels; the first ones are metrics.Gauge.
const (
	Healthy     = Level(metrics.NumGauges) + iota // targets
	Unhealthy                                     //
	ZoneHealthy                                   // 1 or 0
	Endpoints                                     // that are available
	numLevels
)

// The statistics, in the API's words.
const (
	Sum         = "Sum"
	Average     = "Average"
	Minimum     = "Minimum"
	Maximum     = "Maximum"
	SampleCount = "SampleCount"
)

// Statistics lists the statistics.
func Statistics() []string { return []string{Average, Maximum, Minimum, SampleCount, Sum} }

// Dimensions, and the sets of them in which metrics are reported.
const (
	LoadBalancer     = "LoadBalancer"
	AvailabilityZone = "AvailabilityZone"
	TargetGroup      = "TargetGroup"

	EndpointType  = "Endpoint Type"
	ServiceName   = "Service Name"
	VPCEndpointID = "VPC Endpoint Id"
	VPCID         = "VPC Id"
	SubnetID      = "Subnet Id"

	ServiceID       = "Service Id"
	AZ              = "Az"
	LoadBalancerARN = "Load Balancer Arn"
)

var (
	ofBalancer = [][]string{{LoadBalancer}, {AvailabilityZone, LoadBalancer}}
	ofHosts    = [][]string{{LoadBalancer, TargetGroup}, {AvailabilityZone, LoadBalancer, TargetGroup}}
	ofZone     = [][]string{{AvailabilityZone, LoadBalancer}}
	ofEndpoint = [][]string{{EndpointType, ServiceName, VPCEndpointID, VPCID}, {EndpointType, ServiceName, SubnetID, VPCEndpointID, VPCID}}
	ofService  = [][]string{
		{ServiceID}, {AZ, ServiceID}, {LoadBalancerARN, ServiceID}, {AZ, LoadBalancerARN, ServiceID}, {ServiceID, VPCEndpointID},
	}
	ofServiceAlone = [][]string{{ServiceID}}
)

var (
	counted = []string{Sum}
	highest = []string{Maximum}
	active  = []string{Average, Maximum, Minimum}
	hosts   = []string{Maximum, Minimum}
	linked  = []string{Sum, Average, Maximum, Minimum}
	dropped = []string{Sum, Average, Maximum}
)

const (
	count = "Count"
	bytes = "Bytes" // F1.54 and F2.69 give no units
)

var (
	newFlows = []metrics.Counter{metrics.NewTCP, metrics.NewUDP, metrics.NewTLS}
	traffic  = []metrics.Counter{metrics.BytesTCP, metrics.BytesUDP, metrics.BytesTLS, metrics.BytesOther}
	rejected = []metrics.Counter{metrics.RejectedTCP, metrics.RejectedUDP}
	inUse    = []Level{Level(metrics.ActiveTCP), Level(metrics.ActiveUDP), Level(metrics.ActiveTLS)}
	// What an endpoint hears of RSTs is what targets and load balancers send.
	resets = []metrics.Counter{metrics.TargetResets, metrics.BalancerResets}
)

// catalogue is every metric that a lab has, by namespace as AWS's pages have them.
var catalogue = []Metric{
	{NetworkELB, "ActiveFlowCount", count, active, ofBalancer, inTraffic, level(inUse...)},
	{NetworkELB, "ActiveFlowCount_TCP", count, active, ofBalancer, nonzero, level(Level(metrics.ActiveTCP))},
	{NetworkELB, "ActiveFlowCount_TLS", count, active, ofBalancer, nonzero, level(Level(metrics.ActiveTLS))},
	{NetworkELB, "ActiveFlowCount_UDP", count, active, ofBalancer, nonzero, level(Level(metrics.ActiveUDP))},
	{NetworkELB, "ClientTLSNegotiationErrorCount", count, counted, ofBalancer[:1], nonzero, sum(metrics.ClientTLSErrors)},
	{NetworkELB, "HealthyHostCount", count, hosts, ofHosts, steady, level(Healthy)},
	{NetworkELB, "NewFlowCount", count, counted, ofBalancer, inTraffic, sum(newFlows...)},
	{NetworkELB, "NewFlowCount_TCP", count, counted, ofBalancer, nonzero, sum(metrics.NewTCP)},
	{NetworkELB, "NewFlowCount_TLS", count, counted, ofBalancer, nonzero, sum(metrics.NewTLS)},
	{NetworkELB, "NewFlowCount_UDP", count, counted, ofBalancer, nonzero, sum(metrics.NewUDP)},
	{NetworkELB, "PeakBytesPerSecond", bytes + "/Second", highest, ofBalancer, inTraffic, peak(traffic...)},
	{NetworkELB, "PeakPacketsPerSecond", count + "/Second", highest, ofBalancer, inTraffic, peak(metrics.Packets)},
	{NetworkELB, "PortAllocationErrorCount", count, counted, ofBalancer, inTraffic, sum(metrics.PortErrors)},
	{NetworkELB, "ProcessedBytes", bytes, counted, ofBalancer, inTraffic, sum(traffic...)},
	{NetworkELB, "ProcessedBytes_TCP", bytes, counted, ofBalancer, nonzero, sum(metrics.BytesTCP)},
	{NetworkELB, "ProcessedBytes_TLS", bytes, counted, ofBalancer, nonzero, sum(metrics.BytesTLS)},
	{NetworkELB, "ProcessedBytes_UDP", bytes, counted, ofBalancer, nonzero, sum(metrics.BytesUDP)},
	{NetworkELB, "ProcessedPackets", count, counted, ofBalancer, inTraffic, sum(metrics.Packets)},
	{NetworkELB, "RejectedFlowCount", count, active, ofBalancer, inTraffic, sum(rejected...)},
	{NetworkELB, "RejectedFlowCount_TCP", count, counted, ofBalancer, nonzero, sum(metrics.RejectedTCP)},
	{NetworkELB, "SecurityGroupBlockedFlowCount_Inbound_ICMP", count, counted, ofBalancer, nonzero, sum(metrics.BlockedInICMP)},
	{NetworkELB, "SecurityGroupBlockedFlowCount_Inbound_TCP", count, counted, ofBalancer, nonzero, sum(metrics.BlockedInTCP)},
	{NetworkELB, "SecurityGroupBlockedFlowCount_Inbound_UDP", count, counted, ofBalancer, nonzero, sum(metrics.BlockedInUDP)},
	{NetworkELB, "SecurityGroupBlockedFlowCount_Outbound_ICMP", count, counted, ofBalancer, nonzero, sum(metrics.BlockedOutICMP)},
	{NetworkELB, "SecurityGroupBlockedFlowCount_Outbound_TCP", count, counted, ofBalancer, nonzero, sum(metrics.BlockedOutTCP)},
	{NetworkELB, "SecurityGroupBlockedFlowCount_Outbound_UDP", count, counted, ofBalancer, nonzero, sum(metrics.BlockedOutUDP)},
	{NetworkELB, "TCP_Client_Reset_Count", count, counted, ofBalancer, inTraffic, sum(metrics.ClientResets)},
	{NetworkELB, "TCP_ELB_Reset_Count", count, counted, ofBalancer, inTraffic, sum(metrics.BalancerResets)},
	{NetworkELB, "TCP_Target_Reset_Count", count, counted, ofBalancer, inTraffic, sum(metrics.TargetResets)},
	{NetworkELB, "TargetTLSNegotiationErrorCount", count, counted, ofBalancer[:1], nonzero, sum(metrics.TargetTLSErrors)},
	{NetworkELB, "UnHealthyHostCount", count, hosts, ofHosts, steady, level(Unhealthy)},
	{NetworkELB, "UnhealthyRoutingFlowCount", count, counted, ofBalancer, nonzero, sum(metrics.FailOpen)},
	{NetworkELB, "ZonalHealthStatus", count, hosts, ofZone, steady, level(ZoneHealthy)},

	{PrivateLinkEndpoints, "ActiveConnections", count, active, ofEndpoint, inTraffic, level(inUse...)},
	{PrivateLinkEndpoints, "BytesProcessed", bytes, linked, ofEndpoint, inTraffic, sum(traffic...)},
	{PrivateLinkEndpoints, "NewConnections", count, linked, ofEndpoint, inTraffic, sum(newFlows...)},
	{PrivateLinkEndpoints, "PacketsDropped", count, dropped, ofEndpoint, inTraffic, sum(metrics.Dropped)},
	{PrivateLinkEndpoints, "RstPacketsReceived", count, dropped, ofEndpoint, inTraffic, sum(resets...)},

	{PrivateLinkServices, "ActiveConnections", count, highest, ofService, inTraffic, level(inUse...)},
	{PrivateLinkServices, "BytesProcessed", bytes, linked, ofService, inTraffic, sum(traffic...)},
	{PrivateLinkServices, "EndpointsCount", count, active, ofServiceAlone, nonzero, level(Endpoints)},
	{PrivateLinkServices, "NewConnections", count, linked, ofService, inTraffic, sum(newFlows...)},
	{PrivateLinkServices, "RstPacketsSent", count, dropped, ofService, inTraffic, sum(resets...)},
}

// Of returns the metrics of a namespace, sorted by name.
func Of(namespace string) []*Metric {
	var all []*Metric
	for i := range catalogue {
		if catalogue[i].Namespace == namespace {
			all = append(all, &catalogue[i])
		}
	}
	return all
}

// leftOut are metrics of AWS that a lab does not have, and why.
var leftOut = map[string]string{
	"ConsumedLCUs":                             "capacity units are a price, and nothing here costs",
	"ConsumedLCUs_TCP":                         "capacity units are a price, and nothing here costs",
	"ConsumedLCUs_TLS":                         "capacity units are a price, and nothing here costs",
	"ConsumedLCUs_UDP":                         "capacity units are a price, and nothing here costs",
	"ReservedLCUs":                             "capacity units are a price, and nothing here costs",
	"ActiveZonalShiftHostCount":                "a lab has no zonal shift",
	"QUIC_Unknown_Server_ID_Packet_Drop_Count": "load balancers have no QUIC listeners here",
}

// LeftOut says why a lab does not have a metric of AWS; "" where AWS has none of
// the name, or the lab has it.
func LeftOut(metric string) string { return leftOut[metric] }

// reportedBy says whether the metric is reported in a set of dimensions.
func (m *Metric) reportedBy(set []Dimension) bool {
	return slices.ContainsFunc(m.Dimensions, func(names []string) bool {
		return slices.EqualFunc(names, set, func(name string, d Dimension) bool { return name == d.Name })
	})
}
