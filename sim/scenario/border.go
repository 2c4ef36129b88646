package scenario

import (
	"errors"

	"github.com/plsim/plsim/topology"
)

// entryEdit checks a rule of a network ACL as the lab would when the step is played.
func (c *checker) entryEdit(path string, e *EntryEdit) {
	c.reference(join(path, "network_acl_id"), "network ACL", e.NetworkACL, c.names.networkACLs)
	if (e.Ingress == nil) == (e.Egress == nil) {
		if !c.brokenBelow(path) {
			c.wrong(path, "give it one rule, either ingress or egress")
		}
		return
	}
	entry, outbound := e.entry()
	if c.lab == nil {
		return
	}
	entry, err := expandAll(entry, c.lab.Variable)
	if err != nil {
		return // c.references reports it
	}
	key := map[bool]string{true: "egress", false: "ingress"}[outbound]
	var problems topology.Problems
	if errors.As(c.lab.CheckNetworkACLEntry(e.NetworkACL, entry), &problems) {
		c.problems(join(path, key), problems)
	}
}

// logged checks the name of an interface that has a flow log.
func (c *checker) logged(path, text string) {
	c.networkInterface(path, text)
	id, known := c.expanded(text)
	if !known || c.lab == nil {
		return
	}
	if nic, err := c.lab.NetworkInterface(id); err == nil && !nic.Logged() {
		c.wrong(path, "%s is on premises, outside AWS, where there are no flow logs", nic.Label)
	}
}
