package scenario

import (
	"errors"
	"time"

	"github.com/plsim/plsim/topology"
)

// Metrics reads one metric, in the words of CloudWatch's GetMetricStatistics.
type Metrics struct {
	Namespace  string            `yaml:"namespace" doc:"AWS/NetworkELB, AWS/PrivateLinkEndpoints or AWS/PrivateLinkServices."`
	MetricName string            `yaml:"metric_name" doc:"Name of the metric, such as NewFlowCount."`
	Dimensions map[string]string `yaml:"dimensions,omitempty" doc:"What the metric is about, by the names of CloudWatch, with its values or the names of this file. Default: the sum over the only load balancer, endpoint or service that has it."`
	Statistic  string            `yaml:"statistic,omitempty" doc:"Sum, Average, Minimum, Maximum or SampleCount. Default: what AWS calls useful for the metric."`
	Period     *int              `yaml:"period,omitempty" doc:"Seconds of the lab over which samples are taken together, a multiple of 60; the last such period is read. Default: all the time since the lab began."`
}

// Query returns what is asked for.
func (m *Metrics) Query() topology.MetricQuery {
	q := topology.MetricQuery{Namespace: m.Namespace, MetricName: m.MetricName, Dimensions: m.Dimensions, Statistic: m.Statistic}
	if m.Period != nil {
		q.Period = time.Duration(*m.Period) * time.Second
	}
	return q
}

// metrics checks a query as the lab would when the step is played.
func (c *checker) metrics(path string, m *Metrics) {
	if m.Period != nil && *m.Period <= 0 {
		c.wrong(join(path, "period"), "%d is no period: write a multiple of 60 seconds", *m.Period)
		return
	}
	if c.lab == nil {
		return
	}
	m, err := expandAll(m, c.lab.Variable)
	if err != nil {
		return // c.references reports it
	}
	q := m.Query()
	var problems topology.Problems
	if _, err := c.lab.FindMetric(&q, c.lab.Metrics(0, nil)); errors.As(err, &problems) {
		c.problems(path, problems)
	}
}
