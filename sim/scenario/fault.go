package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plsim/plsim/topology"
)

// Fault is something that goes wrong: with what runs in an instance, with an Availability
// Zone, or with a link.
type Fault struct {
	Instance string   `yaml:"instance,omitempty" doc:"Instance in which something fails: either this, availability_zone or link."`
	Port     int      `yaml:"port,omitempty" doc:"Port of the built-in service that fails. Default: all of the instance's, and its command."`
	How      string   `yaml:"how,omitempty" doc:"dies (default): the process is gone; hangs: it is stopped, and only its kernel answers; refuses: new connections are refused, those that stand go on; flaps: it dies and comes back, again and again."`
	Every    Duration `yaml:"every,omitempty" doc:"Of flaps: after how much of the lab's time it comes back, and dies again. Default 1m."`

	AvailabilityZone string `yaml:"availability_zone,omitempty" doc:"Availability Zone that is lost: nothing passes to or from an interface in it. Its AZ ID, such as use1-az1, or its name where that means the same zone to all accounts (F1.46)."`

	Link string `yaml:"link,omitempty" doc:"Link that is cut: nothing crosses it any more."`
}

// Heal ends a fault.
type Heal struct {
	Instance string `yaml:"instance,omitempty" doc:"Instance in which something has failed: either this, availability_zone or link."`
	Port     int    `yaml:"port,omitempty" doc:"Port of the built-in service that comes back. Default: all that has failed there."`

	AvailabilityZone string `yaml:"availability_zone,omitempty" doc:"Availability Zone that is back."`

	Link string `yaml:"link,omitempty" doc:"Link that packets cross again, as it has its other qualities."`
}

// Restart starts the forwarder anew.
type Restart struct {
	KeepState bool `yaml:"keep_state" doc:"Whether it still knows the flows: with true nobody notices, with false it is as if it had never seen a packet."`
}

// The ways in which what runs in an instance can fail.
const (
	Dies    = "dies"
	Hangs   = "hangs"
	Refuses = "refuses"
	Flaps   = "flaps"
)

var faults = []string{Dies, Hangs, Refuses, Flaps}

// Defaults of faults.
const (
	defaultFault = Dies
	flapping     = Duration(time.Minute)
)

// State says for people how it is while the fault lasts.
func (f *Fault) State() string {
	if f.AvailabilityZone != "" {
		return fmt.Sprintf("Availability Zone %s is lost", f.AvailabilityZone)
	}
	if f.Link != "" {
		return fmt.Sprintf("link %s is cut", f.Link)
	}
	state := map[string]string{
		Dies: "is dead", Hangs: "hangs", Refuses: "refuses new connections",
		Flaps: fmt.Sprintf("dies and comes back every %s", f.Every),
	}
	return what(f.Instance, f.Port) + " " + state[f.How]
}

// Ends reports whether h ends f; the instances are named in full.
func (h *Heal) Ends(f *Fault) bool {
	return h.AvailabilityZone == f.AvailabilityZone && h.Link == f.Link && h.Instance == f.Instance && (h.Port == 0 || h.Port == f.Port)
}

// title says what fails.
func (f *Fault) title() string {
	if f.AvailabilityZone != "" {
		return "Availability Zone " + f.AvailabilityZone + " is lost"
	}
	if f.Link != "" {
		return "Link " + f.Link + " is cut"
	}
	how := f.How
	if how == "" {
		how = defaultFault
	}
	return capital(what(f.Instance, f.Port)) + " " + how
}

// title says what comes back.
func (h *Heal) title() string {
	if h.AvailabilityZone != "" {
		return "Availability Zone " + h.AvailabilityZone + " is back"
	}
	if h.Link != "" {
		return "Link " + h.Link + " is up again"
	}
	return capital(what(h.Instance, h.Port)) + " is as it was"
}

// what names what runs in an instance.
func what(instance string, port int) string {
	if port == 0 {
		return "what runs in " + instance
	}
	return fmt.Sprintf("the service on port %d of %s", port, instance)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// fault checks that something fails, and that it can.
func (c *checker) fault(path string, f *Fault) {
	if p := join(path, "how"); f.How != "" && !slices.Contains(faults, f.How) {
		c.wrong(p, "%q is no way to fail%s", f.How, hint(f.How, faults))
	}
	if p := join(path, "every"); c.src.Has(p) {
		switch {
		case f.How != Flaps:
			c.wrong(p, "is for how: flaps")
		case f.Every < Duration(time.Second):
			c.wrong(p, "%s is too short: write 1s or more", f.Every)
		}
	}
	h := c.afflicted(path, subject{f.Instance, f.Port, f.AvailabilityZone, f.Link}, "how", "every")
	if h == nil {
		return
	}
	if p := join(path, "how"); f.How == Refuses && f.Port == 0 && len(h.Command) > 0 {
		instead := "write dies or hangs"
		if len(h.Services) > 0 {
			instead = "give the port of a built-in service, or " + instead
		}
		c.wrong(p, "the command of %s listens by itself and cannot be made to refuse: %s", f.Instance, instead)
	}
	now := &Fault{Instance: h.Name, Port: f.Port}
	for _, was := range c.failed {
		if was.Instance == now.Instance && (was.Port == now.Port || was.Port == 0 || now.Port == 0) {
			c.wrong(path, "%s has failed in an earlier step: heal it first", what(f.Instance, was.Port))
			return
		}
	}
	c.failed = append(c.failed, now)
}

// heal checks that there is something to heal.
func (c *checker) heal(path string, r *Heal) {
	h := c.afflicted(path, subject{r.Instance, r.Port, r.AvailabilityZone, r.Link})
	if h == nil {
		return
	}
	ends := func(f *Fault) bool { return (&Heal{Instance: h.Name, Port: r.Port}).Ends(f) }
	switch {
	case slices.ContainsFunc(c.failed, ends):
		c.failed = slices.DeleteFunc(c.failed, ends)
	case slices.ContainsFunc(c.failed, (&Heal{Instance: h.Name}).Ends):
		c.wrong(path, "%s has not failed by itself: leave out port", what(r.Instance, r.Port))
	default:
		c.wrong(path, "%s has not failed in an earlier step", what(r.Instance, r.Port))
	}
}

// subject is what a fault is about: one of these, the port being the instance's.
type subject struct {
	instance string
	port     int
	zone     string
	link     string
}

// afflicted checks what a fault is about. It returns the instance, nil where that is not
// known, or where the fault is about something else.
func (c *checker) afflicted(path string, of subject, others ...string) *topology.Host {
	given := 0
	for _, name := range []string{of.instance, of.zone, of.link} {
		if name != "" {
			given++
		}
	}
	if given != 1 {
		if !c.brokenBelow(path) {
			c.wrong(path, "give it one thing: instance, availability_zone or link")
			c.broken[path] = true // it needs no rehearsal
		}
		return nil
	}
	if of.instance == "" {
		for _, key := range append([]string{"port"}, others...) {
			if p := join(path, key); c.src.Has(p) {
				c.wrong(p, "is for what runs in an instance")
			}
		}
		c.afflictedLab(path, of)
		return nil
	}
	instance, port := of.instance, of.port
	c.instance(join(path, "instance"), instance)
	if c.lab == nil || c.brokenBelow(path) {
		return nil
	}
	h, err := c.lab.Instance(instance)
	if err != nil {
		return nil // which has been said
	}
	if p := join(path, "port"); c.src.Has(p) {
		if !slices.ContainsFunc(h.Services, func(s *topology.Service) bool { return s.Port == port }) {
			c.wrong(p, "no built-in service of %s is on port %d%s", instance, port, has(h))
			return nil
		}
	} else if len(h.Services) == 0 && len(h.Command) == 0 {
		c.wrong(join(path, "instance"), "nothing runs in %s that could fail: it has neither services nor a command", instance)
		return nil
	}
	return h
}

// afflictedLab checks that the lab has the zone or the link that a fault is about.
func (c *checker) afflictedLab(path string, of subject) {
	if c.lab == nil {
		return
	}
	p := join(path, "availability_zone")
	_, err := c.lab.FindZone(of.zone)
	if of.link != "" {
		p, err = join(path, "link"), c.lab.CheckLink(of.link)
	}
	if err != nil {
		c.wrong(p, "%v", err)
		c.broken[p] = true // it needs no rehearsal
	}
}

// has says what else of an instance could be meant.
func has(h *topology.Host) string {
	var ports []string
	for _, s := range h.Services {
		ports = append(ports, strconv.Itoa(s.Port))
	}
	switch {
	case len(ports) > 0 && len(h.Command) > 0:
		return "; choose from " + strings.Join(ports, ", ") + ", or leave out port for these and its command"
	case len(ports) > 0:
		return "; choose from " + strings.Join(ports, ", ")
	case len(h.Command) > 0:
		return "; leave out port for its command"
	}
	return ""
}

// until checks a moment to wait for.
func (c *checker) until(path string, at Duration) {
	if now := Duration(c.now); at < now {
		c.wrong(path, "%s after the start is over: the steps before this one wait until %s", at, now)
	}
}
