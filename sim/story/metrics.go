package story

import (
	"strconv"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology/cloudwatch"
)

// metrics reads one metric.
func (p *player) metrics(m *scenario.Metrics, e *scenario.Expect) (outcome, error) {
	all, err := p.world.Metrics()
	if err != nil {
		return outcome{}, err
	}
	q := m.Query()
	s, err := p.lab.FindMetric(&q, all)
	if err != nil {
		return outcome{}, &refusedError{err}
	}
	c := newComparison(e)
	points := s.Over(q.Period)
	if len(points) == 0 {
		c.note("%s of %s: no data points", q.Statistic, s.Name)
		c.missing(e.Value, q.Statistic)
	} else {
		value := FormatMetric(points[len(points)-1].Statistic(q.Statistic))
		c.note("%s of %s: %s", q.Statistic, s.Name, value)
		c.match(q.Statistic, e.Value, value)
	}
	c.match("data points", e.Datapoints, strconv.Itoa(len(points)))
	return c.outcome(), nil
}

// FormatMetric writes the value of a metric with as many digits as people want.
func FormatMetric(v float64) string {
	return strconv.FormatFloat(cloudwatch.Round(v), 'f', -1, 64)
}
