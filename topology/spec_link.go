package topology

// Link is a part of the way of packets that has qualities of its own. AWS publishes
// none: links are for asking what happens if.
type Link struct {
	Instance          string   `yaml:"instance,omitempty" doc:"The link of this instance, or host on premises: all that it sends and gets crosses it."`
	Subnet            string   `yaml:"subnet,omitempty" doc:"The link of this subnet: what leaves and enters it crosses it, what stays in it does not."`
	AvailabilityZones []string `yaml:"availability_zones,omitempty" doc:"The link between two zones, or of one: then what leaves and enters the zone crosses it. A zone is its AZ ID such as use1-az1, or its name where that means the same to all accounts (F1.46)."`
	PeeringConnection string   `yaml:"vpc_peering_connection,omitempty" doc:"The link of this VPC peering connection, by name."`

	LinkQualities `yaml:",inline"`
}

// LinkQualities are what a link does to the packets that cross it, in each direction.
type LinkQualities struct {
	Delay     *Span    `yaml:"delay,omitempty" doc:"How long each packet is under way, up to 1h of the lab's time: 20ms. Default 0s."`
	Jitter    *Span    `yaml:"jitter,omitempty" doc:"By how much more or less than delay that may be, each time in between being as likely; packets may overtake each other. Default 0s."`
	Loss      *Share   `yaml:"loss,omitempty" doc:"Share of the packets that are lost: 0.5%. Default 0%."`
	Duplicate *Share   `yaml:"duplicate,omitempty" doc:"Share of the packets that arrive twice. Default 0%."`
	Reorder   *Share   `yaml:"reorder,omitempty" doc:"Share of the packets that skip delay and jitter, and so overtake others. Default 0%."`
	Bandwidth *BitRate `yaml:"bandwidth,omitempty" doc:"Bits of IP packets that cross in a second: 500kbps, 10Mbps, 1.5Gbps. Default unlimited."`
	Queue     *Span    `yaml:"queue,omitempty" doc:"How long a packet may wait for bandwidth; one that would wait longer is dropped. Default 100ms."`
	MTU       *int     `yaml:"mtu,omitempty" doc:"Bytes of the longest IP packet that crosses, 68 to 9001. Longer ones are dropped, and no ICMP message says so. Default: as interfaces have it."`
	Down      *bool    `yaml:"down,omitempty" doc:"Whether nothing crosses at all. Default false."`
}

// LinkChange gives a link other qualities; those that are not given stay.
type LinkChange struct {
	Link string `yaml:"link" doc:"Link, by name."`

	LinkQualities `yaml:",inline"`
}
