package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kinds of traffic.
const (
	ConnectionTraffic = "connections"
	RequestTraffic    = "requests"
	BulkTraffic       = "bulk"
	UDPTraffic        = "udp"
)

// How the arrivals of a rate follow each other.
const (
	ConstantArrivals = "constant"
	PoissonArrivals  = "poisson"
)

// The ways of bulk traffic.
const (
	Up   = "up"
	Down = "down"
)

// Traffic is a generator. What Load returns has all its defaults: of Duration and Count
// those that are 0 set no end.
type Traffic struct {
	Name string  `yaml:"name,omitempty" doc:"Name for traffic_result. Traffic in the background needs one."`
	From Senders `yaml:"from" doc:"Instance that sends it, or a list of them, which take turns."`
	To   string  `yaml:"to" doc:"HOST:PORT of an HTTP service; of bulk traffic up of any TCP service that reads, such as tcp_sink, and of kind udp of one that echoes."`
	Kind string  `yaml:"kind" doc:"connections: HTTP requests, each on a connection of its own. requests: HTTP requests over connections that are kept. bulk: streams, as fast as they go. udp: datagrams."`

	Rate        float64  `yaml:"rate,omitempty" doc:"How many connections, requests or datagrams begin in a second of the lab, whether those before are answered or not. Default, for requests only: the next as soon as one is answered."`
	Arrivals    string   `yaml:"arrivals,omitempty" doc:"How they follow each other: constant (default), or poisson, at random times of that rate."`
	Duration    Duration `yaml:"duration,omitempty" doc:"For how much of the lab's time new ones begin, or a stream goes on."`
	Count       int      `yaml:"count,omitempty" doc:"How many there are, 1 to 10000000."`
	Concurrency int      `yaml:"concurrency,omitempty" doc:"How many connections or streams there may be at a time, or how many sockets datagrams leave from, 1 to 1000000. What would be more is missed. Default: connections 1000, requests 16, bulk and udp 1."`

	Size      int      `yaml:"size,omitempty" doc:"Bytes of a stream (default: as many as the duration lets pass), of a datagram (8 to 65000, default 64), or of each answer (default: what the service answers)."`
	Path      string   `yaml:"path,omitempty" doc:"What connections and requests ask for, such as /?delay=10ms. Default /."`
	Direction string   `yaml:"direction,omitempty" doc:"Of bulk: up (default) to the service, or down from an HTTP service."`
	Hold      Duration `yaml:"hold,omitempty" doc:"For how much of the lab's time connections stay open after the answer. Default: none."`
	OneWay    bool     `yaml:"one_way,omitempty" doc:"Whether datagrams expect no echo. Default false."`
	Timeout   Duration `yaml:"timeout,omitempty" doc:"For each connection or request, for a stream to get on, or for an echo. Default 5s, for udp 1s."`

	Background bool `yaml:"background,omitempty" doc:"Whether the story goes on meanwhile. Then traffic_result tells what became of it. Default false."`
}

// Senders are the instances that traffic comes from; a scenario may write one alone.
type Senders []string

// TrafficResult reads what became of traffic in the background.
type TrafficResult struct {
	Traffic string `yaml:"traffic" doc:"Traffic, by the name that an earlier step gave it."`
	Stop    bool   `yaml:"stop,omitempty" doc:"Whether no more of it begins from now on. Default false: the step waits for its end."`
}

// Bounds and defaults of traffic.
const (
	maxTrafficCount       = 10_000_000
	maxTrafficRate        = 1_000_000
	maxTrafficConcurrency = 1_000_000
	minDatagram           = 8 // the number of it
	defaultDatagram       = 64
	maxDatagram           = 65_000
	maxAnswer             = 1 << 30 // of a built-in service

	trafficTimeout = Duration(5 * time.Second)
	echoTimeout    = Duration(time.Second)
)

// trafficKinds says of each kind which keys it has, beside those of all, and its
// default concurrency.
var trafficKinds = map[string]struct {
	keys        []string
	concurrency int
}{
	ConnectionTraffic: {[]string{"rate", "arrivals", "count", "path", "hold"}, 1000},
	RequestTraffic:    {[]string{"rate", "arrivals", "count", "path"}, 16},
	BulkTraffic:       {[]string{"direction"}, 1},
	UDPTraffic:        {[]string{"rate", "arrivals", "count", "one_way"}, 1},
}

// Ends reports whether the traffic comes to an end by itself.
func (t *Traffic) Ends() bool {
	return t.Duration != 0 || t.Count != 0 || t.Kind == BulkTraffic && t.Size != 0
}

// title says what the traffic is.
func (t *Traffic) title() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s to %s: ", strings.Join(t.From, ", "), t.To)
	what := map[string]string{ConnectionTraffic: "connections", RequestTraffic: "requests", UDPTraffic: "datagrams"}[t.Kind]
	switch {
	case t.Kind == BulkTraffic:
		s.WriteString("bulk traffic")
		if t.Direction == Down {
			s.WriteString(" back")
		}
	case t.Count > 0:
		fmt.Fprintf(&s, "%d %s", t.Count, what)
	default:
		s.WriteString(what)
	}
	if t.Rate > 0 {
		fmt.Fprintf(&s, ", %s a second", formatNumber(t.Rate))
	}
	if t.Duration > 0 {
		fmt.Fprintf(&s, " for %s", t.Duration)
	}
	if t.Background {
		s.WriteString(", in the background")
	}
	return s.String()
}

// fill writes the defaults into the generator.
func (t *Traffic) fill() {
	setDefault(&t.Concurrency, trafficKinds[t.Kind].concurrency)
	if t.Kind == UDPTraffic {
		setDefault(&t.Size, defaultDatagram)
		setDefault(&t.Timeout, echoTimeout)
	}
	setDefault(&t.Timeout, trafficTimeout)
	if t.Rate > 0 {
		setDefault(&t.Arrivals, ConstantArrivals)
	}
	switch t.Kind {
	case ConnectionTraffic, RequestTraffic:
		setDefault(&t.Path, "/")
	case BulkTraffic:
		setDefault(&t.Direction, Up)
	}
}

// traffic checks a generator.
func (c *checker) traffic(path string, s *Step) {
	t := s.Traffic
	at := func(key string) string { return join(path, key) }
	c.trafficName(path, t)
	if len(t.From) == 0 && !c.brokenBelow(path) {
		c.wrong(at("from"), "there is no instance to send it: name one")
	}
	for i, name := range t.From {
		p := item(at("from"), i)
		if !c.src.Has(p) { // written as the only one
			p = at("from")
		}
		c.instance(p, name)
	}
	c.hostPort(at("to"), t.To)
	kind, known := trafficKinds[t.Kind]
	if !known {
		if t.Kind != "" {
			kinds := []string{ConnectionTraffic, RequestTraffic, BulkTraffic, UDPTraffic}
			c.wrong(at("kind"), "%q is not a kind of traffic%s", t.Kind, hint(t.Kind, kinds))
		}
		return
	}
	for _, key := range []string{"rate", "arrivals", "count", "path", "direction", "hold", "one_way"} {
		if c.src.Has(at(key)) && !slices.Contains(kind.keys, key) {
			c.wrong(at(key), "is not for %s; %s", t.Kind, keyIsFor(key))
		}
	}
	c.trafficNumbers(path, t)
	switch t.Arrivals {
	case "", ConstantArrivals, PoissonArrivals:
		if t.Arrivals != "" && t.Rate == 0 && slices.Contains(kind.keys, "rate") && !c.src.Has(at("rate")) {
			c.wrong(at("arrivals"), "says how the arrivals of a rate follow each other: give it a rate")
		}
	default:
		c.wrong(at("arrivals"), "%q is not known here: write constant or poisson", t.Arrivals)
	}
	if d := t.Direction; d != "" && d != Up && d != Down {
		c.wrong(at("direction"), "%q is not a direction: write up or down", d)
	}
	if t.Path != "" && !strings.HasPrefix(t.Path, "/") {
		c.wrong(at("path"), "%q is not a path: write /%s", t.Path, t.Path)
	}
	if t.Rate == 0 && (t.Kind == ConnectionTraffic || t.Kind == UDPTraffic) && !c.src.Has(at("rate")) && !c.brokenBelow(path) {
		c.wrong(path, "needs a rate: how many %s begin in a second of the lab", map[string]string{ConnectionTraffic: "connections", UDPTraffic: "datagrams"}[t.Kind])
	}
	if !t.Ends() && !t.Background && !c.src.Has(at("count")) && !c.brokenBelow(path) {
		c.wrong(path, "has no end: give it a %s, or let it go on in the background", map[bool]string{true: "duration or a size", false: "duration or a count"}[t.Kind == BulkTraffic])
	}
}

// keyIsFor says for which kinds of traffic a key is.
func keyIsFor(key string) string {
	var kinds []string
	for _, kind := range []string{ConnectionTraffic, RequestTraffic, BulkTraffic, UDPTraffic} {
		if slices.Contains(trafficKinds[kind].keys, key) {
			kinds = append(kinds, kind)
		}
	}
	return "it is for " + strings.Join(kinds, ", ")
}

// trafficName checks that traffic can be found again.
func (c *checker) trafficName(path string, t *Traffic) {
	switch {
	case t.Name == "" && t.Background && !c.brokenBelow(path):
		c.wrong(path, "goes on in the background, so it needs a name for traffic_result")
	case t.Name == "":
	case slices.ContainsFunc(c.generators, func(g *Traffic) bool { return g.Name == t.Name }):
		c.wrong(join(path, "name"), "an earlier step has begun traffic %s: give this one another name", t.Name)
	default:
		c.generators = append(c.generators, t)
	}
}

// trafficNumbers checks what is given of rate, count, concurrency and size.
func (c *checker) trafficNumbers(path string, t *Traffic) {
	if p := join(path, "rate"); c.src.Has(p) && (t.Rate <= 0 || t.Rate > maxTrafficRate) {
		c.wrong(p, "%s is out of range: write more than 0, and at most %d a second", formatNumber(t.Rate), maxTrafficRate)
	}
	size := struct{ least, most int }{1, maxAnswer}
	switch t.Kind {
	case UDPTraffic:
		size.least, size.most = minDatagram, maxDatagram
	case BulkTraffic:
		size.most = 1 << 40
	}
	for _, n := range []struct {
		key                string
		value, least, most int
	}{
		{"count", t.Count, 1, maxTrafficCount}, {"concurrency", t.Concurrency, 1, maxTrafficConcurrency}, {"size", t.Size, size.least, size.most},
	} {
		if p := join(path, n.key); c.src.Has(p) {
			c.within(p, n.value, n.least, n.most)
		}
	}
}

// trafficResult checks that there is traffic to ask about, which has an end.
func (c *checker) trafficResult(path string, r *TrafficResult) {
	var names []string
	for _, g := range c.generators {
		if g.Name == r.Traffic && !g.Background {
			c.wrong(join(path, "traffic"), "traffic %s is not in the background: its own step tells what became of it", r.Traffic)
			return
		}
		if g.Name == r.Traffic && !g.Ends() && !r.Stop {
			c.wrong(path, "traffic %s has no end of its own: write stop: true", r.Traffic)
		}
		if g.Background {
			names = append(names, g.Name)
		}
	}
	c.reference(join(path, "traffic"), "traffic in the background", r.Traffic, names)
}

// background checks that a step which only begins something expects nothing yet.
func (c *checker) background(path string, s *Step) {
	if s.Traffic == nil || !s.Traffic.Background {
		return
	}
	for _, key := range []string{"expect", "within"} {
		if p := join(path, key); c.src.Has(p) {
			c.wrong(p, "the traffic has only begun: this is for the step traffic_result")
		}
	}
}

// failures checks which kinds of failure are expected, and how many.
func (c *checker) failures(path string, errors map[string]*Matcher) {
	kinds := slices.DeleteFunc(slices.Clone(errorWords), func(w string) bool { return w == "none" })
	for kind := range errors {
		if !slices.Contains(kinds, kind) {
			c.wrong(join(path, kind), "%s is not a kind of failure%s", strconv.Quote(kind), hint(kind, kinds))
		}
	}
}
