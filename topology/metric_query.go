package topology

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plsim/plsim/topology/cloudwatch"
)

// MetricQuery asks for one metric, in the words of CloudWatch's GetMetricStatistics.
type MetricQuery struct {
	Namespace  string
	MetricName string
	// Dimensions are some of those of the series that is meant, by AWS's values or
	// the lab's names. Of several with all of them the one with the fewest
	// dimensions is meant, which sums over the others.
	Dimensions map[string]string
	Statistic  string // "": the first that AWS calls useful
	Period     time.Duration
}

// FindMetric finds the series that a query means among those of the lab, and
// completes the query. The error is of type [Problems], with the query's keys in
// Terraform's spelling as paths.
func (l *Lab) FindMetric(q *MetricQuery, all []cloudwatch.Series) (*cloudwatch.Series, error) {
	var problems Problems
	metric := q.metric(&problems)
	if q.Period%cloudwatch.Period != 0 || q.Period < 0 {
		problems.add("period", "%d is no period: write a multiple of 60 seconds", q.Period/time.Second)
	}
	if metric == nil {
		return nil, problems
	}
	if q.Statistic == "" {
		q.Statistic = metric.Statistics[0]
	} else if known := cloudwatch.Statistics(); !slices.Contains(known, q.Statistic) {
		problems.add("statistic", "%q is not a statistic%s", q.Statistic, hint(q.Statistic, known))
	}
	s := q.series(&problems, metric, all)
	if len(problems) > 0 {
		return nil, problems
	}
	return s, nil
}

// metric finds the metric by its namespace and name.
func (q *MetricQuery) metric(problems *Problems) *cloudwatch.Metric {
	if known := cloudwatch.Namespaces(); !slices.Contains(known, q.Namespace) {
		problems.add("namespace", "%q is not a namespace here%s", q.Namespace, hint(q.Namespace, known))
		return nil
	}
	var names []string
	for _, m := range cloudwatch.Of(q.Namespace) {
		if m.Name == q.MetricName {
			return m
		}
		names = append(names, m.Name)
	}
	if why := cloudwatch.LeftOut(q.MetricName); why != "" {
		problems.add("metric_name", "%s is not reported: %s", q.MetricName, why)
		return nil
	}
	problems.add("metric_name", "%s has no metric %q%s", q.Namespace, q.MetricName, hint(q.MetricName, names))
	return nil
}

// series finds the series of a metric by its dimensions.
func (q *MetricQuery) series(problems *Problems, m *cloudwatch.Metric, all []cloudwatch.Series) *cloudwatch.Series {
	var fits []*cloudwatch.Series
	for i := range all {
		if all[i].Metric == m {
			fits = append(fits, &all[i])
		}
	}
	if len(fits) == 0 {
		problems.add("metric_name", "nothing in this lab has %s", m.Name)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(q.Dimensions)) {
		before, names, values := fits, map[string]bool{}, map[string]bool{}
		fits = nil
		for _, s := range before {
			for _, d := range s.Dimensions {
				names[d.Name] = true
				if d.Name != name {
					continue
				}
				values[d.String()] = true
				if v := q.Dimensions[name]; v == d.Value || v == d.Alias {
					fits = append(fits, s)
				}
			}
		}
		switch path := at("dimensions", name); {
		case !names[name]:
			problems.add(path, "%s has no dimension %q%s", together(m, q.Dimensions, name), name, hint(name, slices.Collect(maps.Keys(names))))
			return nil
		case len(fits) == 0:
			problems.add(path, "no %s %q has %s%s", name, q.Dimensions[name], m.Name, hint(q.Dimensions[name], slices.Collect(maps.Keys(values))))
			return nil
		}
	}
	fewest := slices.MinFunc(fits, func(a, b *cloudwatch.Series) int { return len(a.Dimensions) - len(b.Dimensions) })
	fits = slices.DeleteFunc(fits, func(s *cloudwatch.Series) bool { return len(s.Dimensions) > len(fewest.Dimensions) })
	if len(fits) > 1 {
		problems.add("dimensions", "%d of the lab's parts have %s: add %s", len(fits), m.Name, missingDimension(fits, q.Dimensions))
		return nil
	}
	return fits[0]
}

// together names a metric and, if there are any, the dimensions given beside one.
func together(m *cloudwatch.Metric, given map[string]string, beside string) string {
	var others []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if name != beside {
			others = append(others, name)
		}
	}
	if len(others) == 0 {
		return m.Name
	}
	return m.Name + " by " + list(others)
}

// missingDimension says which dimension tells the series apart.
func missingDimension(fits []*cloudwatch.Series, given map[string]string) string {
	for i, d := range fits[0].Dimensions {
		values := map[string]bool{}
		for _, s := range fits {
			if s.Dimensions[i].Name == d.Name {
				values[s.Dimensions[i].String()] = true
			}
		}
		if _, ok := given[d.Name]; !ok && len(values) > 1 {
			return d.Name + ", one of " + strings.Join(slices.Sorted(maps.Keys(values)), ", ")
		}
	}
	return "another dimension"
}

// MetricFilter chooses some of a lab's metrics; what is empty chooses all.
type MetricFilter struct {
	Namespace  string
	MetricName string
	Dimensions map[string]string // by AWS's values or the lab's names
}

// Apply returns the series that the filter lets through. It is an error if the
// filter speaks of what none of them has.
func (f *MetricFilter) Apply(all []cloudwatch.Series) ([]cloudwatch.Series, error) {
	all, err := filtered(all, "namespace", f.Namespace, func(s *cloudwatch.Series) []string { return []string{s.Namespace} })
	if err != nil {
		return nil, err
	}
	if why := cloudwatch.LeftOut(f.MetricName); why != "" {
		return nil, fmt.Errorf("%s is not reported: %s", f.MetricName, why)
	}
	if all, err = filtered(all, "metric", f.MetricName, func(s *cloudwatch.Series) []string { return []string{s.Name} }); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(f.Dimensions)) {
		names := func(s *cloudwatch.Series) (all []string) {
			for _, d := range s.Dimensions {
				all = append(all, d.Name)
			}
			return all
		}
		values := func(s *cloudwatch.Series) []string {
			i := slices.Index(names(s), name)
			return []string{s.Dimensions[i].String(), s.Dimensions[i].Value}
		}
		if all, err = filtered(all, "dimension", name, names); err != nil {
			return nil, err
		}
		if all, err = filtered(all, name, f.Dimensions[name], values); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// filtered returns the series that have a word among those of a kind.
func filtered(all []cloudwatch.Series, kind, word string, of func(*cloudwatch.Series) []string) ([]cloudwatch.Series, error) {
	if word == "" {
		return all, nil
	}
	var some []cloudwatch.Series
	known := map[string]bool{}
	for i := range all {
		words := of(&all[i])
		known[words[0]] = true
		if slices.Contains(words, word) {
			some = append(some, all[i])
		}
		if kind == "dimension" {
			for _, w := range words {
				known[w] = true
			}
		}
	}
	if len(some) == 0 {
		return nil, errors.New(unknown(kind, word, slices.Collect(maps.Keys(known))))
	}
	return some, nil
}
