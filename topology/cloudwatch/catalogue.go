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
	peak     bool // the highest average over a slot
	sums     []metrics.Counter
	levels   []Level
}

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
	packets  = []metrics.Counter{metrics.Packets}
	rejected = []metrics.Counter{metrics.RejectedTCP, metrics.RejectedUDP}
	inUse    = []Level{Level(metrics.ActiveTCP), Level(metrics.ActiveUDP), Level(metrics.ActiveTLS)}
	// What an endpoint hears of RSTs is what targets and load balancers send.
	resets = []metrics.Counter{metrics.TargetResets, metrics.BalancerResets}
)

func one(c metrics.Counter) []metrics.Counter { return []metrics.Counter{c} }

// catalogue is every metric that a lab has, by namespace as AWS's pages have them.
var catalogue = []Metric{
	{NetworkELB, "ActiveFlowCount", count, active, ofBalancer, inTraffic, false, nil, inUse},
	{NetworkELB, "ActiveFlowCount_TCP", count, active, ofBalancer, nonzero, false, nil, inUse[:1]},
	{NetworkELB, "ActiveFlowCount_TLS", count, active, ofBalancer, nonzero, false, nil, inUse[2:]},
	{NetworkELB, "ActiveFlowCount_UDP", count, active, ofBalancer, nonzero, false, nil, inUse[1:2]},
	{NetworkELB, "ClientTLSNegotiationErrorCount", count, counted, ofBalancer[:1], nonzero, false, one(metrics.ClientTLSErrors), nil},
	{NetworkELB, "HealthyHostCount", count, hosts, ofHosts, steady, false, nil, []Level{Healthy}},
	{NetworkELB, "NewFlowCount", count, counted, ofBalancer, inTraffic, false, newFlows, nil},
	{NetworkELB, "NewFlowCount_TCP", count, counted, ofBalancer, nonzero, false, newFlows[:1], nil},
	{NetworkELB, "NewFlowCount_TLS", count, counted, ofBalancer, nonzero, false, newFlows[2:], nil},
	{NetworkELB, "NewFlowCount_UDP", count, counted, ofBalancer, nonzero, false, newFlows[1:2], nil},
	{NetworkELB, "PeakBytesPerSecond", bytes + "/Second", highest, ofBalancer, inTraffic, true, traffic, nil},
	{NetworkELB, "PeakPacketsPerSecond", count + "/Second", highest, ofBalancer, inTraffic, true, packets, nil},
	{NetworkELB, "PortAllocationErrorCount", count, counted, ofBalancer, inTraffic, false, one(metrics.PortErrors), nil},
	{NetworkELB, "ProcessedBytes", bytes, counted, ofBalancer, inTraffic, false, traffic, nil},
	{NetworkELB, "ProcessedBytes_TCP", bytes, counted, ofBalancer, nonzero, false, traffic[:1], nil},
	{NetworkELB, "ProcessedBytes_TLS", bytes, counted, ofBalancer, nonzero, false, traffic[2:3], nil},
	{NetworkELB, "ProcessedBytes_UDP", bytes, counted, ofBalancer, nonzero, false, traffic[1:2], nil},
	{NetworkELB, "ProcessedPackets", count, counted, ofBalancer, inTraffic, false, packets, nil},
	{NetworkELB, "RejectedFlowCount", count, active, ofBalancer, inTraffic, false, rejected, nil},
	{NetworkELB, "RejectedFlowCount_TCP", count, counted, ofBalancer, nonzero, false, rejected[:1], nil},
	{NetworkELB, "SecurityGroupBlockedFlowCount_Inbound_ICMP", count, counted, ofBalancer, nonzero, false, one(metrics.BlockedInICMP), nil},
	{NetworkELB, "SecurityGroupBlockedFlowCount_Inbound_TCP", count, counted, ofBalancer, nonzero, false, one(metrics.BlockedInTCP), nil},
	{NetworkELB, "SecurityGroupBlockedFlowCount_Inbound_UDP", count, counted, ofBalancer, nonzero, false, one(metrics.BlockedInUDP), nil},
	{NetworkELB, "SecurityGroupBlockedFlowCount_Outbound_ICMP", count, counted, ofBalancer, nonzero, false, one(metrics.BlockedOutICMP), nil},
	{NetworkELB, "SecurityGroupBlockedFlowCount_Outbound_TCP", count, counted, ofBalancer, nonzero, false, one(metrics.BlockedOutTCP), nil},
	{NetworkELB, "SecurityGroupBlockedFlowCount_Outbound_UDP", count, counted, ofBalancer, nonzero, false, one(metrics.BlockedOutUDP), nil},
	{NetworkELB, "TCP_Client_Reset_Count", count, counted, ofBalancer, inTraffic, false, one(metrics.ClientResets), nil},
	{NetworkELB, "TCP_ELB_Reset_Count", count, counted, ofBalancer, inTraffic, false, one(metrics.BalancerResets), nil},
	{NetworkELB, "TCP_Target_Reset_Count", count, counted, ofBalancer, inTraffic, false, one(metrics.TargetResets), nil},
	{NetworkELB, "TargetTLSNegotiationErrorCount", count, counted, ofBalancer[:1], nonzero, false, one(metrics.TargetTLSErrors), nil},
	{NetworkELB, "UnHealthyHostCount", count, hosts, ofHosts, steady, false, nil, []Level{Unhealthy}},
	{NetworkELB, "UnhealthyRoutingFlowCount", count, counted, ofBalancer, nonzero, false, one(metrics.FailOpen), nil},
	{NetworkELB, "ZonalHealthStatus", count, hosts, ofZone, steady, false, nil, []Level{ZoneHealthy}},

	{PrivateLinkEndpoints, "ActiveConnections", count, active, ofEndpoint, inTraffic, false, nil, inUse},
	{PrivateLinkEndpoints, "BytesProcessed", bytes, linked, ofEndpoint, inTraffic, false, traffic, nil},
	{PrivateLinkEndpoints, "NewConnections", count, linked, ofEndpoint, inTraffic, false, newFlows, nil},
	{PrivateLinkEndpoints, "PacketsDropped", count, dropped, ofEndpoint, inTraffic, false, one(metrics.Dropped), nil},
	{PrivateLinkEndpoints, "RstPacketsReceived", count, dropped, ofEndpoint, inTraffic, false, resets, nil},

	{PrivateLinkServices, "ActiveConnections", count, highest, ofService, inTraffic, false, nil, inUse},
	{PrivateLinkServices, "BytesProcessed", bytes, linked, ofService, inTraffic, false, traffic, nil},
	{PrivateLinkServices, "EndpointsCount", count, active, ofServiceAlone, nonzero, false, nil, []Level{Endpoints}},
	{PrivateLinkServices, "NewConnections", count, linked, ofService, inTraffic, false, newFlows, nil},
	{PrivateLinkServices, "RstPacketsSent", count, dropped, ofService, inTraffic, false, resets, nil},
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
