package report

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/plsim/plsim/topology/cloudwatch"
)

// MetricsHandler answers what a Prometheus server asks for: of each metric the latest
// minute, under the names that the exporter for CloudWatch gives them, such as
// aws_networkelb_new_flow_count_sum with dimensions as labels. read returns what is
// reported now; it is called by many goroutines.
func MetricsHandler(read func() ([]cloudwatch.Series, error)) http.Handler {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(collector(read))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// collector is a prometheus.Collector whose metrics are known only when they are
// asked for.
type collector func() ([]cloudwatch.Series, error)

// Describe implements prometheus.Collector.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	all, err := c()
	if err != nil {
		to <- prometheus.NewInvalidMetric(prometheus.NewDesc("aws_error", "Metrics could not be read.", nil, nil), err)
		return
	}
	for i := range all {
		s := &all[i]
		p, ok := s.Latest()
		if !ok {
			continue
		}
		labels := prometheus.Labels{}
		for _, d := range s.Dimensions {
			labels[snake(d.Name)] = d.Value
		}
		for _, statistic := range s.Statistics {
			name := snake(strings.ToLower(s.Namespace)) + "_" + snake(s.Name) + "_" + strings.ToLower(statistic)
			help := "CloudWatch metric " + s.Namespace + " " + s.Name + ", statistic " + statistic + ", unit " + s.Unit + "."
			to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, labels), prometheus.GaugeValue, p.Statistic(statistic))
		}
	}
}

var (
	hump    = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	foreign = regexp.MustCompile(`[^a-z0-9]+`)
)

// snake writes a name of CloudWatch as Prometheus wants it: NewFlowCount_TCP is
// new_flow_count_tcp.
func snake(name string) string {
	return foreign.ReplaceAllString(strings.ToLower(hump.ReplaceAllString(name, "${1}_${2}")), "_")
}
